"""The gain of decisions about samples of known truth, in money or any other unit.

N samples, C classes. A gain matrix is ``gain[truth][decision]``; a cost matrix has the opposite sign.
The gain of one sample is ``scores.business_value``; here gains are summed.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from scipy.stats import t as student

from ..data.device import to_array
from ..data.errors import InvalidInput
from ..scores.cost import best_decisions, business_value, cost_matrix, cost_of_gain

CONFIDENCE = 0.95


@dataclass(frozen=True)
class Amount:
    """The total and the mean gain of a set of samples, in the unit of the gain matrix.

    Attributes:
        name: of the class or slice.
        count: how many samples.
        total: the sum of the gains.
        mean: the mean gain of a sample; NaN where there is none.
        low: the lower end of the mean's 95% interval (Student's t); minus infinity for one sample.
        high: the upper end; infinity for one sample.
    """

    name: str
    count: int
    total: float
    mean: float
    low: float
    high: float


@dataclass(frozen=True)
class Mistake:
    """A kind of wrong decision: how often it was taken, and its total regret.

    The regret of a decision is how much less it gains than the best one.
    """

    truth: str
    decision: str
    count: int
    regret: float


@dataclass(frozen=True)
class Judgment:
    """The gains of a model's decisions.

    Attributes:
        overall: of all samples.
        possible: the total gain of the best decision about each sample.
        constant: the class with the highest total gain if it were decided for every sample.
        constant_total: that gain.
        classes: by true class, those that occur.
        costliest: for each of these, the mistake with the highest regret; None without regret.
        slices: by column, the values that occur.
        counts: (C, C) int64, how often ``[truth][decision]`` was taken.
        money: (C, C) float64, the total gain of ``[truth][decision]``.
        each: (N,) float64, the gain of each sample.
    """

    overall: Amount
    possible: float
    constant: str
    constant_total: float
    classes: list[Amount]
    costliest: list[Mistake | None]
    slices: dict[str, list[Amount]]
    counts: np.ndarray
    money: np.ndarray
    each: np.ndarray


def judge(
    truth: Any,
    decisions: Any,
    gain: Any,
    classes: Sequence[str],
    slices: Mapping[str, tuple[Sequence[str], np.ndarray]] | None = None,
) -> Judgment:
    """The gain of decisions, compared with the best possible one and with the best constant decision.

    Args:
        truth: (N,) whole numbers, the true classes.
        decisions: (N,) whole numbers, the decisions; or (N, C) probabilities, from which the decision
            with the highest expected gain is taken.
        gain: (C, C), ``gain[truth][decision]``.
        classes: the names of the C classes.
        slices: by column, the names of its values and (N,) the index of each sample's, -1 for none.

    Raises:
        InvalidInput: no sample, a matrix of the wrong size, or unknown classes.
    """
    matrix = cost_matrix(gain, classes, "gain")
    known, decided = to_array(truth), to_array(decisions)
    if known.size == 0:
        raise InvalidInput("business value: no sample has both a known truth and a prediction")
    for column, (_, codes) in (slices or {}).items():
        if np.shape(codes) != known.shape:
            raise InvalidInput(
                f"slices: {column!r} has codes of shape {np.shape(codes)} for {known.size} samples"
            )
    decided = best_decisions(decided, matrix) if decided.ndim == 2 else decided
    each = business_value(known, decided, matrix)
    width = len(classes)
    pairs = known.astype(np.int64) * width + decided.astype(np.int64)
    counts = np.bincount(pairs, minlength=width * width).reshape(width, width)
    of_truth = counts.sum(1)
    constant_totals = of_truth @ matrix
    constant = int(constant_totals.argmax())
    regret = counts * cost_of_gain(matrix)
    here = np.flatnonzero(of_truth).tolist()
    return Judgment(
        overall=amount("all", each),
        possible=float(of_truth @ matrix.max(1)),
        constant=classes[constant],
        constant_total=float(constant_totals[constant]),
        classes=[one for one in amounts(classes, known.astype(np.int64), each) if one.count],
        costliest=[_costliest(row, counts[row], regret[row], classes) for row in here],
        slices={
            column: [one for one in amounts(names, codes, each) if one.count]
            for column, (names, codes) in (slices or {}).items()
        },
        counts=counts,
        money=counts * matrix,
        each=each,
    )


def amount(name: str, values: np.ndarray) -> Amount:
    """The total and the mean of the gains ``values``, (N,)."""
    return amounts([name], np.zeros(len(values), dtype=np.int64), values)[0]


def amounts(names: Sequence[str], codes: np.ndarray, values: np.ndarray) -> list[Amount]:
    """The total and the mean gain of the samples of each code.

    Args:
        names: of the G codes.
        codes: (N,) whole numbers from -1 to G - 1; samples of code -1 do not count.
        values: (N,) float64 gains.
    """
    inside = codes >= 0
    codes, values = codes[inside], values[inside]
    count = np.bincount(codes, minlength=len(names))
    total = np.bincount(codes, values, len(names))
    with np.errstate(divide="ignore", invalid="ignore"):
        mean = total / count
        # Squares of differences from the mean, because squares of the values would lose digits.
        squares = np.bincount(codes, (values - mean[codes]) ** 2, len(names))
        error = np.sqrt(squares / (count - 1) / count)
    quantile = student.ppf((1 + CONFIDENCE) / 2, np.maximum(count - 1, 1))
    reach = np.where(count > 1, quantile * error, np.inf)
    columns = (count, total, mean, mean - reach, mean + reach)
    rows = zip(names, *(one.tolist() for one in columns), strict=True)
    return [Amount(*row) for row in rows]


def _costliest(
    truth: int, counts: np.ndarray, regret: np.ndarray, classes: Sequence[str]
) -> Mistake | None:
    decision = int(regret.argmax())
    if regret[decision] <= 0:
        return None
    return Mistake(classes[truth], classes[decision], int(counts[decision]), float(regret[decision]))
