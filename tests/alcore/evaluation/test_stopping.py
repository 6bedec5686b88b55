"""When to stop: kappa, changes, confidence, and what labels are worth."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from sklearn.metrics import cohen_kappa_score

from alcore import InvalidInput, scores
from alcore.evaluation.stopping import (
    advise,
    changed_predictions,
    confident,
    kappa,
    overall_uncertainty,
    stable_predictions,
    verdict,
    worth_labeling,
)

SEEDS = st.integers(0, 2**32 - 1)


def rounds_of(seed, count, n=30, classes=3):
    return np.random.default_rng(seed).integers(0, classes, (count, n))


@given(SEEDS, st.integers(2, 40), st.integers(2, 5))
def test_kappa_is_that_of_scikit_learn(seed, n, classes):
    a, b = rounds_of(seed, 2, n, classes)
    theirs = cohen_kappa_score(a, b)
    assert kappa(a, b) == (1 if np.isnan(theirs) else pytest.approx(theirs))
    named = [np.array(["glass", "paper", "a", "b", "c"])[one] for one in (a, b)]
    assert kappa(*named) == pytest.approx(kappa(a, b))


def test_kappa_of_one_class_throughout_is_1():
    assert kappa(["glass"] * 4, ["glass"] * 4) == 1
    assert kappa(["glass"] * 4, ["paper"] * 4) == 0


@given(SEEDS, st.integers(2, 7), st.integers(1, 4))
def test_agreements_of_the_last_rounds_count(seed, count, window):
    rounds = rounds_of(seed, count)
    found = stable_predictions(rounds, 0.2, window)
    agreements = [kappa(rounds[i], rounds[i + 1]) for i in range(count - 1)][-window:]
    assert found.value == pytest.approx(np.mean(agreements))
    assert found.stop == (None if count <= window else found.value >= 0.2)


def test_rounds_that_agree_say_stop_and_few_cannot_tell():
    same = [np.arange(20) % 3] * 4
    assert stable_predictions(same).stop is True
    early = stable_predictions(same[:2])
    assert early.stop is None and "1 of the 3 agreements it takes to tell" in early.sentence


@given(SEEDS)
def test_the_share_that_changed_is_counted(seed):
    rounds = rounds_of(seed, 3)
    count = sum(a != b for a, b in zip(rounds[1], rounds[2], strict=True))
    found = changed_predictions(rounds, 0.5)
    assert found.value == count / 30 and found.stop == (count <= 15)
    assert f"{count} of 30 predictions" in found.sentence
    assert changed_predictions([rounds[0]] * 2).stop is True


def test_uncertainty_and_confidence_of_the_pool():
    P = np.random.default_rng(0).dirichlet([0.2] * 4, 500)
    mean = float(scores.entropy(P).mean())
    assert overall_uncertainty(P, mean + 1e-9).stop and not overall_uncertainty(P, mean - 1e-9).stop
    found = confident(P, 0.8, 0.5)
    assert found.value == (P.max(1) >= 0.8).mean() and found.stop == (found.value >= 0.5)
    assert overall_uncertainty(np.eye(4)).value == 0 and confident(np.eye(4), 1, 1).stop


@given(SEEDS, st.floats(0, 1))
def test_a_share_of_1_asks_the_least_confident_and_another_a_quantile(seed, confidence):
    P = np.random.default_rng(seed).dirichlet(np.ones(3), 20)
    highest = np.sort(P.max(1))
    assert confident(P, confidence, 1).stop == (highest[0] >= confidence)
    assert confident(P, confidence, 0.75).stop == (highest[5] >= confidence)


@given(SEEDS, st.integers(1, 40), st.floats(0, 5))
def test_labels_are_worth_the_risk_they_take_away(seed, batch, price):
    rng = np.random.default_rng(seed)
    P, cost, volume = rng.dirichlet(np.ones(3), 30), rng.uniform(0, 9, (3, 3)), rng.uniform(0, 3, 30)
    np.fill_diagonal(cost, 0)
    found = worth_labeling(P, cost, price, batch, volume)
    costs = [[sum(p[t] * cost[t, d] for t in range(3)) for d in range(3)] for p in P]
    risk = [often * min(one) for often, one in zip(volume, costs, strict=True)]
    np.testing.assert_allclose(found.gains, sorted(risk, reverse=True))
    np.testing.assert_allclose(np.array(risk)[found.order], found.gains)
    assert found.worth == sum(one >= price for one in found.gains)
    assert found.value == pytest.approx(sum(sorted(risk)[::-1][:batch]))
    assert found.threshold == pytest.approx(price * min(batch, 30))
    assert found.stop == (found.value < found.threshold)


def test_with_right_decisions_free_a_sure_pool_is_worth_nothing():
    found = worth_labeling(np.eye(3), 5 * (1 - np.eye(3)), 0.1, 2)
    assert found.stop and found.worth == 0 and "save 0.00 and cost 0.20" in found.sentence
    unsure = worth_labeling([[0.5, 0.5]], [[0, 4], [4, 0]], 1, 5, volume=10)
    assert unsure.value == 20 and not unsure.stop


def test_advice_is_given_of_what_there_is():
    rounds, P = rounds_of(0, 2), np.random.default_rng(0).dirichlet(np.ones(3), 10)
    wrong = 1 - np.eye(3)
    assert advise() == []
    assert [one.criterion for one in advise(rounds)] == ["stable_predictions", "changed_predictions"]
    pool = ["overall_uncertainty", "confident"]
    assert [one.criterion for one in advise((), P)] == pool
    assert [one.criterion for one in advise((), P, cost=wrong)] == pool
    everything = advise(rounds, P, cost=wrong, price=1, batch=3)
    assert len(everything) == 5
    assert verdict(everything) == "Open: 1 of 4 say stop"  # labels cost as much as any mistake
    assert verdict(everything[:1]) == "There is too little to tell yet"
    assert verdict(everything[2:4]) == "Go on: 0 of 2 say stop"
    assert verdict(everything[4:]) == "Stop: 1 of 1 say so"


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda: kappa([], []), "there are \\[0, 0\\]"),
        (lambda: kappa([1], [1, 2]), "the same samples in each"),
        (lambda: stable_predictions([[1]]), "two rounds at least"),
        (lambda: stable_predictions([[1], [1]], window=0), "window: 0"),
        (lambda: confident(np.zeros((0, 3))), "of shape \\(0, 3\\)"),
        (lambda: overall_uncertainty([0.2, 0.8]), "of shape \\(2,\\)"),
        (lambda: worth_labeling(np.eye(2), np.eye(2), -1, 3), "price: -1"),
        (lambda: worth_labeling(np.eye(2), np.eye(2), 1, 0), "batch: 0"),
        (lambda: worth_labeling(np.eye(2), -np.eye(2), 1, 1), "costs below 0"),
        (lambda: worth_labeling(np.eye(2), np.eye(2), 1, 1, [1, 2, 3]), "volume: give one number"),
        (lambda: worth_labeling(np.eye(2), np.eye(2), 1, 1, [1, np.nan]), "volume: give one number"),
    ],
)
def test_what_does_not_fit_is_said(call, message):
    with pytest.raises(InvalidInput, match=message):
        call()
