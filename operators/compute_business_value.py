"""The operator compute_business_value: the gain of a model's decisions, in money or another unit."""

from __future__ import annotations

from typing import Any

import fiftyone.operators.types as types

from ..alcore import InvalidInput
from .base import OptionsOperator, Pick
from .dataset.fields import first, prediction_fields, truth_fields, usual_truth
from .dataset.fiftyone_private import dataset_of
from .evaluation.business_value import BusinessValueRequest, check_request, compute_value, value_plots
from .forms import binning, cost_matrix, pieces
from .forms.markdown import bold
from .forms.metadata_inputs import metadata_fields
from .runs.run import Progress

DECISIONS = {
    "label": "the predicted class",
    "expected_gain": "what brings most by the probabilities; a costly mistake is then not risked",
}


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


def _request_of(dataset: Any, filled: dict[str, Any]) -> BusinessValueRequest:
    for name in ("predictions", "label_field"):
        if not filled.get(name):
            raise InvalidInput(f"{name}: the dataset has no field that fits; name one")
    fields = (filled["predictions"], filled["label_field"])
    return BusinessValueRequest(
        *fields,
        matrix=cost_matrix.matrix_of(dataset, filled, *fields),
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
            or rows.
        predictions, label_field: the fields of the predictions and of the true classes. Each may be
            left out if only one field fits.
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
        *binning.OPTIONS,
        *cost_matrix.OPTIONS,
    )

    def draw_form(self, ctx: Any, inputs: Any) -> None:
        pieces.predictions_input(
            ctx, inputs, "This dataset has no field of predictions", "Of one class a sample"
        )
        pieces.truth_input(ctx, inputs, "Truth")
        filled = self.fill(ctx.dataset, ctx.params, first)
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
        check_request(view, _request_of(dataset_of(view), options))

    def run(self, view: Any, options: dict[str, Any], report: Progress) -> dict[str, Any]:
        return compute_value(view, _request_of(dataset_of(view), options), report)

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
