"""The operator find_weak_slices: it finds the values of metadata for which a model performs worst."""

from __future__ import annotations

from dataclasses import replace
from typing import Any, get_args

import fiftyone.operators.types as types
import numpy as np

from ..alcore import InvalidInput, Selection
from ..alcore.data.categories import DatePart
from ..alcore.evaluation.weak_slices import Slice
from .base import OptionsOperator
from .dataset.fields import category_fields, label_fields, number_fields
from .dataset.fiftyone_private import dataset_of
from .evaluation import weak_slices
from .forms import counts, pieces, previews, selection_inputs
from .forms.binning import DATE_PARTS, bins_input
from .reading.read import ReadPool
from .runs.checks import check_names
from .runs.names import Names, name_selection
from .runs.run import Progress, throttled
from .runs.writing import write

USUAL_TAG = "weak-slice"
HIGHER = {"better": "such as an overlap", "worse": "such as a loss"}


def _names(dataset: Any, params: dict[str, Any]) -> Names:
    tag = params.get("tag")
    names = name_selection(
        dataset, params.get("run_key"), USUAL_TAG if tag is None else tag, params.get("saved_view")
    )
    return replace(names, number_field=params.get("field") or f"is_{names.run_key}")


def _check_names(dataset: Any, params: dict[str, Any]) -> Names:
    """Return the names under which a slice is written.

    Raises:
        InvalidInput: if the run key is not an identifier, or if a name is taken.
    """
    names = _names(dataset, params)
    check_names(dataset, names, bool(params.get("overwrite")))
    return names


def _written(names: Names | None, row: dict[str, Any] | None) -> dict[str, Any]:
    """Return what was written, and a fragment of a recipe that filters and weighs by the slice.

    Args:
        names: the names under which the slice was written; None if nothing was written. The fragment
            uses the field that was written, or else the conditions of the slice.
        row: the slice as plain values, as in the result; None if no slice was found.
    """
    if row is None:
        return {"slice": None}
    if names is None:
        return {"slice": None, "written_as": weak_slices.fragment_of(row["filters"], row["weights"])}
    filters = [{"column": names.number_field, "in": [True]}]
    weights = [{"strategy": "weight", "column": names.number_field, "prefer": [True]}]
    return {
        "slice": row["slice"],
        "field": names.number_field,
        "tag": names.tag,
        "saved_view": names.saved_view,
        "run_key": names.run_key,
        "filters": filters,
        "weights": weights,
        "written_as": weak_slices.fragment_of(filters, weights),
    }


def _write(
    view: Any, reading: ReadPool, weak: Slice, names: Names, params: dict[str, Any], higher_is: str
) -> None:
    """Write a slice in the form of a selection, the samples with the worst outcome first.

    Later selections may still choose these samples.
    """
    pool = reading.pool
    values = pool.columns[weak_slices.OUTCOME]
    worst = values[weak.rows] if higher_is == "better" else -values[weak.rows]
    rows = weak.rows[np.argsort(worst, kind="stable")]
    inside = np.zeros(pool.n, dtype=bool)
    inside[rows] = True
    chosen = Selection(
        indices=rows,
        ids=[pool.ids[row] for row in rows.tolist()],
        gains=values[rows].astype(np.float64),
        reasons=[{"outcome": value} for value in values[rows].tolist()],
        report={"slice": str(weak), "count": weak.count, "mean": weak.mean, "q": weak.q},
    )
    recipe = {"budget": len(rows), "strategies": [{"strategy": "weak_slice", "slice": str(weak)}]}
    write(
        view,
        chosen,
        names,
        recipe,
        {"to_label": False, "number_description": f"Whether a sample is in the slice {weak}"},
        bool(params.get("overwrite")),
        numbers=dict(zip(pool.ids, inside.tolist(), strict=True)),
        measured=pool.ids,
    )


class FindWeakSlices(OptionsOperator):
    """Finds slices, the samples with certain values of metadata, on which a model performs worse.

    Options:
        outcome: how well the model performs: the key of an evaluation, or a field of numbers or
            booleans, for which ``higher_is`` is "better" (default) or "worse".
        predictions, label_field: without ``outcome``, whether the predicted class is the true one.
        fields: the fields in which slices are searched; default: all metadata.
        bins, date_parts, timezone: how numbers and dates are divided into values.
        pairs: whether pairs of values are tested too (default).
        minimum: the smallest number of samples of a slice.
        false_discoveries: the limit of the false discovery rate, above 0 and at most 1.
        most: the greatest number of slices that are listed.
        slice: the name of a slice to write; by default none is written.
        field, tag, saved_view, run_key, overwrite: the names under which it is written. ``field`` is
            a field of booleans.
        bad: "error" or "leave_out", for samples whose values cannot be used.

    The result has ``slices``, each with its figures, and with ``filters`` and ``weights`` for a recipe.
    """

    label = "Active learning: find weak slices"
    about = (
        "Finds the values of metadata, and pairs of them, where a model does worse than elsewhere, "
        "beyond chance: places, hours, cameras. A slice can be written as a field, for filters and "
        "weights of selections."
    )
    description = "Find slices of the data where the model fails: errors by metadata, failure analysis"
    icon = "troubleshoot"
    result_label = "Weak slices"
    refused_at = "minimum"
    options = (
        *("outcome", "predictions", "label_field", "higher_is", "fields", "date_parts", "pairs"),
        *weak_slices.OPTIONS,
        *("slice", "field", "tag", "saved_view", "run_key", "overwrite", "bad"),
    )

    def draw_form(self, ctx: Any, inputs: Any) -> None:
        self._outcome_inputs(ctx, inputs)
        self._field_inputs(ctx, inputs)

    def _outcome_inputs(self, ctx: Any, inputs: Any) -> None:
        about = "An evaluation, or a number; none: whether predictions are as the labels"
        pieces.optional_field_input(
            ctx, inputs, "outcome", "Judged by", weak_slices.outcome_fields(ctx.dataset), about
        )
        named = ctx.params.get("outcome")
        if named and not ctx.dataset.has_evaluation(named):
            pieces.choice_input(inputs, "higher_is", "Higher is", HIGHER, "better")
        if named:
            return
        usual = pieces.usual_labels(ctx.dataset)
        labels = [one for one in label_fields(ctx.dataset) if one.holds == "Classification"]
        pieces.predictions_input(ctx, inputs, "This dataset has no predictions of classes")
        pieces.field_input(
            ctx,
            inputs,
            "label_field",
            "Labels",
            labels,
            missing="This dataset has no true classes",
            description="The true classes",
            default=usual or None,
        )

    def _field_inputs(self, ctx: Any, inputs: Any) -> None:
        categories = category_fields(ctx.dataset)
        known = {choice.path for choice in categories}
        numbers = [one for one in number_fields(ctx.dataset) if one.path not in known]
        pieces.fields_input(
            inputs,
            "fields",
            "Fields",
            categories + numbers,
            "In which slices are looked for; none chosen: all metadata, and the true class",
        )
        bins_input(inputs, "Bins of numbers")
        view = types.DropdownView(multiple=True)
        for part in get_args(DatePart):
            view.add_choice(part, label=part, description=DATE_PARTS[part])
        inputs.list(
            "date_parts",
            types.String(),
            label="Dates by",
            description="None chosen: all of these",
            default=[],
            required=False,
            view=view,
        )
        about = "Pairs take longer, and find what no value alone shows"
        pieces.checkbox_input(inputs, "pairs", "Pairs of values, too: night in the yard", about, True)
        inputs.int(
            "minimum",
            label="Samples of a slice",
            description="Smaller ones are not looked at",
            default=20,
            min=2,
        )

    def check(self, view: Any, options: dict[str, Any]) -> None:
        weak_slices.check_slices(view, options)

    def draw_preview(self, ctx: Any, inputs: Any) -> None:
        """Add a checkbox, and if it is checked, the slices and the inputs to write one of them."""
        about = "To choose one to be written; nothing is written yet"
        if not previews.wants_preview(ctx, inputs, "Find them now", about):
            return
        beside = {"slice", "field", "tag", "overwrite", "show_preview"}
        options = {name: value for name, value in ctx.params.items() if name not in beside}
        found = self.previewed(ctx, counts.view_key(ctx), previews.key_of(ctx, options), "")
        if "error" in found:
            inputs.view("preview_error", types.Error(label=found["error"]))
            return
        inputs.view("slices_text", types.Notice(label=found["text"]))
        for number, note in enumerate(found["notes"]):
            inputs.view(f"note_{number}", types.Notice(label=note))
        if not found["rows"]:
            return
        inputs.md(weak_slices.table_of(found["rows"]), name="slices")
        view = types.DropdownView()
        view.add_choice(pieces.NONE, label="none")
        for row in found["rows"]:
            view.add_choice(row["slice"], label=row["slice"], description=f"{row['count']:,} samples")
        about = "It gets a tag, a saved view and a field of booleans"
        pieces.dropdown_input(
            inputs,
            "slice",
            view,
            label="Write this slice",
            description=about,
            default=pieces.NONE,
        )
        if ctx.params.get("slice"):
            self._name_inputs(ctx, inputs)

    def _name_inputs(self, ctx: Any, inputs: Any) -> None:
        holds = "Whether a sample is in the slice, for filters and weights"
        selection_inputs.found_inputs(
            inputs, USUAL_TAG, "", holds, otherwise="it is called is_ and the tag"
        )
        try:
            _check_names(ctx.dataset, ctx.params)
        except InvalidInput as error:
            pieces.mark(inputs.properties["tag"], error)

    def preview(self, view: Any, options: dict[str, Any], plane: str) -> dict[str, Any]:
        reading, found = weak_slices.find_slices(view, options)
        text = weak_slices.text_of(weak_slices.outcome_of(dataset_of(view), options), found)
        return {"text": text, "rows": weak_slices.rows_of(found), "notes": reading.notes}

    def resolve_run_name(self, ctx: Any) -> str:
        return f"{self.label}: {ctx.params.get('slice') or 'all'}"

    def start(self, sample_collection: Any, options: dict[str, Any], delegate: bool = False) -> Any:
        # ``check`` does not check the names, because a form shows an error of a name at its own input.
        if options.get("slice"):
            _check_names(dataset_of(sample_collection), options)
        return super().start(sample_collection, options, delegate)

    def run(self, view: Any, options: dict[str, Any], report: Progress) -> dict[str, Any]:
        dataset = dataset_of(view)
        name = options.get("slice") or None
        names = _check_names(dataset, options) if name else None
        reading, found = weak_slices.find_slices(view, options, throttled(report))
        outcome = weak_slices.outcome_of(dataset, options)
        rows = weak_slices.rows_of(found)
        result = {
            "slices": rows,
            "tested": found.tested,
            "count": found.count,
            "mean": found.mean,
            "text": weak_slices.text_of(outcome, found),
            "notes": reading.notes,
            **_written(None, rows[0] if rows else None),
        }
        if names is None or name is None:
            return result
        weak = weak_slices.slice_of(found, name)
        _write(view, reading, weak, names, options, outcome.higher_is)
        return result | _written(names, next(row for row in rows if row["slice"] == name))

    def has_written(self, result: dict[str, Any]) -> bool:
        return result["slice"] is not None

    def draw_result(self, outputs: Any, result: dict[str, Any]) -> None:
        outputs.view("slices_text", types.Notice(label=result.get("text", "")))
        if result.get("slices"):
            outputs.md(weak_slices.table_of(result["slices"]), name="table")
            # The App's code view loads files from the internet, which some networks block.
            outputs.md(f"For a recipe:\n```json\n{result['written_as']}\n```", name="fragment")
        for name, label in (
            ("slice", "Written"),
            ("field", "Field"),
            ("tag", "Tag"),
            ("saved_view", "Saved view, the worst first"),
            ("run_key", "Run, to show or undo it"),
        ):
            if result.get(name):
                outputs.str(name, label=label)
