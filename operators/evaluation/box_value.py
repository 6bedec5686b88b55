"""The business value of a detector's boxes: what a missed, a false and a confused one cost."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import fiftyone as fo
import numpy as np

from ...alcore import InvalidInput
from ...alcore.evaluation.business_value import judge
from ...alcore.strategies import Reads
from ..dataset.fields import document_type
from ..dataset.fiftyone_private import dataset_of
from ..forms.cost_matrix import class_names
from ..reading.decisions import codes_of, columns_read
from ..reading.read import ReadPool, read_columns
from ..runs.run import Progress, throttled
from .business_value import (
    BusinessValueRequest,
    Judged,
    between,
    check_request,
    counted,
    gain_of,
    money,
    slice_of,
    write_values,
)

NONE = "(none)"  # FiftyOne's word for a box that has no partner
READ_SHARE, JUDGE_SHARE = 0.3, 0.6


def has_boxes(dataset: Any, field: str | None) -> bool:
    """Return whether a field holds Detections."""
    return bool(field) and document_type(dataset.get_field(field)) is fo.Detections


def compute_box_value(
    view: Any, request: BusinessValueRequest, progress: Progress | None = None
) -> dict[str, Any]:
    """Compute the value of the boxes of the samples with both true and predicted ones.

    Boxes are matched by FiftyOne's ``evaluate_detections``, whatever their class, the surest first.

    Returns:
        The summary as plain values.

    Raises:
        InvalidInput: if something is wrong; nothing was written.
    """
    report = throttled(progress)
    dataset = dataset_of(view)
    check_box_request(view, request)
    reading = read_columns(
        view,
        _columns(request),
        None,
        request.bad,
        lambda share: report(READ_SHARE * share, "Reading"),
    )
    report(READ_SHARE, "Matching boxes")
    found = JudgedBoxes(view, reading, dataset, request)
    if request.field:
        report(READ_SHARE + JUDGE_SHARE, "Writing")
        write_values(dataset, request, reading, found, f"each box of {request.predictions}")
    return found.summary()


def check_box_request(view: Any, request: BusinessValueRequest) -> None:
    """Check the options and fields, without reading any sample.

    Raises:
        InvalidInput: if an option is wrong, or if a field is unknown or does not fit.
    """
    dataset = dataset_of(view)
    for option, path in (("predictions", request.predictions), ("label_field", request.label_field)):
        if not has_boxes(dataset, path):
            raise InvalidInput(f"{option}: {path!r} holds no Detections, whose boxes can be matched")
    if request.decision == "expected_gain":
        raise InvalidInput("decision: boxes are judged by their predicted class; decide by label")
    if any(cost < 0 for cost in request.costs or ()):
        raise InvalidInput("costs of boxes: one is below 0; give numbers of 0 or more")
    for name, value in (("iou", request.iou), ("min_confidence", request.min_confidence)):
        if not 0 <= value <= 1:
            raise InvalidInput(f"{name}: is {value:g}; give a number from 0 to 1")
    check_request(view, request, _columns(request))


class JudgedBoxes(Judged):
    """The value of the boxes: each true box and each false one is a decision."""

    things = "box"

    def __init__(
        self, view: Any, reading: ReadPool, dataset: Any, request: BusinessValueRequest
    ) -> None:
        self._reading, self._request = reading, request
        truth, decided, samples = self._matched(view)
        classes = class_names(dataset, request.label_field, request.predictions)
        seen = ({*truth.tolist(), *decided.tolist()} - {NONE}) - set(classes)
        self.classes = [*(one for one in classes if one != NONE), *sorted(seen), NONE]
        gain = self._gain()
        place = {one: row for row, one in enumerate(reading.pool.ids)}
        self.rows = np.array([place[one] for one in samples.tolist()], dtype=np.int64)
        slices = {path: slice_of(reading, dataset, path, request) for path in request.slices}
        known = codes_of(truth, self.classes)
        judgment = judge(
            known,
            codes_of(decided, self.classes),
            gain,
            self.classes,
            {path: (names, of[self.rows]) for path, (names, of) in slices.items()},
        )
        of_truth = judgment.counts.sum(1)
        # To compare with: no box at all, and so all missed.
        without = float(of_truth @ gain[:, -1])
        self.judgment = replace(judgment, constant=NONE, constant_total=without)
        self.possible = (gain.max(1) * of_truth).tolist()
        self.more, self.other = None, "label"

    def _matched(self, view: Any) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        """Return (P,) true classes, predicted classes and sample ids of the pairs of boxes.

        Raises:
            InvalidInput: if there is no box.
        """
        request = self._request
        shown = view.exists(request.label_field)
        self.without_truth = len(view) - len(shown)
        both = shown.exists(request.predictions)
        self.without_prediction = len(shown) - len(both)
        if request.min_confidence > 0:
            sure = fo.ViewField("confidence") >= request.min_confidence
            both = both.filter_labels(request.predictions, sure, only_matches=False)
        if len(both) == 0:
            raise InvalidInput("business value: no sample has both true and predicted boxes")
        # Without a key, FiftyOne evaluates copies in memory and saves nothing.
        results = both.evaluate_detections(
            request.predictions,
            gt_field=request.label_field,
            eval_key=None,
            classwise=False,
            iou=request.iou,
            progress=False,
        )
        true, predicted = (_owners(both, path) for path in (request.label_field, request.predictions))
        none = results.missing
        pairs = list(
            zip(results.ytrue, results.ypred, results.ytrue_ids, results.ypred_ids, strict=True)
        )
        if not pairs:
            raise InvalidInput("business value: there is no box, true or predicted, to judge")
        samples = [predicted[b] if t == none else true[a] for t, _, a, b in pairs]
        truth, decided = ([NONE if one[k] == none else str(one[k]) for one in pairs] for k in (0, 1))
        return (
            np.array(truth, dtype=object),
            np.array(decided, dtype=object),
            np.array(samples, dtype=object),
        )

    def _gain(self) -> np.ndarray:
        """Return the (C, C) gains, in which the last class is no box."""
        if self._request.costs is None:
            return gain_of(self._request.matrix, self.classes)
        missed, false, confused = self._request.costs
        cost = np.full((len(self.classes), len(self.classes)), confused)
        np.fill_diagonal(cost, 0)
        cost[:-1, -1], cost[-1, :-1] = missed, false
        return 0 - cost

    def by_sample(self) -> dict[str, float]:
        """Return the value of each sample with true and predicted boxes, by its id."""
        total = np.bincount(self.rows, self.judgment.each, len(self._reading.pool.ids))
        return {self._reading.pool.ids[row]: float(total[row]) for row in np.unique(self.rows).tolist()}

    def _lines(self) -> list[str]:
        one = self.judgment
        each = f"{money(one.overall.mean)} each{between(one.overall)}"
        return [
            f"**{money(one.overall.total)}** from {counted(one.overall.count, 'box')} in "
            f"{counted(len(np.unique(self.rows)))}, {each}",
            ", ".join(
                f"{name}: {counted(count, 'box')}, {money(total)}"
                for name, count, total in self._by_kind()
            ),
            f"Right boxes alone would bring {money(one.possible)}; no box at all, "
            f"{money(one.constant_total)}",
        ]

    def _by_kind(self) -> list[tuple[str, int, float]]:
        """Return for each kind of mistake its name, how often it was made, and its total."""
        last = np.arange(len(self.classes)) == len(self.classes) - 1
        truth, decided = last[:, None], last[None]
        wrong = ~np.eye(len(last), dtype=bool) & ~truth & ~decided
        counts, total = self.judgment.counts, self.judgment.money
        return [
            (name, int(counts[where].sum()), float(total[where].sum()))
            for name, where in (
                ("Missed", ~truth & decided),
                ("false", truth & ~decided),
                ("confused", wrong),
            )
        ]


def _columns(request: BusinessValueRequest) -> dict[str, Reads]:
    return columns_read(request.slices, [])


def _owners(view: Any, field: str) -> dict[str, str]:
    """Return the id of the sample of each label of a field, by the label's id."""
    samples, labels = view.values(["id", f"{field}.detections.id"])
    return {label: sample for sample, ids in zip(samples, labels, strict=True) for label in ids or []}
