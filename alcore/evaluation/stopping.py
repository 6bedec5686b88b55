"""When to stop labeling: criteria from predictions, before another round is paid for.

N samples, C classes. Each criterion says stop, continue, or that it cannot tell yet. None needs further
labels.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import Any

import numpy as np
from sklearn.metrics import cohen_kappa_score

from ..data.device import to_array
from ..data.errors import InvalidInput
from ..scores.cost import cost_matrix, expected_cost
from ..scores.probabilities import entropy

AGREEMENT = 0.99
WINDOW = 3
CHANGED = 0.0
UNCERTAINTY = 0.05
CONFIDENCE = 0.9
SHARE = 0.95


@dataclass(frozen=True)
class Advice:
    """The advice of one criterion.

    Attributes:
        criterion: its name.
        value: the measured value.
        threshold: the value that it is compared with.
        stop: whether to stop; None where there is too little data to tell.
        sentence: the same as a sentence.
    """

    criterion: str
    value: float
    threshold: float
    stop: bool | None
    sentence: str


@dataclass(frozen=True)
class Worth(Advice):
    """The expected savings of labels, compared with their price.

    Attributes:
        worth: how many candidates are expected to save at least their price.
        order: (N,) int64 rows, by descending savings.
        gains: (N,) float64, the expected savings in that order.
    """

    worth: int
    order: np.ndarray
    gains: np.ndarray


def kappa(first: Any, second: Any) -> float:
    """Cohen's kappa of two predictions of the same samples: 1 for full agreement, 0 as by chance.

    It is 1 where both predict one and the same class for every sample. Samples without a prediction in
    one of the two do not count.

    Args:
        first: (N,) classes, of any kind that can be distinguished; None where there is no prediction.
        second: (N,) classes.

    Raises:
        InvalidInput: no sample with both predictions, or unequal numbers of samples.
    """
    codes = _in_both(_coded([first, second]))
    found = float(cohen_kappa_score(*codes)) if codes.max() > 0 else 1.0
    return found


def stable_predictions(
    rounds: Sequence[Any], threshold: float = AGREEMENT, window: int = WINDOW
) -> Advice:
    """Stop once the predictions of successive rounds hardly differ: their mean kappa is high.

    Source: Bloodgood and Vijay-Shanker, A Method for Stopping Active Learning Based on Stabilizing
    Predictions and the Need for User-Adjustable Stopping (2009), with its 0.99 over 3 agreements.

    Args:
        rounds: for each round (N,) predicted classes of the same samples, the oldest first; at least 2.
        threshold: the least mean kappa, over the last ``window`` pairs of rounds, to stop at.
        window: how many pairs of successive rounds are needed to tell.

    Raises:
        InvalidInput: fewer than two rounds, no sample, unequal numbers of them, or a window below 1.
    """
    if window < 1:
        raise InvalidInput(f"window: {window} is not a count of at least 1")
    _coded(rounds)  # refuses a single round
    agreements = [kappa(a, b) for a, b in list(pairwise(rounds))[-window:]]
    mean = float(np.mean(agreements))
    text = f"Between rounds predictions agree with a kappa of {mean:.3f} (stop from {threshold:g})"
    if len(agreements) < window:
        text += f"; that is {len(agreements)} of the {window} agreements it takes to tell"
        return Advice("stable_predictions", mean, threshold, None, text)
    return Advice("stable_predictions", mean, threshold, mean >= threshold, text)


def changed_predictions(rounds: Sequence[Any], threshold: float = CHANGED) -> Advice:
    """Stop once no more than a share ``threshold`` of the predictions changed since the last round.

    Source: Zhu, Wang and Hovy, Multi-Criteria-Based Strategy to Stop Active Learning for Data
    Annotation (2008), "classification change", where no prediction may change.

    Args:
        rounds: as in ``stable_predictions``; only the last two are compared.
        threshold: in [0, 1].

    Raises:
        InvalidInput: fewer than two rounds, no sample, or unequal numbers of them.
    """
    codes = _in_both(_coded(rounds)[-2:])
    count = int((codes[-1] != codes[-2]).sum())
    share = count / codes.shape[1]
    text = (
        f"{count:,} of {codes.shape[1]:,} predictions ({share:.2%}) changed since the round before "
        f"(stop up to {threshold:.4g})"
    )
    return Advice("changed_predictions", share, threshold, share <= threshold, text)


def overall_uncertainty(probabilities: Any, threshold: float = UNCERTAINTY) -> Advice:
    """Stop once the mean normalized entropy of the pool, in [0, 1], is at most ``threshold``.

    Source: Zhu, Wang and Hovy, Multi-Criteria-Based Strategy to Stop Active Learning for Data
    Annotation (2008), "overall uncertainty".

    Args:
        probabilities: (N, C) of samples not labeled.

    Raises:
        InvalidInput: no sample.
    """
    mean = float(np.mean(entropy(_rows(probabilities))))
    text = f"The mean uncertainty (entropy, 0 to 1) is {mean:.3f} (stop up to {threshold:g})"
    return Advice("overall_uncertainty", mean, threshold, mean <= threshold, text)


def confident(probabilities: Any, confidence: float = CONFIDENCE, share: float = SHARE) -> Advice:
    """Stop once a share of the pool is predicted with at least a certain confidence.

    With a share of 1 the least confident sample decides, as with entropy in Zhu and Hovy, Active
    Learning for Word Sense Disambiguation with Methods for Addressing the Class Imbalance Problem
    (2007). With a lower share it is a quantile. The default thresholds are not from a paper.

    Args:
        probabilities: (N, C) of unlabeled samples.
        confidence: the least probability of the best class.
        share: the share of samples that must reach it.

    Raises:
        InvalidInput: no sample.
    """
    highest = _rows(probabilities).max(1)
    sure = float((highest >= confidence).mean())
    text = (
        f"{sure:.1%} of {len(highest):,} samples are predicted with a confidence of {confidence:g} or "
        f"more (stop from {share:.4g}); the mean is {highest.mean():.3f}, the least {highest.min():.3f}"
    )
    return Advice("confident", sure, share, sure >= share, text)


def worth_labeling(probabilities: Any, cost: Any, price: float, batch: int, volume: Any = 1.0) -> Worth:
    """Stop once the next batch of labels is expected to save less than it costs.

    Knowing a sample's true class saves the expected cost of the best decision without it, times the
    number of cases that the sample represents. That cost is the Bayes risk; where right decisions cost
    nothing, it is the expected value of perfect information. What a model learns from the label is not
    counted. The costs and the probabilities are assumed to be correct.

    Args:
        probabilities: (N, C) of the candidates.
        cost: (C, C), ``cost[truth][decision]``, right decisions 0.
        price: of a label, in the unit of ``cost``.
        batch: how many labels the next round would have.
        volume: how many cases a sample represents; one number, or (N,).

    Raises:
        InvalidInput: no sample, numbers below 0, or a batch below 1.
    """
    rows = _rows(probabilities)
    matrix = cost_matrix(cost)
    volumes = to_array(volume, np.float64)
    if not np.isfinite(price) or price < 0:
        raise InvalidInput(f"price: {price} is no price; give a number of 0 or more")
    if batch < 1:
        raise InvalidInput(f"batch: {batch} is not a count of at least 1")
    if volumes.shape not in ((), (len(rows),)) or not (np.isfinite(volumes) & (volumes >= 0)).all():
        raise InvalidInput("volume: give one number, or one a sample, finite and not below 0")
    if (matrix < 0).any():
        raise InvalidInput("cost: holds costs below 0; give what each decision forgoes beside the best")
    saved = np.asarray(expected_cost(rows, matrix)) * volumes
    order = np.argsort(-saved, kind="stable")
    gains = saved[order]
    count = min(batch, len(rows))
    value, paid = float(gains[:count].sum()), price * count
    worth = int((gains >= price).sum())
    text = (
        f"The next {count:,} labels are expected to save {value:,.2f} and cost {paid:,.2f}; "
        f"{worth:,} of {len(rows):,} samples are worth their price"
    )
    return Worth("worth_labeling", value, paid, value < paid, text, worth, order, gains)


def advise(
    rounds: Sequence[Any] = (),
    probabilities: Any = None,
    *,
    cost: Any = None,
    price: float | None = None,
    batch: int = 100,
    volume: Any = 1.0,
    agreement: float = AGREEMENT,
    window: int = WINDOW,
    changed: float = CHANGED,
    uncertainty: float = UNCERTAINTY,
    confidence: float = CONFIDENCE,
    share: float = SHARE,
) -> list[Advice]:
    """The advice of each criterion for which the data are given.

    The other options are those of the criteria.

    Args:
        rounds: for each round (N,) predicted classes, the oldest first; needs two.
        probabilities: (M, C) of unlabeled samples, by the model of the last round.
        cost: (C, C), ``cost[truth][decision]``; needs probabilities and a price.
        price: of a label, in the unit of ``cost``.

    Raises:
        InvalidInput: as for the criteria.
    """
    found: list[Advice] = []
    if len(rounds) > 1:
        found.append(stable_predictions(rounds, agreement, window))
        found.append(changed_predictions(rounds, changed))
    if probabilities is not None:
        found.append(overall_uncertainty(probabilities, uncertainty))
        found.append(confident(probabilities, confidence, share))
        if cost is not None and price is not None:
            found.append(worth_labeling(probabilities, cost, price, batch, volume))
    return found


def verdict(advices: Sequence[Advice]) -> str:
    """The joint advice of several criteria, as one line."""
    can_tell = [one for one in advices if one.stop is not None]
    stop = sum(bool(one.stop) for one in can_tell)
    if not can_tell:
        return "There is too little to tell yet"
    of = f"{stop} of {len(can_tell)}"
    if stop == 0:
        return f"Go on: {of} say stop"
    return f"Stop: {of} say so" if stop == len(can_tell) else f"Open: {of} say stop"


def _coded(rounds: Sequence[Any]) -> np.ndarray:
    """(R, N) int64, the classes of all rounds as whole numbers from 0; -1 for no prediction."""
    if len(rounds) < 2:
        raise InvalidInput("rounds: give the predictions of two rounds at least")
    lengths = [len(one) for one in rounds]
    if len(set(lengths)) > 1 or lengths[0] == 0:
        raise InvalidInput(f"rounds: give the same samples in each, and some; there are {lengths}")
    values = [one for some in rounds for one in to_array(some).tolist()]
    place: dict[Any, int] = {}
    codes = [-1 if one is None or one != one else place.setdefault(one, len(place)) for one in values]
    return np.array(codes, dtype=np.int64).reshape(len(rounds), -1)


def _in_both(codes: np.ndarray) -> np.ndarray:
    """(2, n) int64, the codes of the samples that both rounds predict."""
    known = codes[:, (codes >= 0).all(0)]
    if known.shape[1] == 0:
        raise InvalidInput(
            "rounds: no sample has a prediction in both; give rounds of the same samples"
        )
    return known


def _rows(probabilities: Any) -> np.ndarray:
    rows = to_array(probabilities)
    if rows.ndim != 2 or len(rows) == 0:
        raise InvalidInput(
            f"stopping: give probabilities (N, C) of some samples, not of shape {rows.shape}"
        )
    return rows
