"""Whole selections: filters, stages, budgets, defaults, strengths, reasons and reports."""

import json
from datetime import datetime, timezone

import numpy as np
import pytest
import torch

import alcore
from alcore import InvalidInput, Pool
from alcore.data.settings import changed
from support import twins

DIVERSITY = {"strategy": "diversity", "column": "embeddings"}
COVERAGE = {"strategy": "coverage", "column": "embeddings", "bandwidth": 0.5}
MARGIN = {"strategy": "uncertainty", "column": "predictions"}
BALANCE = {"strategy": "balance", "column": "predictions"}
WEIGHT = {"strategy": "weight", "column": "number"}
RANDOM = {"strategy": "random"}


def make_pool(n=60, labeled=0, seed=0, **options):
    rng = np.random.default_rng(seed)
    mask = np.zeros(n, dtype=bool)
    mask[rng.permutation(n)[:labeled]] = True
    columns = {
        "embeddings": rng.normal(size=(n, 3)) + 0.5,
        "predictions": rng.dirichlet(np.ones(4), n),
        "number": rng.normal(size=n),
        "site": rng.choice(["dock", "road", "yard"], n).tolist(),
    }
    return Pool(n, labeled=mask, columns=columns, **options)


def choose(pool, strategies, budget=10, **options):
    recipe = {"budget": budget, "strategies": strategies} | options
    return alcore.select(pool, recipe, device="cpu")


def only(pool, *names, **options):
    """The pool with these columns alone."""
    columns = {name: pool.columns[name] for name in names}
    return Pool(pool.n, labeled=pool.labeled, columns=columns, **options)


# Filters


def kept(pool, *filters):
    chosen = alcore.select(
        pool, {"budget": pool.n, "strategies": [RANDOM], "filters": list(filters)}, device="cpu"
    )
    return sorted(chosen.ids)


@pytest.fixture
def shelf():
    """Five samples, each with a name, one value missing in every column."""
    return Pool(
        5,
        ids=list("abcde"),
        columns={
            "number": [1.0, 2.0, 3.0, 4.0, np.nan],
            "site": ["dock", "road", None, "dock", "yard"],
            "taken": np.array(
                ["2024-01-01", "2024-02-01", "2024-03-01", "NaT", "2024-05-01"], dtype="datetime64[s]"
            ),
            "count": [1, 2, 3, 4, 5],
        },
        missing={"number": [False] * 4 + [True]},
    )


@pytest.mark.parametrize(
    ("one", "stay"),
    [
        ({"column": "number", "min": 2}, "bcd"),
        ({"column": "number", "max": 2}, "ab"),
        ({"column": "number", "min": 2, "max": 3.5}, "bc"),
        ({"column": "number", "in": [1, 4]}, "ad"),
        ({"column": "number", "not_in": [1, 4]}, "bc"),
        ({"column": "count", "in": [2, 5]}, "be"),
        ({"column": "site", "in": ["dock"]}, "ad"),
        ({"column": "site", "not_in": ["dock"]}, "be"),
        ({"column": "id", "in": ["c", "e", "unheard of"]}, "ce"),
        ({"column": "id", "not_in": ["c", "e"]}, "abd"),
        ({"column": "taken", "min": "2024-02-01"}, "bce"),
        ({"column": "taken", "min": "2024-02-01T00:00:00Z", "max": "2024-03-01T00:00:00Z"}, "bc"),
        ({"column": "taken", "max": datetime(2024, 2, 15, tzinfo=timezone.utc)}, "ab"),
        ({"column": "taken", "max": datetime(2024, 2, 15)}, "ab"),
    ],
)
def test_a_filter_keeps_what_it_says_and_nothing_without_a_value(shelf, one, stay):
    assert kept(shelf, one) == list(stay)


def test_filters_add_up(shelf):
    assert kept(shelf, {"column": "number", "min": 2}, {"column": "site", "in": ["dock"]}) == ["d"]


@pytest.mark.parametrize(
    ("one", "sentence"),
    [
        ({"column": "id", "min": 1}, "filters[0]: ids have no range; use in or not_in"),
        ({"column": "nmber", "min": 1}, "filters[0]: there is no column 'nmber'; the columns are"),
        ({"column": "site", "min": 1}, "filters[0]: column 'site' must hold one number a sample"),
        ({"column": "count", "min": 99}, "none of the 5 samples may be chosen: all are labeled or"),
    ],
)
def test_a_filter_that_cannot_be_says_so(shelf, one, sentence):
    with pytest.raises(InvalidInput) as error:
        kept(shelf, one)
    assert sentence in str(error.value)


def test_vectors_cannot_be_filtered_by():
    with pytest.raises(InvalidInput, match=r"filters\[0\]: column 'embeddings' holds several values"):
        kept(make_pool(), {"column": "embeddings", "in": [1]})


@pytest.mark.parametrize("weighted", [False, True])
def test_filtered_samples_are_still_to_be_covered(weighted):
    pool = make_pool(labeled=5)
    entry, weights = dict(COVERAGE), None
    if weighted:
        entry["weights"] = {"column": "predictions"}
        weights = twins.uncertainty(pool.columns["predictions"], "margin")
    kept_rows = np.flatnonzero(~pool.labeled & (pool.columns["number"] >= 0.5))
    twin = twins.Coverage(pool.columns["embeddings"], width=0.5, weights=weights)
    expected, gains = twins.greedy([twin], [1], kept_rows, np.flatnonzero(pool.labeled), 8)
    chosen = choose(pool, [entry], budget=8, filters=[{"column": "number", "min": 0.5}])
    assert chosen.indices.tolist() == expected
    np.testing.assert_allclose(chosen.gains, gains, rtol=1e-9)
    assert chosen.report["filtered_out"] == 55 - len(kept_rows)


# Stages


def test_a_stage_chooses_among_what_the_one_before_chose():
    pool = make_pool(labeled=5)
    by_margin = choose(pool, [MARGIN], budget=20)
    recipe = {
        "stages": [
            {"budget": 20, "strategies": [MARGIN]},
            {"budget": 6, "strategies": [DIVERSITY]},
        ]
    }
    chosen = alcore.select(pool, recipe, device="cpu")
    twin = twins.Diversity(pool.columns["embeddings"])
    labeled = np.flatnonzero(pool.labeled)
    expected, gains = twins.greedy([twin], [1], np.sort(by_margin.indices), labeled, 6)
    assert chosen.indices.tolist() == expected
    np.testing.assert_allclose(chosen.gains, gains)
    assert set(chosen.reasons[0]) == {"diversity"}
    first, second = chosen.report["stages"]
    assert (first["candidates"], first["chosen"], first["budget"]) == (55, 20, 20)
    assert (second["candidates"], second["chosen"], second["budget"]) == (20, 6, 6)
    assert chosen.report["chosen"] == 6


def test_a_stage_has_filters_and_shares_of_its_own():
    pool = make_pool()
    recipe = {
        "filters": [{"column": "site", "in": ["dock", "road"]}],
        "stages": [
            {"budget": 0.5, "strategies": [MARGIN]},
            {"budget": 0.5, "strategies": [RANDOM], "filters": [{"column": "site", "in": ["dock"]}]},
        ],
    }
    chosen = alcore.select(pool, recipe, device="cpu")
    two_sites = sum(site != "yard" for site in pool.columns["site"])
    first, second = chosen.report["stages"]
    assert first["candidates"] == two_sites
    assert first["chosen"] == round(0.5 * two_sites)
    assert second["chosen"] == max(1, round(0.5 * second["candidates"]))
    assert {pool.columns["site"][row] for row in chosen.indices} == {"dock"}


def test_an_error_in_a_stage_names_the_stage():
    recipe = {"stages": [{"budget": 5, "strategies": [RANDOM]}, {"budget": 2, "strategies": [WEIGHT]}]}
    pool = only(make_pool(), "embeddings")
    with pytest.raises(InvalidInput, match=r"^stages\[1\]\.strategies\[0\] \(weight\): there is no"):
        alcore.select(pool, recipe, device="cpu")


def test_filters_of_a_stage_that_leave_nothing_say_so():
    nothing = {"column": "number", "min": 99}
    recipe = {"stages": [{"budget": 5}, {"budget": 2, "filters": [nothing]}]}
    with pytest.raises(InvalidInput, match="the filters remove all 5 samples"):
        alcore.select(make_pool(), recipe, device="cpu")


# Budgets


@pytest.mark.parametrize(("share", "count"), [(0.1, 5), (0.5, 25), (1.0, 50), (0.001, 1)])
def test_a_share_is_of_the_candidates(share, count):
    assert len(choose(make_pool(60, labeled=10), [RANDOM], budget=share)) == count


def test_a_budget_of_all_and_more_chooses_all():
    pool = make_pool(30, labeled=4)
    chosen = choose(pool, [DIVERSITY, MARGIN], budget=100)
    assert sorted(chosen.indices) == np.flatnonzero(~pool.labeled).tolist()
    assert chosen.report["stopped"] == "all 26 candidates are chosen; the budget was 100"
    assert choose(pool, [RANDOM], budget=26).report["stopped"] == "budget reached"


def test_the_minimum_distance_ends_a_selection():
    pool = make_pool(200, labeled=3)
    chosen = choose(pool, [{**DIVERSITY, "minimum_distance": 1.0}], budget=200)
    X = pool.columns["embeddings"]
    centers = [*np.flatnonzero(pool.labeled), *chosen.indices]
    among = twins.distances(X[chosen.indices], X[centers], "euclidean")
    among[np.arange(len(chosen)), 3 + np.arange(len(chosen))] = np.inf
    left = np.setdiff1d(np.arange(200), centers)
    assert among.min() >= 1
    assert twins.distances(X[left], X[centers], "euclidean").min(1).max() < 1
    assert chosen.report["stopped"] == (
        f"{len(chosen)} of 200 chosen: every other candidate is nearer than minimum_distance "
        "to one labeled or chosen"
    )


# Strengths


def test_a_negative_strength_turns_a_score_round():
    pool = make_pool()
    forward = choose(pool, [WEIGHT], budget=60).indices
    backward = choose(pool, [{**WEIGHT, "strength": -1}], budget=60, combine="sum").indices
    assert forward.tolist() == backward.tolist()[::-1]


def test_a_negative_strength_chooses_the_nearest():
    pool = make_pool(labeled=2)
    turned = [{**DIVERSITY, "strength": -1}]
    twin = twins.Diversity(pool.columns["embeddings"])
    candidates, labeled = np.flatnonzero(~pool.labeled), np.flatnonzero(pool.labeled)
    expected, _ = twins.greedy([twin], [-1], candidates, labeled, 15)
    assert choose(pool, turned, budget=15).indices.tolist() == expected


def test_strength_0_leaves_an_entry_out():
    pool = make_pool()
    chosen = choose(pool, [MARGIN, {**DIVERSITY, "strength": 0}])
    assert chosen.indices.tolist() == choose(pool, [MARGIN]).indices.tolist()
    assert set(chosen.reasons[0]) == {"uncertainty"}


def test_strength_0_everywhere_chooses_in_order():
    chosen = choose(make_pool(), [{**MARGIN, "strength": 0}], budget=3)
    assert chosen.indices.tolist() == [0, 1, 2]
    assert chosen.gains.tolist() == [1, 1, 1]


def test_strength_0_still_needs_its_column():
    with pytest.raises(InvalidInput, match="there is no column 'p'"):
        choose(make_pool(), [{**MARGIN, "column": "p", "strength": 0}])


def test_a_great_strength_decides():
    pool = make_pool()
    chosen = choose(pool, [{**WEIGHT, "strength": 200}, MARGIN], budget=5).indices
    assert chosen.tolist() == choose(pool, [WEIGHT], budget=5).indices.tolist()


@pytest.mark.parametrize("combine", ["product", "sum"])
def test_a_sum_and_a_product_are_what_they_say(combine):
    pool = make_pool()
    margin = alcore.scores.margin(pool.columns["predictions"])
    number = pool.columns["number"]
    number = (number - number.min()) / (number.max() - number.min())
    chosen = choose(pool, [{**MARGIN, "strength": 2}, WEIGHT], budget=60, combine=combine)
    total = margin**2 * number if combine == "product" else 2 * margin + number
    assert chosen.indices.tolist() == np.argsort(-total, kind="stable").tolist()
    np.testing.assert_allclose(chosen.gains, np.sort(total)[::-1], rtol=1e-8)


# The recipe where none is given


def default(pool, budget=5):
    chosen = alcore.select(pool, {"budget": budget}, device="cpu")
    return chosen, [entry["strategy"] for entry in chosen.report["stages"][0]["strategies"]]


def test_with_predictions_and_embeddings_coverage_is_weighted_by_margin():
    pool = only(make_pool(), "embeddings", "predictions")
    chosen, strategies = default(pool)
    assert strategies == ["coverage"]
    entry = {"strategy": "coverage", "column": "embeddings", "weights": {"column": "predictions"}}
    assert chosen.indices.tolist() == choose(pool, [entry], budget=5).indices.tolist()


def test_with_embeddings_alone_it_is_plain_coverage():
    chosen, strategies = default(only(make_pool(), "embeddings", "number", "site"))
    assert strategies == ["coverage"]
    assert "weights" not in chosen.report["stages"][0]["strategies"][0]


def test_with_predictions_alone_it_is_margin():
    pool = only(make_pool(), "predictions")
    chosen, strategies = default(pool)
    assert strategies == ["uncertainty"]
    assert chosen.indices.tolist() == choose(pool, [MARGIN], budget=5).indices.tolist()


def test_with_classes_it_is_balanced():
    names = {"predictions": list("abcd")}
    assert default(only(make_pool(), "predictions", classes=names))[1] == ["uncertainty", "balance"]
    both = only(make_pool(), "predictions", "embeddings", classes=names)
    assert default(both)[1] == ["coverage", "balance"]


def test_with_nothing_it_is_chance():
    assert default(only(make_pool(), "number", "site"))[1] == ["random"]
    assert default(Pool(10))[1] == ["random"]


def test_predictions_are_known_by_what_they_are():
    pool = make_pool()
    named = {"X": pool.columns["embeddings"], "P": pool.columns["predictions"]}
    chosen, strategies = default(Pool(60, columns=named))
    assert strategies == ["coverage"]
    entry = chosen.report["stages"][0]["strategies"][0]
    assert (entry["column"], entry["weights"]["column"]) == ("X", "P")


def test_logits_of_known_classes_are_taken_as_logits():
    logits = np.random.default_rng(0).normal(size=(20, 3))
    pool = Pool(20, columns={"predictions": logits}, classes={"predictions": list("abc")})
    chosen, _ = default(pool)
    given = [entry["given"] for entry in chosen.report["stages"][0]["strategies"]]
    assert given == ["logits", "logits"]


def test_columns_that_could_all_be_meant_are_named():
    X = make_pool().columns["embeddings"]
    with pytest.raises(InvalidInput) as error:
        default(Pool(60, columns={"a": X, "b": X}))
    assert str(error.value) == (
        "recipe: strategies are missing, and 'a', 'b' could all be the embeddings; name the "
        "strategies, or call one of the columns 'embeddings'"
    )
    assert default(Pool(60, columns={"a": X, "embeddings": X}))[1] == ["coverage"]


# Progress and device


@pytest.mark.parametrize("entry", [MARGIN, DIVERSITY, COVERAGE, {**DIVERSITY, "strength": -1}])
def test_progress_is_told_up_to_the_end(entry):
    told = []
    recipe = {"budget": 40, "strategies": [entry]}
    alcore.select(make_pool(), recipe, device="cpu", progress=lambda *now: told.append(now))
    assert told[-1] == (40, 40)
    assert [chosen for chosen, _ in told] == sorted({chosen for chosen, _ in told})


def test_what_progress_raises_ends_the_run():
    class Enough(Exception):
        pass

    def stop(chosen, budget):
        raise Enough

    with pytest.raises(Enough):
        alcore.select(make_pool(), {"budget": 5, "strategies": [DIVERSITY]}, "cpu", stop)


@pytest.mark.parametrize("device", ["cpu", torch.device("cpu"), "auto"])
def test_a_device_may_be_named(device):
    chosen = alcore.select(make_pool(), {"budget": 5, "strategies": [DIVERSITY]}, device=device)
    assert len(chosen) == 5
    assert chosen.report["device"] == ("cpu" if device != "auto" else chosen.report["device"])


def test_a_device_that_is_not_there_says_so(monkeypatch):
    monkeypatch.setattr(torch.cuda, "is_available", lambda: False)
    with pytest.raises(InvalidInput, match="device: cuda was asked for, but torch sees no GPU"):
        alcore.select(make_pool(), {"budget": 5}, device="cuda")
    with pytest.raises(InvalidInput, match="device: 'gpu' is not a device; use auto, cpu or cuda"):
        alcore.select(make_pool(), {"budget": 5}, device="gpu")


# Reasons and report


def test_reasons_are_each_strategys_value_at_the_pick():
    pool = make_pool(labeled=6)
    X, P = pool.columns["embeddings"], pool.columns["predictions"]
    entries = [{**MARGIN, "strength": 0.5}, DIVERSITY, COVERAGE, {**BALANCE, "name": "even"}]
    terms = {
        "uncertainty": twins.Fixed(twins.uncertainty(P, "margin")),
        "diversity": twins.Diversity(X),
        "coverage": twins.Coverage(X, width=0.5),
        "even": twins.Balance(P, np.full(4, 0.25)),
    }
    chosen = choose(pool, entries, budget=12)
    labeled, before = np.flatnonzero(pool.labeled), []
    for row, reason, gain in zip(chosen.indices, chosen.reasons, chosen.gains, strict=True):
        expected = {name: t.values(np.array([row]), labeled, before)[0] for name, t in terms.items()}
        assert reason == pytest.approx(expected, rel=1e-9)
        product = np.prod([value**0.5 if n == "uncertainty" else value for n, value in reason.items()])
        assert gain == pytest.approx(product, rel=1e-8)
        before.append(row)


def test_the_report_counts():
    pool = make_pool(labeled=6)
    filters = [{"column": "site", "in": ["dock", "road"]}]
    chosen = choose(pool, [DIVERSITY, BALANCE, COVERAGE], filters=filters)
    report = chosen.report
    json.dumps(report)
    unlabeled = [pool.columns["site"][row] for row in np.flatnonzero(~pool.labeled)]
    assert (report["pool"], report["labeled"], report["chosen"]) == (54, 6, 10)
    assert report["filtered_out"] == unlabeled.count("yard")
    assert (report["seed"], report["device"], report["stopped"]) == (0, "cpu", "budget reached")
    stage = report["stages"][0]
    assert stage["candidates"] == 54 - unlabeled.count("yard")
    assert stage["without_gain"] == 0
    assert report["seconds"] >= stage["seconds"]["choose"] > 0


def test_the_report_says_what_was_reached():
    pool = make_pool(labeled=6)
    X, P = pool.columns["embeddings"], pool.columns["predictions"]
    chosen = choose(pool, [DIVERSITY, BALANCE, COVERAGE])
    reached = chosen.report["stages"][0]["reached"]
    labeled, free = np.flatnonzero(pool.labeled), np.flatnonzero(~pool.labeled)
    after = [*labeled, *chosen.indices]
    for when, centers in (("before", labeled), ("after", after)):
        radius = twins.distances(X[free], X[centers], "euclidean").min(1).max()
        assert reached["diversity"][when]["radius"] == pytest.approx(radius)
        covered = twins.Coverage(X, width=0.5).kernels[0][free][:, centers].max(1).mean()
        assert reached["coverage"][when]["covered"] == pytest.approx(covered)
        counts = reached["balance"][when]["counts"]
        assert list(counts) == ["0", "1", "2", "3"]
        assert list(counts.values()) == pytest.approx(P[centers].sum(0))
    assert reached["balance"]["after"]["target"] == dict.fromkeys("0123", 0.25)


def test_picks_without_gain_are_counted():
    pool = Pool(4, columns={"number": [0.0, 1, 0, 2]})
    chosen = choose(pool, [WEIGHT], budget=4)
    assert chosen.indices.tolist() == [3, 1, 0, 2]
    assert chosen.report["stages"][0]["without_gain"] == 2


def test_ids_go_with_indices():
    pool = make_pool(ids=[f"id-{row}" for row in range(60)])
    chosen = choose(pool, [DIVERSITY])
    assert chosen.ids == [f"id-{row}" for row in chosen.indices]
    assert chosen.indices.dtype == np.int64
    assert len(chosen) == len(chosen.gains) == len(chosen.reasons) == 10


def test_the_pool_is_left_as_it_was():
    pool = make_pool(labeled=5)
    before = {name: column.copy() for name, column in pool.columns.items()}
    choose(pool, [MARGIN, DIVERSITY, {**COVERAGE, "weights": {"column": "predictions"}}, BALANCE])
    for name, column in before.items():
        assert np.array_equal(pool.columns[name], column)
    assert pool.labeled.sum() == 5


def test_two_entries_of_a_strategy_go_by_their_columns():
    pool = make_pool()
    pool = Pool(60, columns={**pool.columns, "colors": pool.columns["embeddings"] ** 2})
    chosen = choose(pool, [DIVERSITY, {**DIVERSITY, "column": "colors"}])
    assert list(chosen.reasons[0]) == ["diversity embeddings", "diversity colors"]


# Balance


def sainte_lague(shares, seats, counts):
    """Seats go one at a time to the party with the highest votes / (2 seats + 1)."""
    counts = np.array(counts, dtype=float)
    for _ in range(seats):
        counts[np.argmax(np.array(shares) / (2 * counts + 1))] += 1
    return counts


@pytest.mark.parametrize("budget", [1, 7, 20, 53])
@pytest.mark.parametrize("counts", [[0, 0, 0], [9, 0, 2]])
def test_balance_alone_gives_out_picks_as_sainte_lague_gives_seats(budget, counts):
    """Shares without a common measure, so that no two classes are ever equally far behind."""
    shares = [0.5437, 0.3112, 0.1451]
    names = np.array(["a", "b", "c"])
    sites = np.concatenate([np.repeat(names, 100), np.repeat(names, counts)])
    pool = Pool(len(sites), labeled=np.arange(len(sites)) >= 300, columns={"site": sites})
    entry = {"strategy": "balance", "column": "site", "target": dict(zip("abc", shares, strict=True))}
    chosen = choose(pool, [entry], budget=budget)
    after = chosen.report["stages"][0]["reached"]["balance"]["after"]["counts"]
    assert list(after.values()) == sainte_lague(shares, budget, counts).tolist()


def test_balance_counts_true_labels_where_they_are_given():
    """The model takes the labeled samples for "a"; in truth they are "b", so "a" is lacking."""
    P = np.array([[0.9, 0.1]] * 4 + [[0.1, 0.9]] * 2)
    labeled = np.array([True, True, False, False, False, False])
    pool = Pool(
        6,
        labeled=labeled,
        columns={"predictions": P, "truth": ["b", "b", None, None, None, None]},
        classes={"predictions": ["a", "b"]},
    )
    assert choose(pool, [BALANCE], budget=1).indices.tolist() == [4]
    known = choose(pool, [{**BALANCE, "labels": "truth"}], budget=1)
    assert known.indices.tolist() == [2]
    reached = known.report["stages"][0]["reached"]["balance"]
    assert reached["before"]["counts"] == {"a": 0, "b": 2}


def test_categories_are_balanced_with_a_column_of_labels():
    sites = ["dock"] * 5 + ["road"] * 5
    truth = ["road", "road", *[None] * 8]
    labeled = np.arange(10) < 2
    pool = Pool(10, labeled=labeled, columns={"site": sites, "truth": truth})
    entry = {"strategy": "balance", "column": "site"}
    assert choose(pool, [entry], budget=2).indices.tolist() == [5, 6]
    chosen = choose(pool, [{**entry, "labels": "truth"}], budget=2)
    assert chosen.indices.tolist() == [2, 3]


def test_the_share_of_classes_left_out_of_a_target_is_parted():
    pool = make_pool()
    entry = {**BALANCE, "target": {"1": 0.7}}
    after = choose(pool, [entry]).report["stages"][0]["reached"]["balance"]["after"]
    assert after["target"] == pytest.approx({"0": 0.1, "1": 0.7, "2": 0.1, "3": 0.1})


def test_the_target_input_is_the_pools_own_mixture():
    pool = make_pool(labeled=10)
    entry = {**BALANCE, "target": "input"}
    after = choose(pool, [entry]).report["stages"][0]["reached"]["balance"]["after"]
    assert list(after["target"].values()) == pytest.approx(pool.columns["predictions"].mean(0))


# Further corners


def test_members_are_averaged():
    members = np.random.default_rng(0).dirichlet(np.ones(4), (5, 60))
    pool = Pool(60, columns={"predictions": members, "mean": members.mean(0)})
    for entry in (MARGIN, BALANCE):
        one, other = (choose(pool, [{**entry, "column": c}]) for c in ("predictions", "mean"))
        assert one.indices.tolist() == other.indices.tolist()
        np.testing.assert_allclose(one.gains, other.gains)


def test_logits_of_members_are_averaged_as_probabilities():
    logits = np.random.default_rng(0).normal(size=(5, 60, 4)) * 3
    P = (np.exp(logits) / np.exp(logits).sum(-1, keepdims=True)).mean(0)
    pool = Pool(60, columns={"predictions": logits, "mean": P})
    here = choose(pool, [{**MARGIN, "given": "logits"}])
    np.testing.assert_allclose(here.gains, choose(pool, [{**MARGIN, "column": "mean"}]).gains)


@pytest.mark.parametrize("labeled", [0, 5])
def test_the_bandwidth_shrinks_as_more_is_chosen(labeled):
    pool = make_pool(300, labeled=labeled)
    auto = {**COVERAGE, "bandwidth": "auto"}
    few, many = choose(pool, [auto], budget=3), choose(pool, [auto], budget=100)
    assert 0 < many.gains[0] < few.gains[0] < 1


@pytest.mark.parametrize("metric", ["cosine", "euclidean"])
def test_the_bandwidth_may_be_the_smallest_distance_between_labeled(metric):
    pool = make_pool(80, labeled=12)
    X, labeled = pool.columns["embeddings"], np.flatnonzero(pool.labeled)
    if metric == "cosine":
        X = X / np.linalg.norm(X, axis=1, keepdims=True)
    width = min(np.linalg.norm(X[a] - X[b]) for a in labeled for b in labeled if a < b)
    chosen = choose(pool, [{**COVERAGE, "metric": metric, "bandwidth": "labeled"}], budget=6)
    term = twins.Coverage(pool.columns["embeddings"], width=width, metric=metric)
    picks, gains = twins.greedy([term], [1], np.flatnonzero(~pool.labeled), labeled, 6)
    assert chosen.indices.tolist() == picks
    np.testing.assert_allclose(chosen.gains, gains)


@pytest.mark.parametrize("labeled", [0, 1, "copies"])
def test_with_fewer_than_two_labeled_vectors_the_bandwidth_is_found_in_the_pool(labeled):
    pool = make_pool(60, labeled=2 if labeled == "copies" else labeled)
    if labeled == "copies":
        X = pool.columns["embeddings"].copy()
        X[pool.labeled] = X[pool.labeled][0]
        pool = pool.with_columns({"embeddings": X})
    found = [choose(pool, [{**COVERAGE, "bandwidth": one}], budget=5) for one in ("labeled", "auto")]
    assert found[0].indices.tolist() == found[1].indices.tolist()


@pytest.mark.parametrize("n", [1, 2, 50])
def test_duplicates_have_a_bandwidth(n):
    pool = Pool(n, columns={"embeddings": np.ones((n, 3))})
    chosen = choose(pool, [{**COVERAGE, "bandwidth": "auto"}], budget=n)
    assert chosen.indices.tolist() == list(range(n))
    assert chosen.gains == pytest.approx([1] + [0] * (n - 1))


def test_weights_of_0_everywhere_count_as_equal():
    pool = Pool(60, columns={**make_pool().columns, "none": np.zeros(60)})
    weighted = choose(pool, [{**COVERAGE, "weights": "none"}])
    assert weighted.indices.tolist() == choose(pool, [COVERAGE]).indices.tolist()


def test_a_column_of_weights_is_what_a_sample_counts():
    counts = np.arange(60) % 3
    pool = Pool(60, columns={**make_pool().columns, "counts": counts})
    twin = twins.Coverage(pool.columns["embeddings"], width=0.5, weights=counts.astype(float))
    expected, gains = twins.greedy([twin], [1], np.arange(60), [], 10)
    chosen = choose(pool, [{**COVERAGE, "weights": "counts"}])
    assert chosen.indices.tolist() == expected
    np.testing.assert_allclose(chosen.gains, gains)


def test_negative_weights_are_refused():
    with pytest.raises(InvalidInput, match=r"\(coverage\): weights 'number' are below 0 for"):
        choose(make_pool(), [{**COVERAGE, "weights": "number"}])


def test_for_few_picks_a_large_pool_is_represented_by_a_part_of_it():
    pool = make_pool(3000)
    with changed(coverage_kept_up_to=0):
        some = choose(pool, [COVERAGE], budget=1)
        again = choose(pool, [COVERAGE], budget=1)
        more = choose(pool, [COVERAGE], budget=30)
    assert some.indices.tolist() == again.indices.tolist()
    reached = some.report["stages"][0]["reached"]["coverage"]["after"]
    assert (reached["drawn"], reached["of"]) == (2000, 3000)
    assert "drawn" not in more.report["stages"][0]["reached"]["coverage"]["after"]


@pytest.mark.parametrize(
    ("prefer", "order"),
    [
        ("high", [3, 2, 1, 0]),
        ("low", [0, 1, 2, 3]),
        ([1, 2], [1, 2, 0, 3]),
        ([2, 2], [2, 1, 3, 0]),
        ({"around": 1.9, "width": 0.1}, [2, 1, 3, 0]),
    ],
)
def test_a_number_is_preferred_high_low_within_or_around(prefer, order):
    pool = Pool(4, columns={"number": [0.0, 1, 2, 3]})
    assert choose(pool, [{**WEIGHT, "prefer": prefer}]).indices.tolist() == order


def test_a_bell_is_as_wide_as_it_says_and_nowhere_0():
    pool = Pool(4, columns={"number": [5.0, 7, 3, 1e9]})
    chosen = choose(pool, [{**WEIGHT, "prefer": {"around": 5, "width": 2}}])
    np.testing.assert_allclose(chosen.gains[:3], np.exp([0, -0.5, -0.5]), rtol=1e-8)
    assert 0 < chosen.gains[3] < 1e-300


@pytest.mark.parametrize(
    ("column", "prefer", "values"),
    [
        (["day", "night", "dusk", None], ["night", "dusk"], {1: 1, 2: 2 / 3, 0: 1 / 3}),
        (["day", "night", "dusk", None], ["night"], {1: 1, 0: 1 / 2, 2: 1 / 2}),
        (["day", "night", "dusk", None], {"night": 3, "day": 1}, {1: 3, 0: 1, 2: 1}),
        ([True, False, True, True], [False], {1: 1, 0: 1 / 2, 2: 1 / 2, 3: 1 / 2}),
        ([1.0, 0.0, 1.0, None], [False, True], {1: 1, 0: 2 / 3, 2: 2 / 3}),
        ([1.0, 0.0, 1.0, None], {"true": 0.25, "false": 0.5}, {1: 0.5, 0: 0.25, 2: 0.25}),
        ([100, 200, 800, 100], {"800": 1, "100": 0.5}, {2: 1, 0: 0.5, 1: 0.5, 3: 0.5}),
    ],
)
def test_categories_are_preferred_by_rank_or_by_worth(column, prefer, values):
    entry = {"strategy": "weight", "column": "c", "prefer": prefer}
    chosen = choose(Pool(4, columns={"c": column}), [entry])
    assert chosen.indices.tolist() == list(values)
    np.testing.assert_allclose(chosen.gains, list(values.values()))


@pytest.mark.parametrize(
    ("column", "prefer", "sentence"),
    [
        (["day", "dusk"], ["nigth"], r"prefer: no sample's 'c' is 'nigth'; there are 'day', 'dusk'"),
        (np.ones((2, 2)), ["day"], "column 'c' must hold one category a sample"),
        (["day", "dusk"], {"around": 1, "width": 1}, "column 'c' must hold one number a sample"),
    ],
)
def test_what_cannot_be_preferred_is_refused(column, prefer, sentence):
    with pytest.raises(InvalidInput, match=sentence):
        choose(
            Pool(2, columns={"c": column}), [{"strategy": "weight", "column": "c", "prefer": prefer}]
        )


def test_numbers_that_are_all_the_same_choose_nothing_over_another():
    pool = Pool(3, columns={"number": [2, 2, 2]})
    for prefer in ("high", "low", [0, 5]):
        assert choose(pool, [{**WEIGHT, "prefer": prefer}]).gains.tolist() == [1, 1, 1]
