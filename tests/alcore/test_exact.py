"""The optimiser's picks are those of a brute-force greedy, for every strategy and combination."""

import numpy as np
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

import alcore
import twins

MEASURES = ["entropy", "margin", "least_confidence", "ratio"]


@st.composite
def problems(draw):
    """A pool, a recipe, and the same as twins."""
    n = draw(st.integers(1, 60) | st.integers(61, 300))
    rng = np.random.default_rng(draw(st.integers(0, 2**32 - 1)))
    d, classes = draw(st.integers(1, 5)), draw(st.integers(2, 5))
    if draw(st.booleans()):
        X = rng.integers(1, 4, (n, d)).astype(float)  # duplicates and ties
        P = rng.integers(0, 3, (n, classes)) + np.eye(classes)[rng.integers(0, classes, n)]
    else:
        X = rng.normal(size=(n, d))
        P = rng.dirichlet(np.full(classes, 0.4), n) + 1e-12
    if draw(st.booleans()):
        P[:, 0] = 0  # a class nobody has
        P[:, 1] += 1e-3
    P = P / P.sum(1, keepdims=True)
    share = draw(st.sampled_from([0, 0, 0.1, 0.5, 1.0]))
    labelled = rng.random(n) < share
    labelled[rng.integers(n)] = False
    number = np.round(rng.normal(size=n), 1)
    kinds = draw(
        st.lists(
            st.sampled_from(["uncertainty", "diversity", "coverage", "balance", "weight"]),
            min_size=1,
            max_size=3,
            unique=True,
        )
    )
    entries, terms, strengths = [], [], []
    for kind in kinds:
        entry, term = draw(MAKERS[kind])(X, P, number)
        entry["strength"] = draw(st.sampled_from([1, 1, 1, 0.5, 2, 0, -1]))
        entries.append(entry)
        terms.append(term)
        strengths.append(entry["strength"])
    recipe = {
        "budget": draw(st.integers(1, 40)),
        "strategies": entries,
        "combine": draw(st.sampled_from(["product", "sum"])),
    }
    pool = alcore.Pool(
        n,
        labelled=labelled,
        columns={"embeddings": X, "predictions": P, "number": number},
    )
    return pool, recipe, terms, strengths


@st.composite
def uncertainties(draw):
    measure = draw(st.sampled_from(MEASURES))
    temperature = draw(st.sampled_from([1.0, 2.0]))

    def make(X, P, number):
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

    def make(X, P, number):
        entry = {"strategy": "diversity", "column": "embeddings", "metric": metric}
        if minimum is not None:
            entry["minimum_distance"] = minimum
        return entry, twins.Diversity(X, metric, minimum)

    return make


@st.composite
def coverages(draw):
    kernel = draw(st.sampled_from(["gaussian", "cosine"]))
    bandwidth = draw(st.sampled_from([0.2, 1.0]))
    weighted = draw(st.booleans())

    def make(X, P, number):
        entry = {
            "strategy": "coverage",
            "column": "embeddings",
            "kernel": kernel,
            "bandwidth": bandwidth,
        }
        weights = None
        if weighted:
            entry["weights"] = {"column": "predictions", "measure": "margin"}
            weights = twins.uncertainty(P, "margin")
        return entry, twins.Coverage(X, kernel, bandwidth, weights)

    return make


@st.composite
def balances(draw):
    target = draw(st.sampled_from(["uniform", "input", {"0": 0.7, "1": 0.3}, {"1": 0.5}]))

    def make(X, P, number):
        entry = {"strategy": "balance", "column": "predictions", "target": target}
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
        return entry, twins.Balance(P, shares)

    return make


@st.composite
def weights(draw):
    prefer = draw(st.sampled_from(["high", "low", [-0.5, 0.5]]))

    def make(X, P, number):
        low, high = number.min(), number.max()
        spread = (high - low) or 1.0
        if prefer == "high":
            values = (number - low) / spread if high > low else np.ones_like(number)
        elif prefer == "low":
            values = (high - number) / spread if high > low else np.ones_like(number)
        else:
            outside = np.maximum(prefer[0] - number, number - prefer[1])
            values = np.clip(1 - outside / spread, 0, 1)
        return {"strategy": "weight", "column": "number", "prefer": prefer}, twins.Fixed(values)

    return make


MAKERS = {
    "uncertainty": uncertainties(),
    "diversity": diversities(),
    "coverage": coverages(),
    "balance": balances(),
    "weight": weights(),
}


@settings(max_examples=300, deadline=None, suppress_health_check=list(HealthCheck))
@given(problems())
def test_picks_are_those_of_brute_force(problem):
    pool, recipe, terms, strengths = problem
    chosen = alcore.select(pool, recipe, device="cpu")
    candidates = np.flatnonzero(~pool.labelled)
    expected, gains = twins.greedy(
        terms,
        strengths,
        candidates,
        np.flatnonzero(pool.labelled),
        recipe["budget"],
        recipe["combine"],
    )
    if not any(strengths):
        gains = np.ones(len(expected))
    assert_same_picks(chosen, expected, gains)


def assert_same_picks(chosen, expected, gains):
    assert chosen.indices.tolist() == expected
    np.testing.assert_allclose(chosen.gains, gains, rtol=1e-8, atol=1e-12)
