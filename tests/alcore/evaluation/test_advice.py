"""The rules of advice: what they propose can be run, and each rule fires where it should."""

import itertools

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

import alcore
from alcore.evaluation.advice import RULES, Answers, Facts, advise
from alcore.scores.calibration import calibration_error

FULL = {"embeddings": "embeddings", "predictions": "predictions", "holds": "classes"}
EVEN = {"a": 100, "b": 100}
GAIN = {"a": {"a": 1.0, "b": -5.0}, "b": {"a": -1.0, "b": 1.0}}


def names(proposal):
    return [one["strategy"] for one in proposal.strategies]


@given(
    holds=st.sampled_from(["classes", "nothing"]),
    labeled=st.sampled_from([0, 6, 60, 500]),
    classes=st.sampled_from([{}, EVEN, {"a": 300, "b": 4}]),
    embeddings=st.sampled_from([None, "embeddings"]),
    predictions=st.sampled_from([None, "predictions"]),
    calibration=st.sampled_from([None, 0.01, 0.4]),
    shares=st.sampled_from([None, 0.0, 0.5]),
    regime=st.sampled_from([None, "typical", "atypical", "random"]),
    aim=st.sampled_from(["both", "common", "edge"]),
    gain=st.sampled_from([None, GAIN]),
    test_set=st.sampled_from(["have", "pool", "rare"]),
)
def test_whatever_is_proposed_can_be_run(
    holds, labeled, classes, embeddings, predictions, calibration, shares, regime, aim, gain, test_set
):
    facts = Facts(
        *(1000, labeled, holds, classes, embeddings, predictions, None, 0.5),
        *(calibration, shares, shares, regime),
    )
    proposal = advise(facts, Answers(aim, gain, test_set))
    rng = np.random.default_rng(0)
    truth = np.array(["a", "b"], dtype=object)[rng.integers(0, 2, 40)]
    pool = alcore.Pool(
        40,
        labeled=np.arange(40) < 10,
        columns={
            "embeddings": rng.normal(size=(40, 3)),
            "predictions": rng.dirichlet(np.ones(2), 40),
            "truth": truth,
        },
        classes={"predictions": ["a", "b"]},
    )
    recipe = alcore.Recipe.of(proposal.recipe(5)).mapped(
        lambda one: one.with_nested(_with_labels) if one.labels_use() is None else _with_labels(one)
    )
    assert len(alcore.select(pool, recipe)) == 5
    assert all(reason and source for reason, source in proposal.reasons)


def _with_labels(one):
    return one.with_labels("truth") if one.labels_use() is not None else one


def test_every_rule_applies_somewhere_and_not_everywhere():
    facts = [
        Facts(1000),
        Facts(1000, 500, classes=EVEN, **FULL),
        Facts(1000, 500, classes={"a": 400, "b": 4}, calibration=0.3, copies=0.3, **FULL),
        Facts(1000, 500, classes=EVEN, regime="atypical", **FULL),
        Facts(1000, 500, predictions="predictions"),
        Facts(1000, 5, **FULL),
    ]
    answers = [Answers(aim, gain) for aim in ("both", "common", "edge") for gain in (None, GAIN)]
    for rule in RULES:
        applied = {rule.applies(*one) for one in itertools.product(facts, answers)}
        assert applied == {True, False}, rule.source


def test_the_default_is_proposed_where_there_is_all():
    proposal = advise(Facts(1000, 500, classes=EVEN, **FULL), Answers())
    assert proposal.strategies == [
        {
            "strategy": "coverage",
            "column": "embeddings",
            "weights": {"strategy": "uncertainty", "column": "predictions"},
        }
    ]
    assert any("compare strategies" in one for one in proposal.next)


@pytest.mark.parametrize("regime, weighted", [("typical", False), ("random", True), ("atypical", True)])
def test_the_removal_test_decides_whether_doubt_counts(regime, weighted):
    proposal = advise(Facts(1000, 500, classes=EVEN, regime=regime, **FULL), Answers())
    assert ("weights" in proposal.strategies[0]) == weighted
    assert ("uncertainty" in names(proposal)) == (regime == "atypical")


def test_calibration_error_by_hand():
    """Two bins: confidence .6 and right in 1 of 2, .9 and right in 2 of 2; (.1 x 2 + .1 x 2) / 4."""
    p = np.array([[0.6, 0.4], [0.4, 0.6], [0.9, 0.1], [0.1, 0.9]])
    assert calibration_error(p, np.array([0, 0, 0, 1])) == pytest.approx(0.1)


@given(st.integers(0, 1000), st.integers(1, 20))
def test_calibration_error_is_that_of_the_sums(seed, bins):
    rng = np.random.default_rng(seed)
    p, y = rng.dirichlet(np.ones(3), 50), rng.integers(0, 3, 50)
    found = 0.0
    for k in range(bins):
        here = [i for i in range(50) if k / bins < p[i].max() <= (k + 1) / bins]
        if here:
            accuracy = np.mean([p[i].argmax() == y[i] for i in here])
            found += len(here) / 50 * abs(accuracy - np.mean([p[i].max() for i in here]))
    assert calibration_error(p, y, bins) == pytest.approx(found)
