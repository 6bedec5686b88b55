"""A test set drawn by expected loss, with the weights that make its mean unbiased."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from ..data.errors import InvalidInput


@dataclass(frozen=True)
class Estimate:
    """A mean, and how far it is likely to be off."""

    mean: float
    standard_error: float


def proposal(expected_losses: np.ndarray, floor: float) -> np.ndarray:
    """(N,) float64 chances to be drawn first, sum 1: a part ``floor`` even, the rest by expected loss.

    Args:
        expected_losses: (N,) not below 0, in any unit; where all are 0 every chance is the same.
        floor: above 0. A weight is then at most about 1 / floor, however wrong the expected losses.

    Raises:
        InvalidInput: expected losses below 0, or not finite.
    """
    losses = np.asarray(expected_losses, dtype=np.float64)
    bad = int((~np.isfinite(losses) | (losses < 0)).sum())
    if bad:
        raise InvalidInput(f"expected_loss: {bad} values are below 0 or not finite; correct them")
    even = np.full(len(losses), 1 / max(1, len(losses)))
    # Scaled first: a sum of very large or very small numbers says nothing.
    largest = losses.max(initial=0)
    if largest == 0:
        return even
    shares = losses / largest
    return floor * even + (1 - floor) * shares / shares.sum()


def draw(
    chances: np.ndarray, size: int, generator: np.random.Generator
) -> tuple[np.ndarray, np.ndarray]:
    """Draw one after the other without replacement, each in proportion to its chance among the rest.

    Keys to which Gumbel noise is added are sorted, which is the same.

    Args:
        chances: (N,) above 0.
        size: at most N.

    Returns:
        (size,) int64 in the order drawn, and (size,) float64 chances that each had when it was drawn.
    """
    keys = np.log(chances) + generator.gumbel(size=len(chances))
    order = np.argsort(-keys, kind="stable")
    drawn = order[:size]
    # Summed from the last on: what is left is then never the small difference of large numbers.
    left = np.cumsum(chances[order][::-1])[::-1][:size]
    return drawn.astype(np.int64), chances[drawn] / left


def weights_of(chances: np.ndarray, population: int) -> np.ndarray:
    """(M,) float64 weights by which the mean of M drawn losses is unbiased for that of all (LURE).

    ``v_m = 1 + (N - M) / (N - m) * (1 / ((N - m + 1) q_m) - 1)``; all 1 where every sample is drawn, or
    where the draw was even.

    Source: Farquhar et al., On Statistical Bias in Active Learning (2021), where it is R_LURE; used for
    testing by Kossen et al., Active Testing (2021).

    Args:
        chances: (M,) q_m, the chance of the m-th drawn when it was drawn.
        population: N, how many it was drawn from.
    """
    M, N = len(chances), population
    if M == N:
        return np.ones(M)
    m = np.arange(1, M + 1)
    return np.asarray(1 + (N - M) / (N - m) * (1 / ((N - m + 1) * chances) - 1))


def weighted_estimate(losses: np.ndarray, weights: np.ndarray, population: int) -> Estimate:
    """The mean loss over all samples, from those drawn: ``1 / M sum v_m l_m``.

    It is a weighted sum of M unbiased estimates, the m-th of which takes the first m - 1 losses as
    known and the m-th for all the rest; their weights are
    ``N (N - M) / (M (N - m) (N - m + 1))``. What each is off by is uncorrelated with the others, which
    gives the standard error.

    Args:
        losses: (M,) in the order drawn (the rank); any metric that is a mean over samples. Of the loss
            that was expected the estimate is good: give errors rather than right answers.
        weights: (M,) as chosen with them.
        population: N, how many they were drawn from: ``report["population"]``.

    Raises:
        InvalidInput: lengths that do not fit, or more samples than there were.
    """
    values, v = np.asarray(losses, dtype=np.float64), np.asarray(weights, dtype=np.float64)
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
