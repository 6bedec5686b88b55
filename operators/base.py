"""What every select operator shares: its form's frame, its execution, its call from Python."""

from __future__ import annotations

import json
from collections.abc import Callable, Collection, Iterable
from typing import Any, ClassVar

import fiftyone as fo
import fiftyone.operators as foo
import fiftyone.operators.types as types

from ..alcore import InvalidInput, Recipe
from .dataset.fields import Choice
from .dataset.object_fields import nearest
from .dataset.views import samples_of, target_of
from .forms import pieces, previews
from .reading.read import check, first, only
from .runs.run import preview, run_selection, view_of

Pick = Callable[[list[Choice], str], str]


class SelectOperator(foo.Operator):
    """A short form over one recipe.

    A family says what its form asks (``strategy_inputs``) and which recipe that makes
    (``recipe_of``).
    """

    label: ClassVar[str]
    about: ClassVar[str]
    options: ClassVar[tuple[str, ...]]
    fields: ClassVar[dict[str, Callable[[Any], list[Choice]]]] = {}
    """Options that name a field, with how to find those that fit: left out, the only one is taken."""

    @property
    def config(self) -> Any:
        return writing_config(operator_name(self), self.label, self.about, "filter_center_focus")

    def strategy_inputs(self, ctx: Any, inputs: Any) -> None:
        raise NotImplementedError

    def recipe_of(self, dataset: Any, params: dict[str, Any]) -> dict[str, Any]:
        raise NotImplementedError

    def limited(self, dataset: Any, params: dict[str, Any]) -> dict[str, Any]:
        """The recipe within the costs and groups that are named."""
        return pieces.limited(self.recipe_of(dataset, params), params)

    def asked(self, ctx: Any) -> dict[str, Any]:
        """The options that a form asks for."""
        return dict(ctx.params)

    def prepare(self, dataset: Any, params: dict[str, Any]) -> dict[str, Any]:
        """The filled options with what takes a while to compute: only where it is to choose."""
        return params

    def fill(self, dataset: Any, params: dict[str, Any], pick: Pick) -> dict[str, Any]:
        """The options with the fields that are not named, picked from those that fit."""
        named = {name: value for name, value in params.items() if value is not None}
        found = {
            name: pick(nearest(fitting, named.get("objects") or None)(dataset), name)
            for name, fitting in self.fields.items()
            if name not in named
        }
        return {**named, **found}

    def resolve_input(self, ctx: Any) -> Any:
        if ctx.dataset is None:
            return pieces.without_dataset(self.label)
        inputs = types.Object()
        inputs.md(self.about, name="about")
        pieces.objects_input(ctx, inputs)
        self.strategy_inputs(ctx, inputs)
        pieces.limit_inputs(ctx, inputs)
        pieces.labeled_input(ctx, inputs)
        pieces.result_inputs(ctx, inputs)
        if self._refuse_early(ctx, inputs):
            previews.preview_inputs(ctx, inputs, self._previewed)
        return types.Property(inputs, view=types.View(label=self.label))

    def _refuse_early(self, ctx: Any, inputs: Any) -> bool:
        """Whether the recipe and the fields are as they should be; the form says what is not."""
        # Until the App has sent the form's defaults once, they are taken here.
        try:
            params = self.fill(ctx.dataset, self.asked(ctx), first)
            recipe = Recipe.of(self.limited(ctx.dataset, params))
            request = pieces.request_of(ctx.params)
            view = target_of(ctx)
            check(view, recipe, request.labeled, request.objects)
        except InvalidInput as error:
            pieces.refuse(inputs, "budget", error, "recipe_error")
            return False
        return True

    @foo.execution_cache(prompt_scoped=True, residency="ephemeral")
    def _previewed(self, ctx: Any, view: str, asked: str, plane: str) -> dict[str, Any]:
        """What would be chosen. ``view`` and ``asked`` are part of the key of the cache alone."""
        request = pieces.request_of(ctx.params)
        try:
            params = self.prepare(ctx.dataset, self.fill(ctx.dataset, self.asked(ctx), first))
            recipe = self.limited(ctx.dataset, params)
            reading, chosen = preview(target_of(ctx), recipe, request)
            return previews.shown(reading, chosen, plane)
        except InvalidInput as error:
            return {"error": str(error)}

    def resolve_run_name(self, ctx: Any) -> str:
        return f"{self.label}: {ctx.params.get('tag') or 'selection'}"

    def execute(self, ctx: Any) -> dict[str, Any]:
        view = target_of(ctx)
        params = self.prepare(ctx.dataset, self.fill(ctx.dataset, self.asked(ctx), only))
        result = run_selection(
            view,
            self.limited(ctx.dataset, params),
            pieces.request_of(ctx.params),
            lambda share, label: ctx.set_progress(progress=share, label=label),
        )
        ctx.ops.reload_dataset()
        ctx.ops.set_view(view=view_of(ctx.dataset, result))
        return result

    def resolve_output(self, ctx: Any) -> Any:
        outputs = types.Object()
        among = ctx.results.get("chosen_from", "samples")
        if among == "samples":
            outputs.int("chosen", label="Chosen")
        else:
            outputs.int("chosen", label=f"Chosen objects of {among}")
            outputs.int("images", label="Images they lie in")
        outputs.str("tag", label="Tag")
        outputs.str("saved_view", label="Saved view, in the order chosen")
        outputs.str("run_key", label="Run, to show or undo it")
        outputs.str("stopped", label="Stopped")
        pieces.notes_output(ctx, outputs)
        return types.Property(outputs, view=types.View(label="Selected"))

    def __call__(self, sample_collection: Any, delegate: bool = False, **options: Any) -> Any:
        """Run the operator from Python on a dataset or view.

        Args:
            sample_collection: a dataset or view.
            delegate: queue it for a worker instead of running it now.
            **options: the form's inputs by name: those of the strategy, and ``label_field``,
                ``labeled_tag``, ``skip_chosen``, ``tag``, ``saved_view``, ``run_key``, ``overwrite``,
                ``bad`` ("error" or "leave_out"), ``device``, ``seed``; ``cost_field`` with
                ``cost_budget``, ``group_field`` with ``group_limit`` (0: groups as wholes).

        Returns:
            an ``ExecutionResult``; its ``result`` has the run's key, tag and counts.
        """
        refuse_unknown(operator_name(self), options, {*self.options, *pieces.COMMON})
        dataset = sample_collection._root_dataset
        options = self.fill(dataset, options, only)
        options = as_form(options)
        request = pieces.request_of(options)
        recipe = Recipe.of(self.limited(dataset, options))
        check(samples_of(sample_collection), recipe, request.labeled, request.objects)
        return call(self, sample_collection, options, delegate)


def operator_name(operator: foo.Operator) -> str:
    """``SelectUncertain`` is ``select_uncertain``."""
    name = type(operator).__name__
    return "".join(f"_{c.lower()}" if c.isupper() else c for c in name).lstrip("_")


def writing_config(name: str, label: str, description: str, icon: str) -> Any:
    """Of an operator with a form, which writes on the dataset and may be scheduled."""
    return foo.OperatorConfig(
        name=name,
        label=label,
        description=description,
        dynamic=True,
        icon=icon,
        allow_immediate_execution=True,
        allow_delegated_execution=True,
        risk_level="medium",
    )


def refuse_unknown(operator: str, options: Iterable[str], known: Collection[str]) -> None:
    """Refuse an option that an operator does not take.

    Raises:
        InvalidInput: the first such option, and those it takes.
    """
    for name in options:
        if name not in known:
            raise InvalidInput(
                f"{operator}: unknown option {name!r}; it takes {', '.join(sorted(known))}"
            )


def as_form(options: dict[str, Any]) -> dict[str, Any]:
    """Options as a form has them: text where Python has a dict or a matrix."""

    def is_text(value: Any) -> bool:
        rows = isinstance(value, list) and any(isinstance(row, list) for row in value)
        return isinstance(value, dict) or rows

    return {name: json.dumps(v) if is_text(v) else v for name, v in options.items()}


def call(operator: Any, sample_collection: Any, options: dict[str, Any], delegate: bool = False) -> Any:
    """Execute an operator on a dataset or view."""
    whole = isinstance(sample_collection, fo.Dataset)
    given = {name: value for name, value in options.items() if value is not None}
    return foo.execute_operator(
        operator.uri,
        {"view": sample_collection.view()},
        params={**given, "view_target": "DATASET" if whole else "CURRENT_VIEW"},
        request_delegation=delegate,
    )
