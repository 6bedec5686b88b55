"""A test set drawn by expected loss, with the weights that make its mean unbiased."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from ..data.device import to_array
from ..data.errors import InvalidInput


@dataclass(frozen=True)
class Estimate:
    """A mean and its standard error, both in the unit of the losses."""

    mean: float
    standard_error: float


def proposal(expected_losses: np.ndarray, floor: float) -> np.ndarray:
    """(N,) float64 probabilities to be drawn first, which sum to 1.

    A share ``floor`` is divided evenly; the rest is in proportion to the expected losses.

    Args:
        expected_losses: (N,) at least 0, in any unit; where all are 0, probabilities are equal.
        floor: in (0, 1]. It keeps weights below about 1 / floor, however wrong the expected losses are.

    Raises:
        InvalidInput: expected losses below 0, or not finite.
    """
    losses = to_array(expected_losses, np.float64)
    bad = int((~np.isfinite(losses) | (losses < 0)).sum())
    if bad:
        raise InvalidInput(f"expected_loss: {bad} values are below 0 or not finite; correct them")
    even = np.full(len(losses), 1 / max(1, len(losses)))
    # Scaled first, because a sum of very large or very small numbers would overflow or be 0.
    largest = losses.max(initial=0)
    if largest == 0:
        return even
    shares = losses / largest
    return floor * even + (1 - floor) * shares / shares.sum()


def draw(chances: np.ndarray, size: int, uniform: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Draw samples one by one without replacement, each in proportion to its probability.

    Gumbel noise is added to the log probabilities and the sums are sorted, which is equivalent.

    Args:
        chances: (N,) probabilities above 0.
        size: how many to draw, at most N.
        uniform: (N,) random numbers, uniformly distributed in (0, 1).

    Returns:
        (size,) int64 in the order drawn, and (size,) float64, the probability of each when it was
        drawn.
    """
    keys = np.log(chances) - np.log(-np.log(uniform))
    order = np.argsort(-keys, kind="stable")
    drawn = order[:size]
    # Summed from the last to the first, to avoid small differences of large numbers.
    left = np.cumsum(chances[order][::-1])[::-1][:size]
    return drawn.astype(np.int64), chances[drawn] / left


def weights_of(chances: np.ndarray, population: int) -> np.ndarray:
    """(M,) float64 weights that make the weighted mean of M drawn losses unbiased (LURE).

    ``v_m = 1 + (N - M) / (N - m) * (1 / ((N - m + 1) q_m) - 1)``. All are 1 where every sample is
    drawn, or where all probabilities were equal.

    Source: Farquhar et al., On Statistical Bias in Active Learning (2021), where it is R_LURE; used for
    testing by Kossen et al., Active Testing (2021).

    Args:
        chances: (M,) q_m, the probability of the m-th sample when it was drawn.
        population: N, how many samples they were drawn from.
    """
    M, N = len(chances), population
    if M == N:
        return np.ones(M)
    m = np.arange(1, M + 1)
    return np.asarray(1 + (N - M) / (N - m) * (1 / ((N - m + 1) * chances) - 1))


def weighted_estimate(losses: np.ndarray, weights: np.ndarray, population: int) -> Estimate:
    """The mean loss over all samples, from those drawn: ``1 / M sum v_m l_m``.

    It is a weighted sum of M unbiased estimates. The m-th estimate takes the first m - 1 losses as
    known, and estimates the sum of the others from the m-th loss. Their weights are
    ``N (N - M) / (M (N - m) (N - m + 1))``. Their errors are uncorrelated, which gives the standard
    error.

    Args:
        losses: (M,) in the order drawn (the rank): any metric that is a mean over samples. The estimate
            is best for a loss like the expected one, so give errors (0 or 1) rather than right answers.
        weights: (M,) the weights of the test set.
        population: N, how many they were drawn from: ``report["population"]``.

    Raises:
        InvalidInput: lengths that do not fit, or more samples than there were.
    """
    values, v = to_array(losses, np.float64), to_array(weights, np.float64)
    M, N = len(values), population
    if values.shape != v.shape or values.ndim != 1 or not 1 <= M <= N:
        raise InvalidInput(
            f"weighted_estimate: {values.shape} losses and {v.shape} weights of {N} samples do not fit"
        )
    mean = float((v * values).mean())
    if M == N:
        return Estimate(mean, 0.0)
    if M == 1:
        return Estimate(mean, float("inf"))
    m = np.arange(1, M + 1)
    scaled = 1 + (v - 1) * (N - m) / (N - M)  # 1 / ((N - m + 1) q_m)
    known = np.cumsum(values) - values
    single = ((N - m + 1) * scaled * values + known) / N
    part = N * (N - M) / (M * (N - m) * (N - m + 1.0))
    variance = (part**2 * (single - mean) ** 2).sum() * M / (M - 1)
    return Estimate(mean, float(variance**0.5))
