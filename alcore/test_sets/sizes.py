"""The sample size that a confidence interval requires, and the interval that a size gives."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
from scipy.special import ndtri

from ..data.errors import InvalidInput
from .spec import Interval

# A larger size is a typing error.
MOST = 1 << 40


def proportion_interval(
    proportion: float, size: int, confidence: float = 0.95, population: int | None = None
) -> tuple[float, float]:
    """The Wilson interval of a proportion found in ``size`` samples: (low, high), within [0, 1].

    Args:
        proportion: the proportion found, in [0, 1].
        size: how many samples it was found in.
        confidence: the confidence level, in (0, 1).
        population: how many samples these were drawn from without replacement; None for infinitely
            many. With a population, the size counts as ``size * (population - 1) / (population -
            size)``.

    Raises:
        InvalidInput: a size that is not from 1 to the population.

    Source: Wilson, Probable inference (1927); the correction for a finite population is that of the
    variance of a mean drawn without replacement (Cochran, Sampling Techniques, 1977, section 2.6).
    """
    n, z = _effective(size, population), float(ndtri((1 + confidence) / 2))
    if np.isinf(n):
        return proportion, proportion
    middle = (proportion + z * z / (2 * n)) / (1 + z * z / n)
    half = _wilson_half(proportion, n, z)
    return max(0.0, middle - half), min(1.0, middle + half)


def size_for_proportion(
    half_width: float,
    expected: float = 0.5,
    confidence: float = 0.95,
    population: int | None = None,
) -> int:
    """The least size whose Wilson interval is no wider than ``half_width`` to each side.

    Args:
        half_width: of the interval, above 0.
        expected: a guess of the proportion, in [0, 1]; 0.5 requires the most samples.
        confidence: the confidence level, in (0, 1).
        population: as in ``proportion_interval``.

    Raises:
        InvalidInput: a half-width that is not above 0.
    """
    z = float(ndtri((1 + confidence) / 2))
    return _least(lambda n: _wilson_half(expected, n, z), half_width, population)


def size_for_mean(
    half_width: float, deviation: float, confidence: float = 0.95, population: int | None = None
) -> int:
    """The least size whose normal interval of a mean is no wider than ``half_width`` to each side.

    Args:
        half_width: of the interval, above 0, in the unit of the values.
        deviation: a guess of the standard deviation of the values.
        confidence: the confidence level, in (0, 1).
        population: as in ``proportion_interval``.

    Raises:
        InvalidInput: a half-width that is not above 0.
    """
    z = float(ndtri((1 + confidence) / 2))
    return _least(lambda n: z * deviation / n**0.5, half_width, population)


def size_for(interval: Interval, population: int | None = None) -> int:
    """The size that an interval requires.

    Where the metric concerns only a share of the samples (``of_share``), enough of those are included.

    Raises:
        InvalidInput: a half-width that is not above 0.
    """
    some = None if population is None else max(1, round(population * interval.of_share))
    if interval.metric == "mean":
        assert interval.deviation is not None
        count = size_for_mean(interval.half_width, interval.deviation, interval.confidence, some)
    else:
        count = size_for_proportion(interval.half_width, interval.expected, interval.confidence, some)
    size = int(np.ceil(count / interval.of_share - 1e-9))
    return size if population is None else min(size, population)


def half_width_of(interval: Interval, size: int, population: int | None = None) -> float:
    """The half-width that ``size`` samples give for the metric of ``interval``, above or equal to 0."""
    some = max(1, round(size * interval.of_share))
    of = None if population is None else max(some, round(population * interval.of_share))
    n, z = _effective(some, of), float(ndtri((1 + interval.confidence) / 2))
    if interval.metric == "mean":
        assert interval.deviation is not None
        return float(z * interval.deviation / n**0.5)
    return _wilson_half(interval.expected, n, z)


def _wilson_half(proportion: float, n: float, z: float) -> float:
    if np.isinf(n):
        return 0.0
    spread = proportion * (1 - proportion) / n + z * z / (4 * n * n)
    return float(z / (1 + z * z / n) * spread**0.5)


def _effective(size: int, population: int | None) -> float:
    """The size of a sample from an infinite population with the same variance of the mean."""
    if population is None:
        return float(size)
    if not 1 <= size <= population:
        raise InvalidInput(f"size: {size} cannot be drawn of {population}")
    return np.inf if size == population else size * (population - 1) / (population - size)


def _least(half: Callable[[float], float], wanted: float, population: int | None) -> int:
    """The least size whose half-width is at most ``wanted``; the half-width falls with the size."""
    if not 0 < wanted < np.inf:
        raise InvalidInput(f"half_width: {wanted} is not a number above 0")
    low, high = 1, 1 if population is None else population
    while population is None and half(high) > wanted:
        low, high = high + 1, 2 * high
        if high > MOST:
            raise InvalidInput(f"half_width: {wanted} takes more samples than there can be")
    while low < high:
        middle = (low + high) // 2
        if half(_effective(middle, population)) <= wanted:
            high = middle
        else:
            low = middle + 1
    return low
