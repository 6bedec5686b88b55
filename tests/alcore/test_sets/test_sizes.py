"""Sizes and intervals, beside scipy's and the normal formula."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.stats import binomtest, norm

from alcore import InvalidInput
from alcore.test_sets import (
    Interval,
    proportion_interval,
    size_for_mean,
    size_for_proportion,
)
from alcore.test_sets.sizes import half_width_of, size_for

CONFIDENCE = st.sampled_from([0.8, 0.9, 0.95, 0.99])


def mean_interval(mean, deviation, size, confidence=0.95, population=None):
    """The normal interval of a mean; of a finite population as Cochran (1977, section 2.6) has it."""
    left = 1.0 if population is None else (population - size) / (population - 1)
    half = norm.ppf((1 + confidence) / 2) * deviation * (left / size) ** 0.5
    return mean - half, mean + half


def half(interval):
    return (interval[1] - interval[0]) / 2


@given(st.integers(1, 5000), st.floats(0, 1), CONFIDENCE)
def test_the_interval_is_that_of_scipy(n, share, confidence):
    k = round(share * n)
    theirs = binomtest(k, n).proportion_ci(confidence, method="wilson")
    np.testing.assert_allclose(proportion_interval(k / n, n, confidence), theirs, atol=1e-12)


@given(st.floats(0.005, 0.4), st.floats(0, 1), CONFIDENCE, st.none() | st.integers(1, 20_000))
def test_no_smaller_size_is_enough(wanted, expected, confidence, population):
    size = size_for_proportion(wanted, expected, confidence, population)
    interval = Interval(half_width=wanted, expected=expected, confidence=confidence)
    assert half_width_of(interval, size, population) <= wanted + 1e-12
    assert size == 1 or half_width_of(interval, size - 1, population) > wanted
    assert population is None or size <= population


@given(st.floats(0.01, 0.5), st.floats(0.1, 3), CONFIDENCE)
def test_a_mean_takes_what_the_normal_formula_says(wanted, deviation, confidence):
    z = norm.ppf((1 + confidence) / 2)
    size = size_for_mean(wanted, deviation, confidence)
    assert size == max(1, np.ceil((z * deviation / wanted) ** 2 - 1e-9))
    found = mean_interval(0.7, deviation, size, confidence)
    np.testing.assert_allclose(found, norm.interval(confidence, 0.7, deviation / size**0.5))


def test_known_sizes():
    assert size_for_proportion(0.05) == 381  # 1.96^2 (1 / (4 0.05^2) - 1), Wilson's
    assert size_for_mean(0.1, 1.0, population=1000) == 278  # 384.1 / (1 + 383.1 / 1000), as Cochran's
    interval = Interval(half_width=0.05, of_share=0.1)
    assert size_for(interval) == 3810  # a class of one in ten
    assert half_width_of(interval, 3810) <= 0.05


def test_all_of_a_population_leave_no_doubt():
    assert proportion_interval(0.3, 50, population=50) == (0.3, 0.3)
    assert mean_interval(2.0, 5.0, 50, population=50) == (2, 2)
    low, high = proportion_interval(0.3, 25, population=50)
    assert half((low, high)) < half(proportion_interval(0.3, 25))
    assert size_for_proportion(1e-9, population=70) == 70


def test_the_interval_of_a_finite_population_holds_the_truth_as_often_as_it_says():
    rng = np.random.default_rng(0)
    truth = rng.random(400) < 0.3
    hits = []
    for _ in range(2000):
        drawn = rng.permutation(400)[:150]
        low, high = proportion_interval(truth[drawn].mean(), 150, 0.9, population=400)
        hits.append(low <= truth.mean() <= high)
    assert abs(np.mean(hits) - 0.9) < 0.03


def test_what_cannot_be_is_said():
    with pytest.raises(InvalidInput, match="half_width: 0 is not"):
        size_for_proportion(0)
    with pytest.raises(InvalidInput, match="more samples than there can be"):
        size_for_mean(1e-12, 1.0)
    with pytest.raises(InvalidInput, match="60 cannot be drawn of 50"):
        proportion_interval(0.5, 60, population=50)
