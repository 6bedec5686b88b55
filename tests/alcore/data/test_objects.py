"""Several predictions a sample: the flat arrays, the uncertainty of each, one number a sample."""

from itertools import pairwise

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from alcore.data.errors import InvalidInput
from alcore.data.objects import Objects
from alcore.data.settings import settings as sizes
from alcore.scores.objects import AGGREGATES, aggregate, object_scores
from support import twins

MEASURES = ["entropy", "margin", "least_confidence", "ratio"]
OFFSETS = [0, 0, 2, 2, 3, 3]  # nothing, two, nothing, one, nothing
every_measure = pytest.mark.parametrize("measure", MEASURES)
every_way = pytest.mark.parametrize("how", AGGREGATES)


def some_objects():
    return Objects(
        OFFSETS,
        probabilities=[[0.5, 0.5], [0.9, 0.1], [0.2, 0.8]],
        confidences=[0.5, 0.9, 0.8],
        labels=[0, 0, 1],
        boxes=np.arange(12).reshape(3, 4),
        ids=["a", "b", "c"],
        classes=["cat", "dog"],
    )


def test_knows_how_many_there_are():
    objects = some_objects()
    assert (len(objects), objects.total) == (5, 3)
    assert objects.counts.tolist() == [0, 2, 0, 1, 0]
    assert objects.sample.tolist() == [1, 1, 3]
    assert objects.offsets.dtype == np.int64


def test_takes_samples_in_any_order_and_again():
    taken = some_objects().take([3, 0, 1, 3])
    assert taken.offsets.tolist() == [0, 1, 1, 3, 4]
    assert taken.ids.tolist() == ["c", "a", "b", "c"]
    assert taken.labels.tolist() == [1, 0, 0, 1]
    assert taken.boxes[:, 0].tolist() == [8, 0, 4, 8]
    assert taken.confidences.tolist() == [0.8, 0.5, 0.9, 0.8]
    assert taken.probabilities.shape == (4, 2)
    assert taken.classes == ["cat", "dog"]


def test_takes_a_mask_and_nothing():
    objects = some_objects()
    assert objects.take(np.array([False, True, True, False, False])).ids.tolist() == ["a", "b"]
    nothing = objects.take([])
    assert (len(nothing), nothing.total, nothing.probabilities.shape) == (0, 0, (0, 2))


def test_of_lists_is_the_same():
    lists = Objects.from_lists(
        probabilities=[None, [[0.5, 0.5], [0.9, 0.1]], [], [[0.2, 0.8]], []],
        labels=[[], [0, 0], [], [1], None],
        boxes=[[], np.arange(8).reshape(2, 4), [], [[8, 9, 10, 11]], []],
        ids=[[], ["a", "b"], [], ["c"], []],
    )
    for name in ("offsets", "probabilities", "labels", "boxes", "ids"):
        assert np.array_equal(getattr(lists, name), getattr(some_objects(), name)), name


def test_of_empty_lists():
    assert len(Objects.from_lists(boxes=[[], []])) == 2
    assert len(Objects.from_lists(boxes=[])) == 0


def test_an_id_may_be_a_tuple():
    assert Objects([0, 2], ids=[(1, 2), (3, 4)]).ids.tolist() == [(1, 2), (3, 4)]


@pytest.mark.parametrize(
    ("given", "sentence"),
    [
        ({"offsets": [0, 2, 1]}, "offsets: fall after row 1"),
        ({"offsets": [1, 2]}, "offsets: start at 1"),
        ({"offsets": []}, "offsets: shape"),
        ({"offsets": [0.0, 1.0]}, "offsets: shape"),
        ({"probabilities": [[0.5, 0.5]]}, r"probabilities: shape \(1, 2\) does not fit 2 objects"),
        (
            {"probabilities": [[2.0, -1], [0, 1]]},
            r"probabilities: 1 object \(row 0; in the sample at row 0",
        ),
        ({"probabilities": [[np.nan, 1], [0, 1]]}, "probabilities: 1 object .* partly NaN"),
        ({"probabilities": [[1], [1]], "classes": ["a", "b"]}, "1 numbers for 2 classes"),
        ({"confidences": [0.5]}, "confidences: shape"),
        ({"confidences": ["a", "b"]}, "confidences: holds what is no number"),
        (
            {"confidences": [1.1, -1]},
            r"confidences: 2 objects \(rows 0, 1; the first in the sample at row 0",
        ),
        ({"labels": [0.5, 1]}, "labels: shape"),
        (
            {"labels": [0, 2], "classes": ["a", "b"]},
            r"labels: 1 object \(row 1; in the sample at row 1",
        ),
        ({"labels": [0, -2]}, "labels: 1 object"),
        ({"boxes": np.zeros((2, 3))}, r"boxes: shape \(2, 3\)"),
        ({"boxes": [[0, 0, 1, 1], [0, 0, -1, 1]]}, "boxes: 1 object .* negative width"),
        ({"boxes": [[0, 0, 1, np.nan], [0, 0, 1, 1]]}, "boxes: 1 object .* NaN"),
        ({"ids": ["a"]}, "ids: 1 ids for 2 objects"),
        ({"classes": ["a", "a"]}, "named twice"),
        ({"ids": ["a", "b"], "confidences": [0, 9]}, r"1 object \(id b;"),
    ],
)
def test_refuses(given, sentence):
    with pytest.raises(InvalidInput, match=sentence):
        Objects(**{"offsets": [0, 1, 2], **given})


def test_refuses_rows_and_lists_that_do_not_fit():
    with pytest.raises(InvalidInput, match=r"take: 1 rows \(the first 5\) lie outside the 5 samples"):
        some_objects().take([0, 5])
    with pytest.raises(InvalidInput, match="take: rows must be"):
        some_objects().take([0.5])
    with pytest.raises(InvalidInput, match="2 samples and labels 1"):
        Objects.from_lists(confidences=[[1], [1]], labels=[[1]])
    with pytest.raises(InvalidInput, match=r"the first at row 1 \(0 and 1\)"):
        Objects.from_lists(confidences=[[1], [1]], labels=[[1], []])
    with pytest.raises(InvalidInput, match="at least one of"):
        Objects.from_lists()


# The uncertainty of each object


@every_measure
@pytest.mark.parametrize("classes", [2, 3, 1000])
def test_a_distribution_is_judged_as_one(measure, classes):
    P = np.random.default_rng(0).dirichlet(np.full(classes, 0.3), 50)
    found = object_scores(Objects([0, 50], probabilities=P), measure)
    np.testing.assert_allclose(found, twins.uncertainty(P, measure), rtol=1e-9, atol=1e-12)


@every_measure
def test_sigmoids_are_judged_class_by_class(measure):
    P = np.random.default_rng(0).random((50, 7))
    P[0], P[1], P[2] = 0, 1, 0.5
    each = [twins.uncertainty(np.stack([p, 1 - p], axis=1), measure) for p in P.T]
    for multi_label in (True, None):
        found = object_scores(Objects([0, 50], probabilities=P), measure, multi_label)
        np.testing.assert_allclose(found, np.max(each, axis=0), rtol=1e-9, atol=1e-12)
    assert found[:3].tolist() == [0, 0, 1]


@every_measure
def test_a_confidence_is_judged_as_two_classes(measure):
    s = np.append(np.random.default_rng(0).random(50), [0, 1, 0.5])
    found = object_scores(Objects([0, 53], confidences=s), measure)
    expected = twins.uncertainty(np.stack([s, 1 - s], axis=1), measure)
    np.testing.assert_allclose(found, expected, rtol=1e-9, atol=1e-12)
    assert found[-3:].tolist() == [0, 0, 1]


@every_measure
def test_an_object_without_a_vector_has_its_confidence(measure):
    P = np.array([[0.6, 0.4], [np.nan, np.nan]])
    mixed = object_scores(Objects([0, 2], probabilities=P, confidences=[np.nan, 0.6]), measure)
    assert mixed[0] == pytest.approx(mixed[1])


def test_most_vectors_decide_whether_they_are_distributions():
    sigmoids, one = np.full((2, 2), 0.1), np.array([[0.5, 0.5]])
    assert object_scores(Objects([0, 3], probabilities=np.concatenate([sigmoids, one])))[0] < 0.5
    with pytest.raises(InvalidInput, match=r"1 object \(row 2; in .* do not sum to 1"):
        object_scores(Objects([0, 3], probabilities=np.concatenate([one, one, sigmoids[:1]])))
    with pytest.raises(InvalidInput, match=r"2 objects .* or say that they are multi-label"):
        object_scores(Objects([0, 2], probabilities=sigmoids), multi_label=False)


def test_refuses_objects_of_which_nothing_is_known():
    with pytest.raises(InvalidInput, match=r"2 objects \(rows 0, 2; .* neither"):
        object_scores(Objects([0, 3], confidences=[np.nan, 0.5, np.nan]))
    with pytest.raises(InvalidInput, match="1 object "):
        object_scores(Objects([0, 1], boxes=np.zeros((1, 4))))
    with pytest.raises(InvalidInput, match="there is no 'bald'"):
        object_scores(Objects([0, 0]), "bald")


@every_measure
def test_no_objects_have_no_scores(measure):
    assert object_scores(Objects([0, 0, 0]), measure).shape == (0,)
    assert object_scores(Objects([0], probabilities=np.zeros((0, 3))), measure).shape == (0,)


@every_measure
def test_takes_float16_rounded_past_one(measure):
    P = np.array([[1.0005, 0.0], [0.3, 0.3], [0.25, 0.9]], dtype=np.float16)
    found = object_scores(Objects([0, 3], probabilities=P), measure)
    assert np.all((found >= 0) & (found <= 1))


def test_works_in_chunks(monkeypatch):
    P = np.random.default_rng(0).random((101, 6))
    P[::3] = np.nan
    objects = Objects([0, 101], probabilities=P, confidences=np.random.default_rng(1).random(101))
    whole = object_scores(objects)
    monkeypatch.setattr(sizes, "largest_chunk", 20)
    assert object_scores(objects).tolist() == whole.tolist()


# One number a sample


def by_hand(values, offsets, how, top_k=3, empty="least"):
    out = []
    for start, end in pairwise(offsets):
        mine = sorted(values[start:end])
        out.append(
            {
                "max": lambda v: v[-1],
                "mean": lambda v: sum(v) / len(v),
                "sum": sum,
                "top_k": lambda v: sum(v[-top_k:]) / len(v[-top_k:]),
                "count_normalized": lambda v: sum(v) / len(v) ** 0.5,
            }[how](mine)
            if len(mine)
            else None
        )
    some = [value for value in out if value is not None] or [0]
    filler = {"least": min, "median": np.median, "most": max}[empty](some)
    return [filler if value is None else value for value in out]


@settings(max_examples=150)
@given(
    st.lists(st.integers(0, 6), max_size=12),
    st.sampled_from(AGGREGATES),
    st.integers(1, 5),
    st.sampled_from(["least", "median", "most"]),
    st.randoms(),
)
def test_is_the_loop(counts, how, top_k, empty, random):
    offsets = np.append(0, np.cumsum(counts)).astype(int)
    values = np.array(
        [random.choice([-1.0, 0.0, 0.25, 0.5, random.random()]) for _ in range(offsets[-1])]
    )
    found = aggregate(values, offsets, how, top_k=top_k, empty=empty)
    assert found.dtype == np.float64
    np.testing.assert_allclose(found, by_hand(values, offsets, how, top_k, empty), atol=1e-12)


@pytest.mark.parametrize("top_k", [1, 2, 3, 32, 33, 300, 10_000])
def test_the_highest_of_long_and_short_samples(top_k):
    rng = np.random.default_rng(0)
    counts = np.concatenate([rng.integers(0, 20, 300), [0, 255, 256, 257, 900, 0]])
    offsets = np.append(0, np.cumsum(rng.permutation(counts)))
    values = rng.choice([rng.standard_normal(offsets[-1]), np.zeros(offsets[-1])])
    expected = by_hand(values, offsets, "top_k", top_k)
    np.testing.assert_allclose(aggregate(values, offsets, "top_k", top_k=top_k), expected, atol=1e-12)


def test_groups_of_samples_change_nothing(monkeypatch):
    rng = np.random.default_rng(0)
    offsets = np.append(0, np.cumsum(rng.integers(0, 9, 200)))
    values = rng.random(offsets[-1])
    whole = aggregate(values, offsets, "top_k")
    monkeypatch.setattr(sizes, "largest_chunk", 7)
    assert aggregate(values, offsets, "top_k").tolist() == whole.tolist()


@every_way
def test_no_samples_and_no_objects(how):
    assert aggregate([], [0], how).shape == (0,)
    assert aggregate([], [0, 0, 0], how, empty="most").tolist() == [0, 0]


@every_way
def test_one_object_is_itself(how):
    assert aggregate([0.3], [0, 1], how).tolist() == [0.3]


@every_way
def test_the_order_of_objects_does_not_matter(how):
    rng = np.random.default_rng(0)
    values, flipped = rng.random(100), []
    offsets = np.append(0, np.cumsum([0, 40, 1, 0, 59, 0]))
    for start, end in pairwise(offsets):
        flipped += values[start:end][::-1].tolist()
    np.testing.assert_allclose(aggregate(flipped, offsets, how), aggregate(values, offsets, how))


def test_weights_multiply_and_what_is_not_kept_is_not_there():
    offsets, values = [0, 2, 3, 3], [0.2, 0.4, 0.9]
    assert aggregate(values, offsets, "sum", weights=[1, 2, 0]).tolist() == [1.0, 0, 0]
    kept = aggregate(values, offsets, "mean", keep=np.array([False, True, False]), empty="most")
    assert kept.tolist() == [0.4, 0.4, 0.4]
    assert aggregate(values, offsets, keep=np.zeros(3, dtype=bool)).tolist() == [0, 0, 0]


@pytest.mark.parametrize(
    ("given", "sentence"),
    [
        ({"how": "worst"}, "how: there is no 'worst'"),
        ({"empty": "nan"}, "empty: there is no 'nan'"),
        ({"top_k": 0}, "top_k: is 0"),
        ({"values": [1.0]}, r"values: shape \(1,\) for 2 objects"),
        ({"values": [1.0, np.nan]}, r"values: 1 objects .the first at row 1. with NaN"),
        ({"weights": [1.0]}, "weights: shape"),
        ({"weights": [np.inf, 1]}, "weights: 1 objects"),
        ({"keep": [1, 0]}, "keep: shape"),
        ({"offsets": [0, 2, 1]}, "offsets: fall"),
    ],
)
def test_aggregate_refuses(given, sentence):
    with pytest.raises(InvalidInput, match=sentence):
        aggregate(**{"values": [1.0, 2.0], "offsets": [0, 2], **given})
