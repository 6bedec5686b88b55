"""The operator select_test_set: it selects test samples that represent the model's application."""

from __future__ import annotations

import json
from dataclasses import asdict, replace
from typing import Any

import fiftyone.operators.types as types
import numpy as np

from ..alcore import Selection
from ..alcore.test_sets.select import ChosenTestSet
from .base import OptionsOperator, Pick
from .dataset.fiftyone_private import dataset_of
from .evaluation import test_sets
from .evaluation.test_sets import TestSetRequest
from .forms import pieces, previews, selection_inputs
from .forms.markdown import escaped, paragraphs
from .forms.test_set_inputs import filled, form_inputs
from .forms.test_set_options import REFERENCES, as_shown
from .reading.read import ReadPool
from .runs.checks import check_names
from .runs.names import Names, name_selection
from .runs.run import CHOOSE_SHARE, READ_SHARE, Progress, throttled
from .runs.used_embeddings import embeddings_used
from .runs.writing import tokens, write

USUAL_TAG = "test"


def _tag_of(params: dict[str, Any]) -> str:
    """Return the tag, or its default; "" for no tag."""
    tag = params.get("tag")
    return USUAL_TAG if tag is None else str(tag)


def _names(dataset: Any, request: TestSetRequest, params: dict[str, Any]) -> Names:
    tag = _tag_of(params)
    names = name_selection(dataset, params.get("run_key"), tag, params.get("saved_view"))
    weighted = request.spec.how == "active"
    return replace(
        names,
        number_field=f"{names.run_key}_weight" if weighted else None,
        held_out_tag=test_sets.HELD_OUT.format(names.tag) if names.tag else None,
        held_out_field=f"{names.run_key}_held_out",
    )


def _chosen(
    view: Any, request: TestSetRequest, report: Progress = lambda share, label: None
) -> tuple[ReadPool, ChosenTestSet]:
    return test_sets.choose(
        view,
        request,
        lambda share: report(READ_SHARE * share, "Reading"),
        lambda done, size: report(READ_SHARE + CHOOSE_SHARE * done / size, f"Chosen {done} of {size}"),
    )


def _figures(chosen: ChosenTestSet) -> dict[str, Any]:
    """Return the figures of a test set as plain values."""
    report = chosen.report
    names = (
        "method",
        "chosen",
        "held_out",
        "trainable",
        "population",
        "strata",
        "distance",
        "interval",
    )
    return {**{name: report[name] for name in names}, "text": test_sets.text_of(report)}


def _reasons(chosen: ChosenTestSet) -> list[dict[str, float]]:
    """Return for each pick its weight, if there are weights."""
    if chosen.weights is None:
        return [{} for _ in chosen.ids]
    return [{"weight": one} for one in chosen.weights.tolist()]


def _previewed(reading: ReadPool, chosen: ChosenTestSet) -> dict[str, Any]:
    """Return what a dry run returns, as plain values."""
    return {
        "preview": True,
        "picks": [str(one) for one in chosen.ids],
        "reasons": _reasons(chosen),
        "kept_apart": [str(reading.pool.ids[row]) for row in chosen.held_out.tolist()],
        **_figures(chosen),
        "notes": reading.notes,
    }


def _write(
    view: Any,
    reading: ReadPool,
    chosen: ChosenTestSet,
    names: Names,
    request: TestSetRequest,
    overwrite: bool,
    known: set[str] | None,
) -> None:
    pool, weights = reading.pool, chosen.weights
    gains = np.full(len(chosen), np.nan) if weights is None else weights
    selection = Selection(
        indices=chosen.indices,
        ids=chosen.ids,
        gains=gains,
        reasons=_reasons(chosen),
        report=chosen.report,
    )
    spec = json.loads(request.spec.model_dump_json(exclude_none=True))
    details: dict[str, Any] = {
        "labeled": request.labeled.record(),
        "device": chosen.report["device"],
        "number_description": f"Weight in the mean over the test set {names.run_key}",
    }
    if request.like:
        details["reference"] = request.like
    used = embeddings_used(dataset_of(view), reading.pool.columns)
    if used:
        details["embeddings"] = used
    write(
        view,
        selection,
        names,
        {
            "budget": len(chosen),
            "strategies": [{"strategy": "test_set", **spec}],
            "seed": request.spec.seed,
        },
        details,
        overwrite,
        numbers=None if weights is None else dict(zip(chosen.ids, weights.tolist(), strict=True)),
        held_out=[pool.ids[row] for row in chosen.held_out.tolist()],
        known=known,
    )


class SelectTestSet(OptionsOperator):
    """Chooses a test set, and marks samples that must be held out from training because of it.

    Options:
        size, interval: one of them must be given: a count or a share; or a dict with ``half_width``
            (see ``alcore.test_sets.Interval``).
        method: "random", "stratified", "herding", "both" or "active". By default, the other options
            decide.
        strata, shares: a list of fields of categories, and the shares of their values; default: the
            shares in the reference.
        embeddings, metric, bandwidth: the vectors for herding and near-duplicates, and their kernel.
        minimum_distance: nearer samples are near-duplicates; 0 for no search.
        groups: a field; samples with the same value are never split.
        expected_loss, floor: for "active": the expected loss, and the share that is drawn uniformly.
        reference_view, reference_tag: the samples that the test set must resemble; default: all
            samples of the view, including labeled ones.
        max_target: of a larger reference, this many random samples are used.
        random_sets: the number of random test sets to compare with.
        label_field, labeled_tag, skip_chosen: which samples count as labeled, and so are used for
            training.
        tag, saved_view, run_key, overwrite: the names under which the test set is written.
        bad: "error" or "leave_out", for samples whose values cannot be used.
        device: "auto", "cpu" or "cuda".
        seed: the seed of the random numbers.
        preview: whether nothing is written, and the result has the ids of the ``picks`` in order, the
            ``reasons`` for each (its weight, for "active"), and what would be ``kept_apart``.

    The result has the names of what was written, and the figures.
    """

    label = "Active learning: select a test set"
    about = (
        "Chooses samples that stand for where the model will be applied, tags them, and tags what must "
        "not be trained on beside them: near-duplicates of those chosen, and the rest of their groups."
    )
    description = (
        "Choose a representative, fixed test set or validation set, by stratified sampling or herding"
    )
    icon = "fact_check"
    result_label = "Test set"
    refused_at = "tag"
    options = (
        *test_sets.PLAIN,
        *selection_inputs.WRITTEN,
        *("interval", "strata", "shares", "minimum_distance"),
        *REFERENCES,
        *("label_field", "labeled_tag", "skip_chosen", "preview"),
    )

    def draw_form(self, ctx: Any, inputs: Any) -> None:
        form_inputs(ctx, inputs)
        inputs.view("names", types.Header(label="Result", divider=True))
        inputs.str(
            "tag",
            label="Tag",
            description="Of the test set; also the name of the saved view and of the run. What is held "
            f"out gets {test_sets.HELD_OUT.format('the tag')!r}",
            default=USUAL_TAG,
            required=False,
        )
        pieces.overwrite_input(inputs)
        pieces.bad_input(inputs)
        inputs.int("seed", label="Seed", description="The same seed chooses the same", default=0, min=0)
        previews.dry_run_input(inputs)

    def form_options(self, ctx: Any) -> dict[str, Any]:
        return as_shown(filled(ctx))

    def fill(self, dataset: Any, options: dict[str, Any], pick: Pick) -> dict[str, Any]:
        found = super().fill(dataset, options, pick)
        if isinstance(found.get("strata"), str):
            found["strata"] = [found["strata"]]
        return found

    def check(self, view: Any, options: dict[str, Any]) -> None:
        """Check options, fields and names, without reading any sample.

        Raises:
            InvalidInput: if an option or a field cannot be used, or if a name is taken.
        """
        dataset = dataset_of(view)
        request = test_sets.request_of(dataset, options)
        check_names(dataset, _names(dataset, request, options), bool(options.get("overwrite")))
        test_sets.check_request(view, request)

    def draw_preview(self, ctx: Any, inputs: Any) -> None:
        previews.preview_inputs(ctx, inputs, self.previewed, in_plane=False)

    def preview(self, view: Any, options: dict[str, Any], plane: str) -> dict[str, Any]:
        reading, chosen = _chosen(view, test_sets.request_of(dataset_of(view), options))
        text = test_sets.text_of(chosen.report)
        return {
            "text": paragraphs([text, *map(escaped, reading.notes), "Nothing is written yet"]),
            "plots": test_sets.plots_of(chosen.report),
        }

    def resolve_run_name(self, ctx: Any) -> str:
        return f"{self.label}: {_tag_of(ctx.params) or 'test set'}"

    def run(self, view: Any, options: dict[str, Any], report: Progress) -> dict[str, Any]:
        report = throttled(report)
        dataset = dataset_of(view)
        request = test_sets.request_of(dataset, options)
        known = tokens(dataset) if request.labeled.chosen else None
        names = _names(dataset, request, options)
        if options.get("overwrite"):
            request = replace(request, labeled=replace(request.labeled, but=names.run_key))
        reading, chosen = _chosen(view, request, report)
        if options.get("preview"):
            return _previewed(reading, chosen)
        report(READ_SHARE + CHOOSE_SHARE, "Writing")
        if len(chosen.held_out) == 0:
            names = replace(names, held_out_tag=None, held_out_field=None)
        _write(view, reading, chosen, names, request, bool(options.get("overwrite")), known)
        return {**asdict(names), **_figures(chosen), "notes": reading.notes}

    def has_written(self, result: dict[str, Any]) -> bool:
        return not result.get("preview")

    def draw_result(self, outputs: Any, result: dict[str, Any]) -> None:
        outputs.md(result.get("text", ""), name="set_text")
        if result.get("preview"):
            outputs.list("picks", types.String(), label="Would be chosen; nothing is written")
            return
        outputs.str("tag", label="Tag")
        if result.get("held_out_tag"):
            outputs.str("held_out_tag", label="Tag of what is held out")
        if result.get("number_field"):
            outputs.str("number_field", label="Field of the weights")
        outputs.str("saved_view", label="Saved view")
        outputs.str("run_key", label="Run, to show or undo it")
