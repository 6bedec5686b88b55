"""Weak slices: against pandas' groups, scipy's tests and intervals, and chance."""

from itertools import combinations

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import stats

import alcore
from alcore import InvalidInput, Pool
from alcore.evaluation.significance import Sums, interval
from alcore.evaluation.weak_slices import weak_slices
from alcore.test_sets.sizes import proportion_interval

EVERYTHING = {"false_discoveries": 1, "most": 10**6}


def make_columns(n, rng):
    place = rng.choice(["dock", "road", "yard"], n).astype(object)
    place[rng.random(n) < 0.1] = None
    return {
        "place": place,
        "night": rng.random(n) < 0.4,
        "noise": rng.normal(size=n).round(1),
        "lamps": rng.integers(0, 3, n).astype(float),
    }


def groups(columns, bins=4):
    """Each column's values as pandas parts them."""
    made = {"place": pd.Series(columns["place"]), "night": pd.Series(columns["night"]).astype(str)}
    edges = np.unique(np.quantile(columns["noise"], np.arange(1, bins) / bins))
    made["noise"] = pd.cut(pd.Series(columns["noise"]), [-np.inf, *edges, np.inf], right=False)
    made["lamps"] = pd.Series(columns["lamps"]).astype(int).astype(str)
    return pd.DataFrame(made)


def p_of(mine, others, exact):
    if mine.mean() >= others.mean():
        return 1.0
    if not exact:
        return stats.ttest_ind(mine, others, equal_var=False, alternative="less").pvalue
    table = [[mine.sum(), len(mine) - mine.sum()], [others.sum(), len(others) - others.sum()]]
    return stats.fisher_exact(np.array(table, dtype=int), alternative="less").pvalue


def wilson(values):
    k, n = int(values.sum()), len(values)
    found = stats.binomtest(k, n).proportion_ci(0.95, method="wilson")
    return found.low, found.high


def twin(frame, y, minimum, exact):
    """(what it is called, its numbers) of every slice that is looked at, by loops."""
    rows = []
    for names in [*((name,) for name in frame), *combinations(frame, 2)]:
        for value, index in frame.groupby(
            list(names) if len(names) > 1 else names[0], observed=True
        ).groups.items():
            inside = np.zeros(len(y), dtype=bool)
            inside[index] = True
            values = value if isinstance(value, tuple) else (value,)
            outside = [~inside]
            if len(names) == 2:
                alone = [
                    (frame[name] == one).to_numpy() for name, one in zip(names, values, strict=True)
                ]
                outside += [one & ~inside for one in alone]
            if inside.sum() < minimum or min(one.sum() for one in outside) < 2:
                continue
            p = max(p_of(y[inside], y[one], exact) for one in outside)
            rows.append((inside, y[inside], y[~inside], p))
    q = stats.false_discovery_control([row[-1] for row in rows]) if rows else []
    return [(*row, one) for row, one in zip(rows, q, strict=True)]


@settings(max_examples=10, deadline=None)
@given(st.integers(0, 2**32 - 1), st.integers(60, 200), st.booleans(), st.booleans())
def test_slices_are_those_of_loops_and_their_numbers_those_of_scipy(seed, n, exact, worse):
    rng = np.random.default_rng(seed)
    columns = make_columns(n, rng)
    lower = 0.3 * (columns["place"] == "dock") * columns["night"]
    y = rng.random(n) < 0.8 - lower if exact else np.clip(rng.normal(0.7 - lower, 0.2), 0, 1)
    y = y.astype(float)
    pool = Pool(n, columns=columns | {"outcome": 1 - y if worse else y})
    found = weak_slices(
        pool,
        "outcome",
        list(columns),
        bins=4,
        minimum=10,
        higher_is="worse" if worse else "better",
        **EVERYTHING,
    )
    expected = twin(groups(columns), y, 10, exact)
    assert (found.tested, found.count) == (len(expected), n)
    weak = {tuple(np.flatnonzero(e[0])): e for e in expected if e[1].mean() < e[2].mean() - 1e-12}
    assert {tuple(one.rows) for one in found.slices} == set(weak)
    assert [one.worse_by for one in found.slices] == sorted(
        (s.worse_by for s in found.slices), reverse=True
    )
    for one in found.slices:
        _, mine, others, p, q = weak[tuple(one.rows)]
        np.testing.assert_allclose([one.p, one.q], [p, q], rtol=1e-8)
        difference = mine.mean() - others.mean()
        if exact:
            low, high = wilson(mine)
            worse_by = -(difference + np.hypot(high - mine.mean(), others.mean() - wilson(others)[0]))
        else:
            low, high = stats.ttest_1samp(mine, 0).confidence_interval()
            low, high = np.clip([low, high], 0, 1)
            welch = stats.ttest_ind(mine, others, equal_var=False).confidence_interval()
            worse_by = -welch.high
        sides = [1 - high, 1 - low] if worse else [low, high]
        numbers = [
            1 - mine.mean() if worse else mine.mean(),
            *sides,
            -difference if worse else difference,
        ]
        assert one.count == len(mine)
        np.testing.assert_allclose(
            [one.mean, one.low, one.high, one.difference, one.worse_by],
            [*numbers, worse_by],
            rtol=1e-7,
            atol=1e-9,
        )


def test_fisher_s_test_holds_far_in_the_tail_of_large_counts():
    n = 200_000
    y = np.ones(n)
    y[:9000] = 0
    y[100_000:107_000] = 0
    pool = Pool(n, columns={"y": y, "half": np.arange(n) < 100_000})
    (one,) = weak_slices(pool, "y", ["half"]).slices
    expected = stats.hypergeom.logcdf(91_000, n, int(y.sum()), 100_000)
    assert np.log(one.p) == pytest.approx(expected, rel=1e-6)


def test_chance_alone_lists_slices_about_as_seldom_as_it_says():
    listed = 0
    for seed in range(60):
        rng = np.random.default_rng(seed)
        columns = make_columns(300, rng)
        pool = Pool(300, columns=columns | {"right": rng.random(300) < 0.7})
        listed += bool(weak_slices(pool, "right", list(columns)).slices)
    assert listed <= 8  # of a binomial of 60 and 0.05, p = 0.01


def planted(n=4000):
    rng = np.random.default_rng(1)
    columns = make_columns(n, rng)
    bad = (columns["place"] == "dock") & columns["night"]
    columns["right"] = rng.random(n) < np.where(bad, 0.4, 0.9)
    return Pool(n, columns=columns), bad


def test_a_planted_pair_comes_first_and_other_pairs_of_its_values_are_not_listed():
    pool, bad = planted()
    found = weak_slices(pool, "right", ["place", "night", "noise", "lamps"])
    first, *others = found.slices
    assert str(first) == "night: True, place: dock" or str(first) == "place: dock, night: True"
    assert first.rows.tolist() == np.flatnonzero(bad).tolist()
    assert {str(one) for one in others} == {"place: dock", "night: True"}
    assert found.mean == pool.columns["right"].mean()
    alone = weak_slices(pool, "right", ["place", "night"], pairs=False).slices
    assert {str(one) for one in alone} == {"place: dock", "night: True"}


def test_a_slice_s_filters_keep_to_it_and_its_weights_prefer_it():
    pool, _ = planted()
    slices = weak_slices(pool, "right", ["place", "night", "noise", "lamps"], **EVERYTHING).slices
    assert {len(one.values) for one in slices} == {1, 2}
    for one in slices:
        filters = [value.filter for value in one.values]
        recipe = {"budget": 1.0, "strategies": [{"strategy": "random"}], "filters": filters}
        assert sorted(alcore.select(pool, recipe).indices) == one.rows.tolist()
    for one in slices[:20]:
        weights = [value.weight for value in one.values]
        recipe = {"budget": one.count, "strategies": weights}
        assert sorted(alcore.select(pool, recipe).indices) == one.rows.tolist()


def test_dates_are_looked_at_by_their_parts():
    rng = np.random.default_rng(0)
    moments = np.datetime64("2024-01-01T00", "s") + rng.integers(0, 700 * 86_400, 6000)
    hours = moments.astype("datetime64[h]").astype(int) % 24
    pool = Pool(
        6000, columns={"taken": moments, "iou": np.where(hours == 5, 0.2, 0.6) + rng.random(6000) / 9}
    )
    (one,) = weak_slices(pool, "iou", ["taken"]).slices
    assert (str(one), one.values[0].filter) == ("taken (hour): 05", None)
    assert one.rows.tolist() == np.flatnonzero(hours == 5).tolist()
    (one,) = weak_slices(pool, "iou", ["taken"], timezone="Asia/Tokyo").slices
    assert str(one) == "taken (hour): 14"
    assert weak_slices(pool, "iou", ["taken"], date_parts=["weekday"]).slices == []


def test_objects_are_looked_at_by_how_many_there_are():
    counts = np.arange(300) % 3
    objects = alcore.Objects(np.append(0, np.cumsum(counts)), confidences=np.ones(counts.sum()))
    pool = Pool(300, columns={"boxes": objects, "recall": np.where(counts == 2, 0.0, 1.0)})
    (one,) = weak_slices(pool, "recall", ["boxes"]).slices
    assert (str(one), one.mean, one.count) == ("boxes: 2", 0.0, 100)


def test_samples_without_an_outcome_or_a_value_do_not_count():
    place = np.array(["dock", "road"] * 100, dtype=object)
    place[:20] = None
    right = np.where(np.arange(200) % 2, 1.0, 0.0)
    pool = Pool(200, columns={"place": place, "right": right}, missing={"right": np.arange(200) >= 180})
    found = weak_slices(pool, "right", ["place"])
    (one,) = found.slices
    assert (found.count, str(one), one.count) == (180, "place: dock", 80)
    assert one.rows.tolist() == list(range(20, 200, 2))  # it is to choose from, too
    assert one.difference == -0.9  # ten of those without a place are wrong, too


def test_nothing_is_weak_where_all_is_the_same():
    pool = Pool(100, columns={"a": ["x", "y"] * 50, "one": np.ones(100), "right": np.zeros(100)})
    assert weak_slices(pool, "right", ["a", "one"], **EVERYTHING).slices == []


def test_intervals_are_those_of_test_set_sizes():
    of = Sums(np.array([7, 50]), np.array([7.0, 3]), np.array([7.0, 3]))
    both = np.transpose(interval(of, True, 0.9))
    np.testing.assert_allclose(
        both, [proportion_interval(1, 7, 0.9), proportion_interval(0.06, 50, 0.9)]
    )


@pytest.mark.parametrize(
    ("columns", "options", "sentence"),
    [
        (["nowhere"], {}, "slices: there is no column 'nowhere'"),
        ([], {}, "name at least one column"),
        (["empty"], {}, "name at least one column"),
        (["when"], {"date_parts": []}, "name at least one column"),
        (
            ["when"],
            {"date_parts": ["minute"]},
            "date_parts: there is no 'minute'; there are hour, weekday",
        ),
        (["when"], {"timezone": "Mars"}, "there is no time zone 'Mars'"),
        (["vectors"], {}, "column 'vectors' must hold one number a sample"),
        (["names"], {}, "column 'names' has 1,200 different values, too many to compare"),
        (["number"], {"bins": 1}, "bins: 1 is not a count of at least 2"),
        (["number"], {"minimum": 1}, "minimum: 1 is not a count of at least 2"),
        (["number"], {"false_discoveries": 0}, "false_discoveries: 0 is not a share"),
        (["number"], {"confidence": 1}, "confidence: 1 is not a share"),
    ],
)
def test_what_cannot_be_looked_at_is_refused(columns, options, sentence):
    n = 1200
    given = {
        "names": [f"image-{row}" for row in range(n)],
        "number": np.arange(n),
        "empty": [None] * n,
        "vectors": np.ones((n, 2)),
        "when": np.datetime64("2024-01-01", "s") + np.arange(n),
        "right": np.ones(n),
    }
    with pytest.raises(InvalidInput, match=sentence):
        weak_slices(Pool(n, columns=given), "right", columns, **options)


def test_an_outcome_that_nobody_has_is_refused():
    pool = Pool(3, columns={"right": [None, None, None], "a": ["x"] * 3})
    with pytest.raises(InvalidInput, match="no sample has a value in 'right'"):
        weak_slices(pool, "right", ["a"])
