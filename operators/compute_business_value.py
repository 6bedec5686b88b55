"""compute_business_value: what a model's decisions bring, in money or any other unit."""

from __future__ import annotations

from typing import Any

import fiftyone as fo
import fiftyone.operators as foo
import fiftyone.operators.types as types

from ..alcore import InvalidInput
from .base import Pick, as_form, call, refuse_unknown, writing_config
from .dataset.fields import prediction_fields, truth_fields, usual_truth
from .dataset.views import samples_of, target_of
from .evaluation.business_value import Request, check_request, compute_value, value_plots
from .forms import cost_matrix, pieces
from .forms.metadata_inputs import metadata_fields
from .reading.read import first, only
from .select_balanced import DATE_PARTS

DECISIONS = {
    "label": "the predicted class",
    "expected_gain": "what brings most by the probabilities; a dear mistake is then not risked",
}
PARTING = ("bins", "date_part", "timezone")
OPTIONS = (
    *("predictions", "label_field", "decision", "slices", "field", "overwrite", "bad"),
    *PARTING,
    *cost_matrix.OPTIONS,
)


class ComputeBusinessValue(foo.Operator):
    label = "Active learning: compute business value"
    about = (
        "Turns predictions and truths into money, by what each right and each wrong decision brings or "
        "costs: in total, by class and by slice, and for each sample if you name a field."
    )

    @property
    def config(self) -> Any:
        return writing_config("compute_business_value", self.label, self.about, "payments")

    def resolve_input(self, ctx: Any) -> Any:
        if ctx.dataset is None:
            return pieces.without_dataset(self.label)
        inputs = types.Object()
        inputs.md(self.about, name="about")
        pieces.predictions_input(
            ctx, inputs, "This dataset has no field of predictions", "Of one class a sample"
        )
        pieces.field_input(
            ctx,
            inputs,
            "label_field",
            "Truth",
            truth_fields(ctx.dataset),
            missing="This dataset has no field of labels",
            default=usual_truth(ctx.dataset),
        )
        filled = _filled(ctx.dataset, ctx.params, first)
        cost_matrix.cost_inputs(ctx, inputs, filled.get("predictions"), filled.get("label_field"))
        pieces.choice_input(inputs, "decision", "Decide for", DECISIONS, "label")
        self._slice_inputs(ctx, inputs)
        inputs.view("result", types.Header(label="Result", divider=True))
        inputs.str(
            "field",
            label="Field",
            description="What each sample brings goes here, to sort and filter by; empty: nowhere",
            required=False,
        )
        pieces.overwrite_input(inputs, "earlier values")
        others = "judge the others, and say how many"
        pieces.bad_input(inputs, {"error": "stop and say which", "leave_out": others})
        try:
            check_request(target_of(ctx), _request_of(ctx.dataset, ctx.params, first))
        except InvalidInput as error:
            pieces.refuse(inputs, "field", error)
        return types.Property(inputs, view=types.View(label=self.label))

    def _slice_inputs(self, ctx: Any, inputs: Any) -> None:
        """By what else it is told, and how numbers and dates are parted."""
        pieces.fields_input(
            inputs, "slices", "Slices", metadata_fields(ctx), "Told by each of these fields, too"
        )
        declared = [ctx.dataset.get_field(path) for path in ctx.params.get("slices") or []]
        if any(isinstance(one, (fo.FloatField, fo.IntField)) for one in declared):
            inputs.int("bins", label="Bins", description="With as many samples each", default=5, min=2)
        if any(isinstance(one, (fo.DateField, fo.DateTimeField)) for one in declared):
            pieces.choice_input(inputs, "date_part", "Dates by", DATE_PARTS, "hour")
            pieces.timezone_input(inputs)

    def execute(self, ctx: Any) -> dict[str, Any]:
        request = _request_of(ctx.dataset, ctx.params, only)
        result = compute_value(
            target_of(ctx),
            request,
            lambda share, label: ctx.set_progress(progress=share, label=label),
        )
        if request.field:
            ctx.ops.reload_dataset()
        return result

    def resolve_output(self, ctx: Any) -> Any:
        outputs = types.Object()
        told = ctx.results or {}
        for number, line in enumerate(told.get("lines") or []):
            outputs.md(line, name=f"line_{number}")
        for number, (name, plot) in enumerate(value_plots(told).items() if told else ()):
            outputs.md(f"**{name}**", name=f"plot_{number}_label")
            outputs.plot(f"plot_{number}", **plot, height=300, config={"displayModeBar": False})
        _table(outputs, "classes", "Classes", {"dearest": "Dearest mistake"})
        if told.get("slices"):
            _table(outputs, "slices", "Slices", {}, {"slice": "Slice"})
        if told.get("field"):
            outputs.str("field", label="Field")
        pieces.notes_output(ctx, outputs)
        return types.Property(outputs, view=types.View(label="Judged"))

    def __call__(self, sample_collection: Any, delegate: bool = False, **options: Any) -> Any:
        """Judge the predictions of a dataset or view by what decisions cost or bring in.

        Args:
            sample_collection: a dataset or view.
            delegate: queue it for a worker instead of running it now.
            **options: ``cost`` or ``gain``, ``[truth][decision]`` (a dict of dicts, CSV or rows);
                ``predictions`` and ``label_field``, left out where only one fits; ``decision``: "label"
                or "expected_gain"; ``slices``, a list of fields by which it is told, with ``bins``,
                ``date_part`` (hour, weekday, month or year) and ``timezone``; ``field``, into which
                each sample's value goes; ``overwrite``; ``bad`` ("error" or "leave_out").

        Returns:
            an ``ExecutionResult``; its ``result`` has ``total``, ``mean`` with ``low`` and ``high``
            (95%), ``possible``, ``constant`` and ``constant_total`` (the best decision for all alike),
            ``more`` (what the other way to decide would add), ``classes``, ``slices``, ``decisions``
            and ``lines``, the same in words.
        """
        refuse_unknown("compute_business_value", options, OPTIONS)
        dataset = sample_collection._root_dataset
        filled = as_form(_filled(dataset, options, only))
        check_request(samples_of(sample_collection), _request_of(dataset, filled, only))
        return call(self, sample_collection, filled, delegate)


def _table(
    outputs: Any, name: str, label: str, after: dict[str, str], before: dict[str, str] | None = None
) -> None:
    view = types.TableView()
    columns = {
        **(before or {}),
        "name": "Value" if before else "Class",
        "count": "Samples",
        "together": "Together",
        "each": "A sample",
        "between": "With 95% confidence",
        **after,
    }
    for key, title in columns.items():
        view.add_column(key, label=title)
    outputs.list(name, types.Object(), view=view, label=label)


def _filled(dataset: Any, params: dict[str, Any], pick: Pick) -> dict[str, Any]:
    """The options with the fields that are not named, where any fits."""
    filled = {name: value for name, value in params.items() if value is not None}
    if not filled.get("label_field"):
        usual = usual_truth(dataset)
        truths = truth_fields(dataset)
        if usual or truths:
            filled["label_field"] = usual or pick(truths, "label_field")
    others = [c for c in prediction_fields(dataset) if c.path != filled.get("label_field")]
    if not filled.get("predictions") and others:
        filled["predictions"] = pick(others, "predictions")
    return filled


def _request_of(dataset: Any, params: dict[str, Any], pick: Pick) -> Request:
    filled = _filled(dataset, params, pick)
    for name in ("predictions", "label_field"):
        if not filled.get(name):
            raise InvalidInput(f"{name}: the dataset has no field that fits; name one")
    fields = (filled["predictions"], filled["label_field"])
    return Request(
        *fields,
        matrix=cost_matrix.matrix_of(dataset, filled, *fields),
        decision=filled.get("decision") or "label",
        slices=list(filled.get("slices") or []),
        parting={name: filled[name] for name in PARTING if filled.get(name)},
        field=filled.get("field") or None,
        overwrite=bool(filled.get("overwrite")),
        bad=filled.get("bad") or "error",
    )
