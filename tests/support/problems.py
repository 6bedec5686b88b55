"""Problems drawn by hypothesis: a pool and a recipe, and the same for the brute-force twins."""

from dataclasses import dataclass
from typing import Any

import numpy as np
from hypothesis import strategies as st

import alcore
from support import twins

MEASURES = ["entropy", "margin", "least_confidence", "ratio"]
# With the highest value of each, of T members and C classes.
MEMBER_MEASURES = {
    "bald": lambda t, c: np.log(t),
    "kl_to_consensus": lambda t, c: np.log(t),
    "max_disagreement": lambda t, c: np.log(t),
    "consensus_entropy": lambda t, c: np.log(c),
    "vote_entropy": lambda t, c: np.log(min(t, c)),
    "variation_ratio": lambda t, c: 1 - 1 / t,
    "mean_std": lambda t, c: 0.5,
}
SIZES = st.integers(1, 60) | st.integers(61, 300)
STRENGTHS = [1, 1, 1, 0.5, 2, 0, -1]


def random_pool(n, d, labeled=0, seed=0, classes=3, **columns):
    """Embeddings, predictions and a number without structure, some samples labeled."""
    rng = np.random.default_rng(seed)
    mask = np.zeros(n, dtype=bool)
    mask[rng.permutation(n)[:labeled]] = True
    made = {
        "embeddings": rng.normal(size=(n, d)),
        "predictions": rng.dirichlet(np.ones(classes), n),
        "number": rng.random(n),
    }
    return alcore.Pool(n, labeled=mask, columns=made | columns)


@dataclass(frozen=True)
class Problem:
    pool: alcore.Pool
    recipe: dict[str, Any]
    terms: list[Any]
    strengths: list[float]

    @property
    def candidates(self):
        return np.flatnonzero(~self.pool.labeled)

    @property
    def labeled(self):
        return np.flatnonzero(self.pool.labeled)


@st.composite
def problems(
    draw,
    sizes=SIZES,
    dimensions=(1, 5),
    ties=True,
    strengths=STRENGTHS,
    minimum=True,
    kinds=None,
):
    """Any pool, and any recipe over it.

    Args:
        ties: whether data of few different values may be drawn, which make duplicates and ties.
        minimum: whether diversity may have a minimum distance.
        kinds: which strategies there may be; by default all.
    """
    n = draw(sizes)
    rng = np.random.default_rng(draw(st.integers(0, 2**32 - 1)))
    d, classes = draw(st.integers(*dimensions)), draw(st.integers(2, 5))
    if ties and draw(st.booleans()):
        X = rng.integers(1, 4, (n, d)).astype(float)
        P = rng.integers(0, 3, (n, classes)) + np.eye(classes)[rng.integers(0, classes, n)]
    else:
        X = rng.normal(size=(n, d))
        P = rng.dirichlet(np.full(classes, 0.4), n) + 1e-12
    if ties and draw(st.booleans()):
        P[:, 0] = 0  # a class nobody has
        P[:, 1] += 1e-3
    P = P / P.sum(1, keepdims=True)
    M = (P + 0.05) * rng.dirichlet(np.full(classes, 2.0), (3, n))
    M = M / M.sum(-1, keepdims=True)
    labeled = rng.random(n) < draw(st.sampled_from([0, 0, 0.1, 0.5, 1.0]))
    labeled[rng.integers(n)] = False
    number = rng.normal(size=n).round(1 if ties else 12)
    choice = st.sampled_from(sorted(kinds or MAKERS))
    kinds = draw(st.lists(choice, min_size=1, max_size=3, unique=True))
    entries, terms, drawn = [], [], []
    for kind in kinds:
        entry, term = draw(MAKERS[kind])(X, P, number, M)
        if not minimum and entry.pop("minimum_distance", None):
            term.minimum = None
        entry["strength"] = draw(st.sampled_from(strengths))
        entries.append(entry)
        terms.append(term)
        drawn.append(entry["strength"])
    recipe = {
        "budget": draw(st.integers(1, 40)),
        "strategies": entries,
        "combine": draw(st.sampled_from(["product", "sum"])),
    }
    pool = alcore.Pool(
        n,
        labeled=labeled,
        columns={
            "embeddings": X,
            "predictions": P,
            "number": number,
            "members": M,
            "light": lights(number),
        },
    )
    return Problem(pool, recipe, terms, drawn)


@st.composite
def uncertainties(draw):
    measure = draw(st.sampled_from(MEASURES))
    temperature = draw(st.sampled_from([1.0, 2.0]))

    def make(X, P, number, M):
        Q = twins.probabilities(P, temperature)
        entry = {
            "strategy": "uncertainty",
            "column": "predictions",
            "measure": measure,
            "temperature": temperature,
        }
        return entry, twins.Fixed(twins.uncertainty(Q, measure))

    return make


@st.composite
def diversities(draw):
    metric = draw(st.sampled_from(["euclidean", "cosine"]))
    minimum = draw(st.sampled_from([None, None, 0.3, 1.5]))

    def make(X, P, number, M):
        entry = {"strategy": "diversity", "column": "embeddings", "metric": metric}
        if minimum is not None:
            entry["minimum_distance"] = minimum
        return entry, twins.Diversity(X, metric, minimum)

    return make


@st.composite
def coverages(draw):
    kernel = draw(st.sampled_from(["gaussian", "cosine", "ball"]))
    width = draw(st.sampled_from([0.2, 1.1]))  # no distance of the few whole numbers
    weighted = draw(st.booleans())
    metric = "cosine" if kernel == "cosine" else draw(st.sampled_from(["cosine", "euclidean"]))

    def make(X, P, number, M):
        entry = {
            "strategy": "coverage",
            "column": "embeddings",
            "kernel": kernel,
            "metric": metric,
            "radius" if kernel == "ball" else "bandwidth": width,
        }
        weights = None
        if weighted:
            entry["weights"] = {"column": "predictions", "measure": "margin"}
            weights = twins.uncertainty(P, "margin")
        return entry, twins.Coverage(X, kernel, width, weights, metric)

    return make


@st.composite
def balances(draw):
    target = draw(st.sampled_from(["uniform", "input", {"0": 0.7, "1": 0.3}, {"1": 0.5}]))
    count = draw(st.sampled_from(["soft", "predicted"]))
    beyond_chance = draw(st.booleans())

    def make(X, P, number, M):
        entry = {"strategy": "balance", "column": "predictions", "target": target, "count": count}
        entry["beyond_chance"] = beyond_chance
        if count == "predicted":
            P = np.eye(P.shape[1])[P.argmax(1)]
        C = P.shape[1]
        if target == "uniform":
            shares = np.full(C, 1 / C)
        elif target == "input":
            shares = P.mean(0)
        else:
            rest = [c for c in range(C) if str(c) not in target]
            if not rest and sum(target.values()) < 1:
                entry["target"] = "uniform"
                shares = np.full(C, 1 / C)
            else:
                left = (1 - sum(target.values())) / max(1, len(rest))
                shares = np.array([target.get(str(c), left) for c in range(C)])
        return entry, twins.Balance(P, shares, beyond_chance)

    return make


def lights(number):
    """A category for each of some numbers."""
    return np.where(number < -0.5, "night", np.where(number < 0.5, "dusk", "day")).astype(object)


@st.composite
def weights(draw):
    prefer = draw(
        st.sampled_from(
            ["high", "low", [-0.5, 0.5], {"around": 0.2, "width": 0.7}, "ranking", "worths"]
        )
    )

    def make(X, P, number, M):
        if prefer in ("ranking", "worths"):
            return by_category(prefer, lights(number))
        low, high = number.min(), number.max()
        spread = (high - low) or 1.0
        if prefer == "high":
            values = (number - low) / spread if high > low else np.ones_like(number)
        elif prefer == "low":
            values = (high - number) / spread if high > low else np.ones_like(number)
        elif isinstance(prefer, dict):
            values = np.array([np.exp(-(((one - 0.2) / 0.7) ** 2) / 2) for one in number])
        else:
            outside = np.maximum(prefer[0] - number, number - prefer[1])
            values = np.clip(1 - outside / spread, 0, 1)
        return {"strategy": "weight", "column": "number", "prefer": prefer}, twins.Fixed(values)

    return make


def by_category(kind, column):
    there = sorted(set(column))
    if kind == "ranking":
        named = there[:2]  # of day, dusk and night
        worths = dict(zip(named, [1, 2 / 3] if len(named) == 2 else [1], strict=True))
        other, prefer = (1 / 3 if len(named) == 2 else 1 / 2), named
    else:
        worths = prefer = {one: float(place) for place, one in enumerate(there[::-1])}
        if len(there) == 1:
            worths, prefer = {there[0]: 1.0}, there
        other = min(worths.values())
    values = np.array([worths.get(one, other) for one in column], dtype=float)
    entry = {"strategy": "weight", "column": "light", "prefer": prefer}
    return entry, twins.Fixed(values, max(worths.values()))


@st.composite
def disagreements(draw):
    measure = draw(st.sampled_from(sorted(MEMBER_MEASURES)))

    def make(X, P, number, M):
        entry = {"strategy": "disagreement", "column": "members", "measure": measure}
        T, _, C = M.shape
        return entry, twins.Fixed(twins.disagreement(M, measure), MEMBER_MEASURES[measure](T, C))

    return make


@st.composite
def expected_costs(draw):
    measure = draw(st.sampled_from(["risk", "margin"]))
    gain = draw(st.booleans())
    seed = draw(st.integers(0, 100))

    def make(X, P, number, M):
        matrix = np.random.default_rng(seed).integers(0, 9, (P.shape[1],) * 2).astype(float)
        entry = {"strategy": "expected_cost", "column": "predictions", "measure": measure}
        entry["gain" if gain else "cost"] = matrix.tolist()
        cost = matrix.max(1, keepdims=True) - matrix if gain else matrix
        highest = np.ptp(cost, axis=1).max() if measure == "margin" else cost.max(0).min()
        return entry, twins.Fixed(twins.expected_cost(P, cost, measure), highest or 1.0)

    return make


@st.composite
def typicalities(draw):
    metric = draw(st.sampled_from(["euclidean", "cosine"]))
    neighbors = draw(st.sampled_from([1, 5, 20]))

    def make(X, P, number, M):
        entry = {"strategy": "typicality", "column": "embeddings", "metric": metric}
        units = X / np.linalg.norm(X, axis=1, keepdims=True)
        values = twins.typicality(units if metric == "cosine" else X, neighbors)
        return entry | {"neighbors": neighbors}, twins.Fixed(values, values.max())

    return make


@st.composite
def similarities(draw):
    seed, by_id = draw(st.integers(0, 100)), draw(st.booleans())

    def make(X, P, number, M):
        rng = np.random.default_rng(seed)
        rows = rng.integers(0, len(X), 3)
        vectors = X[rows] if by_id else rng.normal(size=(3, X.shape[1]))
        to = rows if by_id else vectors
        entry = {"strategy": "similarity", "column": "embeddings", "to": to.tolist()}
        return entry, twins.Fixed(twins.similarity(X, vectors))

    return make


MAKERS = {
    "uncertainty": uncertainties(),
    "diversity": diversities(),
    "coverage": coverages(),
    "balance": balances(),
    "weight": weights(),
    "disagreement": disagreements(),
    "expected_cost": expected_costs(),
    "typicality": typicalities(),
    "similarity": similarities(),
}


def copied_vectors(n, copies=2, unique=0.0, noise=1e-3, d=16, seed=0, metric="euclidean"):
    """About n vectors in random order, most of which have copies, and the group that each is of.

    Args:
        copies: how many there are of each vector that is not unique.
        unique: the share of the n vectors that have no copy.
        noise: what is added to each copy, as a share of the typical distance of two vectors.
        metric: for "cosine" the vectors differ in length too, and copies of each other do not.
    """
    rng = np.random.default_rng(seed)
    alone = round(unique * n)
    bases = (n - alone) // copies
    X = rng.normal(size=(bases + alone, d))
    if metric == "cosine":
        X *= rng.uniform(0.5, 2, size=(len(X), 1))
    groups = np.r_[np.repeat(np.arange(bases), copies), np.arange(bases, bases + alone)]
    X = X[groups] + noise * 2**0.5 * rng.normal(size=(len(groups), d))
    order = rng.permutation(len(groups))
    return X[order], groups[order]


def recall_and_precision(found, truth):
    """Of the pairs of samples in one group: those found of the true ones, and those true of the found.

    A group 0 in ``found`` means none.
    """

    def pairs(groups):
        counts = np.unique(groups, axis=0, return_counts=True)[1]
        return (counts * (counts - 1) // 2).sum()

    some = found > 0
    both = pairs(np.c_[found, truth][some])
    return both / max(1, pairs(truth[:, None])), both / max(1, pairs(found[some][:, None]))


def clustered_vectors(n=6000, d=12, clusters=40, spread=0.1):
    """(n, d) float32 in clusters far apart."""
    rng = np.random.default_rng(0)
    centers = 3 * rng.standard_normal((clusters, d))
    X = centers[rng.integers(0, clusters, n)] + spread * rng.standard_normal((n, d))
    return X.astype(np.float32)


def low_rank_vectors(n=6000, d=24, rank=4, noise=0.05):
    """(n, d) float32 along few directions, and a little noise."""
    rng = np.random.default_rng(0)
    mixed = rng.standard_normal((n, rank)) @ rng.standard_normal((rank, d))
    return (mixed + noise * rng.standard_normal((n, d))).astype(np.float32)
