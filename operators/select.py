"""The operator select: it selects samples by a complete recipe."""

from __future__ import annotations

from typing import Any

import fiftyone.operators.types as types

from ..alcore import InvalidInput
from ..alcore.data.json_text import parsed
from .forms import pieces, selection_inputs, strategy_inputs
from .select_base import SelectOperator


def _as_dict(given: Any) -> dict[str, Any]:
    """Return a recipe, given as a dict or as JSON, as a dict.

    Raises:
        InvalidInput: if it is not JSON, or not an object.
    """
    given = parsed("recipe", given or {})
    if not isinstance(given, dict):
        raise InvalidInput('recipe: must be a JSON object, such as {"budget": 100}')
    return dict(given)


class Select(SelectOperator):
    """Chooses samples by a recipe: any combination of strategies, or the default recipe.

    Options, besides those of ``SelectOperator``:
        recipe: a dict or JSON. Its budget, seed and strategies take precedence over the options below.
        budget: a count, or below 1 a share of the candidates; default: 100.
        strategy: one strategy, with its own options named ``<strategy>_<option>``.
    """

    label = "Active learning: select by a recipe"
    about = (
        "Chooses the samples to label next by any combination of strategies. "
        "With a budget alone: samples that stand for many others the model is unsure of, "
        "balanced over the classes."
    )
    description = (
        "Choose what to label next by any combination of uncertainty, diversity, coverage, balance"
    )
    options = ("recipe", "budget", "strategy", strategy_inputs.MORE, *strategy_inputs.input_names())

    def strategy_inputs(self, ctx: Any, inputs: Any) -> None:
        pieces.budget_input(inputs)
        strategy_inputs.strategy_inputs(ctx, inputs)
        if ctx.params.get("strategy"):
            return
        inputs.str(
            "recipe",
            label="Recipe",
            description="JSON; left empty, the default. Its budget, if any, goes before the one above",
            required=False,
            view=types.TextFieldView(multiline=True, rows=8),
        )

    def names_budget(self, options: dict[str, Any]) -> bool:
        named = {"budget", "stages", "cost"} & set(_as_dict(options.get("recipe")))
        return bool(named) or super().names_budget(options)

    def recipe_of(self, dataset: Any, params: dict[str, Any]) -> dict[str, Any]:
        recipe = _as_dict(params.get("recipe"))
        entry = strategy_inputs.entry_from(dataset, params, params.get("label_field"))
        if entry is not None and "strategies" not in recipe and "stages" not in recipe:
            recipe["strategies"] = [entry]
        paid = "cost" in recipe and "budget" not in params  # the cost has its own budget
        if "budget" not in recipe and "stages" not in recipe and not paid:
            recipe["budget"] = selection_inputs.budget_of(params)
        if "seed" in params and "seed" not in recipe:
            recipe["seed"] = params["seed"]
        return recipe
