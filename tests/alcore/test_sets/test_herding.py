"""Kernel herding and the discrepancy: against their formulas, pair by pair."""

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.spatial.distance import pdist

from alcore.data.settings import settings as sizes
from alcore.objectives import Kernel
from alcore.test_sets.discrepancy import mean_similarity, median_distance, spread
from alcore.test_sets.herding import herd
from alcore.test_sets.stratified import Units
from support import twins

SEEDS = st.integers(0, 2**32 - 1)


def squared_mmd(x, y, kernel, weights=None, unbiased=False):
    """The squared discrepancy, of the engine's parts."""
    across = float(mean_similarity(x, y, kernel, weights).mean())
    within = spread(x, kernel, unbiased=unbiased)
    return within - 2 * across + spread(y, kernel, weights, unbiased=unbiased)


def drawn(rng, n, d, ties):
    return rng.integers(0, 3, (n, d)).astype(float) if ties else rng.normal(size=(n, d))


@given(SEEDS, st.integers(2, 40), st.integers(2, 40), st.booleans(), st.floats(0.3, 5))
def test_the_discrepancy_is_that_of_the_formula(seed, n, m, unbiased, width):
    rng = np.random.default_rng(seed)
    X, Y = rng.normal(size=(n, 3)), rng.normal(size=(m, 3)) + 1
    weights = None if unbiased else rng.dirichlet(np.ones(m))
    x, y = torch.from_numpy(X), torch.from_numpy(Y)
    kernel = Kernel("gaussian", width, unit=False)
    found = squared_mmd(x, y, kernel, weights=weights, unbiased=unbiased)
    assert found == pytest.approx(twins.squared_mmd(X, Y, width, weights, unbiased), abs=1e-12)
    if weights is None:
        plain = twins.squared_mmd(X, Y, width, None, unbiased)
        single = squared_mmd(x.float(), y.float(), kernel, unbiased=unbiased)
        assert single == pytest.approx(plain, abs=1e-4)


def test_the_discrepancy_by_blocks(monkeypatch):
    rng = np.random.default_rng(0)
    X, Y = rng.normal(size=(50, 3)), rng.normal(size=(70, 3))
    monkeypatch.setattr(sizes, "largest_chunk", 7)
    found = squared_mmd(torch.from_numpy(X), torch.from_numpy(Y), Kernel("gaussian", 2.0, unit=False))
    assert found == pytest.approx(twins.squared_mmd(X, Y, 2.0), abs=1e-12)


def test_the_unbiased_discrepancy_of_one_law_is_0_on_average():
    rng = np.random.default_rng(0)
    kernel = Kernel("gaussian", 1.5, unit=False)
    found = [
        squared_mmd(*(torch.from_numpy(rng.normal(size=(20, 2))) for _ in "xy"), kernel, unbiased=True)
        for _ in range(400)
    ]
    assert abs(np.mean(found)) < 3 * np.std(found) / 20 and min(found) < 0


def test_the_bandwidth_is_the_median_distance():
    rng = np.random.default_rng(0)
    X = rng.normal(size=(200, 4))
    assert median_distance(torch.from_numpy(X)) == pytest.approx(np.median(pdist(X)))
    many = torch.from_numpy(rng.normal(size=(5000, 4)))
    assert median_distance(many) == pytest.approx(np.median(pdist(many[:2000])), rel=0.03)
    assert median_distance(torch.ones((5, 2), dtype=torch.float64)) == 1
    assert median_distance(torch.ones((1, 2), dtype=torch.float64)) == 1


def herd_by_engine(X, Y, width, units, strata, quotas, weights=None, single=False):
    kind = torch.float32 if single else torch.float64
    x, y = torch.from_numpy(X).to(kind), torch.from_numpy(Y).to(kind)
    alike = mean_similarity(x, y, Kernel("gaussian", width, unit=False), weights)
    return herd(x, alike, width, Units(units, strata, quotas))


@given(SEEDS, st.integers(1, 25), st.integers(1, 25), st.integers(1, 3), st.booleans(), st.booleans())
@settings(deadline=None, max_examples=60)
def test_picks_are_those_of_the_formula_anew_at_every_pick(seed, n, m, strata, ties, weigh):
    rng = np.random.default_rng(seed)
    X, Y = drawn(rng, n, 2, ties), drawn(rng, m, 2, ties)
    of = rng.integers(0, strata, n)
    has = np.bincount(of, minlength=strata)
    quotas = rng.integers(0, has + 1)
    weights = rng.dirichlet(np.ones(m)) if weigh else None
    found = herd_by_engine(X, Y, 1.3, np.arange(n), of, quotas, weights)

    def may(taken):
        full = np.bincount(of[taken], minlength=strata) >= quotas
        return [row for row in range(n) if row not in taken and not full[of[row]]]

    assert found.tolist() == twins.herded(X, Y, 1.3, np.arange(n), may, weights)
    np.testing.assert_array_equal(np.bincount(of[found], minlength=strata), quotas)


@given(SEEDS, st.integers(1, 20), st.booleans())
@settings(deadline=None, max_examples=40)
def test_groups_are_taken_whole_by_the_same_formula(seed, size, ties):
    rng = np.random.default_rng(seed)
    sizes = rng.integers(1, 5, 8)
    units = np.repeat(np.arange(8), sizes)
    X, Y = drawn(rng, len(units), 2, ties), drawn(rng, 15, 2, ties)
    quotas = np.array([min(size, len(units))])
    found = herd_by_engine(X, Y, 1.3, units, np.zeros(len(units), dtype=int), quotas)

    def may(taken):
        short = quotas[0] - sizes[taken].sum()
        return [one for one in range(8) if one not in taken and sizes[one] < 2 * short]

    expected = twins.herded(X, Y, 1.3, units, may)
    assert found.tolist() == [row for one in expected for row in np.flatnonzero(units == one)]


def test_many_samples_are_herded_as_few_are():
    """float32 by matrix products, against float64 pair by pair."""
    rng = np.random.default_rng(0)
    X = rng.normal(size=(3000, 32)) * rng.uniform(0.2, 2, 32)
    everyone, one = np.arange(3000), np.zeros(3000, dtype=int)
    sets = [
        herd_by_engine(X, X, 8.0, everyone, one, np.array([60]), single=single)
        for single in (False, True)
    ]
    plain, fast = (twins.squared_mmd(X[rows], X[:500], 8.0) for rows in sets)
    assert np.mean(sets[0] == sets[1]) > 0.9 and fast == pytest.approx(plain, abs=1e-5)
    grouped = herd_by_engine(X, X, 8.0, everyone // 20, one, np.array([60]), single=True)
    wide = herd_by_engine(X, X, 8.0, everyone // 20, one, np.array([60]))
    np.testing.assert_array_equal(grouped, wide)


def test_herding_is_nearer_than_chance():
    rng = np.random.default_rng(0)
    X = rng.normal(size=(400, 4))
    one = np.zeros(400, dtype=int)
    rows = herd_by_engine(X, X, 2.5, np.arange(400), one, np.array([40]))
    by_chance = [twins.squared_mmd(X[rng.permutation(400)[:40]], X, 2.5) for _ in range(20)]
    assert twins.squared_mmd(X[rows], X, 2.5) < 0.25 * min(by_chance)
