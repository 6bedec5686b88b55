"""When to stop labeling: what predictions say before another round is paid for. N samples, C classes.

Each criterion says stop, go on, or that it cannot tell yet. None needs more labels than there are.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import Any

import numpy as np
from sklearn.metrics import cohen_kappa_score

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
    """What one criterion says.

    Attributes:
        criterion: its name.
        value: what was measured.
        threshold: what it is held against.
        stop: whether it says stop; None where there is too little to tell.
        sentence: the same in words.
    """

    criterion: str
    value: float
    threshold: float
    stop: bool | None
    sentence: str


@dataclass(frozen=True)
class Worth(Advice):
    """What labels are expected to bring, beside their price.

    Attributes:
        worth: how many candidates are worth their price.
        order: (N,) int64 rows, those that bring most first.
        gains: (N,) float64, what each of these brings, not rising.
    """

    worth: int
    order: np.ndarray
    gains: np.ndarray


def kappa(first: Any, second: Any) -> float:
    """Cohen's kappa of two predictions of the same samples: 1 where they agree, 0 as by chance.

    Where both hold one and the same class throughout, it is 1.

    Args:
        first: (N,) classes, of any kind that can be distinguished.
        second: (N,) classes.

    Raises:
        InvalidInput: no sample, or unequal numbers of them.
    """
    codes = _coded([first, second])
    found = float(cohen_kappa_score(*codes)) if codes.max() > 0 else 1.0
    return found


def stable_predictions(
    rounds: Sequence[Any], threshold: float = AGREEMENT, window: int = WINDOW
) -> Advice:
    """Stop once the predictions of successive rounds hardly differ: their mean kappa is high.

    Source: Bloodgood and Vijay-Shanker, A Method for Stopping Active Learning Based on Stabilizing
    Predictions and the Need for User-Adjustable Stopping (2009), with its 0.99 over 3 agreements.

    Args:
        rounds: (N,) predicted classes of the same samples a round, the oldest first; two at least.
        threshold: of the mean of the last ``window`` agreements.
        window: how many agreements it takes to tell.

    Raises:
        InvalidInput: fewer than two rounds, no sample, unequal numbers of them, or a window below 1.
    """
    if window < 1:
        raise InvalidInput(f"window: {window} is not a count of at least 1")
    agreements = [kappa(a, b) for a, b in list(pairwise(_coded(rounds)))[-window:]]
    mean = float(np.mean(agreements))
    text = f"Between rounds predictions agree with a kappa of {mean:.3f} (stop from {threshold:g})"
    if len(agreements) < window:
        text += f"; that is {len(agreements)} of the {window} agreements it takes to tell"
        return Advice("stable_predictions", mean, threshold, None, text)
    return Advice("stable_predictions", mean, threshold, mean >= threshold, text)


def changed_predictions(rounds: Sequence[Any], threshold: float = CHANGED) -> Advice:
    """Stop once no more than a share ``threshold`` of the predictions changed since the last round.

    Source: Zhu, Wang and Hovy, Multi-Criteria-Based Strategy to Stop Active Learning for Data
    Annotation (2008), "classification change"; there none may change.

    Args:
        rounds: as of ``stable_predictions``; the last two count.

    Raises:
        InvalidInput: fewer than two rounds, no sample, or unequal numbers of them.
    """
    codes = _coded(rounds)
    count = int((codes[-1] != codes[-2]).sum())
    share = count / codes.shape[1]
    text = (
        f"{count:,} of {codes.shape[1]:,} predictions ({share:.2%}) changed since the round before "
        f"(stop up to {threshold:.4g})"
    )
    return Advice("changed_predictions", share, threshold, share <= threshold, text)


def overall_uncertainty(probabilities: Any, threshold: float = UNCERTAINTY) -> Advice:
    """Stop once the mean entropy of the pool, 1 being the most there can be, is low.

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
    """Stop once a share of the pool is predicted with a confidence.

    With a share of 1 the least confident decides, as by entropy in Zhu and Hovy, Active Learning for
    Word Sense Disambiguation with Methods for Addressing the Class Imbalance Problem (2007); with
    another it is a quantile. The thresholds here are none that were published.

    Args:
        probabilities: (N, C) of samples not labeled.
        confidence: the least that the best class's probability must be.
        share: of the samples for which it must be so.

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

    Knowing a sample's truth saves what the best decision without it is expected to cost (the Bayes
    risk, which is the expected value of perfect information where right decisions cost nothing), as
    often as cases like it occur. What a model learns from the label is not counted; the costs and the
    probabilities are taken at their word.

    Args:
        probabilities: (N, C) of the candidates.
        cost: (C, C), ``cost[truth][decision]``, right decisions 0.
        price: of a label, in the unit of ``cost``.
        batch: how many labels the next round would have.
        volume: how many cases a sample stands for; one number, or (N,).

    Raises:
        InvalidInput: no sample, numbers below 0, or a batch below 1.
    """
    rows = _rows(probabilities)
    matrix = cost_matrix(cost)
    volumes = np.asarray(volume, dtype=np.float64)
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
    """What each criterion says for which there is enough: rounds, probabilities, costs and a price.

    Args:
        rounds: (N,) predicted classes a round, the oldest first.
        probabilities: (M, C) of the samples not labeled, by the last round's model.

    Raises:
        InvalidInput: what is wrong.
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
    """What several criteria say together, in a line."""
    can_tell = [one for one in advices if one.stop is not None]
    stop = sum(bool(one.stop) for one in can_tell)
    if not can_tell:
        return "There is too little to tell yet"
    of = f"{stop} of {len(can_tell)}"
    if stop == 0:
        return f"Go on: {of} say stop"
    return f"Stop: {of} say so" if stop == len(can_tell) else f"Open: {of} say stop"


def _coded(rounds: Sequence[Any]) -> np.ndarray:
    """(R, N) int64, the classes of all rounds as whole numbers from 0 on."""
    if len(rounds) < 2:
        raise InvalidInput("rounds: give the predictions of two rounds at least")
    lengths = [len(one) for one in rounds]
    if len(set(lengths)) > 1 or lengths[0] == 0:
        raise InvalidInput(f"rounds: give the same samples in each, and some; there are {lengths}")
    _, codes = np.unique(np.concatenate([np.asarray(one) for one in rounds]), return_inverse=True)
    return np.asarray(codes, dtype=np.int64).reshape(len(rounds), -1)


def _rows(probabilities: Any) -> np.ndarray:
    rows = np.asarray(probabilities)
    if rows.ndim != 2 or len(rows) == 0:
        raise InvalidInput(
            f"stopping: give probabilities (N, C) of some samples, not of shape {rows.shape}"
        )
    return rows
