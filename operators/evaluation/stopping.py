"""Advice on whether to continue labeling a dataset, from stored predictions."""

from __future__ import annotations

from dataclasses import asdict, dataclass, field, fields
from typing import Any

import numpy as np

from ...alcore import InvalidInput
from ...alcore.evaluation.stopping import (
    AGREEMENT,
    CHANGED,
    CONFIDENCE,
    SHARE,
    UNCERTAINTY,
    WINDOW,
    Advice,
    Worth,
    advise,
    verdict,
)
from ...alcore.scores.cost import cost_matrix, cost_of_gain
from ...alcore.strategies import Reads
from ..dataset.fiftyone_private import dataset_of
from ..forms import plots
from ..forms.markdown import bold, escaped
from ..reading.decisions import columns_read, decided, decision_path, has_probabilities
from ..reading.read import Bad, Labeled, ReadPool, check_columns, read_columns
from ..runs.run import Progress, throttled

POINTS = 200  # the greatest number of points of the curve
NAMES = {
    "stable_predictions": "Predictions are stable",
    "changed_predictions": "Predictions that changed",
    "overall_uncertainty": "Uncertainty of the pool",
    "confident": "Confidence on the pool",
    "worth_labeling": "What labels are worth",
}
SAYS = {True: "stop", False: "go on", None: "cannot tell yet"}


def advice_line(advice: dict[str, Any]) -> str:
    """Return an advice as a line of Markdown."""
    name = NAMES[advice["criterion"]]
    return f"*{name}*: {bold(advice['says'])}. {escaped(advice['sentence'])}"


@dataclass
class Thresholds:
    """The thresholds of the stopping criteria, as in ``alcore.evaluation.stopping``."""

    agreement: float = AGREEMENT
    window: int = WINDOW
    changed: float = CHANGED
    uncertainty: float = UNCERTAINTY
    confidence: float = CONFIDENCE
    share: float = SHARE


@dataclass
class StoppingRequest:
    """The predictions and options of the stopping criteria.

    Attributes:
        predictions: the field of the predictions of this round.
        earlier: the fields of the predictions of earlier rounds, the oldest first.
        labeled: which samples count as labeled.
        matrix: ``{"cost": ...}`` or ``{"gain": ...}``. A number, as in ``{"cost": 5.0}``, is the cost
            of every mistake. Empty if money does not count.
        price: the price of a label, in the same unit; None if money does not count.
        batch: the number of labels of the next round.
        volume: how many cases each sample represents: a number, or the field that holds it.
        thresholds: the thresholds of the criteria.
        bad: what happens to values that cannot be used: "error" or "leave_out".
    """

    predictions: str
    earlier: list[str] = field(default_factory=list)
    labeled: Labeled = field(default_factory=Labeled)
    matrix: dict[str, Any] = field(default_factory=dict)
    price: float | None = None
    batch: int = 100
    volume: float | str = 1.0
    thresholds: Thresholds = field(default_factory=Thresholds)
    bad: Bad = "error"


def advise_view(
    view: Any, request: StoppingRequest, progress: Progress | None = None
) -> dict[str, Any]:
    """Apply each stopping criterion to the unlabeled samples of a view.

    Returns:
        The verdict, the result of each criterion, and notes, as plain values.

    Raises:
        InvalidInput: if an option or the predictions cannot be used.
    """
    check_request(view, request)
    report = throttled(progress)
    knows = has_probabilities(view, request.predictions)
    columns = _columns(dataset_of(view), request, knows)
    reading = read_columns(
        view, columns, request.labeled, request.bad, lambda share: report(share, "Reading")
    )
    found = _advices(reading, dataset_of(view), request, knows)
    if not found:
        raise InvalidInput(
            f"predictions: {request.predictions!r} has neither probabilities nor confidences; name the "
            "fields of earlier rounds, too"
        )
    return {
        "verdict": verdict(found),
        "advices": [_told(one) for one in found],
        "samples": int((~reading.pool.labeled).sum()),
        "curve": next((_curve(one, request) for one in found if isinstance(one, Worth)), None),
        "notes": reading.notes,
    }


def check_request(view: Any, request: StoppingRequest) -> None:
    """Check the options and fields, without reading any sample.

    Raises:
        InvalidInput: if an option is wrong, or if a field is unknown or does not fit.
    """
    rounds = [*request.earlier, request.predictions]
    twice = next((name for name in rounds if rounds.count(name) > 1), None)
    if twice:
        raise InvalidInput(f"earlier: {twice!r} is named twice; each round has a field of its own")
    for one in fields(Thresholds):
        value = getattr(request.thresholds, one.name)
        if one.name == "window" and value < 1:
            raise InvalidInput(f"window: {value} is not a count of at least 1")
        if one.name != "window" and not 0 <= value <= 1:
            raise InvalidInput(f"{one.name}: {value} is not between 0 and 1")
    if request.price is not None and request.price < 0:
        raise InvalidInput(f"price: {request.price} is no price; give a number of 0 or more")
    if request.batch < 1:
        raise InvalidInput(f"batch: {request.batch} is not a count of at least 1")
    if len(request.matrix) > 1:
        raise InvalidInput("cost: give either costs or gains, not both")
    if request.matrix and request.price is None:
        raise InvalidInput("price: is missing; say what a label costs, in the unit of the costs")
    if request.price is not None and not request.matrix:
        raise InvalidInput("cost: is missing; say what mistakes cost, in the unit of the price")
    check_columns(view, _columns(dataset_of(view), request, False), request.labeled)


def worth_plot(curve: dict[str, Any]) -> dict[str, Any]:
    """Return a plot of what the next labels are worth, in descending order, and of their price."""
    return plots.worth_plot(curve["at"], curve["gains"], curve["price"])


def _columns(dataset: Any, request: StoppingRequest, knows: bool) -> dict[str, Reads]:
    rounds = {
        name: decision_path(dataset, name, "predictions" if name == request.predictions else "earlier")
        for name in (request.predictions, *request.earlier)
    }
    labels = [path for path in rounds.values() if path is not None]
    if isinstance(request.volume, str):
        labels.append(request.volume)
    vectors = [name for name, path in rounds.items() if path is None]
    return columns_read(labels, [request.predictions, *vectors] if knows else vectors)


def _advices(reading: ReadPool, dataset: Any, request: StoppingRequest, knows: bool) -> list[Advice]:
    pool = reading.pool
    left = ~pool.labeled
    if not left.any():
        raise InvalidInput("every sample is labeled: there is nothing left to label")
    rounds = [decided(reading, dataset, name) for name in (*request.earlier, request.predictions)]
    both = left.copy()
    for one in rounds:
        both &= np.array([name is not None for name in one.tolist()], dtype=bool)
    more: dict[str, Any] = {}
    probabilities = None
    if knows:
        here = left & ~pool.missing[request.predictions]
        if isinstance(request.volume, str):
            here &= ~pool.missing[request.volume]
        probabilities = pool.columns[request.predictions][here]
        if request.price is not None:
            more = {"cost": _costs(reading, request), "price": request.price, "batch": request.batch}
            more["volume"] = _volume(reading, request, here)
    _note_left_out(reading, left & ~both, request)
    compared = [one[both] for one in rounds] if request.earlier else []
    return advise(compared, probabilities, **more, **asdict(request.thresholds))


def _costs(reading: ReadPool, request: StoppingRequest) -> np.ndarray:
    classes = reading.pool.classes[request.predictions]
    ((kind, given),) = request.matrix.items()
    if isinstance(given, (int, float)):
        return given * (1 - np.eye(len(classes)))
    matrix = cost_matrix(given, classes, kind)
    return cost_of_gain(matrix) if kind == "gain" else matrix


def _volume(reading: ReadPool, request: StoppingRequest, here: np.ndarray) -> Any:
    if not isinstance(request.volume, str):
        return request.volume
    return reading.pool.numbers(request.volume, "volume")[here]


def _note_left_out(reading: ReadPool, missing: np.ndarray, request: StoppingRequest) -> None:
    count = int(missing.sum())
    if count:
        where = "a prediction in each round" if request.earlier else "a prediction"
        samples = f"{count:,} sample{'s' if count != 1 else ''}"
        reading.notes.append(f"{samples} without {where} do not count")


def _told(one: Advice) -> dict[str, Any]:
    return {
        "criterion": one.criterion,
        "name": NAMES[one.criterion],
        "value": one.value,
        "threshold": one.threshold,
        "stop": one.stop,
        "says": SAYS[one.stop],
        "sentence": one.sentence,
    }


def _curve(one: Worth, request: StoppingRequest) -> dict[str, Any]:
    """Return the curve of gains, reduced to at most ``POINTS`` points."""
    at = np.unique(np.linspace(0, len(one.gains) - 1, POINTS).astype(np.int64))
    return {
        "at": (at + 1).tolist(),
        "gains": [float(f"{value:.5g}") for value in one.gains[at].tolist()],
        "price": request.price,
        "worth": one.worth,
    }
