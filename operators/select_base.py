"""What every select operator shares: a short form over one recipe."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, ClassVar

from ..alcore import InvalidInput, Recipe
from .base import OptionsOperator, Pick
from .dataset.fields import Choice
from .dataset.fiftyone_private import dataset_of
from .dataset.object_fields import nearest
from .forms import pieces, previews, selection_inputs
from .reading.read import check
from .runs.names import InvalidName
from .runs.run import Progress, preview, run_selection


class SelectOperator(OptionsOperator):
    """Chooses samples, or objects, by a recipe, and writes them as a selection.

    A family says what its form asks for (``strategy_inputs``) and which recipe that makes
    (``recipe_of``). Options of every family, beside its own: ``label_field``, ``labeled_tag``,
    ``skip_chosen``, ``tag``, ``saved_view``, ``run_key``, ``overwrite``, ``bad`` ("error" or
    "leave_out"), ``device``, ``seed``; ``objects`` and ``result``; ``cost_field`` with ``cost_budget``,
    ``group_field`` with ``group_limit`` (0: groups as wholes).

    The result has the run's key, tag and counts.

    Attributes:
        fields: options that name a field, with how to find those that fit: left out, the only one that
            fits is taken.
    """

    icon = "filter_center_focus"
    result_label = "Selected"
    refused_at = "budget"
    fields: ClassVar[dict[str, Callable[[Any], list[Choice]]]] = {}

    def strategy_inputs(self, ctx: Any, inputs: Any) -> None:
        """Add the inputs of the family to the form."""
        raise NotImplementedError

    def recipe_of(self, dataset: Any, params: dict[str, Any]) -> dict[str, Any]:
        """The recipe that the family's options make."""
        raise NotImplementedError

    def prepare(self, dataset: Any, params: dict[str, Any]) -> dict[str, Any]:
        """The filled options with what takes a while to compute: only where it is to choose."""
        return params

    def known_options(self) -> set[str]:
        return {*self.options, *selection_inputs.COMMON}

    def fill(self, dataset: Any, options: dict[str, Any], pick: Pick) -> dict[str, Any]:
        """The options with the fields that are not named, picked from those that fit."""
        named = super().fill(dataset, options, pick)
        found = {
            name: pick(nearest(fitting, named.get("objects") or None)(dataset), name)
            for name, fitting in self.fields.items()
            if name not in named
        }
        return {**named, **found}

    def draw_form(self, ctx: Any, inputs: Any) -> None:
        selection_inputs.objects_input(ctx, inputs)
        self.strategy_inputs(ctx, inputs)
        selection_inputs.limit_inputs(ctx, inputs)
        selection_inputs.labeled_input(ctx, inputs)
        selection_inputs.result_inputs(ctx, inputs)

    def check(self, view: Any, options: dict[str, Any]) -> None:
        """Refuse a recipe, fields or names that do not fit."""
        recipe = Recipe.of(self._limited(dataset_of(view), options))
        request = selection_inputs.request_of(options)
        check(view, recipe, request.labeled, request.objects)
        selection_inputs.check_request(dataset_of(view), request)

    def refuse(self, ctx: Any, inputs: Any, error: InvalidInput) -> None:
        at = "tag" if isinstance(error, InvalidName) else self.refused_at
        pieces.refuse(inputs, at, error, "recipe_error")

    def draw_preview(self, ctx: Any, inputs: Any) -> None:
        previews.preview_inputs(ctx, inputs, self.previewed)

    def preview(self, view: Any, options: dict[str, Any], plane: str) -> dict[str, Any]:
        dataset = dataset_of(view)
        recipe = self._limited(dataset, self.prepare(dataset, options))
        return previews.shown(*preview(view, recipe, selection_inputs.request_of(options)), plane)

    def run(self, view: Any, options: dict[str, Any], report: Progress) -> dict[str, Any]:
        dataset = dataset_of(view)
        recipe = self._limited(dataset, self.prepare(dataset, options))
        return run_selection(view, recipe, selection_inputs.request_of(options), report)

    def resolve_run_name(self, ctx: Any) -> str:
        return f"{self.label}: {ctx.params.get('tag') or 'selection'}"

    def draw_result(self, outputs: Any, result: dict[str, Any]) -> None:
        among = result.get("chosen_from", "samples")
        if among == "samples":
            outputs.int("chosen", label="Chosen")
        else:
            outputs.int("chosen", label=f"Chosen objects of {among}")
            outputs.int("images", label="Images they lie in")
        outputs.str("tag", label="Tag")
        outputs.str("saved_view", label="Saved view, in the order chosen")
        outputs.str("run_key", label="Run, to show or undo it")
        outputs.str("stopped", label="Stopped")

    def _limited(self, dataset: Any, options: dict[str, Any]) -> dict[str, Any]:
        """The recipe within the costs and groups that are named."""
        return selection_inputs.limited(self.recipe_of(dataset, options), options)
