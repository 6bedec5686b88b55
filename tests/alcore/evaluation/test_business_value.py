"""What decisions bring: in total, by class and by slice."""

from collections import Counter

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.stats import t as student

from alcore import InvalidInput, scores
from alcore.data.settings import settings
from alcore.evaluation.business_value import amount, amounts, judge

NAMES = [f"c{number}" for number in range(8)]


@st.composite
def problems(draw):
    rng = np.random.default_rng(draw(st.integers(0, 2**32 - 1)))
    width, n = draw(st.integers(1, 6)), draw(st.integers(1, 40))
    truth, decided = rng.integers(0, width, (2, n))
    codes = rng.integers(-1, 3, n)
    return truth, decided, rng.normal(size=(width, width)) * 100, NAMES[:width], codes


@given(problems())
def test_sums_by_class_and_slice_are_those_counted_one_by_one(problem):
    truth, decided, gain, classes, codes = problem
    found = judge(truth, decided, gain, classes, {"place": (["dock", "road", "yard"], codes)})
    each = [gain[t][d] for t, d in zip(truth, decided, strict=True)]
    assert found.each.tolist() == each
    assert found.overall.total == pytest.approx(sum(each))
    assert found.possible == pytest.approx(sum(max(gain[t]) for t in truth))
    always = {d: sum(gain[t][d] for t in truth) for d in range(len(classes))}
    assert found.constant_total == pytest.approx(max(always.values()))
    assert always[classes.index(found.constant)] == pytest.approx(found.constant_total)
    taken = Counter(zip(truth.tolist(), decided.tolist(), strict=True))
    for (t, d), count in np.ndenumerate(found.counts):
        assert count == taken[t, d]
        assert found.money[t, d] == pytest.approx(count * gain[t, d])
    for one in found.classes:
        mine = [v for v, t in zip(each, truth, strict=True) if classes[t] == one.name]
        assert (one.count, one.total) == (len(mine), pytest.approx(sum(mine)))
    assert sum(one.count for one in found.classes) == len(truth)
    for one in found.slices["place"]:
        code = ["dock", "road", "yard"].index(one.name)
        mine = [v for v, c in zip(each, codes, strict=True) if c == code]
        assert (one.count, one.total) == (len(mine), pytest.approx(sum(mine)))
    assert sum(one.count for one in found.slices["place"]) == (codes >= 0).sum()


@given(problems())
def test_the_costliest_mistake_loses_most_of_its_class(problem):
    truth, decided, gain, classes, _ = problem
    found = judge(truth, decided, gain, classes)
    for one, mistake in zip(found.classes, found.costliest, strict=True):
        t = classes.index(one.name)
        taken = Counter(zip(truth.tolist(), decided.tolist(), strict=True))
        lost = [taken[t, d] * (max(gain[t]) - gain[t][d]) for d in range(len(classes))]
        if mistake is None:
            assert max(lost) == 0
        else:
            assert mistake.truth == one.name
            assert mistake.regret == pytest.approx(max(lost))
            assert mistake.count == found.counts[t, classes.index(mistake.decision)] > 0


@given(problems())
def test_no_decisions_bring_more_than_possible(problem):
    truth, decided, gain, classes, _ = problem
    found = judge(truth, decided, gain, classes)
    slack = 1e-9 * np.abs(gain).max() * len(truth)
    assert found.overall.total <= found.possible + slack
    assert found.constant_total <= found.possible + slack
    best = judge(truth, gain.argmax(1)[truth], gain, classes)
    assert best.overall.total == pytest.approx(found.possible)


def test_an_interval_is_that_of_students_t():
    values = np.random.default_rng(0).normal(3, 2, 30) + 1e9
    found = amount("all", values)
    low, high = student.interval(0.95, 29, values.mean(), values.std(ddof=1) / 30**0.5)
    assert (found.low - 1e9, found.high - 1e9) == pytest.approx((low - 1e9, high - 1e9), abs=1e-5)
    assert (amount("all", np.ones(5)).low, amount("all", np.ones(5)).high) == (1, 1)
    single = amount("all", np.ones(1))
    assert (single.mean, single.low, single.high) == (1, -np.inf, np.inf)
    nobody = amounts(["a"], np.full(3, -1), np.ones(3))[0]
    assert (nobody.count, nobody.total) == (0, 0) and np.isnan(nobody.mean)


def test_intervals_hold_the_mean_as_often_as_they_say():
    rng = np.random.default_rng(0)
    values = rng.choice([10.0, -100, 0], (2000, 60), p=[0.6, 0.2, 0.2])
    found = amounts(range(2000), np.repeat(np.arange(2000), 60), values.ravel())
    held = np.mean([one.low <= -14 <= one.high for one in found])
    assert held == pytest.approx(0.95, abs=0.02)


def test_probabilities_are_decided_by_expected_gain():
    rng = np.random.default_rng(0)
    P, gain = rng.dirichlet(np.ones(4), 200), rng.normal(size=(4, 4))
    truth = (rng.random((200, 1)) > P.cumsum(1)).sum(1)
    found = judge(truth, P, gain, NAMES[:4])
    best = [max(range(4), key=lambda d: sum(p[t] * gain[t, d] for t in range(4))) for p in P]
    assert found.each.tolist() == gain[truth, best].tolist()
    assert found.each.tolist() == scores.business_value(truth, P, gain).tolist()
    assert found.counts.sum() == 200


def test_expected_gain_is_decided_in_parts(monkeypatch):
    P, gain = np.random.default_rng(0).dirichlet(np.ones(3), 50), np.eye(3)
    monkeypatch.setattr(settings, "largest_chunk", 7)
    assert scores.business_value(np.zeros(50), P, gain).sum() == (P.argmax(1) == 0).sum()


@pytest.mark.parametrize(
    ("arguments", "sentence"),
    [
        (([], [], np.eye(2), NAMES[:2]), "no sample has both a known truth and a prediction"),
        (([0], [0], np.eye(3), NAMES[:2]), "gain: must have a row and a column for each of the 2"),
        (([0], [2], np.eye(2), NAMES[:2]), "predictions must be 1 classes from 0 to 1"),
        (([0], [0, 1], np.eye(2), NAMES[:2]), "predictions must be 1 classes from 0 to 1"),
        (([0], [0], np.eye(2), NAMES[:2], {"p": (["a"], np.zeros(2))}), "'p' has codes of shape"),
    ],
)
def test_what_does_not_fit_is_said(arguments, sentence):
    with pytest.raises(InvalidInput, match=sentence):
        judge(*arguments)
