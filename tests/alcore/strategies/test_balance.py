"""What a balance counts, what it aims at, and what its report says of it."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

import alcore
from alcore import InvalidInput, Objects, Pool
from alcore.strategies.common.class_counts import beyond_chance, merged


def choose(pool, budget=1, **entry):
    recipe = {"budget": budget, "strategies": [{"strategy": "balance", "column": "c", **entry}]}
    return alcore.select(pool, recipe, device="cpu")


def reached(chosen):
    return chosen.report["stages"][0]["reached"]["balance"]["after"]


def moments(*texts):
    return np.array(texts, dtype="datetime64[us]")


# What is counted


def test_predicted_classes_count_whole():
    P = np.array([[0.6, 0.4], [0.6, 0.4], [0.45, 0.55], [0.0, 1.0]])
    chosen = choose(Pool(4, columns={"c": P}, classes={"c": ["a", "b"]}), 2, count="predicted")
    assert chosen.indices.tolist() == [0, 2]
    assert reached(chosen)["counts"] == {"a": 1, "b": 1}
    assert choose(Pool(4, columns={"c": P}), 1).indices.tolist() == [0]


def test_objects_are_counted_by_class_and_confidence():
    objects = Objects.from_lists(
        labels=[[0, 0], [1], [0], [1, 1]],
        confidences=[[0.9, 0.9], [0.01], [0.9], [0.9, 0.9]],
        classes=["car", "bus"],
    )
    truth = Objects.from_lists(labels=[[0, 0, 0], [], [], []], classes=["car", "person", "bus"])
    pool = Pool(4, labeled=np.arange(4) == 0, columns={"c": objects, "truth": truth}, classes={})
    chosen = choose(pool, 1, labels="truth")
    assert chosen.indices.tolist() == [3]
    assert reached(chosen)["counts"] == {"car": 3, "bus": 2}
    assert reached(chosen)["candidates"] == {"car": 1, "bus": 2}


def test_objects_count_softly_by_their_class_vectors():
    p = [[[0.8, 0.2], [0.5, 0.5]], [[0.1, 0.9]]]
    objects = Objects.from_lists(probabilities=p, classes=["a", "b"])
    soft = reached(choose(Pool(2, columns={"c": objects}), 2))["counts"]
    assert soft == pytest.approx({"a": 1.4, "b": 1.6})
    assert reached(choose(Pool(2, columns={"c": objects}), 2, count="predicted"))["counts"] == {
        "a": 2,
        "b": 1,
    }


def foreign():
    """A detector that knows boats and trains, which the labels do not know."""
    names = ["boat", "car", "person", "train"]
    found = Objects.from_lists(labels=[[1, 1], [0, 3], [2], [0], [1]], classes=names)
    truth = Objects.from_lists(labels=[[1, 1], [], [], [], []], classes=["person", "car"])
    labeled = np.arange(5) == 0
    return Pool(5, labeled=labeled, columns={"c": found, "truth": truth})


def test_classes_of_a_detector_that_nobody_labels_do_not_count():
    chosen = choose(foreign(), 2, labels="truth")
    assert list(reached(chosen)["counts"]) == ["car", "person"]
    assert chosen.indices.tolist() == [2, 4]  # the boats and the train bring nothing
    assert list(reached(choose(foreign(), 2))["counts"]) == [*("boat", "car", "person", "train")]


@pytest.mark.parametrize(
    "entry",
    [{"target": {"boat": 0.5}}, {"classes": ["boat", "car", "person"]}],
    ids=["target", "classes"],
)
def test_a_class_that_is_named_counts(entry):
    chosen = choose(foreign(), 1, labels="truth", **entry)
    assert list(reached(chosen)["counts"]) == ["boat", "car", "person"]
    if "target" in entry:
        assert chosen.indices.tolist() == [1]


def test_a_class_that_is_none_cannot_count():
    with pytest.raises(
        InvalidInput, match="classes: 'ship' is no class; the classes are 'boat', 'car'"
    ):
        choose(foreign(), classes=["ship"])


def test_numbers_are_balanced_in_bins():
    numbers = np.r_[np.zeros(50), np.full(30, 5.0), np.full(20, 9.0)]
    chosen = choose(Pool(100, columns={"c": numbers}), 30, bins=[2.0, 7.0])
    assert reached(chosen)["counts"] == {"below 2": 10, "2 to 7": 10, "7 or more": 10}
    spread = np.random.default_rng(0).exponential(size=1000)
    of_quantiles = reached(choose(Pool(1000, columns={"c": spread}), 1, bins=4))["candidates"]
    assert list(of_quantiles.values()) == [250] * 4
    assert len(reached(choose(Pool(3, columns={"c": [1.0, 1.0, 1.0]}), 1, bins=4))["counts"]) == 1


@pytest.mark.parametrize(
    "by, zone, names",
    [
        ("hour", None, ["08", "22"]),
        ("hour", "Europe/Vienna", ["00", "09"]),
        ("weekday", None, ["Sunday", "Monday"]),
        ("month", None, ["January", "July"]),
        ("year", None, ["2025"]),
    ],
)
def test_dates_are_balanced_by_their_parts(by, zone, names):
    dates = moments("2025-01-06T08:00", "2025-01-06T08:30", "2025-07-06T22:15", "NaT")
    chosen = choose(Pool(4, columns={"c": dates}), 2, by=by, timezone=zone)
    after = reached(chosen)
    assert list(after["counts"]) == (
        sorted(names) if by == "hour" else names[::-1] if by == "weekday" else names
    )
    if len(names) == 2:
        assert chosen.indices.tolist() == [0, 2]


def test_jointly_means_every_combination_that_occurs():
    columns = {
        "place": ["dock"] * 6 + ["road"] * 4,
        "rain": [False] * 5 + [True] + [False] * 3 + [None],
    }
    chosen = choose(Pool(10, columns=columns), 3, column=["place", "rain"])
    assert set(reached(chosen)["counts"]) == {"dock, 0", "dock, 1", "road, 0"}
    assert chosen.indices.tolist() == [0, 5, 6]
    each = [{"strategy": "balance", "column": one} for one in columns]
    both = alcore.select(Pool(10, columns=columns), {"budget": 3, "strategies": each}, device="cpu")
    assert set(both.report["stages"][0]["reached"]) == {"balance place", "balance rain"}


def test_classes_that_do_not_exclude_each_other_are_counted_each():
    P = np.array([[0.9, 0.8], [0.1, 0.1], [0.9, 0.1]])
    chosen = choose(Pool(3, columns={"c": P}), 1, multi_label=True)
    assert chosen.indices.tolist() == [0]
    assert list(reached(chosen)["counts"].values()) == pytest.approx([0.9, 0.8])


# Why a target was not reached


def test_it_is_told_which_classes_fall_short_and_why():
    sites = ["dock"] * 90 + ["road"] * 3 + ["dock"] * 7
    pool = Pool(100, labeled=np.arange(100) >= 93, columns={"c": sites})
    after = reached(choose(pool, 20))
    assert after["short"] == {"road": {"wanted": 13.5, "reached": 3.0, "why": "too few candidates: 3"}}
    pool = Pool(180, labeled=np.arange(180) < 80, columns={"c": ["dock"] * 80 + ["road"] * 100})
    assert "the budget is too small" in reached(choose(pool, 5))["short"]["road"]["why"]
    assert reached(choose(Pool(100, columns={"c": sites}), 4))["short"] == {}


def test_other_strategies_may_be_why():
    sites = np.array(["dock"] * 50 + ["road"] * 50)
    number = np.r_[np.ones(50), np.full(50, 1e-9)]
    recipe = {
        "budget": 20,
        "strategies": [
            {"strategy": "balance", "column": "c"},
            {"strategy": "weight", "column": "w", "strength": 4},
        ],
    }
    pool = Pool(100, columns={"c": sites, "w": number})
    short = reached(alcore.select(pool, recipe, device="cpu"))["short"]
    assert "other strategies" in short["road"]["why"]


# Equal rows


@given(st.lists(st.integers(0, 3), min_size=1, max_size=40), st.integers(0, 5))
def test_equal_rows_are_merged_and_no_others(which, seed):
    kinds = np.random.default_rng(seed).random((4, 5)).astype(np.float32)
    rows = kinds[which]
    distinct, codes = merged(rows)
    assert (distinct[codes] == rows).all()
    if 2 * len(set(which)) <= len(which):
        assert len(distinct) == len(set(which))


# What is refused


@pytest.mark.parametrize(
    "column, entry, message",
    [
        (moments("2025-01-06"), {}, "say by what they are balanced"),
        (moments("2025-01-06"), {"by": "hour", "timezone": "Mars/Olympus"}, "no time zone"),
        (np.arange(2000.0), {}, "2,000 different values, too many to balance; give bins"),
        ([1.0, 2.0], {"bins": 1}, "bins"),
        ([1.0, 2.0], {"bins": [2.0, 1.0]}, "each above the one before"),
        ([1.0, 2.0], {"bins": []}, "each above the one before"),
        (["a", "b"], {"column": ["c"]}, "a list of 2 or more"),
        (["a", "b"], {"target": {"x": 1.0}}, "target names 'x', which is no class"),
    ],
)
def test_what_cannot_be_parted_is_refused(column, entry, message):
    with pytest.raises(InvalidInput, match=message):
        choose(Pool(len(column), columns={"c": column}), 1, **entry)


def test_predictions_are_not_balanced_jointly():
    pool = Pool(2, columns={"c": np.full((2, 2), 0.5), "d": ["a", "b"]})
    with pytest.raises(InvalidInput, match="'c' must hold a single value a sample"):
        choose(pool, 1, column=["c", "d"])


# What chance explains


def known_classes(counts):
    """A pool whose labeled samples have so many of each class, and one candidate of each class."""
    classes = [f"c{number}" for number in range(len(counts))]
    labeled = np.repeat(np.arange(len(counts)), counts)
    P = np.eye(len(counts))[np.concatenate([labeled, np.arange(len(counts))])]
    return Pool(
        len(P), labeled=np.arange(len(P)) < len(labeled), columns={"c": P}, classes={"c": classes}
    )


def test_unevenness_of_chance_has_no_say():
    counts = [3, 1, 2, 2, 4]  # chi-squared is 2.2, and 4 on average by chance
    pool = known_classes(counts)
    plain, even = choose(pool, 1), choose(pool, 1, beyond_chance=True)
    assert plain.indices.tolist() == [sum(counts) + 1]
    assert even.indices.tolist() == [sum(counts)]  # all equal: the first
    assert reached(even)["counts"] == {"c0": 4, "c1": 1, "c2": 2, "c3": 2, "c4": 4}


def test_unevenness_that_chance_does_not_explain_is_made_up_for():
    counts = [40, 2, 18]  # chi-squared is 36.4: 34.4 / 36.4 of it is left
    chosen = choose(known_classes(counts), 2, beyond_chance=True)
    assert chosen.indices.tolist() == [61, 62]
    kept = 1 - 2 / 36.4
    assert chosen.gains[0] == pytest.approx(1 / 3 / (20 + kept * (2 - 20) + 0.5))


@given(
    st.lists(st.integers(0, 50), min_size=1, max_size=8),
    st.lists(st.integers(0, 5), min_size=8, max_size=8),
)
def test_the_total_stays_and_all_move_toward_the_target(counts, shares):
    counts = np.array(counts, dtype=float)
    target = np.array(shares[: len(counts)], dtype=float)
    target = target / target.sum() if target.sum() else np.full(len(counts), 1 / len(counts))
    moved, wanted = beyond_chance(counts, target), counts.sum() * target
    aimed = target > 0
    assert np.all(moved >= 0) and np.array_equal(moved[~aimed], counts[~aimed])
    assert np.all(np.abs(moved - wanted)[aimed] <= np.abs(counts - wanted)[aimed] + 1e-9)
    if aimed.all():
        assert moved.sum() == pytest.approx(counts.sum())
