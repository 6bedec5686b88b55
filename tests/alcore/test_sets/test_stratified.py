"""Strata: how many of each, beside scikit-learn; given shares; groups."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sklearn.model_selection import StratifiedShuffleSplit

import alcore
from alcore import InvalidInput
from alcore.test_sets.strata import shares_of, strata_of
from alcore.test_sets.stratified import Units, allocate, draw, draw_units

SEEDS = st.integers(0, 2**32 - 1)


@given(st.lists(st.integers(2, 60), min_size=2, max_size=8), st.floats(0.1, 0.9))
def test_as_many_of_each_as_scikit_learn_has(counts, share):
    counts = np.array(counts)
    n = int(counts.sum())
    size = int(np.clip(round(share * n), len(counts), n - len(counts)))
    labels = np.repeat(np.arange(len(counts)), counts)
    split = StratifiedShuffleSplit(1, test_size=size, train_size=n - size, random_state=0)
    theirs = np.bincount(labels[next(split.split(labels, labels))[1]], minlength=len(counts))
    ours = allocate(counts / n, counts, size)
    # It breaks ties among equal remainders by chance.
    remainders = (size * counts) % n
    kept = np.sort(remainders[ours > size * counts // n])
    assert ours.sum() == theirs.sum() == size
    np.testing.assert_array_equal(kept, np.sort(remainders[theirs > size * counts // n]))
    if len(set(remainders)) == len(counts):
        np.testing.assert_array_equal(ours, theirs)


@st.composite
def wanted(draw):
    strata = draw(st.integers(1, 8))
    rng = np.random.default_rng(draw(SEEDS))
    shares = rng.random(strata) * (rng.random(strata) < 0.8) + 1e-9 * (np.arange(strata) == 0)
    available = rng.integers(0, draw(st.sampled_from([3, 30])), strata)
    return shares / shares.sum(), available, draw(st.integers(1, 80))


@given(wanted())
def test_what_is_short_is_shared_by_the_others(problem):
    shares, available, size = problem
    counts = allocate(shares, available, size)
    assert (counts >= 0).all() and (counts <= available).all() and (counts[shares == 0] == 0).all()
    assert counts.sum() == min(size, available[shares > 0].sum())
    # By halves: the level at which every stratum gives its share, or all it has.
    low, high = 0.0, 1e12
    for _ in range(200):
        level = (low + high) / 2
        enough = np.minimum(available, level * shares).sum() >= counts.sum()
        low, high = (low, level) if enough else (level, high)
    assert (np.abs(counts - np.minimum(available, high * shares)) < 1 + 1e-6).all()


def test_within_a_stratum_all_are_as_likely():
    strata = np.array([0, 0, 0, 1, 1, 1, 1, 1])
    times = np.zeros(8)
    rng = np.random.default_rng(0)
    for _ in range(4000):
        rows = draw(strata, np.array([1, 3]), rng.random(8))
        assert np.bincount(strata[rows]).tolist() == [1, 3]
        times[rows] += 1
    np.testing.assert_allclose(times / 4000, [1 / 3] * 3 + [3 / 5] * 5, atol=0.03)


def pool_of(**columns):
    return alcore.Pool(len(next(iter(columns.values()))), columns=columns)


def test_strata_are_the_values_that_come_together():
    pool = pool_of(c=["a", None, "b", "a"], night=[1.0, 0.0, np.nan, 1.0])
    reference = pool_of(c=["b", "z", "b"], night=[0.0, 1.0, 0.0])
    strata = strata_of(pool, reference, ["c", "night"])
    named = [strata.values[one] for one in strata.pool]
    assert named == [("a", "1"), ("(none)", "0"), ("b", "(none)"), ("a", "1")]
    assert [strata.values[one] for one in strata.target] == [("b", "0"), ("z", "1"), ("b", "0")]
    shares = shares_of(strata, {})
    assert {strata.name(s): share for s, share in enumerate(shares) if share} == {
        "b, 0": pytest.approx(2 / 3),
        "z, 1": pytest.approx(1 / 3),
    }


@given(SEEDS)
@settings(max_examples=30)
def test_given_shares_are_reached_and_the_rest_stays_as_it_is(seed):
    """Weighing by each column keeps the odds ratios, which is what makes it the nearest."""
    rng = np.random.default_rng(seed)
    c = np.array(["a", "b", "c"])[np.append(rng.integers(0, 3, 200), [0, 0, 1, 1, 2, 2])]
    d = np.append(rng.integers(0, 2, 200), [0, 1] * 3).astype(float)
    pool = pool_of(c=c, d=d)
    strata = strata_of(pool, pool, ["c", "d"])
    wanted = dict(zip("abc", rng.dirichlet(np.ones(3)), strict=True))
    dark = rng.uniform(0.1, 0.9)
    shares = shares_of(strata, {"c": wanted, "d": {"1": dark}})
    joint = shares.reshape(3, 2)
    base = (np.bincount(strata.pool) / 206).reshape(3, 2)
    np.testing.assert_allclose(joint.sum(1), list(wanted.values()), atol=1e-8)
    assert joint[:, 1].sum() == pytest.approx(dark, abs=1e-8)
    if joint.min() > 1e-6:
        odds = [np.divide(m[:, 0], m[:, 1]) for m in (joint, base)]
        ratios = [one[1:] / one[0] for one in odds]
        np.testing.assert_allclose(*ratios, rtol=1e-4)


def test_values_that_are_not_named_share_what_is_left():
    pool = pool_of(c=list("aaabbc"), night=np.array([True, False] * 3))
    strata = strata_of(pool, pool, ["c"])
    np.testing.assert_allclose(shares_of(strata, {"c": {"a": 0.4}}), [0.4, 0.4, 0.2])
    night = strata_of(pool, pool, ["night"])
    np.testing.assert_allclose(shares_of(night, {"night": {"true": 0.9}}), [0.1, 0.9])


@pytest.mark.parametrize(
    ("columns", "shares", "sentence"),
    [
        (["c"], {"c": {"x": 0.5}}, "no sample of the target has c 'x'; there are 'a', 'b'"),
        (["c"], {"c": {"a": 0.5, "b": 0.2}}, "add up to 0.7; they must make 1"),
        (["c"], {"c": {"a": 0.9, "b": 0.2}}, "add up to 1.1; they must make 1"),
        (["c", "d"], {"c": {"a": 0.9}, "d": {"u": 0.2}}, "no weighing .* the shares of c and d"),
    ],
)
def test_shares_that_cannot_be_are_said(columns, shares, sentence):
    pool = pool_of(c=["a", "a", "b"], d=["u", "u", "v"])
    with pytest.raises(InvalidInput, match=sentence):
        shares_of(strata_of(pool, pool, columns), shares)


@pytest.mark.parametrize(
    ("column", "sentence"),
    [
        (np.zeros((1200, 2)), "must hold one category"),
        (np.full(1200, np.datetime64("2026-01-01")), "must hold one category"),
        (np.arange(1200.0), "1200 different values"),
    ],
)
def test_columns_that_are_no_categories_are_said(column, sentence):
    pool = pool_of(c=column)
    with pytest.raises(InvalidInput, match=sentence):
        strata_of(pool, pool, ["c"])


@given(SEEDS, st.integers(1, 60), st.integers(1, 4), st.integers(1, 12))
def test_units_are_taken_until_none_brings_the_counts_nearer(seed, size, count, largest):
    rng = np.random.default_rng(seed)
    sizes = rng.integers(1, largest + 1, 30)
    units = np.repeat(np.arange(30), sizes)
    strata = rng.integers(0, count, len(units))
    quotas = allocate(np.full(count, 1 / count), np.bincount(strata, minlength=count), size)
    rows = draw_units(Units(units, strata, quotas), rng.permutation(30))
    taken = set(units[rows].tolist())
    assert len(rows) == sizes[list(taken)].sum()  # whole
    counts = np.bincount(strata[rows], minlength=count)

    def off(counts):
        return ((counts - quotas) ** 2 / np.maximum(quotas, 1)).sum()

    for one in set(range(30)) - taken:
        more = counts + np.bincount(strata[units == one], minlength=count)
        assert off(more) >= off(counts) - 1e-8
    if count == 1:
        assert abs(len(rows) - quotas[0]) <= largest / 2 or len(taken) == 30
    if largest == 1:
        np.testing.assert_array_equal(counts, quotas)
