"""The measures of uncertainty: what they are worth at the ends, and beside twins."""

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from alcore import scores
from alcore.data.settings import settings as sizes
from support import twins

MEASURES = ["entropy", "margin", "least_confidence", "ratio"]
every_measure = pytest.mark.parametrize("measure", MEASURES)


def random_predictions(n, classes, seed=0):
    return np.random.default_rng(seed).dirichlet(np.full(classes, 0.3), n)


@st.composite
def weighted_rows(draw):
    """Rows of numbers of any size, 0 included, none of them all 0."""
    shape = draw(st.tuples(st.integers(1, 20), st.integers(2, 12)))
    rows = draw(arrays(np.float64, shape, elements=st.sampled_from([0.0, 1e-300, 1e-9, 0.1, 0.5, 1.0])))
    rows[:, 0] += rows.sum(1) == 0
    return rows


@every_measure
@pytest.mark.parametrize("classes", [2, 3, 10, 1000])
def test_is_the_formula(measure, classes):
    P = random_predictions(500, classes)
    np.testing.assert_allclose(
        getattr(scores, measure)(P), twins.uncertainty(P, measure), rtol=1e-9, atol=1e-12
    )


def test_a_row_worked_out_by_hand():
    row = np.array([[0.5, 0.25, 0.25]])
    assert scores.entropy(row) == pytest.approx(1.5 * np.log(2) / np.log(3))
    assert scores.margin(row) == pytest.approx(0.75)
    assert scores.least_confidence(row) == pytest.approx(0.75)
    assert scores.ratio(row) == pytest.approx(0.5)


@pytest.mark.parametrize(
    ("measure", "theirs", "scale"),
    [
        ("entropy", "entropy", np.log(7)),
        ("margin", "margin_sampling", 1),
        ("least_confidence", "least_confident", 6 / 7),
    ],
)
def test_agrees_with_scikit_activeml(measure, theirs, scale):
    pool = pytest.importorskip("skactiveml.pool")
    P = random_predictions(200, 7)
    expected = pool.uncertainty_scores(P, method=theirs)
    np.testing.assert_allclose(getattr(scores, measure)(P) * scale, expected, rtol=1e-9, atol=1e-12)


@every_measure
@pytest.mark.parametrize("classes", [2, 3, 1000])
def test_certain_is_0_and_even_is_1(measure, classes):
    certain, even = np.eye(classes)[[0, -1]], np.full((1, classes), 1 / classes)
    assert getattr(scores, measure)(certain).tolist() == [0, 0]
    assert getattr(scores, measure)(even) == pytest.approx(1, abs=1e-12)


@every_measure
def test_one_class_leaves_nothing_to_doubt(measure):
    assert getattr(scores, measure)(np.ones((3, 1))).tolist() == [0, 0, 0]


@every_measure
def test_no_rows_give_no_scores(measure):
    assert getattr(scores, measure)(np.zeros((0, 4))).shape == (0,)


def test_two_classes_are_ordered_alike_by_all():
    first = np.random.default_rng(0).random(300)
    P = np.stack([first, 1 - first], axis=1)
    orders = [np.argsort(getattr(scores, measure)(P)).tolist() for measure in MEASURES]
    assert orders[1:] == orders[:1] * 3


@settings(max_examples=100)
@given(weighted_rows(), st.sampled_from(MEASURES))
def test_lies_between_0_and_1_and_is_never_nan(rows, measure):
    value = getattr(scores, measure)(rows)
    assert value.dtype == np.float64
    assert np.all((value >= 0) & (value <= 1))


@every_measure
def test_the_order_of_the_classes_does_not_matter(measure):
    P = random_predictions(100, 6)
    np.testing.assert_allclose(getattr(scores, measure)(P), getattr(scores, measure)(P[:, ::-1]))


@every_measure
def test_takes_rows_that_sum_to_anything_and_leaves_them_alone(measure):
    P = random_predictions(100, 6)
    before = P.copy()
    tripled = getattr(scores, measure)(3 * P)
    np.testing.assert_allclose(tripled, getattr(scores, measure)(P), rtol=1e-12, atol=1e-15)
    assert np.array_equal(P, before)


@every_measure
def test_large_input_is_worked_through_in_chunks(measure, monkeypatch):
    P = random_predictions(101, 6)
    whole = getattr(scores, measure)(P)
    monkeypatch.setattr(sizes, "largest_chunk", 20)
    assert getattr(scores, measure)(P).tolist() == whole.tolist()


@every_measure
def test_takes_lists_tensors_and_float32(measure):
    P = random_predictions(10, 4)
    value = getattr(scores, measure)(P)
    assert getattr(scores, measure)(P.tolist()) == pytest.approx(value, abs=1e-6)
    assert getattr(scores, measure)(torch.tensor(P)).tolist() == value.tolist()
    np.testing.assert_allclose(getattr(scores, measure)(P.astype(np.float32)), value, atol=1e-5)


def test_refuses_what_is_no_matrix():
    with pytest.raises(ValueError, match=r"must be \(N, C\), not \(3,\)"):
        scores.margin(np.ones(3) / 3)


@every_measure
@pytest.mark.parametrize("classes", [2, 10, 1000])
def test_float32_is_right_to_5_digits_also_where_the_model_is_sure(measure, classes):
    rng = np.random.default_rng(0)
    sure = 10 ** rng.uniform(-7, 0, (400, 1)) * rng.dirichlet(np.full(classes, 0.5), 400)
    sure[:, 0] += 1 - sure.sum(1)
    P = np.concatenate([sure, random_predictions(200, classes)]).astype(np.float32)
    expected = twins.uncertainty(twins.probabilities(P.astype(np.float64)), measure)
    found = getattr(scores, measure)(P)
    np.testing.assert_allclose(found, expected, rtol=1e-5, atol=1e-15)
    np.testing.assert_allclose(getattr(scores, measure)(7 * P), expected, rtol=1e-5, atol=1e-9)


@every_measure
def test_torch_in_torch_out_and_half_precision(measure):
    P = random_predictions(20, 4)
    tensor = getattr(scores, measure)(torch.tensor(P))
    assert isinstance(tensor, torch.Tensor) and tensor.dtype == torch.float64
    half = torch.tensor(P).half()
    expected = getattr(scores, measure)(half.double().numpy())
    assert getattr(scores, measure)(half).tolist() == pytest.approx(expected.tolist(), rel=1e-5)


@pytest.mark.parametrize("lead", [10, 40, 45, 60, 300])
def test_very_sure_rows_are_still_told_apart(lead):
    """Where the best class is 1 but for what float64 can hold, the others still say how sure."""
    tail = np.exp(-float(lead))
    row = np.array([[1.0, tail]]) / (1 + tail)
    share = tail / (1 + tail)
    assert scores.least_confidence(row)[0] == pytest.approx(2 * share, rel=1e-9)
    assert scores.margin(row)[0] == pytest.approx(2 * share, rel=1e-9)
    nats = share * (lead + np.log1p(tail)) - (1 - share) * np.log1p(-share)
    assert scores.entropy(row)[0] == pytest.approx(nats / np.log(2), rel=1e-9)


@every_measure
def test_takes_arrays_of_any_layout(measure, tmp_path):
    P = random_predictions(30, 4)
    expected = getattr(scores, measure)(P).tolist()
    np.save(tmp_path / "p.npy", P)
    for same in (
        np.load(tmp_path / "p.npy", mmap_mode="r"),
        np.asfortranarray(P),
        P[:, ::-1].copy()[:, ::-1],
        P.astype(">f8"),
    ):
        np.testing.assert_allclose(getattr(scores, measure)(same), expected, rtol=1e-12)
