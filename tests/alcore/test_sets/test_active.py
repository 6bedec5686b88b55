"""Drawing by expected loss: the chances, the weights, and that the estimate is unbiased."""

from itertools import permutations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.stats import chisquare

import alcore
from alcore import InvalidInput, weighted_estimate
from alcore.test_sets.active import draw, proposal, weights_of

SEEDS = st.integers(0, 2**32 - 1)


@given(SEEDS, st.integers(1, 5), st.integers(1, 5))
def test_over_all_orders_the_estimate_is_the_mean(seed, size, n):
    rng = np.random.default_rng(seed)
    size = min(size, n)
    losses, chances = rng.normal(size=n), proposal(rng.random(n), 0.1)
    expected = likely = 0.0
    for order in permutations(range(n), size):
        left = 1 - np.cumsum([0, *chances[list(order[:-1])]])
        had = chances[list(order)] / left
        estimate = weighted_estimate(losses[list(order)], weights_of(had, n), n)
        expected += had.prod() * estimate.mean
        likely += had.prod()
    assert likely == pytest.approx(1)
    assert expected == pytest.approx(losses.mean(), abs=1e-9)


@pytest.fixture(scope="module")
def estimates():
    """Many test sets of 60 of 300: losses about as expected, drawn actively and at random."""
    rng = np.random.default_rng(0)
    expected = rng.random(300) ** 3
    losses = (rng.random(300) < expected).astype(float)
    found, plain = [], []
    for _ in range(3000):
        rows, had = draw(proposal(expected, 0.2), 60, rng.random(300))
        found.append(weighted_estimate(losses[rows], weights_of(had, 300), 300))
        plain.append(losses[rng.permutation(300)[:60]].mean())
    means, errors = np.array([(one.mean, one.standard_error) for one in found]).T
    return losses.mean(), means, errors, np.array(plain)


def test_the_estimate_is_unbiased_and_better_than_chance(estimates):
    truth, means, _, plain = estimates
    assert abs(means.mean() - truth) < 3 * means.std() / len(means) ** 0.5
    assert abs(plain.mean() - truth) < 3 * plain.std() / len(plain) ** 0.5
    assert means.var() < 0.6 * plain.var()


def test_the_standard_error_is_how_far_estimates_are_off(estimates):
    truth, means, errors, _ = estimates
    assert (errors**2).mean() == pytest.approx(means.var(), rel=0.1)
    assert np.mean(np.abs(means - truth) < 1.96 * errors) == pytest.approx(0.95, abs=0.03)


@given(SEEDS, st.integers(2, 6), st.integers(7, 12))
def test_the_standard_error_is_that_of_the_estimates_after_each_draw(seed, size, n):
    rng = np.random.default_rng(seed)
    _, had = draw(proposal(rng.random(n), 0.1), size, rng.random(n))
    losses = rng.random(size)
    singles, parts = [], []
    for m in range(1, size + 1):
        singles.append((losses[: m - 1].sum() + losses[m - 1] / had[m - 1]) / n)
        parts.append(n * (n - size) / (size * (n - m) * (n - m + 1)))
    found = weighted_estimate(losses, weights_of(had, n), n)
    assert sum(parts) == pytest.approx(1)
    assert np.dot(parts, singles) == pytest.approx(found.mean)
    squares = [(part * (one - found.mean)) ** 2 for part, one in zip(parts, singles, strict=True)]
    assert found.standard_error == pytest.approx((sum(squares) * size / (size - 1)) ** 0.5)


def test_an_even_draw_has_even_weights_and_the_usual_standard_error():
    rng = np.random.default_rng(0)
    losses = rng.normal(size=400)
    errors = []
    for _ in range(200):
        rows, had = draw(np.full(400, 1 / 400), 100, rng.random(400))
        weights = weights_of(had, 400)
        np.testing.assert_allclose(weights, 1)
        errors.append(weighted_estimate(losses[rows], weights, 400).standard_error)
    usual = losses.std() / 10 * (1 - 100 / 400) ** 0.5
    assert np.mean(errors) == pytest.approx(usual, rel=0.03)


def test_all_drawn_are_the_mean_itself():
    losses = np.arange(5.0)
    rows, had = draw(proposal(losses, 0.3), 5, np.random.default_rng(0).random(len(losses)))
    found = weighted_estimate(losses[rows], weights_of(had, 5), 5)
    assert found.mean == 2 and found.standard_error == 0
    assert weighted_estimate([3.0], [1.0], 9).standard_error == np.inf


def test_each_is_drawn_by_its_chance_among_those_left():
    chances = np.array([0.5, 0.3, 0.15, 0.05])
    rng = np.random.default_rng(0)
    counts = np.zeros((4, 4))
    for _ in range(3000):
        (first, second), had = draw(chances, 2, rng.random(len(chances)))
        counts[first, second] += 1
        np.testing.assert_allclose(had, [chances[first], chances[second] / (1 - chances[first])])
    expected = 3000 * chances[:, None] * chances / (1 - chances[:, None])
    off = ~np.eye(4, dtype=bool)
    assert chisquare(counts[off], expected[off]).pvalue > 0.01


def test_a_floor_bounds_the_weights():
    rng = np.random.default_rng(0)
    expected = (rng.random(1000) < 0.02).astype(float)  # sure of almost all
    _, had = draw(proposal(expected, 0.25), 200, rng.random(1000))
    weights = weights_of(had, 1000)
    assert 2 < weights.max() < 4.01 and weights.min() > 0
    np.testing.assert_allclose(proposal(np.zeros(4), 0.2), 0.25)
    np.testing.assert_allclose(proposal(expected * 1e300, 0.2), proposal(expected, 0.2))


def test_probabilities_give_the_chance_to_be_wrong():
    P = np.array([[0.9, 0.1], [0.6, 0.4], [0.5, 0.5], [1.0, 0.0]] * 10)
    given_losses = alcore.Pool(40, columns={"p": P, "l": 1 - P.max(1)})
    by_class, by_number = (
        alcore.select_test_set(given_losses, {"size": 12, "expected_loss": name}) for name in "pl"
    )
    np.testing.assert_array_equal(by_class.indices, by_number.indices)
    np.testing.assert_allclose(by_class.weights, by_number.weights)
    assert by_class.report["population"] == 40


@pytest.mark.parametrize("bad", [-1.0, np.inf, np.nan])
def test_losses_that_cannot_be_are_said(bad):
    with pytest.raises(InvalidInput, match="1 values are below 0 or not finite"):
        proposal(np.array([0.5, bad]), 0.2)


def test_estimates_of_what_does_not_fit_are_refused():
    for losses, weights, n in ([1.0], [1.0, 1.0], 5), ([1.0] * 3, [1.0] * 3, 2), ([], [], 2):
        with pytest.raises(InvalidInput, match="do not fit"):
            weighted_estimate(losses, weights, n)
