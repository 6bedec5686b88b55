"""The operator select_balanced: it selects samples of underrepresented classes or field values."""

from __future__ import annotations

import json
from typing import Any, ClassVar

import fiftyone as fo
import fiftyone.operators.types as types

from ..alcore import InvalidInput
from .base import Pick
from .dataset.fields import (
    category_fields,
    class_fields,
    document_type,
    embedding_fields,
    first,
    number_fields,
    prediction_fields,
)
from .forms import embedding_inputs, pieces, selection_inputs, words
from .forms.binning import binned, bins_input, date_part_input, has_dates, has_numbers
from .select_base import SelectOperator

TARGETS = {
    "uniform": "as many of each",
    "input": "as they are in the pool",
    "shares": "as given below",
}
COUNTS = {
    "soft": "each class by its probability",
    "predicted": "the most probable class alone",
}


class SelectBalanced(SelectOperator):
    """Chooses samples of the classes, or of the values of a field, that the labeled samples lack.

    Options, besides those of ``SelectOperator``:
        method: "balance" (default), "class_balanced" or "minority".
        by: the field to balance: predictions, objects, a category, a number or a date.
        also, jointly: for "balance": further fields, and whether their combinations are the classes.
        target, shares: "uniform" (default), "input" (as in the pool) or "shares", a dict of shares.
        count: for "balance": "soft" (default) counts probabilities, "predicted" the likeliest class.
        bins, edges, date_part, timezone: how numbers and dates are divided into classes.
        measure, embeddings, regularization, variant: the options of the other two methods.
        predictions: for "balance": predictions by which uncertain samples are preferred.
        budget: a count, or below 1 a share of the candidates; default: 100.
    """

    label = "Active learning: select for class balance"
    about = (
        "Chooses samples of the classes that the labeled ones lack, or of the places, hours, ranges. "
        "Classes are predicted, so a weak model balances weakly."
    )
    description = "Choose for class balance: rare classes, imbalance, shares to reach"
    options = (
        *("method", "measure", "embeddings", "regularization", "variant"),
        *("by", "also", "jointly", "target", "shares", "count", "bins", "edges", "date_part"),
        *("timezone", "predictions", "budget"),
    )
    fields: ClassVar = {"by": prediction_fields}

    def strategy_inputs(self, ctx: Any, inputs: Any) -> None:
        pieces.budget_input(inputs)
        pieces.choice_input(inputs, "method", "Method", words.lines(words.BALANCED), "balance")
        if ctx.params.get("method", "balance") != "balance":
            self._rule_inputs(ctx, inputs, ctx.params["method"])
            return
        choices = pieces.fields_for(ctx, class_fields)
        pieces.field_input(
            ctx,
            inputs,
            "by",
            "Balance",
            choices,
            missing="This dataset has no predictions, categories, numbers or dates to balance",
            description="Predicted classes, objects, or metadata: a location, a number, a date",
        )
        by = ctx.params.get("by") or (choices[0].path if choices else None)
        single = {c.path for c in (*category_fields(ctx.dataset), *number_fields(ctx.dataset))}
        others = [choice for choice in choices if choice.path in single and choice.path != by]
        if others:
            pieces.fields_input(inputs, "also", "Balance these too", others, "None chosen: it alone")
        columns = [by, *(ctx.params.get("also") or [])]
        if len(columns) > 1 and by in single:
            inputs.bool(
                "jointly",
                label="Jointly: every combination of their values is a class",
                description="Otherwise each is balanced by itself",
                default=False,
                view=types.CheckboxView(),
            )
        self._part_inputs(ctx, inputs, columns)
        _target_inputs(ctx, inputs)
        about = "Within a class, the samples the model is least sure of (margin)"
        pieces.optional_field_input(
            ctx,
            inputs,
            "predictions",
            "Prefer uncertain ones of",
            pieces.fields_for(ctx, prediction_fields),
            about,
        )

    def fill(self, dataset: Any, params: dict[str, Any], pick: Pick) -> dict[str, Any]:
        filled = super().fill(dataset, params, pick)
        if isinstance(filled.get("edges"), list):
            filled["edges"] = ", ".join(map(str, filled["edges"]))  # a form stores edges as text
        return filled

    def _rule_inputs(self, ctx: Any, inputs: Any, method: str) -> None:
        """Add the inputs of the methods "class_balanced" and "minority"."""
        pieces.field_input(
            ctx,
            inputs,
            "by",
            "Predictions",
            pieces.fields_for(ctx, prediction_fields),
            missing="This dataset has no predictions of classes",
            description="By which a sample's class is guessed",
        )
        if method == "minority":
            pieces.choice_input(inputs, "variant", "Variant", words.lines(words.VARIANTS), "certain")
            pieces.choice_input(inputs, "measure", "The rest by", words.lines(words.SINGLE), "margin")
            return
        offered = words.lines(words.SINGLE) | {"diversity": words.DIVERSE["diversity"].line}
        pieces.choice_input(inputs, "measure", "Measure", offered, "entropy")
        if ctx.params.get("measure") == "diversity":
            embedding_inputs.embeddings_input(ctx, inputs)
        about = "How much balance counts; left empty, as published"
        pieces.optional_number_input(inputs, "regularization", "Regularization", about)
        _target_inputs(ctx, inputs)

    def _part_inputs(self, ctx: Any, inputs: Any, columns: list[Any]) -> None:
        """Add the inputs of how predictions are counted, and how numbers and dates become classes."""
        declared = [ctx.dataset.get_field(column) for column in columns if column]
        if any(document_type(field) or isinstance(field, fo.VectorField) for field in declared):
            pieces.choice_input(inputs, "count", "Count", COUNTS, "soft")
        if has_dates(declared):
            date_part_input(inputs)
        if has_numbers(declared):
            bins_input(inputs)
            inputs.str(
                "edges",
                label="Or the edges of bins",
                description="Such as 20, 50, 80; the outer bins are open; left empty, bins as above",
                required=False,
            )

    def recipe_of(self, dataset: Any, params: dict[str, Any]) -> dict[str, Any]:
        by_rule = params.get("method", "balance") != "balance"
        return {
            "budget": selection_inputs.budget_of(params),
            "strategies": [_rule_of(dataset, params)] if by_rule else self._balances(dataset, params),
            "seed": params.get("seed", 0),
        }

    def _balances(self, dataset: Any, params: dict[str, Any]) -> list[dict[str, Any]]:
        columns = [params.get("by", "predictions"), *(params.get("also") or [])]
        entry = {
            "strategy": "balance",
            "target": _target(params),
            "count": params.get("count") or "soft",
        }
        together = columns if params.get("jointly") and len(columns) > 1 else None
        if together:
            _refuse_several(dataset, together)
        strategies = [
            entry | {"column": column} | binned(dataset, column, params)
            for column in ([together] if together else columns)
        ]
        if params.get("predictions"):
            strategies.append({"strategy": "uncertainty", "column": params["predictions"]})
        return strategies


def _target_inputs(ctx: Any, inputs: Any) -> None:
    pieces.choice_input(inputs, "target", "Target", TARGETS, "uniform")
    if ctx.params.get("target") == "shares":
        inputs.str(
            "shares",
            label="Shares",
            description='Such as {"glass": 0.5, "paper": 0.5}; what is left goes to the others',
            required=True,
        )


def _rule_of(dataset: Any, params: dict[str, Any]) -> dict[str, Any]:
    """Return the recipe entry of the method "class_balanced" or "minority".

    Raises:
        InvalidInput: if the method is unknown, or if there are no embeddings for "diversity".
    """
    method = params["method"]
    entry = {"strategy": method, "column": params.get("by", "predictions")}
    if method == "minority":
        # A form keeps the measure that was chosen for another method.
        measure = params.get("measure") if params.get("measure") != "diversity" else None
        variant = params.get("variant") or "certain"
        return entry | {"variant": variant, "measure": measure or "margin"}
    if method != "class_balanced":
        raise InvalidInput(f"method: there is no {method!r}; choose {', '.join(words.BALANCED)}")
    measure = params.get("measure") or "entropy"
    embeddings = None
    if measure == "diversity":
        embeddings = params.get("embeddings") or first(embedding_fields(dataset), "embeddings")
    return entry | {
        "measure": measure,
        "embeddings": embeddings,
        "regularization": params.get("regularization") or "auto",
        "target": _target(params),
    }


def _refuse_several(dataset: Any, columns: list[str]) -> None:
    """Check that all columns to balance jointly have one value per sample.

    Raises:
        InvalidInput: if a column holds predictions, because these have a probability for each class.
    """
    single = {choice.path for choice in (*category_fields(dataset), *number_fields(dataset))}
    for column in columns:
        if column not in single and dataset.get_field(column) is not None:
            raise InvalidInput(
                f"jointly: {column!r} holds no single value a sample; name a category, a number or a "
                f"date, such as {column}.label"
            )


def _target(params: dict[str, Any]) -> Any:
    """Return the target of a form or a call: a name, or a dict of shares.

    Raises:
        InvalidInput: if the shares are not valid JSON.
    """
    target = params.get("target", "uniform")
    if target != "shares":
        return target
    shares = params.get("shares") or "{}"
    if isinstance(shares, str):
        try:
            shares = json.loads(shares)
        except json.JSONDecodeError:
            raise InvalidInput('shares: must be JSON such as {"glass": 0.5, "paper": 0.5}') from None
    return shares
