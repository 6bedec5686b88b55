"""The operator compute_business_value: the gain of a model's decisions, in money or another unit."""

from __future__ import annotations

from typing import Any

import fiftyone.operators.types as types

from ..alcore import InvalidInput
from .base import OptionsOperator, Pick
from .dataset.fields import (
    Choice,
    detection_fields,
    first,
    prediction_fields,
    truth_fields,
    usual_truth,
)
from .dataset.fiftyone_private import dataset_of
from .evaluation.box_value import check_box_request, compute_box_value, has_boxes
from .evaluation.business_value import BusinessValueRequest, check_request, compute_value, value_plots
from .forms import binning, cost_matrix, pieces
from .forms.markdown import bold
from .forms.metadata_inputs import metadata_fields
from .runs.run import Progress

DECISIONS = {
    "label": "the predicted class",
    "expected_gain": "what brings most by the probabilities; a costly mistake is then not risked",
}
BOX_COSTS = {
    "missed_cost": ("A missed box costs", "A true box that no predicted one shows"),
    "false_cost": ("A false box costs", "A predicted box where there is none"),
    "confused_cost": ("A confused box costs", "A box in the right place, of the wrong class"),
}


def _table(
    outputs: Any, name: str, label: str, after: dict[str, str], before: dict[str, str] | None = None
) -> None:
    view = types.TableView()
    columns = {
        **(before or {}),
        "name": "Value" if before else "Class",
        "count": "Count",
        "together": "Together",
        "each": "Each",
        "between": "With 95% confidence",
        **after,
    }
    for key, title in columns.items():
        view.add_column(key, label=title)
    outputs.list(name, types.Object(), view=view, label=label)


def _judged_fields(dataset: Any) -> list[Choice]:
    return prediction_fields(dataset) + detection_fields(dataset)


def _request_of(dataset: Any, filled: dict[str, Any]) -> BusinessValueRequest:
    for name in ("predictions", "label_field"):
        if not filled.get(name):
            raise InvalidInput(f"{name}: the dataset has no field that fits; name one")
    fields = (filled["predictions"], filled["label_field"])
    given = filled.get("cost") or filled.get("gain")
    costs = None
    if has_boxes(dataset, fields[0]) and not given:
        missed, false, confused = (float(filled.get(name, 1.0)) for name in BOX_COSTS)
        costs = (missed, false, confused)
    return BusinessValueRequest(
        *fields,
        matrix={} if costs else cost_matrix.matrix_of(dataset, filled, *fields),
        costs=costs,
        iou=float(filled.get("iou", 0.5)),
        min_confidence=float(filled.get("min_confidence", 0.0)),
        decision=filled.get("decision") or "label",
        slices=list(filled.get("slices") or []),
        binning={name: filled[name] for name in binning.OPTIONS if filled.get(name)},
        field=filled.get("field") or None,
        overwrite=bool(filled.get("overwrite")),
        bad=filled.get("bad") or "error",
    )


class ComputeBusinessValue(OptionsOperator):
    """Evaluates predictions by the costs or gains of the decisions that follow from them.

    Options:
        cost, gain: one of them must be given: a matrix ``[truth][decision]``, as a dict of dicts, CSV
            or rows. Of boxes it may be left out; else it has the class "(none)" too.
        missed_cost, false_cost, confused_cost: of boxes, in place of a matrix: what a true box costs
            that is not found, a predicted one that is none, and one of the wrong class; default 1.
        iou: of boxes: the overlap from which a predicted box shows a true one; default 0.5.
        min_confidence: of boxes: those below it do not count; default 0.
        predictions, label_field: the fields of the predictions and of the true classes, or of the
            predicted and the true boxes. Each may be left out if only one field fits.
        decision: "label" (default) decides for the predicted class, "expected_gain" for the class with
            the highest expected gain.
        slices: a list of fields by which the value is also reported, with ``bins``, ``date_part``
            ("hour", "weekday", "month" or "year") and ``timezone`` for numbers and dates.
        field: the field to which the value of each sample is written; by default none is written.
        overwrite: whether an earlier field of this kind is replaced.
        bad: "error" or "leave_out", for samples whose values cannot be used.

    The result has ``total``, ``mean`` with its 95% interval from ``low`` to ``high``, ``possible`` (the
    total if every decision were right), ``constant`` and ``constant_total`` (the best single decision
    for all samples, and its total), ``more`` (the additional gain with the other value of
    ``decision``), ``classes``, ``slices``, ``decisions``, and ``lines`` (a summary as text).
    """

    label = "Active learning: compute business value"
    about = (
        "Turns predictions and truths into money, by what each right and each wrong decision brings or "
        "costs: in total, by class and by slice, and for each sample if you name a field."
    )
    description = "What the mistakes of a model cost, in money, by class and slice"
    icon = "payments"
    result_label = "Judged"
    options = (
        *("predictions", "label_field", "decision", "slices", "field", "overwrite", "bad"),
        *BOX_COSTS,
        *("iou", "min_confidence"),
        *binning.OPTIONS,
        *cost_matrix.OPTIONS,
    )

    def draw_form(self, ctx: Any, inputs: Any) -> None:
        pieces.field_input(
            ctx,
            inputs,
            "predictions",
            "Predictions",
            pieces.fields_for(ctx, _judged_fields),
            missing="This dataset has no field of predictions",
            description="Of one class a sample, or boxes",
        )
        filled = self.fill(ctx.dataset, ctx.params, first)
        if has_boxes(ctx.dataset, filled.get("predictions")):
            self._box_inputs(ctx, inputs, filled)
        else:
            pieces.truth_input(ctx, inputs, "Truth")
            cost_matrix.cost_inputs(ctx, inputs, filled.get("predictions"), filled.get("label_field"))
            pieces.choice_input(inputs, "decision", "Decide for", DECISIONS, "label")
        self._slice_inputs(ctx, inputs)
        inputs.view("result", types.Header(label="Result", divider=True))
        inputs.str(
            "field",
            label="Field",
            description="What each sample brings goes here, to sort and filter by; left empty, nowhere",
            required=False,
        )
        pieces.overwrite_input(inputs, "earlier values")
        others = "judge the others, and say how many"
        pieces.bad_input(inputs, {"error": "stop and say which", "leave_out": others})

    def _box_inputs(self, ctx: Any, inputs: Any, filled: dict[str, Any]) -> None:
        """Add the inputs of the true boxes, of what mistakes cost, and of what is a match."""
        truths = [c for c in detection_fields(ctx.dataset) if c.path != filled["predictions"]]
        pieces.field_input(
            ctx,
            inputs,
            "label_field",
            "Truth",
            truths,
            missing="This dataset has no other field of boxes",
            description="The true boxes",
            default=filled.get("label_field"),
        )
        for name, (label, text) in BOX_COSTS.items():
            inputs.float(name, label=label, description=text, default=1.0, min=0)
        text = "The overlap from which a predicted box shows a true one"
        inputs.float("iou", label="Overlap", description=text, default=0.5, min=0, max=1)
        text = "Boxes below it do not count"
        inputs.float(
            "min_confidence", label="Least confidence", description=text, default=0.0, min=0, max=1
        )

    def _slice_inputs(self, ctx: Any, inputs: Any) -> None:
        """Add the inputs of the slices, and of how numbers and dates are divided into bins."""
        pieces.fields_input(
            inputs, "slices", "Slices", metadata_fields(ctx), "Reported by each of these fields, too"
        )
        declared = [ctx.dataset.get_field(path) for path in ctx.params.get("slices") or []]
        if binning.has_numbers(declared):
            binning.bins_input(inputs)
        if binning.has_dates(declared):
            binning.date_part_input(inputs)

    def fill(self, dataset: Any, options: dict[str, Any], pick: Pick) -> dict[str, Any]:
        """Return the options with default fields. A field stays missing if none fits.

        Raises:
            InvalidInput: if ``pick`` cannot decide between several fields.
        """
        filled = super().fill(dataset, options, pick)
        if not filled.get("predictions") and not prediction_fields(dataset):
            boxes = [c for c in detection_fields(dataset) if c.path != filled.get("label_field")]
            if boxes:
                filled["predictions"] = pick(boxes, "predictions")
        if has_boxes(dataset, filled.get("predictions")):
            truths = [c for c in detection_fields(dataset) if c.path != filled["predictions"]]
            if truths and not filled.get("label_field"):
                named = [c for c in truths if c.path == "ground_truth"]
                filled["label_field"] = pick(named or truths, "label_field")
            return filled
        if not filled.get("label_field"):
            usual = usual_truth(dataset)
            truths = truth_fields(dataset)
            if usual or truths:
                filled["label_field"] = usual or pick(truths, "label_field")
        others = [c for c in prediction_fields(dataset) if c.path != filled.get("label_field")]
        if not filled.get("predictions") and others:
            filled["predictions"] = pick(others, "predictions")
        return filled

    def check(self, view: Any, options: dict[str, Any]) -> None:
        request = _request_of(dataset_of(view), options)
        boxes = has_boxes(dataset_of(view), request.predictions)
        (check_box_request if boxes else check_request)(view, request)

    def run(self, view: Any, options: dict[str, Any], report: Progress) -> dict[str, Any]:
        request = _request_of(dataset_of(view), options)
        boxes = has_boxes(dataset_of(view), request.predictions)
        return (compute_box_value if boxes else compute_value)(view, request, report)

    def has_written(self, result: dict[str, Any]) -> bool:
        return bool(result["field"])

    def draw_result(self, outputs: Any, result: dict[str, Any]) -> None:
        for number, line in enumerate(result.get("lines") or []):
            outputs.md(line, name=f"line_{number}")
        for number, (name, plot) in enumerate(value_plots(result).items() if result else ()):
            outputs.md(bold(name), name=f"plot_{number}_label")
            outputs.plot(f"plot_{number}", **plot, height=300, config={"displayModeBar": False})
        _table(outputs, "classes", "Classes", {"costliest": "Dearest mistake"})
        if result.get("slices"):
            _table(outputs, "slices", "Slices", {}, {"slice": "Slice"})
        if result.get("field"):
            outputs.str("field", label="Field")
