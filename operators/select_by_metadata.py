"""The operator select_by_metadata: it filters by metadata, and prefers some of its values."""

from __future__ import annotations

from typing import Any

from ..alcore import InvalidInput
from ..alcore.data.json_text import parsed
from .forms import metadata_inputs, pieces, selection_inputs
from .select_base import SelectOperator


class SelectByMetadata(SelectOperator):
    """Chooses samples by filters on fields and by preferred values.

    Options, besides those of ``SelectOperator``:
        filters: a list of filters as in a recipe, such as ``{"field": "sharpness", "min": 20}``.
        preferences: a list such as ``{"field": "sharpness", "prefer": "high"}``, as for the strategy
            "weight".
        predictions: predictions by which uncertain samples are preferred.
        embeddings: embeddings by which the chosen samples are kept apart.
        budget: a count, or below 1 a share of the candidates; default: 100.
    """

    label = "Active learning: select by metadata"
    about = (
        "Filters by given metadata, such as a lens covered by a finger, and prefers high or low "
        "numbers, a range, or some categories to others; several fields at once."
    )
    description = "Choose by metadata: filters and preferences on places, times, quality, any field"
    options = ("filters", "preferences", "predictions", "embeddings", "budget")

    def form_options(self, ctx: Any) -> dict[str, Any]:
        """Convert the inputs of the single fields to the lists ``filters`` and ``preferences``."""
        params = super().form_options(ctx)
        for name, found in (
            ("filters", metadata_inputs.filters_of(ctx.dataset, params)),
            ("preferences", metadata_inputs.preferences_of(ctx.dataset, params)),
        ):
            params[name] = [*_entries(name, params.get(name)), *found]
        return params

    def strategy_inputs(self, ctx: Any, inputs: Any) -> None:
        pieces.budget_input(inputs)
        metadata_inputs.fields_inputs(ctx, inputs)
        pieces.uncertain_input(ctx, inputs)
        pieces.spread_input(ctx, inputs)

    def recipe_of(self, dataset: Any, params: dict[str, Any]) -> dict[str, Any]:
        strategies = [
            {"strategy": "weight", **one, "prefer": _prefer(dataset, one)}
            for one in _entries("preferences", params.get("preferences"))
        ]
        if params.get("predictions"):
            strategies.append({"strategy": "uncertainty", "column": params["predictions"]})
        if params.get("embeddings"):
            strategies.append({"strategy": "diversity", "column": params["embeddings"]})
        return {
            "budget": selection_inputs.budget_of(params),
            "filters": _entries("filters", params.get("filters")),
            # Without preferences, the samples that pass the filters are chosen at random.
            "strategies": strategies or [{"strategy": "random"}],
            "seed": params.get("seed", 0),
        }


def _prefer(dataset: Any, one: dict[str, Any]) -> Any:
    return metadata_inputs.as_numbers(dataset, one.get("column") or "", one.get("prefer", "high"))


def _entries(option: str, given: Any) -> list[dict[str, Any]]:
    """Return filters or preferences, with their key ``field`` renamed to ``column``.

    Args:
        option: the name of the option, for messages.
        given: a list of dicts, or the same as JSON; None for an empty list.

    Raises:
        InvalidInput: if it is not a list of dicts.
    """
    given = parsed(option, given)
    if not isinstance(given or [], list) or not all(isinstance(one, dict) for one in given or []):
        usual = {"filters": '[{"field": "sharpness", "min": 20}]'}
        example = usual.get(option, '[{"field": "sharpness", "prefer": "high"}]')
        raise InvalidInput(f"{option}: give a list of dicts, such as {example}")
    return [
        {"column" if name == "field" else name: value for name, value in one.items()}
        for one in given or []
    ]
