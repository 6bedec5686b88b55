"""The figures of a comparison, beside scipy and a count by hand."""

import numpy as np
import pytest
from scipy.stats import ttest_rel

from alcore.replaying import Comparison
from alcore.replaying.comparison import _holm

LABELS = np.array([10, 20, 30, 40])


def make(**curves):
    """By name, (S, T + 1) accuracies."""
    scores = {name: np.asarray(values, dtype=float)[:, :, None] for name, values in curves.items()}
    seconds = {name: np.full(len(values), 2.0) for name, values in curves.items()}
    return Comparison(LABELS, ["accuracy"], scores, seconds)


def noisy(mean, spread, seeds, seed):
    return np.array(mean) + spread * np.random.default_rng(seed).normal(size=(seeds, 1))


RANDOM = [0.5, 0.6, 0.7, 0.8]


def test_differences_are_students_in_pairs():
    random, other = noisy(RANDOM, 0.02, 10, 0), noisy([0.5, 0.65, 0.75, 0.82], 0.02, 10, 1)
    found = make(random=random, other=other)
    row = next(row for row in found.table("accuracy") if row.name == "other")
    test = ttest_rel(other[:, 1:].mean(1), random[:, 1:].mean(1))
    low, high = test.confidence_interval()
    assert row.p == pytest.approx(test.pvalue)
    assert row.difference == pytest.approx((np.mean(other[:, 1:] - random[:, 1:]), low, high))
    assert row.area == pytest.approx(other[:, 1:].mean()) and row.last == pytest.approx(
        other[:, -1].mean()
    )
    assert row.seconds == 2.0


def test_labels_saved_are_read_off_the_curves():
    """The other reaches .8, where random ends with 40 labels, at 25: half way from .7 to .9."""
    found = make(random=[RANDOM] * 3, other=[[0.5, 0.7, 0.9, 0.9]] * 3)
    row = found.table("accuracy")[0]
    assert row.name == "other" and row.saved == pytest.approx((15, 15, 15))
    never = make(random=[RANDOM] * 3, other=[[0.5, 0.5, 0.6, 0.7]] * 3)
    assert never.table("accuracy")[-1].saved is None


def test_the_verdict_is_cautious():
    better = noisy([0.5, 0.7, 0.8, 0.9], 0.01, 10, 2)
    found = make(random=noisy(RANDOM, 0.01, 10, 0), better=better, above=better + 1e-4)
    told = found.verdict("accuracy")
    assert told.startswith("'above' is better than a random choice: +0.0") and "saves about 10" in told
    assert "cannot be told apart" not in told  # the same runs, always a little higher
    found = make(
        random=noisy(RANDOM, 0.01, 10, 0), better=better, near=noisy([0.5, 0.7, 0.8, 0.9], 0.02, 10, 3)
    )
    assert "it cannot be told apart from" in found.verdict("accuracy")
    none = make(random=noisy(RANDOM, 0.05, 4, 0), other=noisy(RANDOM, 0.05, 4, 1))
    assert "no recipe is better than a random choice beyond the errors of 4 seeds" in none.verdict(
        "accuracy"
    )
    worse = make(random=noisy(RANDOM, 0.001, 10, 0), other=noisy([0.5, 0.5, 0.6, 0.7], 0.001, 10, 1))
    assert worse.verdict("accuracy").endswith("Worse than a random choice: 'other'.")
    one = make(random=[RANDOM], other=[[0.5, 0.7, 0.8, 0.9]])
    assert "beyond the errors of 1 seed;" in one.verdict("accuracy")


def test_failed_runs_are_left_out_of_both():
    random, other = noisy(RANDOM, 0.02, 5, 0), noisy(RANDOM, 0.02, 5, 1)
    other[2] = np.nan
    found = make(random=random, other=other)
    row = next(row for row in found.table("accuracy") if row.name == "other")
    kept = [0, 1, 3, 4]
    assert row.seeds == 4
    assert row.difference.value == pytest.approx((other[kept, 1:] - random[kept, 1:]).mean())
    mean, low, high = found.curve("other", "accuracy")
    assert mean == pytest.approx(other[kept].mean(0)) and (low < mean).all() and (mean < high).all()


def test_holm():
    """Of Holm 1979: 0.01 x 4, 0.02 x 3, 0.03 x 2, 0.04 x 1, each not below the one before."""
    assert _holm([0.04, 0.01, 0.03, 0.02]) == pytest.approx([0.06, 0.04, 0.06, 0.06])
    assert _holm([]) == [] and _holm([0.6, 0.9]) == [1.0, 1.0]
