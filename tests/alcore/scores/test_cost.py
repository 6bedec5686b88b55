"""Costs of mistakes, business value, temperature, and classes that do not exclude each other."""

from pathlib import Path

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from scipy.special import log_softmax, softmax

from alcore import InvalidInput, scores
from alcore.data.settings import settings
from alcore.scores.cost import cost_of_gain
from support import twins

CLASSES = ["aluminium", "plastic", "paper"]


def random_predictions(n, classes, seed=0):
    return np.random.default_rng(seed).dirichlet(np.full(classes, 0.5), n)


@given(st.integers(2, 8), st.integers(0, 1000))
def test_expected_cost_is_that_of_the_best_decision(classes, seed):
    P = random_predictions(30, classes, seed)
    cost = np.random.default_rng(seed).uniform(0, 5, (classes, classes))
    expected = [min(sum(p[i] * cost[i, j] for i in range(classes)) for j in range(classes)) for p in P]
    np.testing.assert_allclose(scores.expected_cost(P, cost), expected)
    margins = twins.expected_cost(P, cost, "margin")
    np.testing.assert_allclose(scores.cost_margin(P, cost), margins, atol=1e-12)


@pytest.mark.parametrize("classes", [2, 5, 1000])
def test_a_cost_of_1_for_every_mistake_is_least_confidence_and_margin(classes):
    P = random_predictions(100, classes)
    wrong = 1 - np.eye(classes)
    np.testing.assert_allclose(scores.expected_cost(P, wrong), 1 - P.max(1), atol=1e-12)
    np.testing.assert_allclose(scores.cost_margin(P, wrong), scores.margin(P), atol=1e-12)


def test_a_dear_mistake_counts_more_than_a_cheap_one():
    cost = [[0, 100, 1], [1, 0, 1], [1, 1, 0]]
    P = [[0.1, 0.9, 0], [0, 0.9, 0.1]]
    costly, cheap = scores.expected_cost(P, cost)
    assert costly > cheap


def test_agrees_with_scikit_activeml():
    pool = pytest.importorskip("skactiveml.pool")
    P = random_predictions(100, 4)
    cost = np.random.default_rng(0).uniform(0, 5, (4, 4))
    np.fill_diagonal(cost, 0)
    theirs = pool.uncertainty_scores(P, method="least_confident", cost_matrix=cost)
    np.testing.assert_allclose(scores.expected_cost(P, cost), theirs)


def test_numpy_and_torch_give_the_same_back():
    P, cost = random_predictions(10, 3), 1 - np.eye(3)
    tensor = scores.expected_cost(torch.tensor(P), cost)
    assert isinstance(tensor, torch.Tensor)
    assert tensor.tolist() == scores.expected_cost(P, cost).tolist()
    assert scores.expected_cost(np.zeros((0, 3)), cost).shape == (0,)


def test_a_matrix_comes_from_rows_names_or_csv(tmp_path):
    rows = [[0, 5, 2], [1, 0, 3], [4, 6, 0]]
    named = {t: {d: rows[i][j] for j, d in enumerate(CLASSES)} for i, t in enumerate(CLASSES)}
    text = "truth,aluminium,plastic,paper\nplastic,1,0,3\naluminium,0,5,2\npaper,4,6,0\n"
    (tmp_path / "cost.csv").write_text(text)
    for given_as in (rows, named, text, tmp_path / "cost.csv"):
        assert scores.cost_matrix(given_as, CLASSES).tolist() == rows
    del named["paper"]["paper"]
    assert scores.cost_matrix(named, CLASSES).tolist() == rows


@pytest.mark.parametrize(
    ("matrix", "sentence"),
    [
        ([[0, 1], [1, 0]], r"a row and a column for each of the 3 classes, not shape \(2, 2\)"),
        ([[0, 1, 1], [1, 0], [1, 1, 0]], "must be rows of numbers"),
        ([["a"] * 3] * 3, "must be rows of numbers"),
        ([[0, 1, np.nan], [1, 0, 1], [1, 1, 0]], "not finite"),
        ({"glass": {}}, "'glass' is no class; the classes are 'aluminium', 'plastic', 'paper'"),
        ({"paper": {"glass": 2}}, "'glass' is no class"),
        ({"paper": 3}, "'paper' must hold what each decision costs"),
        (
            {"paper": {"plastic": 1}},
            r"nothing of deciding 'plastic' where .* 'aluminium' \(5 such pairs\)",
        ),
        ("a,b", "CSV needs a first row"),
        ("t,aluminium\naluminium,x", "CSV holds what is no number"),
        ("t,aluminium\naluminium,0\naluminium,1", "CSV has a row for 'aluminium' twice"),
        ("t,paper,paper\npaper,0,1", "CSV has a column for 'paper' twice"),
        (Path("/no/such/file.csv"), "/no/such/file.csv cannot be read"),
        (3, "give rows of numbers, a dict by class names, or CSV"),
    ],
)
def test_says_what_is_wrong_with_a_matrix(matrix, sentence):
    with pytest.raises(InvalidInput, match=sentence):
        scores.cost_matrix(matrix, CLASSES)


def test_what_a_decision_forgoes_is_never_below_0():
    gain = np.random.default_rng(0).normal(size=(5, 5))
    cost = cost_of_gain(gain)
    assert cost.min() == 0 and (cost.min(1) == 0).all()
    P = random_predictions(50, 5)
    assert (P @ gain).argmax(1).tolist() == (P @ cost).argmin(1).tolist()


def test_business_value_is_the_gain_of_each_decision():
    gain = np.array([[10.0, -100], [-1, 5]])
    assert scores.business_value([0, 0, 1], [0, 1, 1], gain).tolist() == [10, -100, 5]
    # 3 % of plastic in the aluminium costs more than the aluminium is worth.
    P = np.array([[0.04, 0.96], [0.2, 0.8]])
    assert scores.business_value([1, 1], P, gain).tolist() == [5, -1]
    assert scores.business_value([], np.zeros((0, 2)), gain).tolist() == []
    with pytest.raises(InvalidInput, match="truth must be 1 classes from 0 to 1"):
        scores.business_value([2], [0], gain)
    with pytest.raises(InvalidInput, match="for 2 classes, the predictions have 3"):
        scores.business_value([0], np.ones((1, 3)), gain)


@pytest.mark.parametrize("odd", [["glass"], [None], [[0], [0, 1]], "glass", {"glass": 1}])
def test_what_is_no_number_is_refused_in_a_sentence(odd):
    gain = np.eye(2)
    for name, values in (("truth", (odd, [0])), ("predictions", ([0], odd))):
        with pytest.raises(InvalidInput, match=f"business_value: {name} must hold numbers"):
            scores.business_value(*values, gain)
    for name, values in (("predictions", (odd, [0])), ("labels", ([[0.5, 0.5]], odd))):
        with pytest.raises(InvalidInput, match=f"temperature: {name} must hold numbers"):
            scores.fit_temperature(*values)


@pytest.mark.parametrize("odd", [0.5, np.nan, -1, 2])
def test_a_label_between_or_beyond_the_classes_is_refused(odd):
    with pytest.raises(InvalidInput, match="truth must be 1 classes from 0 to 1"):
        scores.business_value([odd], [0], np.eye(2))
    with pytest.raises(InvalidInput, match=f"labels must be classes from 0 to 1, not {odd}"):
        scores.fit_temperature([[0.5, 0.5]], [odd])


@pytest.mark.parametrize("true_temperature", [0.5, 1.0, 3.0])
@pytest.mark.parametrize("given_as", ["logits", "probabilities"])
def test_the_temperature_fitted_is_the_one_that_made_the_labels(true_temperature, given_as):
    rng = np.random.default_rng(0)
    logits = rng.normal(size=(20_000, 4)) * 2
    P = softmax(logits / true_temperature, axis=1)
    labels = (rng.random((len(P), 1)) > P.cumsum(1)).sum(1)
    values = logits if given_as == "logits" else softmax(logits, axis=1)
    assert scores.fit_temperature(values, labels, given_as) == pytest.approx(true_temperature, rel=0.05)


def test_a_temperature_is_recovered_from_tiny_probabilities():
    """What is fitted is applied as it is, below any floor that would bend the fit."""
    rng = np.random.default_rng(0)
    logits = rng.normal(size=(20_000, 4)) * 20
    P = softmax(logits / 8, axis=1)
    labels = (rng.random((len(P), 1)) > P.cumsum(1)).sum(1)
    values = softmax(logits, axis=1).astype(np.float32)
    assert (values < 1e-12).mean() > 0.3
    assert scores.fit_temperature(values, labels) == pytest.approx(8, rel=0.02)


def test_no_other_temperature_has_a_lower_loss():
    rng = np.random.default_rng(1)
    logits, labels = rng.normal(size=(40, 3)), rng.integers(0, 3, 40)

    def loss(t):
        return -log_softmax(logits / t, axis=1)[np.arange(40), labels].mean()

    found = scores.fit_temperature(logits, labels, "logits")
    assert all(loss(found) <= loss(t) + 1e-12 for t in np.geomspace(0.05, 20, 400))


def test_a_temperature_stays_in_bounds_and_takes_probabilities_of_0():
    sure = np.eye(3)[[0, 1, 2, 0]]
    assert scores.fit_temperature(sure * 4, [0, 1, 2, 0], "logits") == pytest.approx(0.05)
    assert scores.fit_temperature(sure, [1, 2, 0, 1]) == pytest.approx(20)


@pytest.mark.parametrize(
    ("values", "labels", "sentence"),
    [
        (np.zeros((0, 3)), [], "there is no labeled sample"),
        (np.ones((2, 3)), [0], r"needs predictions \(N, C\) and N labels"),
        (np.ones((2, 3)), [0, 3], "labels must be classes from 0 to 2"),
        (np.full((1, 3), np.nan), [0], "NaN, infinite or negative"),
        (-np.ones((1, 3)), [0], "are no probabilities"),
    ],
)
def test_says_why_no_temperature_can_be_fitted(values, labels, sentence):
    with pytest.raises(InvalidInput, match=sentence):
        scores.fit_temperature(values, labels)


@pytest.mark.parametrize("measure", ["entropy", "margin", "least_confidence", "ratio"])
@pytest.mark.parametrize("aggregate", ["mean", "max", "sum"])
def test_multi_label_judges_each_class_for_itself(measure, aggregate):
    P = np.random.default_rng(0).random((50, 4))
    P[0], P[1], P[2] = 0, 1, 0.5
    each = np.stack([twins.uncertainty(np.stack([p, 1 - p], 1), measure) for p in P.T], 1)
    found = scores.multi_label(P, measure, aggregate)
    np.testing.assert_allclose(found, getattr(np, aggregate)(each, axis=1), atol=1e-12)
    tensor = scores.multi_label(torch.tensor(P), measure, aggregate)
    assert isinstance(tensor, torch.Tensor) and tensor.tolist() == found.tolist()


def test_multi_label_is_worked_through_in_chunks(monkeypatch):
    P = np.random.default_rng(0).random((50, 4))
    whole = scores.multi_label(P)
    monkeypatch.setattr(settings, "largest_chunk", 7)
    assert scores.multi_label(P).tolist() == whole.tolist()
    assert scores.multi_label(np.zeros((3, 0))).tolist() == [0, 0, 0]
