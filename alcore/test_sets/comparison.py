"""The distance of a test set from its target, compared with random sets of the same size."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch

from ..geometry.vectors import Vectors
from ..objectives import Kernel
from .discrepancy import mean_similarity, spread
from .strata import total_variation

LOW, HIGH = 5, 95
# The most pairs of samples that are compared within all random sets together. Where sets are large,
# fewer sets are drawn.
MOST_PAIRS, FEWEST_SETS = 1_000_000_000, 5


@dataclass(frozen=True)
class TargetVectors:
    """Vectors that represent the target.

    Attributes:
        vectors: (m, d).
        weights: (m,) float64 that sum to 1; None where all are equal.
        drawn: whether they are only a random part of the target.
    """

    vectors: torch.Tensor
    weights: np.ndarray | None
    drawn: bool


def random_sets(
    units: np.ndarray, size: int, count: int, generator: np.random.Generator
) -> list[np.ndarray]:
    """Random sets of rows, each made of whole units in random order, as near to ``size`` as possible.

    Args:
        units: (n,) int64 unit of each row, numbered 0 to U - 1.
        size: how many rows a set should have.
        count: how many sets; fewer where sets are large.
        generator: the source of random numbers.
    """
    sizes = np.bincount(units)
    rows = np.argsort(units, kind="stable")
    starts = np.cumsum(sizes) - sizes
    wanted = max(FEWEST_SETS, min(count, MOST_PAIRS // max(1, size) ** 2)) if count else 0
    found = []
    for _ in range(min(count, wanted)):
        order = generator.permutation(len(sizes))
        reached = np.cumsum(sizes[order])
        cut = int(np.abs(reached - size).argmin()) + 1
        if cut == size == reached[cut - 1]:
            found.append(rows[starts[order[:cut]]])
        else:
            found.append(np.concatenate([rows[starts[u] : starts[u] + sizes[u]] for u in order[:cut]]))
    return found


def discrepancies(
    prepare: Vectors,
    sets: list[np.ndarray],
    weights: np.ndarray | None,
    target: TargetVectors,
    width: float,
    tick: Callable[[], None],
) -> np.ndarray:
    """(len(sets),) float64 maximum mean discrepancy of each set from the target, at least 0.

    Where the target is only a random part, the bias that this adds is subtracted.

    Args:
        prepare: the vectors of the pool.
        sets: rows of the pool.
        weights: of the first set's rows, which sum to 1; None where all are equal.
        target: the vectors of the target.
        width: of the kernel ``exp(-d^2 / width^2)``.
        tick: called after each set; an exception that it raises stops the work.
    """
    kernel = Kernel("gaussian", width, unit=False)
    rows, place = np.unique(np.concatenate(sets), return_inverse=True)
    similarity = mean_similarity(prepare(rows), target.vectors, kernel, target.weights, tick)
    inside = spread(target.vectors, kernel, target.weights, unbiased=target.drawn)
    ends = np.cumsum([len(one) for one in sets])
    found = np.empty(len(sets))
    for number, (one, end) in enumerate(zip(sets, ends, strict=True)):
        given = weights if number == 0 else None
        mine = similarity[place[end - len(one) : end]]
        across = float(mine.mean() if given is None else mine @ given)
        within = spread(prepare(one), kernel, given)
        found[number] = max(0.0, within - 2 * across + inside) ** 0.5
        tick()
    return found


def variations(
    strata: np.ndarray, sets: list[np.ndarray], weights: np.ndarray | None, shares: np.ndarray
) -> np.ndarray:
    """(len(sets),) float64 in [0, 1], the total variation between each set's strata and the target's.

    Args:
        strata: (N,) int64 stratum of each sample of the pool.
        sets: rows of the pool.
        weights: of the first set's rows, which sum to 1; None where all are equal.
        shares: (S,) target share of each stratum.
    """
    found = []
    for number, rows in enumerate(sets):
        given = weights if number == 0 and weights is not None else np.full(len(rows), 1 / len(rows))
        reached = np.bincount(strata[rows], weights=given, minlength=len(shares))
        found.append(float(total_variation(reached, shares)))
    return np.array(found)


def compared(values: np.ndarray) -> dict[str, Any]:
    """The first value (the test set's) and statistics of the others (random sets), for the report."""
    first, others = float(values[0]), values[1:]
    if len(others) == 0:
        return {"chosen": first, "random": None}
    return {
        "chosen": first,
        "random": {
            "mean": float(others.mean()),
            "low": float(np.percentile(others, LOW)),
            "high": float(np.percentile(others, HIGH)),
            "each": [float(f"{value:.4g}") for value in others.tolist()],
        },
    }
