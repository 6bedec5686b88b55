"""Measures of disagreement: what they are worth at the ends, and beside twins and other libraries."""

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from alcore import scores
from alcore.data.settings import settings as sizes
from support import twins

MEASURES = [
    "bald",
    "consensus_entropy",
    "expected_entropy",
    "kl_to_consensus",
    "max_disagreement",
    "mean_std",
    "predictive_entropy",
    "variation_ratio",
    "vote_entropy",
]
DISAGREE = [m for m in MEASURES if "entropy" not in m or m == "vote_entropy"]
every_measure = pytest.mark.parametrize("measure", MEASURES)


def random_members(t, n, classes, seed=0):
    return np.random.default_rng(seed).dirichlet(np.full(classes, 0.3), (t, n))


@st.composite
def extreme_members(draw):
    """Rows of numbers of any size, 0 included, none of them all 0."""
    shape = draw(st.tuples(st.integers(1, 5), st.integers(1, 8), st.integers(1, 6)))
    rows = draw(arrays(np.float64, shape, elements=st.sampled_from([0.0, 1e-300, 1e-9, 0.1, 0.5, 1.0])))
    rows[..., 0] += rows.sum(-1) == 0
    return rows


@every_measure
@pytest.mark.parametrize("t", [1, 2, 20])
@pytest.mark.parametrize("classes", [2, 10, 1000])
def test_is_the_formula(measure, t, classes):
    M = random_members(t, 50, classes)
    expected = twins.disagreement(M, measure)
    np.testing.assert_allclose(getattr(scores, measure)(M), expected, rtol=1e-9, atol=1e-12)


@settings(max_examples=150)
@given(extreme_members(), st.sampled_from(MEASURES))
def test_is_the_formula_of_extreme_rows_and_never_nan(M, measure):
    value = getattr(scores, measure)(M)
    expected = twins.disagreement(M / M.sum(-1, keepdims=True), measure)
    assert value.dtype == np.float64
    assert np.all(value >= 0) and not np.signbit(value).any()
    np.testing.assert_allclose(value, expected, rtol=1e-7, atol=1e-12)


@pytest.mark.parametrize("measure", DISAGREE)
def test_one_member_does_not_disagree_with_itself(measure):
    one = random_members(1, 30, 4)
    np.testing.assert_allclose(getattr(scores, measure)(one), 0, atol=1e-15)
    np.testing.assert_allclose(getattr(scores, measure)(np.repeat(one, 3, 0)), 0, atol=1e-12)


def test_members_sure_of_different_classes_disagree_the_most():
    M = np.eye(4)[:, None]
    assert scores.bald(M) == pytest.approx(np.log(4))
    assert scores.vote_entropy(M) == pytest.approx(np.log(4))
    assert scores.variation_ratio(M) == pytest.approx(0.75)
    assert scores.expected_entropy(M) == 0


def test_bald_is_the_mean_divergence_from_the_consensus():
    M = random_members(7, 300, 5)
    np.testing.assert_allclose(scores.bald(M), scores.kl_to_consensus(M), rtol=1e-9, atol=1e-12)


def test_bald_of_nearly_certain_members_is_no_noise():
    """In float32 it is mostly noise; the members here are float32, the sums are not."""
    rng = np.random.default_rng(0)
    rest = 10 ** rng.uniform(-7, -4, (10, 500, 1))
    M = np.concatenate([1 - rest, rest], axis=-1)
    expected = twins.disagreement(M, "bald")
    found = scores.bald(M.astype(np.float32))
    assert np.corrcoef(np.argsort(np.argsort(found)), np.argsort(np.argsort(expected)))[0, 1] > 0.999


def test_agrees_with_scikit_activeml():
    pool = pytest.importorskip("skactiveml.pool")
    M = random_members(6, 100, 5)
    theirs = pool.average_kl_divergence(M)
    np.testing.assert_allclose(scores.kl_to_consensus(M), theirs, rtol=1e-9, atol=1e-12)
    votes = M.argmax(-1).T.astype(float)
    theirs = pool.vote_entropy(votes, classes=range(5))
    np.testing.assert_allclose(scores.vote_entropy(M), theirs, rtol=1e-9, atol=1e-12)


@every_measure
def test_takes_a_list_of_members_tensors_and_gives_the_same_back(measure):
    M = random_members(4, 20, 3)
    value = getattr(scores, measure)(M)
    assert getattr(scores, measure)(list(M)).tolist() == value.tolist()
    assert getattr(scores, measure)(M.tolist()).tolist() == value.tolist()
    tensor = getattr(scores, measure)(torch.tensor(M))
    assert isinstance(tensor, torch.Tensor) and tensor.tolist() == value.tolist()
    tensor = getattr(scores, measure)([torch.tensor(one) for one in M])
    assert isinstance(tensor, torch.Tensor) and tensor.tolist() == value.tolist()


@every_measure
def test_is_worked_through_in_chunks_and_leaves_its_input_alone(measure, monkeypatch):
    M = 3 * random_members(4, 101, 6)
    before = M.copy()
    whole = getattr(scores, measure)(M)
    monkeypatch.setattr(sizes, "largest_chunk", 20)
    np.testing.assert_allclose(getattr(scores, measure)(M), whole, rtol=1e-12, atol=1e-15)
    assert np.array_equal(M, before)


@every_measure
def test_no_samples_give_no_scores(measure):
    assert getattr(scores, measure)(np.zeros((3, 0, 4))).shape == (0,)


def test_variance_is_that_over_members(monkeypatch):
    values = np.random.default_rng(0).normal(size=(6, 50, 3))
    np.testing.assert_allclose(scores.variance(values), values.var(0).mean(-1))
    np.testing.assert_allclose(scores.variance(values[..., 0]), values[..., 0].var(0))
    monkeypatch.setattr(sizes, "largest_chunk", 7)
    np.testing.assert_allclose(scores.variance(values), values.var(0).mean(-1))


def test_refuses_members_of_unequal_shape():
    with pytest.raises(ValueError, match=r"of one shape .* not \(3, 2\), \(3, 4\)"):
        scores.bald([np.ones((3, 2)), np.ones((3, 4))])
    with pytest.raises(ValueError, match=r"must be \(T, N, C\)"):
        scores.bald(np.ones((3, 2)))


@pytest.mark.parametrize("measure", ["bald", "kl_to_consensus", "max_disagreement"])
def test_nan_does_not_pass_for_agreement(measure):
    M = random_members(2, 3, 2)
    M[0, 1, 0] = np.nan
    assert np.isnan(getattr(scores, measure)(M)).tolist() == [False, True, False]


@every_measure
def test_the_smallest_numbers_there_are_do_no_harm(measure):
    assert np.isfinite(getattr(scores, measure)([[[5e-324, 1]], [[0, 1]]])).all()


def test_variance_refuses_members_of_unequal_shape():
    with pytest.raises(ValueError, match=r"of one shape .* not \(3, 2\), \(3, 3\)"):
        scores.variance([np.zeros((3, 2)), np.zeros((3, 3))])
