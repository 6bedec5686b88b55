"""find_weak_slices: the values of metadata where a model does worst, to filter or weigh by."""

from __future__ import annotations

from dataclasses import replace
from typing import Any, get_args

import fiftyone.operators as foo
import fiftyone.operators.types as types
import numpy as np

from ..alcore import InvalidInput, Selection
from ..alcore.data.categories import DatePart
from ..alcore.evaluation.weak_slices import Slice
from .base import call, refuse_unknown, writing_config
from .dataset.fields import category_fields, label_fields, number_fields
from .dataset.views import samples_of, target_of
from .evaluation import weak_slices
from .forms import pieces, previews
from .reading.read import Reading
from .runs.records import Names, check_names, chosen_view, name_selection, write
from .runs.run import throttled
from .select_balanced import DATE_PARTS

USUAL_TAG = "weak-slice"
HIGHER = {"better": "such as an overlap", "worse": "such as a loss"}
OPTIONS = (
    *("outcome", "predictions", "label_field", "higher_is", "fields", "date_parts", "pairs"),
    *weak_slices.OPTIONS,
    *("slice", "field", "tag", "saved_view", "run_key", "overwrite", "bad"),
)


class FindWeakSlices(foo.Operator):
    label = "Active learning: find weak slices"
    about = (
        "Finds the values of metadata, and pairs of them, where a model does worse than elsewhere, "
        "beyond chance: places, hours, cameras. A slice can be written as a field, for filters and "
        "weights of selections."
    )

    @property
    def config(self) -> Any:
        return writing_config("find_weak_slices", self.label, self.about, "troubleshoot")

    def resolve_input(self, ctx: Any) -> Any:
        if ctx.dataset is None:
            return pieces.without_dataset(self.label)
        inputs = types.Object()
        inputs.md(self.about, name="about")
        self._outcome_inputs(ctx, inputs)
        self._field_inputs(ctx, inputs)
        try:
            weak_slices.check_slices(target_of(ctx), ctx.params)
        except InvalidInput as error:
            pieces.refuse(inputs, "minimum", error)
        else:
            self._slice_inputs(ctx, inputs)
        return types.Property(inputs, view=types.View(label=self.label))

    def _outcome_inputs(self, ctx: Any, inputs: Any) -> None:
        pieces.field_input(
            ctx,
            inputs,
            "outcome",
            "Judged by",
            weak_slices.outcome_fields(ctx.dataset),
            missing="",
            description="An evaluation, or a number; none: whether predictions are as the labels",
            required=False,
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
        inputs.int(
            "bins", label="Bins of numbers", description="With as many samples each", default=5, min=2
        )
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
        inputs.bool(
            "pairs",
            label="Pairs of values, too: night in the yard",
            default=True,
            view=types.CheckboxView(),
        )
        inputs.int(
            "minimum",
            label="Samples of a slice",
            description="Smaller ones are not looked at",
            default=20,
            min=2,
        )

    def _slice_inputs(self, ctx: Any, inputs: Any) -> None:
        """The slices, once they are asked for, and what one of them is written as."""
        inputs.bool(
            "preview",
            label="Find them now",
            description="To choose one to be written; nothing is written yet",
            default=False,
            view=types.CheckboxView(),
        )
        if not ctx.params.get("preview"):
            return
        beside = {"slice", "field", "tag", "overwrite", "preview"}
        asked = {name: value for name, value in ctx.params.items() if name not in beside}
        told = self._previewed(ctx, pieces.view_key(ctx), previews.key_of(ctx, asked))
        if "error" in told:
            inputs.view("preview_error", types.Error(label=told["error"]))
            return
        inputs.view("told", types.Notice(label=told["text"]))
        for number, note in enumerate(told["notes"]):
            inputs.view(f"note_{number}", types.Notice(label=note))
        if not told["rows"]:
            return
        inputs.md(weak_slices.table_of(told["rows"]), name="slices")
        view = types.DropdownView()
        view.add_choice(pieces.NONE, label="none")
        for row in told["rows"]:
            view.add_choice(row["slice"], label=row["slice"], description=f"{row['count']:,} samples")
        inputs.enum("slice", view.values(), label="Write this slice", default=pieces.NONE, view=view)
        if ctx.params.get("slice"):
            self._name_inputs(ctx, inputs)

    def _name_inputs(self, ctx: Any, inputs: Any) -> None:
        tag = inputs.str(
            "tag",
            label="Tag",
            description="Also the name of the saved view and of the run, by which it can be undone",
            default=USUAL_TAG,
            required=False,
        )
        inputs.str(
            "field",
            label="Field",
            description="Whether a sample is in the slice, for filters and weights; left empty, it "
            "is called is_ and the tag",
            required=False,
        )
        pieces.overwrite_input(inputs)
        try:
            check_names(ctx.dataset, _names(ctx.dataset, ctx.params), bool(ctx.params.get("overwrite")))
        except InvalidInput as error:
            pieces.mark(tag, error)

    @foo.execution_cache(prompt_scoped=True, residency="ephemeral")
    def _previewed(self, ctx: Any, view: str, asked: str) -> dict[str, Any]:
        """What there is. ``view`` and ``asked`` are part of the key of the cache alone."""
        try:
            reading, found = weak_slices.find_slices(target_of(ctx), ctx.params)
        except InvalidInput as error:
            return {"error": str(error)}
        text = weak_slices.text_of(weak_slices.outcome_of(ctx.dataset, ctx.params), found)
        return {"text": text, "rows": weak_slices.rows_of(found), "notes": reading.notes}

    def resolve_run_name(self, ctx: Any) -> str:
        return f"{self.label}: {ctx.params.get('slice') or 'all'}"

    def execute(self, ctx: Any) -> dict[str, Any]:
        view, params = target_of(ctx), ctx.params
        weak_slices.check_slices(view, params)
        name = params.get("slice") or None
        names = _names(ctx.dataset, params) if name else None
        if names:
            check_names(ctx.dataset, names, bool(params.get("overwrite")))
        report = throttled(lambda share, label: ctx.set_progress(progress=share, label=label))
        reading, found = weak_slices.find_slices(view, params, report)
        outcome = weak_slices.outcome_of(ctx.dataset, params)
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
        _write(view, reading, weak, names, params, outcome.higher_is)
        ctx.ops.reload_dataset()
        ctx.ops.set_view(view=chosen_view(ctx.dataset, names))
        return result | _written(names, next(row for row in rows if row["slice"] == name))

    def resolve_output(self, ctx: Any) -> Any:
        results = ctx.results or {}
        outputs = types.Object()
        outputs.view("told", types.Notice(label=results.get("text", "")))
        if results.get("slices"):
            outputs.md(weak_slices.table_of(results["slices"]), name="table")
            # The App's view of code is fetched from elsewhere, which not every network allows.
            outputs.md(f"For a recipe:\n```json\n{results['written_as']}\n```", name="fragment")
        for name, label in (
            ("slice", "Written"),
            ("field", "Field"),
            ("tag", "Tag"),
            ("saved_view", "Saved view, the worst first"),
            ("run_key", "Run, to show or undo it"),
        ):
            if results.get(name):
                outputs.str(name, label=label)
        pieces.notes_output(ctx, outputs)
        return types.Property(outputs, view=types.View(label="Weak slices"))

    def __call__(self, sample_collection: Any, delegate: bool = False, **options: Any) -> Any:
        """Find weak slices from Python, of a dataset or view.

        Args:
            sample_collection: a dataset or view.
            delegate: queue it for a worker instead of running it now.
            **options: what is judged by: ``outcome`` (the key of an evaluation, or a field of numbers
                or booleans, with ``higher_is`` "better" or "worse"), or ``predictions`` and
                ``label_field``; ``fields`` in which slices are looked for (default: all metadata),
                ``bins``, ``date_parts``, ``timezone``, ``pairs``, ``minimum``, ``false_discoveries``,
                ``most``; ``slice``, the name of one to be written, as ``field`` (a boolean), ``tag``,
                ``saved_view``, ``run_key``, ``overwrite``; ``bad``.

        Returns:
            an ``ExecutionResult``; its ``result`` has ``slices``, each with its figures, and with
            ``filters`` and ``weights`` for a recipe.
        """
        refuse_unknown("find_weak_slices", options, OPTIONS)
        view = samples_of(sample_collection)
        weak_slices.check_slices(view, options)
        if options.get("slice"):
            names = _names(view._dataset, options)
            check_names(view._dataset, names, bool(options.get("overwrite")))
        return call(self, sample_collection, options, delegate)


def _names(dataset: Any, params: dict[str, Any]) -> Names:
    tag = params.get("tag")
    names = name_selection(
        dataset, params.get("run_key"), USUAL_TAG if tag is None else tag, params.get("saved_view")
    )
    return replace(names, number_field=params.get("field") or f"is_{names.run_key}")


def _written(names: Names | None, row: dict[str, Any] | None) -> dict[str, Any]:
    """What was written, and what to copy into a recipe: the field where there is one."""
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
    view: Any, reading: Reading, weak: Slice, names: Names, params: dict[str, Any], higher_is: str
) -> None:
    """Write a slice as a selection is, the worst first; later selections may choose it yet."""
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
    )
