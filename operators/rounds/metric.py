"""How good predictions are on a fixed test set. Nothing is written to the dataset."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

import fiftyone as fo
import numpy as np
from scipy.stats import binomtest

from ...alcore import InvalidInput
from ...alcore.test_sets.active import weighted_estimate
from ..dataset.fields import document_type, is_text
from ..runs.run import Progress
from .test_set import TestSet

PARTS = 10  # a standard error of what is no mean comes from the metric of so many parts
CONFIDENCE = 0.95
SIGMAS = 1.96  # of a normal distribution, for this confidence
NAMES = {
    fo.Classification: "accuracy",
    fo.Detections: "mean average precision",
    fo.Segmentation: "mean IoU",
}


@dataclass(frozen=True)
class Metric:
    """A metric of a prediction field on a test set.

    Attributes:
        name: "accuracy", "mean average precision" or "mean IoU".
        value: from 0 to 1, higher is better.
        error: its standard error; None if there are too few samples to tell.
        low: the lower end of its 95 % interval.
        high: the upper end.
        samples: the number of samples that count.
        balanced: the mean recall of the classes, beside an accuracy; None for others.
        ids: the samples that count.
        notes: what must be known of it, a sentence each.
    """

    name: str
    value: float
    error: float | None
    low: float
    high: float
    samples: int
    balanced: float | None = None
    ids: list[str] = field(default_factory=list, repr=False)
    notes: list[str] = field(default_factory=list)

    def record(self) -> dict[str, Any]:
        """Return what is stored in the record of a round."""
        numbers = ("value", "error", "low", "high", "balanced")
        rounded = {name: _rounded(getattr(self, name)) for name in numbers}
        return {"name": self.name, **rounded, "samples": self.samples}


def check_fields(dataset: Any, predictions: str, labels: str) -> None:
    """Check that a metric of these fields is known, without reading any sample.

    Raises:
        InvalidInput: if a field does not exist, or if the two do not compare.
    """
    kinds = []
    for option, path in (("predictions", predictions), ("label_field", labels)):
        held = dataset.get_field(path) if path else None
        if held is None:
            raise InvalidInput(f"{option}: {dataset.name!r} has no field {path!r}")
        kind = fo.Classification if is_text(held) else document_type(held)
        if kind not in NAMES:
            name = kind.__name__ if kind else type(held).__name__
            raise InvalidInput(
                f"{option}: {path!r} holds {name}; a metric is known for Classification, Detections "
                "and Segmentation"
            )
        kinds.append(kind)
    if predictions == labels:
        raise InvalidInput(f"predictions: {predictions!r} is the field of the labels; name another")
    if kinds[0] is not kinds[1]:
        raise InvalidInput(
            f"predictions: {predictions!r} holds {kinds[0].__name__} and {labels!r} holds "
            f"{kinds[1].__name__}, which do not compare"
        )


def measure(
    dataset: Any,
    predictions: str,
    labels: str,
    test_set: TestSet,
    report: Progress = lambda share, label: None,
) -> Metric:
    """Measure predictions on the labeled samples of a test set.

    Classifications are measured by their accuracy, detections by FiftyOne's COCO-style mean average
    precision (IoU 0.5 to 0.95), segmentations by the mean IoU of the classes in either mask. A sample
    without a prediction counts as one that the model got wrong. The interval of an accuracy is
    Wilson's; the standard error of the others comes from the metric in ``PARTS`` parts of the test set.

    Args:
        dataset: the dataset.
        predictions: the field of the predictions.
        labels: the field of the true labels.
        test_set: the samples.
        report: called with the share that is done, from 0 to 1, and a text.

    Raises:
        InvalidInput: if a field cannot be used, or if no sample of the test set has a label, or none
            has a prediction.
    """
    check_fields(dataset, predictions, labels)
    everyone = test_set.view
    kind = document_type(dataset.get_field(labels)) or fo.Classification
    true_path, path = _path(dataset, labels), _path(dataset, predictions)
    view = everyone.exists(true_path)
    ids, count = view.values("id"), everyone.count()
    if not ids:
        raise InvalidInput(
            f"test_set: none of the {count:,} samples of {test_set.name!r} has a label in {labels!r}"
        )
    without = len(ids) - view.exists(path).count()
    if without == len(ids):
        raise InvalidInput(
            f"predictions: {predictions!r} has no value in the {len(ids):,} labeled samples of the "
            f"test set {test_set.name!r}; predict these too"
        )
    notes = []
    if len(ids) < count:
        notes.append(f"{count - len(ids):,} of {count:,} samples of the test set have no label")
    if without:
        notes.append(f"{without:,} samples have no prediction, which counts as wrong")
    if kind in (fo.Detections, fo.Segmentation):
        if test_set.weights:
            notes.append("the weights of the test set are not used: they are for means over samples")
        once = _mean_precision if kind is fo.Detections else _mean_iou
        return _by_parts(view, ids, predictions, labels, kind, once, notes, report)
    if test_set.weights and len(ids) < count:
        raise InvalidInput(
            f"test_set: {len(ids):,} of the {count:,} samples of {test_set.name!r} have a label; its "
            "weights hold for all of it together, so label the others too"
        )
    return _accuracy(view, ids, path, true_path, test_set, notes)


def _accuracy(
    view: Any, ids: list[str], path: str, true_path: str, test_set: TestSet, notes: list[str]
) -> Metric:
    truth, predicted = (np.array(one, dtype=object) for one in view.values([true_path, path]))
    right = truth == predicted
    n = len(ids)
    if test_set.weights and test_set.population:
        weights = np.array(view.values(test_set.weights), dtype=np.float64)
        found = weighted_estimate(~right, weights, test_set.population)
        value = float(np.clip(1 - found.mean, 0, 1))
        error = found.standard_error if math.isfinite(found.standard_error) else None
        low, high = _normal(value, error)
        notes = [*notes, "the accuracy is weighted, as the test set was drawn by expected loss"]
        return Metric(NAMES[fo.Classification], value, error, low, high, n, None, ids, notes)
    value = float(right.mean())
    balanced = float(np.mean([right[truth == one].mean() for one in set(truth.tolist())]))
    interval = binomtest(int(right.sum()), n).proportion_ci(CONFIDENCE, "wilson")
    # Of the interval, for it is above 0 also where everything is right.
    error = float(interval.high - interval.low) / (2 * SIGMAS)
    return Metric(
        NAMES[fo.Classification],
        value,
        error,
        float(interval.low),
        float(interval.high),
        n,
        balanced,
        ids,
        notes,
    )


def _by_parts(
    view: Any,
    ids: list[str],
    predictions: str,
    labels: str,
    kind: Any,
    once: Callable[[Any, str, str], float | None],
    notes: list[str],
    report: Progress,
) -> Metric:
    """Return a metric that is no mean over samples, with the standard error of its values in parts."""
    report(0.0, "Comparing with the labels")
    value = once(view, predictions, labels)
    if value is None:
        raise InvalidInput(f"test_set: the labels in {labels!r} hold nothing to compare with")
    order = np.random.default_rng(0).permutation(len(ids))
    parts = np.array_split(order, min(PARTS, len(ids)))
    values = []
    for number, part in enumerate(parts):
        report(0.5 + 0.5 * number / len(parts), "Finding the standard error")
        found = once(view.select([ids[row] for row in part.tolist()]), predictions, labels)
        if found is not None:
            values.append(found)
    spread = float(np.std(values, ddof=1)) / math.sqrt(len(values)) if len(values) > 1 else None
    low, high = _normal(value, spread)
    return Metric(NAMES[kind], value, spread, low, high, len(ids), None, ids, notes)


def _mean_precision(view: Any, predictions: str, labels: str) -> float | None:
    # Without a key, FiftyOne evaluates copies in memory and saves nothing.
    results = view.evaluate_detections(
        predictions, gt_field=labels, eval_key=None, compute_mAP=True, progress=False
    )
    value = float(results.mAP())
    return value if value >= 0 else None  # -1: no class has a true box


def _mean_iou(view: Any, predictions: str, labels: str) -> float | None:
    results = view.exists(predictions).evaluate_segmentations(
        predictions, gt_field=labels, eval_key=None, progress=False
    )
    matrix = np.asarray(results.pixel_confusion_matrix, dtype=np.float64)
    both = np.diag(matrix)
    either = matrix.sum(0) + matrix.sum(1) - both
    return float((both[either > 0] / either[either > 0]).mean()) if either.any() else None


def _path(dataset: Any, path: str) -> str:
    """Return the path whose value says that a sample has a label: of a class, its name."""
    return f"{path}.label" if document_type(dataset.get_field(path)) is fo.Classification else path


def _normal(value: float, error: float | None) -> tuple[float, float]:
    half = SIGMAS * error if error is not None else math.inf
    return max(0.0, value - half), min(1.0, value + half)


def _rounded(value: float | None) -> float | None:
    return None if value is None else float(f"{value:.6g}")
