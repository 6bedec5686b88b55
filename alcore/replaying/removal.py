"""Which labels a model would miss most: the typical or the unusual ones (SelectAL).

N labeled samples, d dimensions, C classes.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

import numpy as np
import torch

from ..data.errors import InvalidInput
from ..geometry.neighbors import nearest_neighbors
from .learners import Learn, fitted, learner_of, scaled

Kind = Literal["typical", "atypical", "random"]
REMOVED = 0.05
SPLITS, DRAWS = 5, 5
TEST = 0.5
NEIGHBORS = 20
LEAST_OF_A_CLASS = 4


@dataclass(frozen=True)
class Regime:
    """What leaving out 5% of the labels costs, by which labels are left out.

    Attributes:
        kind: the labels whose loss costs most: "typical" (few labels: choose what represents the
            pool), "atypical" (many labels: choose what the model is unsure of), or "random" (neither is
            above chance by two standard errors).
        costs: by kind, the mean loss of accuracy.
        error: the standard error of the difference between the costlier kind and the random one.
        splits: the number of splits.
    """

    kind: Kind
    costs: dict[str, float]
    error: float
    splits: int


def regime_of(
    X: np.ndarray, truth: np.ndarray, learner: str = "logistic", seed: int = 0, splits: int = SPLITS
) -> Regime:
    """Leave out 5% of the labels of every class, train, and see which loss hurts most.

    As in SelectAL (Hacohen and Weinshall 2023, How to Select Which Active Learning Strategy is Best
    Suited for Your Specific Problem and Budget): the most typical of each class are left out, the least
    typical, and as many at random, five times; for each of several splits into halves to train and to
    test on. Here a label is typical if its nearest neighbors of the same class are near, without
    TypiClust's clusters.

    Args:
        X: (N, d) vectors.
        truth: (N,) int, the codes of the classes.
        learner: as for ``replay``.
        seed: decides the splits and what is drawn.
        splits: how many splits.

    Raises:
        InvalidInput: fewer than two classes with labels enough.
    """
    counts = np.bincount(truth)
    usable = np.flatnonzero(counts >= LEAST_OF_A_CLASS)
    if len(usable) < 2:
        raise InvalidInput(
            f"removal test: it takes two classes with {LEAST_OF_A_CLASS} labels or more; "
            f"{len(usable)} of {int((counts > 0).sum())} have them"
        )
    rows = np.flatnonzero(np.isin(truth, usable))
    X, truth = scaled(X[rows]), np.searchsorted(usable, truth[rows])
    learn = learner_of(learner)
    losses: dict[str, list[float]] = {"typical": [], "atypical": [], "random": []}
    for split in range(splits):
        rng = np.random.default_rng([seed, split])
        train, test = _halves(truth, rng)
        usual = _typicality(X[train], truth[train])
        whole = _accuracy(learn, X, truth, train, test, seed)
        for kind, order in (("typical", -usual), ("atypical", usual)):
            left = train[~_first_of_each(order, truth[train])]
            losses[kind].append(whole - _accuracy(learn, X, truth, left, test, seed))
        drawn = []
        for _ in range(DRAWS):
            left = train[~_first_of_each(rng.random(len(train)), truth[train])]
            drawn.append(whole - _accuracy(learn, X, truth, left, test, seed))
        losses["random"].append(float(np.mean(drawn)))
    costs = {kind: float(np.mean(found)) for kind, found in losses.items()}
    worst: Kind = "typical" if costs["typical"] >= costs["atypical"] else "atypical"
    above = np.array(losses[worst]) - np.array(losses["random"])
    error = float(above.std(ddof=1) / np.sqrt(splits)) if splits > 1 else float("inf")
    return Regime(worst if above.mean() > 2 * error else "random", costs, error, splits)


def _halves(truth: np.ndarray, rng: np.random.Generator) -> tuple[np.ndarray, np.ndarray]:
    """Ascending rows to train and to test on, half of each class."""
    is_test = np.zeros(len(truth), dtype=bool)
    for c in np.unique(truth):
        rows = rng.permutation(np.flatnonzero(truth == c))
        is_test[rows[: int(TEST * len(rows))]] = True
    return np.flatnonzero(~is_test), np.flatnonzero(is_test)


def _typicality(X: np.ndarray, truth: np.ndarray) -> np.ndarray:
    """(N,) one over the mean distance to the nearest neighbors of the same class (TypiClust)."""
    out = np.zeros(len(X))
    for c in np.unique(truth):
        rows = np.flatnonzero(truth == c)
        k = min(NEIGHBORS, len(rows) - 1)
        if k:
            found = nearest_neighbors(torch.from_numpy(X[rows]), k)
            out[rows] = 1 / np.maximum(found.distances.mean(1), 1e-12)
    return out


def _first_of_each(order: np.ndarray, truth: np.ndarray) -> np.ndarray:
    """(N,) bool, true for the first 5% of each class, at least one; one of each class stays."""
    removed = np.zeros(len(order), dtype=bool)
    for c in np.unique(truth):
        rows = np.flatnonzero(truth == c)
        count = min(max(1, round(REMOVED * len(rows))), len(rows) - 1)
        removed[rows[np.argsort(order[rows], kind="stable")[:count]]] = True
    return removed


def _accuracy(
    learn: Learn, X: np.ndarray, truth: np.ndarray, train: np.ndarray, test: np.ndarray, seed: int
) -> float:
    predict = fitted(learn, X[train], truth[train], int(truth.max()) + 1, seed)
    return float((predict(X[test]).argmax(1) == truth[test]).mean())
