"""Predicted losses for a dataset: read, train, write."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import fiftyone as fo
import numpy as np
from scipy.stats import spearmanr

from ...alcore import InvalidInput
from ...alcore.data.errors import name_samples
from ...alcore.networks.loss_prediction import (
    FOLDS,
    MINIMUM_LABELED,
    LossPrediction,
    fit_loss_predictor,
)
from ...alcore.scores import entropy
from ...alcore.strategies import Reads
from ..dataset.field_swap import NewField, write_fields
from ..dataset.fields import document_type, truth_path
from ..dataset.fiftyone_private import dataset_of
from ..dataset.resumable_field import check_field_name, check_free
from ..reading.read import Bad, check_columns, read_columns
from ..runs.run import Progress, throttled

METHOD = "alcore/predicted_loss"
READ_SHARE, TRAIN_SHARE = 0.3, 0.6
USELESS_BELOW = 0.1
LEAST_PROBABILITY = float(np.finfo(np.float32).tiny)
DESCRIPTION = (
    "Predicted loss of {predictions}, higher = more worth labeling, about 0 on average; rank "
    "correlation with the true loss of held-out labeled samples: {correlation:.2f}"
)


@dataclass
class LossRequest:
    """What to learn from, and the field to write.

    Attributes:
        embeddings: one or more fields of vectors, the inputs of the loss predictor.
        predictions: the field of the predictions whose loss is learned.
        label_field: the field of the true classes.
        field: the field to write.
        folds: the number of folds of the cross-validation.
        minimum: the smallest number of labeled samples.
        seed: the seed of the training.
        bad: what happens to values that cannot be used: "error" or "leave_out".
        overwrite: whether an earlier field of predicted losses is replaced.
        device: "auto" (here the CPU), "cpu" or "cuda".
    """

    embeddings: list[str]
    predictions: str
    label_field: str
    field: str = "predicted_loss"
    folds: int = FOLDS
    minimum: int = MINIMUM_LABELED
    seed: int = 0
    bad: Bad = "error"
    overwrite: bool = False
    device: str = "auto"


def predict_loss(view: Any, request: LossRequest, progress: Progress | None = None) -> dict[str, Any]:
    """Train a loss predictor on the labeled samples of a view, and write a score for each sample.

    The loss is the cross-entropy between the stored prediction and the label. Samples without an
    embedding get no score.

    Returns:
        Figures and notes as plain values.

    Raises:
        InvalidInput: if something is wrong; nothing was written.
    """
    report = throttled(progress)
    dataset = dataset_of(view)
    check_request(view, request)
    path = truth_path(dataset, request.label_field)
    reading = read_columns(
        view,
        _columns(request, path),
        None,
        request.bad,
        lambda share: report(READ_SHARE * share, "Reading"),
    )
    pool, notes = reading.pool, reading.notes
    rows = np.flatnonzero(pool.present(request.embeddings))
    judged = rows[pool.present([request.predictions, path])[rows]]
    losses = np.full(pool.n, np.nan)
    losses[judged] = _losses(pool, request, path, judged)
    labeled = np.isfinite(losses)
    found = fit_loss_predictor(
        [_rows(pool.columns[one], rows) for one in request.embeddings],
        losses[rows],
        labeled[rows],
        folds=request.folds,
        minimum=request.minimum,
        seed=request.seed,
        device=request.device,
        progress=lambda done, total: report(
            READ_SHARE + TRAIN_SHARE * done / total, f"Training {done} of {total}"
        ),
    )
    notes += _verdict(found, pool.columns[request.predictions][judged], losses[judged])
    if len(rows) < pool.n:
        notes.append(f"{pool.n - len(rows)} samples without an embedding have no score")
    report(READ_SHARE + TRAIN_SHARE, "Writing")
    scores = {
        pool.ids[row]: score for row, score in zip(rows.tolist(), found.scores.tolist(), strict=True)
    }
    notes += _write(dataset, request, found, scores, pool.ids)
    return {
        "field": request.field,
        "correlation": round(found.correlation, 4),
        "labeled": found.labeled,
        "scored": len(scores),
        "notes": notes,
    }


def check_request(view: Any, request: LossRequest) -> None:
    """Check that fields exist, fit and may be written, without reading any sample.

    Raises:
        InvalidInput: if an option is wrong.
    """
    dataset = dataset_of(view)
    check_field_name(request.field)
    if not request.embeddings:
        raise InvalidInput("embeddings: name at least one field of vectors")
    check_columns(view, _columns(request, truth_path(dataset, request.label_field)))
    judged = dataset.get_field(request.predictions)
    is_vector = isinstance(judged, (fo.VectorField, fo.ListField))
    if not is_vector and document_type(judged) is not fo.Classification:
        raise InvalidInput(
            f"predictions: {request.predictions!r} does not hold one class a sample; it takes "
            "Classification, or a vector of probabilities"
        )
    check_free(dataset, request.field, METHOD, "no predicted losses", request.overwrite)


def _columns(request: LossRequest, label_path: str) -> dict[str, Reads]:
    """Return the columns to read: predictions, embeddings, and the labels as plain values."""
    return {
        request.predictions: Reads.PREDICTIONS,
        **dict.fromkeys(request.embeddings, Reads.VECTORS),
        label_path: Reads.VALUES,
    }


def _losses(pool: Any, request: LossRequest, path: str, rows: np.ndarray) -> np.ndarray:
    """Return the (len(rows),) cross-entropy between predictions and labels of the given rows.

    Raises:
        InvalidInput: if there are no rows, or if a label is not a class of the predictions.
    """
    if len(rows) == 0:
        raise InvalidInput(
            f"label_field: no sample has a label in {request.label_field!r}, a prediction and an "
            f"embedding; label at least {request.minimum}"
        )
    classes = pool.classes[request.predictions]
    position = {name: index for index, name in enumerate(classes)}
    labels = pool.columns[path][rows]
    strange = np.array([label not in position for label in labels])
    if strange.any():
        names = sorted({str(label) for label in labels[strange]})
        raise InvalidInput(
            f"label_field: {name_samples(pool.ids, rows[strange])} with labels that are no classes of "
            f"{request.predictions!r}: {_shortly(names)}; it knows {_shortly(classes)}; correct "
            "them, or set the dataset's classes for it"
        )
    p = pool.columns[request.predictions][rows, [position[label] for label in labels]]
    return -np.log(np.clip(p.astype(np.float64), LEAST_PROBABILITY, 1))


def _verdict(found: LossPrediction, p: np.ndarray, losses: np.ndarray) -> list[str]:
    """Return notes on whether the predicted losses are useful.

    Args:
        found: the result of the training.
        p: (L, C) probabilities of the labeled samples.
        losses: (L,) their true losses.
    """
    notes = []
    least = max(USELESS_BELOW, found.chance)
    if found.correlation < least:
        notes.append(
            f"The head learned nothing: its rank correlation with the true loss is "
            f"{found.correlation:.2f}, and with {found.labeled} labeled samples chance alone reaches "
            f"{least:.2f}; do not use this field"
        )
    uncertain = entropy(p)
    if np.ptp(uncertain) > 0:
        theirs = float(spearmanr(uncertain, losses).statistic)
        if theirs > found.correlation:
            notes.append(
                f"The entropy of the predictions follows the true loss better ({theirs:.2f} against "
                f"{found.correlation:.2f}): uncertainty sampling may serve you better"
            )
    return notes


def _write(
    dataset: Any,
    request: LossRequest,
    found: LossPrediction,
    scores: dict[str, float],
    computed: Sequence[str],
) -> list[str]:
    described = DESCRIPTION.format(predictions=request.predictions, correlation=found.correlation)
    info = {
        "method": METHOD,
        "embeddings": request.embeddings,
        "predictions": request.predictions,
        "label_field": request.label_field,
        "correlation": found.correlation,
        "labeled": found.labeled,
        "folds": request.folds,
        "seed": request.seed,
    }
    name = request.field
    return write_fields(dataset, {name: NewField(scores, described, info, computed=computed)})


def _rows(column: np.ndarray, rows: np.ndarray) -> np.ndarray:
    """Return the given rows of a column; without a copy if these are all rows."""
    return column if len(rows) == len(column) else column[rows]


def _shortly(names: list[str]) -> str:
    return ", ".join(map(repr, names[:5])) + (", ..." if len(names) > 5 else "")
