"""The base class of the select operators, which convert a short form to a recipe."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, ClassVar

import fiftyone.operators.types as types

from ..alcore import InvalidInput, Recipe
from .base import OptionsOperator, Pick
from .dataset.fields import Choice
from .dataset.fiftyone_private import dataset_of
from .dataset.object_fields import nearest
from .forms import pieces, previews, selection_inputs
from .reading.read import check
from .runs.names import InvalidName
from .runs.run import Progress, preview, preview_selection, run_selection


class SelectOperator(OptionsOperator):
    """Base class of operators that choose samples or objects by a recipe and write a selection.

    A subclass must define ``strategy_inputs`` and ``recipe_of``. Every such operator also has these
    options:
        label_field, labeled_tag: the samples with a value in this field, or with this tag, are labeled.
        skip_chosen: whether the samples of earlier selections count as labeled, too; default: True.
        tag, saved_view, run_key: the names under which the selection is written; each has a default.
            With "", the tag or saved view is not written.
        overwrite: whether an earlier selection with this run key is replaced.
        bad: "error" or "leave_out", for samples whose values cannot be used.
        device: "auto", "cpu", "cuda", or "ray" for the cluster that RAY_ADDRESS names.
        seed: the seed of the random numbers.
        objects: a field of objects to choose from, instead of samples.
        preview: whether nothing is written, and the result has the ids of the ``picks`` in order, the
            ``reasons`` for each, and the completed ``recipe``.
        result: whether the chosen objects ("labels", the default) or their "samples" are tagged.
        cost_field, cost_budget: the cost of each sample, and the greatest total cost.
        group_field, group_limit: the field of groups, and how many samples of a group may be chosen;
            with 0, the default, groups are chosen as a whole.

    The result has the names of what was written, and counts.

    Attributes:
        fields: maps each option that names a field to a function that finds the fields that fit. If
            the option is not given, the only field that fits is used.
    """

    icon = "filter_center_focus"
    result_label = "Selected"
    refused_at = "budget"
    fields: ClassVar[dict[str, Callable[[Any], list[Choice]]]] = {}

    def strategy_inputs(self, ctx: Any, inputs: Any) -> None:
        """Add the operator's own inputs to the form."""
        raise NotImplementedError

    def recipe_of(self, dataset: Any, params: dict[str, Any]) -> dict[str, Any]:
        """Convert options to a recipe.

        Raises:
            InvalidInput: if an option is wrong.
        """
        raise NotImplementedError

    def prepare(self, dataset: Any, params: dict[str, Any]) -> dict[str, Any]:
        """Add values to the filled options that take long to compute, such as the vector of a text.

        It is called before samples are chosen, but not when the form only checks the options.

        Raises:
            InvalidInput: if a value cannot be computed.
        """
        return params

    def known_options(self) -> set[str]:
        return {*self.options, *selection_inputs.COMMON}

    def fill(self, dataset: Any, options: dict[str, Any], pick: Pick) -> dict[str, Any]:
        """Return the options with defaults for the options in ``fields`` that are not given."""
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
        previews.dry_run_input(inputs)

    def check(self, view: Any, options: dict[str, Any]) -> None:
        """Check the recipe, its fields and the names of the selection, without reading any sample.

        Raises:
            InvalidInput: if the recipe or a field cannot be used, or if a name is taken.
        """
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
        select = preview_selection if options.get("preview") else run_selection
        result = select(view, recipe, selection_inputs.request_of(options), report)
        if not self.names_budget(options):
            result["notes"].insert(0, f"no budget was given, so it is {recipe['budget']}")
        return result

    def has_written(self, result: dict[str, Any]) -> bool:
        return not result.get("preview")

    def names_budget(self, options: dict[str, Any]) -> bool:
        """Return whether the options say how many to choose."""
        return "budget" in options or bool(options.get("cost_field"))

    def resolve_run_name(self, ctx: Any) -> str:
        return f"{self.label}: {ctx.params.get('tag') or 'selection'}"

    def draw_result(self, outputs: Any, result: dict[str, Any]) -> None:
        among = result.get("chosen_from", "samples")
        if result.get("chosen") == 0:
            pieces.nothing_output(outputs, f"Nothing was chosen: {result.get('stopped')}")
        if among == "samples":
            outputs.int("chosen", label="Chosen")
        else:
            outputs.int("chosen", label=f"Chosen objects of {among}")
            outputs.int("images", label="Images they lie in")
        outputs.str("stopped", label="Stopped")
        if result.get("preview"):
            outputs.list("picks", types.String(), label="Would be chosen; nothing is written")
            return
        outputs.str("tag", label="Tag")
        outputs.str("saved_view", label="Saved view, in the order chosen")
        outputs.str("run_key", label="Run, to show or undo it")

    def _limited(self, dataset: Any, options: dict[str, Any]) -> dict[str, Any]:
        """Return the recipe with the limits on costs and groups that the options set."""
        return selection_inputs.limited(self.recipe_of(dataset, options), options)
