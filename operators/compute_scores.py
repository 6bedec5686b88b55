"""compute_scores: what a measure says of every sample, as fields to sort and filter by."""

from __future__ import annotations

import json
from typing import Any

import fiftyone.operators as foo
import fiftyone.operators.types as types

from ..alcore import InvalidInput
from .base import as_form, call, refuse_unknown, writing_config
from .compute.scores import Wanted, check_scores, compute_scores
from .dataset.views import samples_of, target_of
from .forms import pieces, uncertainty_inputs, words
from .reading.read import Labeled, first, only

OPTIONS = (
    *uncertainty_inputs.OPTIONS,
    "measures",
    "prefix",
    "scores",
    "label_field",
    "overwrite",
    "bad",
    "device",
    "seed",
)


class ComputeScores(foo.Operator):
    label = "Active learning: compute scores"
    about = "Writes how uncertain each sample is into fields, to sort and filter by in the App."

    @property
    def config(self) -> Any:
        return writing_config(
            "compute_scores",
            self.label,
            self.about,
            "calculate",
        )

    def resolve_input(self, ctx: Any) -> Any:
        if ctx.dataset is None:
            return pieces.without_dataset(self.label)
        inputs = types.Object()
        inputs.md(self.about, name="about")
        params = uncertainty_inputs.source_inputs(ctx, inputs)
        known = uncertainty_inputs.measures_of(ctx.dataset, params)
        view = types.DropdownView(multiple=True)
        for name, one in known.items():
            view.add_choice(name, label=name.replace("_", " "), description=one.line)
        measures_input = uncertainty_inputs.input_of("measures", known)
        inputs.list(
            measures_input,
            types.String(),
            label="Measures",
            description="A field for each",
            default=[next(iter(known))],
            view=view,
        )
        uncertainty_inputs.detail_inputs(ctx, inputs, params)
        inputs.str("prefix", label="Names of the fields start with", default="al")
        pieces.overwrite_input(inputs, "earlier scores")
        others = "score the others, and say how many"
        pieces.bad_input(inputs, {"error": "stop and say which", "leave_out": others})
        try:
            filled = uncertainty_inputs.fill(ctx.dataset, params, first)
            check_scores(
                target_of(ctx),
                _wanted(ctx.dataset, filled),
                _labeled(ctx.params),
                bool(ctx.params.get("overwrite")),
            )
        except InvalidInput as error:
            pieces.refuse(inputs, measures_input, error)
        return types.Property(inputs, view=types.View(label=self.label))

    def execute(self, ctx: Any) -> dict[str, Any]:
        params = ctx.params
        result = compute_scores(
            target_of(ctx),
            _wanted(ctx.dataset, _filled(ctx.dataset, params)),
            _labeled(params),
            params.get("bad") or "error",
            bool(params.get("overwrite")),
            params.get("device") or "auto",
            params.get("seed") or 0,
            lambda share, label: ctx.set_progress(progress=share, label=label),
        )
        ctx.ops.reload_dataset()
        return result

    def resolve_output(self, ctx: Any) -> Any:
        outputs = types.Object()
        outputs.list("fields", types.String(), label="Fields")
        outputs.int("samples", label="Samples")
        pieces.notes_output(ctx, outputs)
        return types.Property(outputs, view=types.View(label="Computed"))

    def __call__(self, sample_collection: Any, delegate: bool = False, **options: Any) -> Any:
        """Write scores of every sample of a dataset or view.

        Args:
            sample_collection: a dataset or view.
            delegate: queue it for a worker instead of running it now.
            **options: either ``scores``, a dict from the name of a field to an entry of a recipe, such
                as ``{"margin": {"strategy": "uncertainty", "column": "predictions"}}``; or the form's
                inputs by name: ``predictions``, ``several``, ``members`` or ``predicted_loss``,
                ``measures`` (a list), ``prefix``. And ``label_field``, ``overwrite``, ``bad``,
                ``device``, ``seed``.

        Returns:
            an ``ExecutionResult``; its ``result`` has the fields and how many samples each scored.
        """
        dataset = sample_collection._dataset
        refuse_unknown("compute_scores", options, OPTIONS)
        options = _filled(dataset, options)
        wanted = _wanted(dataset, options)
        overwrite = bool(options.get("overwrite"))
        check_scores(samples_of(sample_collection), wanted, _labeled(options), overwrite)
        return call(self, sample_collection, as_form(options), delegate)


def _filled(dataset: Any, params: dict[str, Any]) -> dict[str, Any]:
    if not params.get("scores"):
        params = {name: value for name, value in params.items() if name != "scores"}
    return dict(params) if params.get("scores") else uncertainty_inputs.fill(dataset, params, only)


def _wanted(dataset: Any, params: dict[str, Any]) -> list[Wanted]:
    given = params.get("scores")
    if given:
        try:
            named = json.loads(given) if isinstance(given, str) else given
        except json.JSONDecodeError as error:
            raise InvalidInput(f"scores: is not JSON: {error}") from None
        if not isinstance(named, dict) or not all(isinstance(one, dict) for one in named.values()):
            raise InvalidInput("scores: must be a dict from field names to entries of a recipe")
        return [Wanted(field, entry, _described(entry)) for field, entry in named.items()]
    known = uncertainty_inputs.measures_of(dataset, params)
    chosen = params.get(uncertainty_inputs.input_of("measures", known)) or params.get("measures")
    chosen = chosen or [params.get("measure") or next(iter(known))]
    prefix = params.get("prefix", "al")
    wanted = []
    for measure in chosen:
        if measure not in known:
            raise InvalidInput(f"measures: there is no {measure!r} here; there are {', '.join(known)}")
        entry = uncertainty_inputs.entry_of(dataset, params, measure)
        field = f"{prefix}_{measure}" if prefix else measure
        wanted.append(Wanted(field, entry, _described(entry, known[measure])))
    return wanted


def _described(entry: dict[str, Any], words: words.Words | None = None) -> str:
    """What the field says of itself: higher is more worth labeling, of what, and when it misleads."""
    column = entry.get("column") or entry.get("strategy")
    fields = ", ".join(column) if isinstance(column, list) else column
    what = str(entry.get("measure") or entry.get("strategy")).replace("_", " ")
    told = f": {words.line}" if words else ""
    return f"Higher = more worth labeling. {what} of {fields}{told}"


def _labeled(params: dict[str, Any]) -> Labeled:
    return Labeled(params.get("label_field") or None)
