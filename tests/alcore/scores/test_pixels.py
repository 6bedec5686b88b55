"""Maps loaded one at a time, the uncertainty of their pixels, one number a map."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.special import expit, softmax

from alcore.data.errors import InvalidInput
from alcore.data.pixel_maps import Maps
from alcore.data.settings import settings as sizes
from alcore.scores.pixels import (
    AGGREGATES,
    aggregate_pixels,
    member_pixel_scores,
    pixel_decision,
    pixel_scores,
)
from support import twins

MEASURES = ["entropy", "margin", "least_confidence", "ratio"]
every_measure = pytest.mark.parametrize("measure", MEASURES)


def random_map(classes=4, height=5, width=7, seed=0):
    drawn = np.random.default_rng(seed).dirichlet(np.full(classes, 0.3), (height, width))
    return np.moveaxis(drawn, -1, 0)


# Maps


def test_loads_one_map_when_asked():
    asked = []

    def load(row):
        asked.append(row)
        return np.zeros((2, row + 1, 3))

    maps = Maps(load, 4)
    assert len(maps) == 4
    assert asked == []
    assert maps[2].shape == (2, 3, 3)
    assert maps[-1].shape == (2, 4, 3)
    assert [one.shape[1] for one in maps] == [1, 2, 3, 4]
    assert asked == [2, 3, 0, 1, 2, 3]


def test_takes_some():
    maps = Maps(lambda row: np.full((1, 1), row), 5, ids=list("abcde")).take([3, 0])
    assert [one.item() for one in maps] == [3, 0]
    assert maps.ids == ["d", "a"]
    assert len(maps.take([])) == 0


@pytest.mark.parametrize(
    ("dtype", "kept"),
    [("f2", "f4"), ("f4", "f4"), ("f8", "f8"), ("u1", "f8"), ("?", "f8"), (">f4", "f4")],
)
def test_gives_floats(dtype, kept):
    assert Maps(lambda row: np.ones((2, 2), dtype), 1)[0].dtype == kept


@pytest.mark.parametrize(
    ("second", "sentence"),
    [
        (np.zeros((3, 2, 2)), "sample b: a map of 3 classes where 2 classes are expected"),
        (np.zeros((2, 2)), "sample b: a map of one number a pixel where 2 classes"),
        (np.full((2, 2, 2), np.nan), "sample b: its map holds NaN"),
        (np.zeros((2, 0, 2)), "sample b: holds float64 of shape"),
        (np.zeros(2), "sample b: holds"),
        (np.array([["a"]]), "sample b: holds"),
        (None, "sample b: holds"),
        (OSError("no such file"), "sample b: its map cannot be loaded .no such file."),
    ],
)
def test_names_the_sample_whose_map_is_bad(second, sentence):
    def load(row):
        if row and isinstance(second, Exception):
            raise second
        return second if row else np.zeros((2, 4, 4))

    maps = Maps(load, 2, ids=["a", "b"])
    maps[0]
    with pytest.raises(InvalidInput, match=sentence):
        maps[1]


def test_class_names_say_how_many():
    with pytest.raises(InvalidInput, match="a map of 2 classes where 3 classes"):
        Maps(lambda row: np.zeros((2, 1, 1)), 1, classes="abc")[0]
    assert Maps(lambda row: np.zeros((2, 2)), 1, classes="ab")[0].shape == (2, 2)


def test_refuses_ids_that_do_not_fit_and_rows_that_are_not():
    with pytest.raises(InvalidInput, match="ids: 1 ids for 2 samples"):
        Maps(lambda row: None, 2, ids=["a"])
    with pytest.raises(IndexError):
        Maps(lambda row: None, 2)[2]


# The uncertainty of each pixel


@every_measure
@pytest.mark.parametrize("classes", [2, 3, 1000])
def test_each_pixel_is_judged_as_a_sample(measure, classes):
    P = random_map(classes)
    expected = twins.uncertainty(P.reshape(classes, -1).T, measure).reshape(5, 7)
    found = pixel_scores(P, measure)
    assert found.dtype == np.float64
    np.testing.assert_allclose(found, expected, rtol=1e-9, atol=1e-12)
    np.testing.assert_allclose(pixel_scores(np.log(P + 1e-300), measure, "logits"), expected, atol=1e-9)


@every_measure
def test_one_number_a_pixel_is_two_classes(measure):
    p = np.random.default_rng(0).random((5, 7))
    p[0, :3] = 0, 1, 0.5
    found = pixel_scores(p, measure)
    np.testing.assert_allclose(found, pixel_scores(np.stack([p, 1 - p]), measure), atol=1e-12)
    assert found[0, :3].tolist() == [0, 0, 1]
    logits = np.random.default_rng(0).standard_normal((5, 7))
    np.testing.assert_allclose(
        pixel_scores(logits, measure, "logits"), pixel_scores(expit(logits), measure), atol=1e-12
    )


@every_measure
def test_sigmoids_are_judged_class_by_class(measure):
    P = np.random.default_rng(0).random((3, 5, 7))
    expected = np.max([pixel_scores(p, measure) for p in P], axis=0)
    np.testing.assert_allclose(pixel_scores(P, measure, multi_label=True), expected)
    logits = np.log(P / (1 - P))
    np.testing.assert_allclose(pixel_scores(logits, measure, "logits", True), expected, atol=1e-9)


@every_measure
def test_extremes(measure):
    sure, even = np.zeros((3, 2, 2)), np.full((3, 2, 2), 1 / 3)
    sure[1] = 1
    assert pixel_scores(sure, measure).tolist() == [[0, 0], [0, 0]]
    assert pixel_scores(even, measure) == pytest.approx(1, abs=1e-9)
    assert pixel_scores(np.ones((1, 2, 2)), measure).tolist() == [[0, 0], [0, 0]]
    assert pixel_scores(np.full((3, 1, 1), 1e4), measure, "logits") == pytest.approx(1)


def test_what_is_stored_is_left_as_it_is():
    stored = np.array([[-3, 7]], dtype=np.int16)
    assert pixel_scores(stored, "stored").tolist() == [[-3, 7]]
    with pytest.raises(InvalidInput, match="stored uncertainty must be"):
        pixel_scores(np.zeros((2, 1, 1)), "stored")


@every_measure
@pytest.mark.parametrize("shape", [(3, 4, 5), (4, 5)])
def test_works_in_chunks(measure, shape, monkeypatch):
    logits = np.random.default_rng(0).standard_normal(shape)
    whole = pixel_scores(logits, measure, "logits")
    members = member_pixel_scores([logits, logits], lambda p: p[0].max(1), "logits")
    monkeypatch.setattr(sizes, "largest_chunk", 18)
    assert pixel_scores(logits, measure, "logits").tolist() == whole.tolist()
    again = member_pixel_scores([logits, logits], lambda p: p[0].max(1), "logits")
    assert again.tolist() == members.tolist()


@pytest.mark.parametrize(
    ("given", "sentence"),
    [
        ({"map": np.zeros((2, 2, 2))}, "map: 4 pixels with classes that do not sum to 1"),
        ({"map": np.full((1, 2), 2.0)}, "map: 2 pixels with values outside 0 to 1"),
        ({"map": np.full((1, 2), np.nan)}, "map: holds NaN"),
        ({"map": np.full((1, 2), 2.0), "name": "sample 5"}, "sample 5: 2 pixels"),
        ({"map": np.zeros(3)}, r"map: float64 of shape \(3,\)"),
        ({"map": np.zeros((2, 0, 2))}, "map: float64 of shape"),
        ({"given": "scores"}, "given: there is no 'scores'"),
        ({"measure": "bald"}, "measure: there is no 'bald'"),
    ],
)
def test_refuses(given, sentence):
    with pytest.raises(InvalidInput, match=sentence):
        pixel_scores(**{"map": np.full((2, 1, 1), 0.5), "measure": "entropy", **given})


def test_decides():
    assert pixel_decision(np.array([[[0.5, 0.2]], [[0.5, 0.8]]])).tolist() == [[0, 1]]
    assert pixel_decision(np.array([[0.4, 0.6]])).tolist() == [[0, 1]]
    assert pixel_decision(np.array([[-1, 0.2]]), "logits").tolist() == [[0, 1]]


# One number a map


@settings(max_examples=80)
@given(st.integers(1, 6), st.integers(1, 6), st.integers(0, 1000), st.floats(0.01, 1))
def test_is_the_loop(height, width, seed, share):
    rng = np.random.default_rng(seed)
    scores, decision = rng.random((height, width)).round(1), rng.integers(0, 3, (height, width))
    flat = sorted(scores.ravel().tolist(), reverse=True)
    edge = []
    for r in range(height):
        for c in range(width):
            near = [(r - 1, c), (r + 1, c), (r, c - 1), (r, c + 1)]
            inside = [at for at in near if 0 <= at[0] < height and 0 <= at[1] < width]
            if any(decision[at] != decision[r, c] for at in inside):
                edge.append(scores[r, c])
    count = int(np.ceil(share * len(flat)))
    expected = {
        "mean": np.mean(flat),
        "quantile": np.quantile(flat, share),
        "top_share": np.mean(flat[:count]),
        "share_above": sum(value > share for value in flat) / len(flat),
        "boundary": np.mean(edge) if edge else 0,
    }
    for how in AGGREGATES:
        found = aggregate_pixels(
            scores, how, quantile=share, share=share, threshold=share, decision=decision
        )
        assert isinstance(found, float)
        assert found == pytest.approx(expected[how], abs=1e-12), how


def test_one_decision_throughout_has_no_boundary():
    assert aggregate_pixels(np.ones((3, 3)), "boundary", decision=np.zeros((3, 3), dtype=int)) == 0
    assert aggregate_pixels([[1.0]], "boundary", decision=[[0]]) == 0


@pytest.mark.parametrize(
    ("given", "sentence"),
    [
        ({"how": "max"}, "how: there is no 'max'"),
        ({"how": "boundary"}, "needs the class of each pixel"),
        ({"how": "boundary", "decision": [[1]]}, "decision: shape"),
        ({"how": "quantile", "quantile": 95}, "quantile: is 95"),
        ({"how": "top_share", "share": 0}, "share: is 0"),
        ({"scores": [[np.nan]]}, "scores: holds NaN"),
        ({"scores": np.zeros((1, 2, 2))}, "scores: shape"),
    ],
)
def test_aggregate_refuses(given, sentence):
    with pytest.raises(InvalidInput, match=sentence):
        aggregate_pixels(**{"scores": [[0.0, 1.0]], **given})


# Members


def test_members_are_handed_to_the_measure_pixel_by_pixel():
    maps = [random_map(seed=seed) for seed in range(3)]
    found = member_pixel_scores(maps, lambda p: p.std(0).mean(1))
    assert found.shape == (5, 7)
    np.testing.assert_allclose(found, np.std(maps, axis=0).mean(0), atol=1e-12)
    logits = [np.log(one) for one in maps]
    np.testing.assert_allclose(member_pixel_scores(logits, lambda p: p.std(0).mean(1), "logits"), found)


def test_members_of_one_number_have_two_classes():
    first, second = np.array([[0.2, 0.5]]), np.array([[0.4, 0.5]])
    shapes = []

    def measure(p):
        shapes.append(p.shape)
        return np.abs(p[0] - p[1]).sum(1)

    np.testing.assert_allclose(member_pixel_scores([first, second], measure), [[0.4, 0]])
    assert shapes == [(2, 2, 2)]


def test_members_of_one_class_stay_of_one_class():
    one = softmax(np.zeros((1, 2, 2)), axis=0)
    assert member_pixel_scores([one, one], lambda p: np.full(p.shape[1], p.shape[2])).max() == 1


@pytest.mark.parametrize("shapes", [[], [(2, 2), (2, 3)], [(2, 2), (1, 2, 2)]])
def test_members_must_be_of_one_shape(shapes):
    with pytest.raises(InvalidInput, match="the members' shapes are"):
        member_pixel_scores([np.ones(shape) for shape in shapes], lambda p: p[0, :, 0])
