"""The operator advise_strategy: which recipe to begin with, why, and what could not be known."""

from __future__ import annotations

import json
from typing import Any

import fiftyone.operators.types as types

from ..alcore import InvalidInput
from .base import OptionsOperator, Pick
from .dataset.fields import (
    embedding_fields,
    label_fields,
)
from .dataset.fiftyone_private import dataset_of
from .evaluation.strategy_advice import (
    AIMS,
    TEST_SETS,
    advice_lines,
    advise_view,
    facts_lines,
    predictions_beside,
    usual_field,
)
from .forms import cost_matrix, pieces
from .forms.markdown import paragraphs
from .runs.run import Progress

MISTAKES = {"alike": "all mistakes cost the same", "unequal": "some cost more than others"}
FIELDS = ("label_field", "embeddings", "predictions")


class AdviseStrategy(OptionsOperator):
    """Reads what is known of a dataset, and proposes a recipe with its reasons. It writes nothing.

    Options:
        label_field, embeddings, predictions: the fields to look at; default: those that fit, if they
            are the only ones.
        aim: "both", "common" or "edge": which cases matter.
        cost, gain: a matrix ``[truth][decision]``, if mistakes cost unequally.
        test_set: "have" one already; or it shall stand for the "pool", or for "rare" classes too.
        budget: the budget of the recipe.

    The result has the ``recipe``, ``reasons`` with their sources, what is ``unknown``, what to do
    ``next``, and the ``facts``.
    """

    label = "Active learning: which strategy should I use?"
    about = (
        "Reads what is known of this dataset, asks three questions, and proposes a recipe with its "
        "reasons. Nothing is written."
    )
    description = "Advice: which active learning strategy or recipe to use, recommendation, best method"
    icon = "assistant"
    result_label = "Advice"
    refused_at = "label_field"
    risk = "low"
    options = (*FIELDS, "aim", "mistakes", "test_set", "budget", *cost_matrix.OPTIONS)

    def draw_form(self, ctx: Any, inputs: Any) -> None:
        dataset = ctx.dataset
        predictions = predictions_beside(dataset, ctx.params.get("label_field"))
        for name, label, choices, about in (
            ("label_field", "Labels", label_fields(dataset), "Samples with a value are labeled"),
            ("embeddings", "Embeddings", embedding_fields(dataset), "Vectors of the samples"),
            ("predictions", "Predictions", predictions, "What the model says of each sample"),
        ):
            usual = usual_field(dataset, name, choices)
            pieces.optional_field_input(ctx, inputs, name, label, choices, about, default=usual)
        pieces.choice_input(inputs, "aim", "What matters", AIMS, "both")
        pieces.choice_input(inputs, "mistakes", "What does a mistake cost", MISTAKES, "alike")
        if ctx.params.get("mistakes") == "unequal":
            labels = ctx.params.get("label_field")
            cost_matrix.cost_inputs(ctx, inputs, ctx.params.get("predictions"), labels)
        pieces.choice_input(inputs, "test_set", "The test set", TEST_SETS, "have")
        pieces.budget_input(inputs)

    def fill(self, dataset: Any, options: dict[str, Any], pick: Pick) -> dict[str, Any]:
        filled = super().fill(dataset, options, pick)
        choices = {
            "label_field": label_fields(dataset),
            "embeddings": embedding_fields(dataset),
            "predictions": predictions_beside(dataset, filled.get("label_field")),
        }
        for name in FIELDS:
            if name not in filled:
                usual = usual_field(dataset, name, choices[name])
                filled[name] = usual or pieces.NONE
        return filled

    def check(self, view: Any, options: dict[str, Any]) -> None:
        dataset = dataset_of(view)
        for name in FIELDS:
            path = options.get(name)
            if path and dataset.get_field(path) is None and path not in dataset.list_brain_runs():
                raise InvalidInput(f"{name}: {dataset.name!r} has no field {path!r}")
        for name, known in (("aim", AIMS), ("test_set", TEST_SETS)):
            if options.get(name, next(iter(known))) not in known:
                raise InvalidInput(f"{name}: {options[name]!r} is not one of {', '.join(known)}")
        _matrix_of(dataset, options)

    def run(self, view: Any, options: dict[str, Any], report: Progress) -> dict[str, Any]:
        dataset = dataset_of(view)
        return advise_view(
            view,
            {name: options.get(name) or None for name in FIELDS},
            options.get("aim", "both"),
            options.get("test_set", "have"),
            _matrix_of(dataset, options),
            int(options.get("budget") or 100),
            report,
        )

    def has_written(self, result: dict[str, Any]) -> bool:
        return False

    def draw_result(self, outputs: Any, result: dict[str, Any]) -> None:
        outputs.md(paragraphs(facts_lines(result)), name="facts_text")
        outputs.md(paragraphs(advice_lines(result)), name="advice_text")
        written = json.dumps(result.get("recipe"), indent=2)
        # The App's code view loads files from the internet, which some networks block.
        outputs.str(
            "recipe_text",
            label="Recipe, for the panel or the operator select",
            default=written,
            view=types.TextFieldView(multiline=True, read_only=True, rows=8),
        )


def _matrix_of(dataset: Any, options: dict[str, Any]) -> dict[str, Any]:
    """Return ``{"cost": matrix}`` or ``{"gain": matrix}``; empty if all mistakes cost the same.

    Raises:
        InvalidInput: if a matrix is needed and cannot be used.
    """
    given = any(options.get(name) is not None for name in ("cost", "gain"))
    if not given and options.get("mistakes") != "unequal":
        return {}
    fields = (options.get("predictions") or None, options.get("label_field") or None)
    return cost_matrix.matrix_of(dataset, options, *fields)
