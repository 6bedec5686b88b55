"""What is known of a dataset before a strategy is chosen: the facts on which advice is based."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass
from typing import Any

import fiftyone as fo
import numpy as np

from ...alcore import InvalidInput
from ...alcore.evaluation.advice import Facts, Holds
from ...alcore.geometry.distance_statistics import neighborhood, suggested_distance
from ...alcore.replaying import Regime, regime_of
from ...alcore.scores.calibration import calibration_error
from ...alcore.strategies import Reads
from ..dataset.fields import document_type, is_text, truth_path
from ..dataset.fiftyone_private import dataset_of
from ..dataset.object_fields import list_path
from ..reading.read import ReadPool, read_columns
from ..runs.run import Progress

FAR = 3.0  # times the median distance to the nearest other
MOST = 20_000  # vectors that are looked at; more would only take longer
MOST_LABELS = 3_000
LEAST_LABELS = 20


@dataclass(frozen=True)
class Found:
    """The facts, the removal test behind one of them, and notes."""

    facts: Facts
    regime: Regime | None
    notes: list[str]


def facts_of(
    view: Any,
    labels: str | None,
    embeddings: str | None,
    predictions: str | None,
    report: Progress = lambda share, label: None,
    seed: int = 0,
) -> Found:
    """Read what is known of a view.

    Raises:
        InvalidInput: if a field does not fit, or if its values cannot be used.
    """
    dataset = dataset_of(view)
    kind = _kind_of(dataset, labels) or _kind_of(dataset, predictions) or "nothing"
    counts = _counts(view, dataset, labels)
    total = len(view)
    labeled = len(view.exists(labels)) if labels else 0
    notes: list[str] = []
    report(0.1, "Reading")
    vectors = _vectors(view, embeddings, seed, notes)
    report(0.4, "Looking for copies")
    copies, outliers = _copies_and_outliers(vectors, seed)
    accuracy = error = regime = None
    if kind == "classes" and labels and labeled >= LEAST_LABELS:
        accuracy, error = _trust(view.exists(labels), labels, predictions, notes)
        report(0.6, "Leaving out labels")
        regime = _regime(view.exists(labels), labels, embeddings, seed, notes)
    facts = Facts(
        samples=total,
        labeled=labeled,
        holds=kind,
        classes=counts,
        embeddings=embeddings,
        predictions=predictions,
        evaluated=_evaluation_of(dataset, predictions),
        accuracy=accuracy,
        calibration=error,
        copies=copies,
        outliers=outliers,
        regime=None if regime is None else regime.kind,
    )
    return Found(facts, regime, notes)


def _kind_of(dataset: Any, field: str | None) -> Holds | None:
    held = dataset.get_field(field) if field else None
    if held is None:
        return None
    kind = document_type(held)
    if kind is fo.Classification or is_text(held) or isinstance(held, (fo.VectorField, fo.ListField)):
        return "classes"
    if kind in (fo.Detections, fo.Polylines):
        return "boxes"
    return "pixels" if kind in (fo.Segmentation, fo.Heatmap) else None


def _counts(view: Any, dataset: Any, labels: str | None) -> dict[str, int]:
    """Return the number of labels of each class, in order of the names."""
    kind = _kind_of(dataset, labels)
    if labels is None or kind not in ("classes", "boxes"):
        return {}
    path = truth_path(dataset, labels) if kind == "classes" else f"{list_path(dataset, labels)}.label"
    counted = Counter(view.count_values(path))
    return {str(name): count for name, count in sorted(counted.items(), key=str) if name is not None}


def _vectors(view: Any, embeddings: str | None, seed: int, notes: list[str]) -> np.ndarray | None:
    """Return the vectors of the samples that have one, at most ``MOST`` of them."""
    if embeddings is None:
        return None
    if len(view) > MOST:
        notes.append(f"copies and outliers were looked for among {MOST:,} samples, drawn by chance")
        view = view.take(MOST, seed=seed)
    pool = _read(view, {embeddings: Reads.VECTORS}).pool
    found: np.ndarray = pool.columns[embeddings][~pool.missing[embeddings]]
    return found


def _copies_and_outliers(vectors: np.ndarray | None, seed: int) -> tuple[float | None, float | None]:
    """Return the share of samples with a near copy, and of those far from every other."""
    if vectors is None or len(vectors) < LEAST_LABELS:
        return None, None
    found = neighborhood(vectors, "cosine" if vectors.any(1).all() else "euclidean", seed=seed)
    near = suggested_distance(found.distances, found.neighbors)
    copies = float((found.distances < near).mean()) if near is not None else 1.0
    return copies, float((found.distances > FAR * np.median(found.distances)).mean())


def _trust(
    view: Any, labels: str, predictions: str | None, notes: list[str]
) -> tuple[float | None, float | None]:
    """Return the accuracy and the calibration error of predictions on labeled samples."""
    dataset = dataset_of(view)
    if predictions is None:
        return None, None
    path = truth_path(dataset, labels)
    read = _read(view, {predictions: Reads.CLASS_PROBABILITIES, path: Reads.CATEGORIES})
    pool = read.pool
    p, classes = pool.columns[predictions], pool.classes.get(predictions, [])
    codes = {name: code for code, name in enumerate(classes)}
    truth = np.array([codes.get(name, -1) for name in pool.columns[path].tolist()])
    here = (truth >= 0) & pool.present([predictions, path])
    if p.ndim != 2 or not here.any():
        notes.append(f"no labeled sample has a prediction of a known class in {predictions!r}")
        return None, None
    return float((p[here].argmax(1) == truth[here]).mean()), calibration_error(p[here], truth[here])


def _regime(
    view: Any, labels: str, embeddings: str | None, seed: int, notes: list[str]
) -> Regime | None:
    """Return what the removal test finds on labeled samples; None if it cannot be run."""
    if embeddings is None:
        return None
    path = truth_path(dataset_of(view), labels)
    view = view.take(MOST_LABELS, seed=seed) if len(view) > MOST_LABELS else view
    pool = _read(view, {embeddings: Reads.VECTORS, path: Reads.CATEGORIES}).pool
    here = pool.present([embeddings, path])
    names = pool.columns[path][here]
    try:
        return regime_of(pool.columns[embeddings][here], np.unique(names, return_inverse=True)[1])
    except InvalidInput as error:
        notes.append(str(error))
        return None


def _read(view: Any, columns: dict[str, Reads]) -> ReadPool:
    return read_columns(view, columns, None, "leave_out")


def _evaluation_of(dataset: Any, predictions: str | None) -> str | None:
    """Return the key of the newest evaluation of a field of predictions."""
    for key in reversed(dataset.list_evaluations()):
        if predictions and dataset.get_evaluation_info(key).config.pred_field == predictions:
            return str(key)
    return None
