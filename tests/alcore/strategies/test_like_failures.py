"""Each failure in turn takes the nearest candidate that is left; then the pool is covered."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

import alcore

N, D = 60, 4


def make(seed):
    rng = np.random.default_rng(seed)
    X = rng.normal(size=(N, D))
    labeled = np.zeros(N, dtype=bool)
    labeled[:12] = True
    return alcore.Pool(N, labeled=labeled, columns={"embeddings": X})


def recipe(to, budget, covered):
    entry = {"strategy": "like_failures", "column": "embeddings", "to": to, "covered": covered}
    return {"budget": budget, "strategies": [entry]}


def by_hand(pool, to, count):
    X = pool.columns["embeddings"]
    U = X / np.linalg.norm(X, axis=1, keepdims=True)
    left = [row for row in range(N) if not pool.labeled[row]]
    rows, answers = [], []
    while len(rows) < count:
        for one in to:
            if len(rows) == count:
                break
            best = max(left, key=lambda row: (round(float(U[row] @ U[one]), 12), -row))
            left.remove(best)
            rows.append(best)
            answers.append(one)
    return rows, answers


@given(seed=st.integers(0, 500), failures=st.integers(1, 12), budget=st.integers(1, 48))
def test_taken_in_turn_as_by_hand(seed, failures, budget):
    pool, to = make(seed), list(range(failures))
    found = alcore.select(pool, recipe(to, budget, 0.0), device="cpu")
    rows, answers = by_hand(pool, to, budget)
    assert found.indices.tolist() == rows
    report = found.report["stages"][0]["reached"]["like_failures"]["after"]
    assert report["answers"] == answers and report["covering"] == 0
    X = pool.columns["embeddings"]
    U = X / np.linalg.norm(X, axis=1, keepdims=True)
    cosines = [U[a] @ U[b] for a, b in zip(rows, answers, strict=True)]
    assert found.gains == pytest.approx((1 + np.array(cosines)) / 2)


@given(seed=st.integers(0, 500), covered=st.sampled_from([0.3, 0.5, 1.0]))
def test_the_rest_is_what_coverage_would_choose_beside_them(seed, covered):
    pool = make(seed)
    found = alcore.select(pool, recipe([0, 1, 2], 20, covered), device="cpu")
    like = 20 - int(covered * 20 + 0.5)
    labeled = pool.labeled.copy()
    labeled[found.indices[:like]] = True
    beside = alcore.Pool(N, labeled=labeled, columns=dict(pool.columns))
    rest = {"budget": 20 - like, "strategies": [{"strategy": "coverage", "column": "embeddings"}]}
    assert found.indices[like:].tolist() == alcore.select(beside, rest, device="cpu").indices.tolist()
    report = found.report["stages"][0]["reached"]["like_failures"]["after"]
    assert (report["like failures"], report["covering"]) == (like, 20 - like)
    assert report["answers"][like:] == [None] * (20 - like)


def test_parts_of_the_pool_make_no_difference(monkeypatch):
    pool = make(3)
    whole = alcore.select(pool, recipe([0, 1], 15, 0.3), device="cpu").indices
    monkeypatch.setattr("alcore.strategies.like_failures.chunk_size", lambda most: 7)
    assert alcore.select(pool, recipe([0, 1], 15, 0.3), device="cpu").indices.tolist() == whole.tolist()
