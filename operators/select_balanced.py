"""select_balanced: the classes that are short."""

from __future__ import annotations

import json
from typing import Any, ClassVar

from ..alcore import InvalidInput
from . import forms
from .fields import category_fields, prediction_fields
from .selecting import SelectOperator

TARGETS = {
    "uniform": "as many of each",
    "input": "as they are in the pool",
    "shares": "as given below",
}


class SelectBalanced(SelectOperator):
    label = "Active learning: select for class balance"
    about = (
        "Chooses samples of the classes that the labelled ones lack. Classes are predicted, so a weak "
        "model balances weakly."
    )
    options = ("by", "target", "shares", "predictions", "budget")
    fields: ClassVar = {"by": prediction_fields}

    def strategy_inputs(self, ctx: Any, inputs: Any) -> None:
        forms.budget_input(inputs)
        predictions = forms.fields_for(ctx, prediction_fields)
        taken = {choice.path for choice in predictions}
        found = forms.fields_for(ctx, category_fields)
        categories = [c for c in found if c.path.rsplit(".", 1)[0] not in taken]
        forms.field_input(
            ctx,
            inputs,
            "by",
            "Balance",
            predictions + categories,
            missing="This dataset has no predictions and no categories to balance",
            description="Predicted classes, or any category such as a location",
        )
        forms.choice_input(inputs, "target", "Target", TARGETS, "uniform")
        if ctx.params.get("target") == "shares":
            inputs.str(
                "shares",
                label="Shares",
                description='Such as {"glass": 0.5, "paper": 0.5}; what is left goes to the others',
            )
        forms.field_input(
            ctx,
            inputs,
            "predictions",
            "Prefer uncertain ones of",
            predictions,
            missing="",
            description="Within a class, the samples the model is least sure of (margin)",
            required=False,
        )

    def recipe_of(self, dataset: Any, params: dict[str, Any]) -> dict[str, Any]:
        strategies: list[dict[str, Any]] = [
            {
                "strategy": "balance",
                "column": params.get("by", "predictions"),
                "target": _target(params),
            }
        ]
        if params.get("predictions"):
            strategies.append({"strategy": "uncertainty", "column": params["predictions"]})
        return {
            "budget": forms.budget_of(params),
            "strategies": strategies,
            "seed": params.get("seed", 0),
        }


def _target(params: dict[str, Any]) -> Any:
    """The target of a form, or of a call, which may give the shares themselves."""
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
