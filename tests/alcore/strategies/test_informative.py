"""Strategies over predictions of every kind: what they are worth, and what they refuse."""

import numpy as np
import pytest
from scipy.special import expit, softmax

import alcore
from alcore import InvalidInput, Maps, Objects, Pool, scores

RNG = np.random.default_rng(0)
N, C, T = 12, 4, 5
P = RNG.dirichlet(np.ones(C), N)
M = RNG.dirichlet(np.ones(C), (T, N))
CLASSES = ["a", "b", "c", "d"]
OFFSETS = np.array([0, 2, 2, 5, 6, 6, 9, 10, 11, 12, 13, 14, 15])
BOXES = RNG.dirichlet(np.ones(C), 15)
SURE = RNG.uniform(0.1, 1, 15)
PIXELS = RNG.dirichlet(np.ones(C), (N, 5, 6)).transpose(0, 3, 1, 2)


def objects(**more):
    return Objects(OFFSETS, probabilities=BOXES, confidences=SURE, classes=CLASSES, **more)


def pool(**columns):
    labeled = np.arange(N) < 3
    return Pool(N, labeled=labeled, columns=columns)


def by(entry, **columns):
    return alcore.score(pool(**columns), entry, device="cpu")


def uncertainty(**more):
    return {"strategy": "uncertainty", "column": "p", **more}


def disagreement(column="m", **more):
    return {"strategy": "disagreement", "column": column, **more}


def refused(entry, **columns):
    with pytest.raises(InvalidInput) as error:
        alcore.select(pool(**columns), {"budget": 2, "strategies": [entry]}, device="cpu")
    return str(error.value)


def test_a_score_is_the_measure_of_every_sample():
    np.testing.assert_allclose(by(uncertainty(measure="entropy"), p=P), scores.entropy(P))
    np.testing.assert_allclose(by(disagreement(), m=M), scores.bald(M))
    cost = (1 - np.eye(C)).tolist()
    entry = {"strategy": "expected_cost", "column": "p", "cost": cost}
    np.testing.assert_allclose(by(entry, p=P), 1 - P.max(1))


def test_a_sample_without_a_value_has_no_score():
    missing = np.arange(N) == 4
    pool = Pool(N, columns={"p": P}, missing={"p": missing})
    assert np.flatnonzero(np.isnan(alcore.score(pool, uncertainty()))).tolist() == [4]
    nothing = Pool(N, columns={"p": P}, missing={"p": missing | True})
    assert np.isnan(alcore.score(nothing, uncertainty())).all()


def test_a_strategy_that_changes_with_picks_has_no_score():
    with pytest.raises(InvalidInput, match="batch_bald: its values change with every sample"):
        by({"strategy": "batch_bald", "column": "m"}, m=M)


# Samples


@pytest.mark.parametrize("how", [None, "mean", "max", "sum"])
def test_classes_that_do_not_exclude_each_other(how):
    logits = RNG.normal(size=(N, C)) * 3
    expected = scores.multi_label(expit(logits), "margin", how or "mean")
    entry = uncertainty(multi_label=True, aggregate=how)
    np.testing.assert_allclose(by(entry, p=expit(logits)), expected)
    np.testing.assert_allclose(by(entry | {"given": "logits"}, p=logits), expected)
    warm = scores.multi_label(expit(logits / 2), "margin", how or "mean")
    np.testing.assert_allclose(by(entry | {"temperature": 2}, p=expit(logits)), warm)
    assert "probabilities outside 0 to 1" in refused(entry, p=logits)


def test_a_temperature_is_fitted_on_the_labeled_samples():
    n = 3000
    logits = RNG.normal(size=(n, C)) * 4
    truth = (RNG.random((n, 1)) > softmax(logits / 2.5, axis=1).cumsum(1)).sum(1)
    labels = np.array(CLASSES, dtype=object)[truth]
    labels[2000:] = None
    columns = {"p": logits, "truth": labels}
    pool = Pool(n, labeled=np.arange(n) < 2000, columns=columns, classes={"p": CLASSES})
    entry = uncertainty(temperature="fit", labels="truth", given="logits", measure="entropy")
    chosen = alcore.select(pool, {"budget": 5, "strategies": [entry]}, device="cpu")
    after = chosen.report["stages"][0]["reached"]["uncertainty"]["after"]
    assert after["temperature"] == pytest.approx(2.5, rel=0.1)
    expected = scores.entropy(softmax(logits / after["temperature"], axis=1))[2000:]
    np.testing.assert_allclose(chosen.gains, np.sort(expected)[::-1][:5], rtol=1e-6)


def test_says_why_a_temperature_cannot_be_fitted():
    truth = np.array(["a"] * N, dtype=object)
    assert "'fit' needs labels" in refused(uncertainty(temperature="fit"), p=P)
    fit = uncertainty(temperature="fit", labels="truth")
    assert "'a' (3 samples (ids 0, 1, 2)), which is no class; the classes are '0'" in refused(
        fit, p=P, truth=truth
    )
    unlabeled = Pool(N, columns={"p": P, "truth": truth})
    with pytest.raises(InvalidInput, match="there is no labeled sample"):
        alcore.select(unlabeled, {"budget": 1, "strategies": [fit]})


def test_costs_may_be_named_and_gains_are_regret():
    gain = {t: {d: float(RNG.normal()) for d in CLASSES} for t in CLASSES}
    pool = Pool(N, columns={"p": P}, classes={"p": CLASSES})
    entry = {"strategy": "expected_cost", "column": "p", "gain": gain}
    matrix = np.array([[gain[t][d] for d in CLASSES] for t in CLASSES])
    regret = P @ matrix.max(1) - (P @ matrix).max(1)
    np.testing.assert_allclose(alcore.score(pool, entry), regret)


@pytest.mark.parametrize(
    ("more", "sentence"),
    [
        ({}, "needs one of: cost, gain"),
        ({"cost": [[0]], "gain": [[0]]}, "takes only one of: cost, gain"),
        ({"cost": 5}, "give rows of numbers, a dict by class names, or CSV"),
        ({"cost": [[0, 1], [1, 0]]}, "for each of the 4 classes, not shape (2, 2)"),
        ({"cost": {"glass": {"a": 1}}}, "'glass' is no class; the classes are '0', '1', '2', '3'"),
        ({"cost": (-np.eye(4)).tolist()}, "4 costs are below 0"),
        ({"cost": "x,y"}, "CSV needs a first row"),
    ],
)
def test_says_what_is_wrong_with_a_cost(more, sentence):
    assert sentence in refused({"strategy": "expected_cost", "column": "p", **more}, p=P)


# Members


@pytest.mark.parametrize("measure", ["bald", "vote_entropy", "max_disagreement", "mean_std"])
def test_members_may_be_one_column_or_several_and_logits(measure):
    expected = getattr(scores, measure)(M)
    names = [f"m{t}" for t in range(T)]
    several = disagreement(names, measure=measure)
    np.testing.assert_allclose(by(several, **dict(zip(names, M, strict=True))), expected)
    logits = disagreement(measure=measure, given="logits")
    np.testing.assert_allclose(by(logits, m=np.log(M) + 3), expected, atol=1e-12)


def test_members_that_are_numbers_disagree_by_their_variance():
    a, b = RNG.normal(size=(2, N))
    np.testing.assert_allclose(by(disagreement(["a", "b"]), a=a, b=b), np.var([a, b], axis=0))


def test_members_that_agree_everywhere_are_reported():
    same = np.stack([P, P])
    chosen = alcore.select(pool(m=same), {"budget": 2, "strategies": [disagreement()]}, device="cpu")
    after = chosen.report["stages"][0]["reached"]["disagreement"]["after"]
    assert after == {"note": "the members agree on every sample"}


@pytest.mark.parametrize("strategy", ["disagreement", "batch_bald"])
def test_says_what_is_wrong_with_members(strategy):
    entry = {"strategy": strategy, "column": ["a", "b"]}
    shape = refused(entry, a=P, b=P[:, :3] / P[:, :3].sum(1, keepdims=True))
    assert "the members are of unequal shape: classes 4 in 'a', 3 in 'b'" in shape
    named = Pool(N, columns={"a": P, "b": P}, classes={"a": CLASSES, "b": CLASSES[::-1]})
    with pytest.raises(InvalidInput, match="'a', 'b' name their classes differently"):
        alcore.select(named, {"budget": 1, "strategies": [entry]})
    assert "column 'm' has 1 member" in refused({**entry, "column": "m"}, m=M[:1])
    assert "column 'm' has 1 member" in refused({**entry, "column": "m"}, m=P)
    wrong = refused({**entry, "column": "m"}, m=np.log(M))
    assert "9 samples (ids 3, 4, 5, ...) with negative probabilities" in wrong
    bad = M.copy()
    bad[2, 7, 1] = np.nan
    assert "1 sample (id 7) with NaN" in refused({**entry, "column": "m"}, m=bad)


def test_a_measure_must_fit_the_members():
    assert "'variance' is not for members that are distributions" in refused(
        disagreement(measure="variance"), m=M
    )
    one, two = objects(), objects()
    assert "they take detection" in refused(disagreement(["a", "b"], measure="bald"), a=one, b=two)
    assert "one member holds" in refused(disagreement(["a", "b"]), a=one, b=P)
    assert "aggregate: is over pixels" in refused(disagreement(aggregate="mean"), m=M)


# Objects


@pytest.mark.parametrize("how", [None, "max", "mean", "sum", "top_k", "count_normalized"])
@pytest.mark.parametrize("empty", ["least", "median", "most"])
def test_objects_are_brought_to_one_number_a_sample(how, empty):
    entry = uncertainty(aggregate=how, empty=empty, measure="entropy", min_confidence=0.3, top_k=2)
    each = scores.object_scores(objects(), "entropy")
    keep = SURE >= 0.3
    expected = scores.aggregate(each, OFFSETS, how or "max", top_k=2, keep=keep, empty=empty)
    assert by(entry, p=objects()).tolist() == expected.tolist()


def test_objects_of_some_classes_may_count_more():
    entry = uncertainty(class_weights={"b": 10}, aggregate="sum", min_confidence=0)
    weights = np.where(BOXES.argmax(1) == 1, 10.0, 1.0)
    expected = scores.aggregate(
        scores.object_scores(objects(), "margin"), OFFSETS, "sum", weights=weights, empty="median"
    )
    np.testing.assert_allclose(by(entry, p=objects()), expected)
    assert "'x' is no class; the classes are 'a'" in refused(
        uncertainty(class_weights={"x": 1}), p=objects()
    )


def test_boxes_of_two_fields_disagree():
    boxes = RNG.uniform(0.2, 0.5, (15, 4))
    one, two = objects(boxes=boxes), objects(boxes=boxes + 0.05)
    found = by(disagreement(["a", "b"]), a=one, b=two)
    np.testing.assert_allclose(found, scores.detection_disagreement([one, two]))
    assert found.max() > 0
    assert not by(disagreement(["a", "b"]), a=one, b=one).any()


# Pixels


@pytest.mark.parametrize("how", [None, "mean", "quantile", "top_share", "share_above", "boundary"])
def test_pixels_are_brought_to_one_number_a_sample(how):
    entry = uncertainty(aggregate=how, measure="entropy", quantile=0.8, share=0.2, threshold=0.7)
    expected = [
        scores.aggregate_pixels(
            scores.pixel_scores(one, "entropy"),
            how or "mean",
            quantile=0.8,
            share=0.2,
            threshold=0.7,
            decision=one.argmax(0),
        )
        for one in PIXELS
    ]
    found = by(entry, p=Maps(PIXELS.__getitem__, N))
    np.testing.assert_allclose(found, expected)


def test_a_stored_uncertainty_is_taken_as_it_is():
    heat = RNG.random((N, 3, 4))
    found = by(uncertainty(measure="stored"), p=Maps(heat.__getitem__, N))
    np.testing.assert_allclose(found, heat.mean((1, 2)))
    assert "'stored' is for maps" in refused(uncertainty(measure="stored"), p=P)


def test_members_may_be_maps():
    other = PIXELS[:, ::-1]
    columns = {"a": Maps(PIXELS.__getitem__, N), "b": Maps(other.__getitem__, N)}
    members = np.stack([PIXELS, other]).transpose(0, 1, 3, 4, 2)
    expected = scores.bald(members.reshape(2, -1, C)).reshape(N, -1).mean(1)
    np.testing.assert_allclose(by(disagreement(["a", "b"]), **columns), expected)


def test_only_the_maps_of_candidates_are_loaded_and_each_tells_its_sample():
    loaded = []

    def load(row):
        loaded.append(row)
        if row == 7:
            raise FileNotFoundError("maps/7.npy")
        return PIXELS[row]

    some = pool(p=Maps(load, N, ids=[f"s{n}" for n in range(N)]))
    with pytest.raises(InvalidInput, match=r"sample s7: its map cannot be loaded \(maps/7.npy\)"):
        alcore.select(some, {"budget": 2, "strategies": [uncertainty()]}, device="cpu")
    assert loaded == [3, 4, 5, 6, 7]
    odd = Maps(lambda row: PIXELS[row] * (1 + (row == 5)), N)
    assert "sample 5: map: 14 pixels with values outside 0 to 1" in refused(uncertainty(), p=odd)


def test_long_work_can_be_stopped():
    class Stop(Exception):
        pass

    def stop(done, budget):
        raise Stop

    with pytest.raises(Stop):
        recipe = {"budget": 2, "strategies": [uncertainty()]}
        alcore.select(pool(p=Maps(PIXELS.__getitem__, N)), recipe, progress=stop)


def test_options_that_do_not_fit_are_refused():
    assert "aggregate: 'mean' does not fit" in refused(uncertainty(aggregate="mean"), p=P)
    assert "aggregate: 'boundary' does not fit; over objects take max" in refused(
        uncertainty(aggregate="boundary"), p=objects()
    )
    assert "temperature: is for predictions of whole samples" in refused(
        uncertainty(temperature=2), p=objects()
    )


def test_coverage_may_be_weighed_by_objects():
    X = RNG.normal(size=(N, 3))
    weighed = {"strategy": "coverage", "column": "x", "weights": uncertainty()}
    chosen = alcore.select(pool(p=objects(), x=X), {"budget": 3, "strategies": [weighed]}, device="cpu")
    numbers = by(uncertainty(), p=objects())
    plain = {"strategy": "coverage", "column": "x", "weights": "w"}
    same = alcore.select(pool(w=numbers, x=X), {"budget": 3, "strategies": [plain]}, device="cpu")
    assert chosen.indices.tolist() == same.indices.tolist()


def test_maps_are_neither_numbers_nor_vectors():
    weight = {"strategy": "weight", "column": "p"}
    assert "must hold one number a sample" in refused(weight, p=Maps(PIXELS.__getitem__, N))
    diversity = {"strategy": "diversity", "column": "p"}
    assert "must hold one vector a sample" in refused(diversity, p=Maps(PIXELS.__getitem__, N))
    with pytest.raises(InvalidInput, match="column 'p': is of 12 samples, not 5"):
        Pool(5, columns={"p": objects()})


def test_a_temperature_is_fitted_on_the_logits_themselves():
    n = 200
    logits = 20 * (RNG.normal(size=(n, C)) + 2 * np.eye(C)[np.arange(n) % C])
    truth = np.arange(n) % C
    for labels in (np.array(CLASSES, dtype=object)[truth], truth, [*truth[:-1].tolist(), None]):
        classes = CLASSES if isinstance(labels, np.ndarray) and labels.dtype == object else None
        pool = Pool(
            n,
            labeled=np.arange(n) < n - 1,
            columns={"p": logits, "truth": labels},
            classes={"p": classes} if classes else None,
        )
        entry = uncertainty(temperature="fit", labels="truth", given="logits")
        chosen = alcore.select(pool, {"budget": 1, "strategies": [entry]}, device="cpu")
        after = chosen.report["stages"][0]["reached"]["uncertainty"]["after"]
        expected = scores.fit_temperature(logits[:-1], truth[:-1], "logits")
        assert after["temperature"] == pytest.approx(expected, rel=1e-6)


def test_no_temperature_is_fitted_to_members_or_to_many_labels():
    truth = np.array(["0"] * N, dtype=object)
    fit = {"temperature": "fit", "labels": "truth"}
    assert "'m' holds members" in refused({**uncertainty(**fit), "column": "m"}, m=M, truth=truth)
    assert "must hold one class a sample" in refused(uncertainty(**fit), p=P, truth=objects())


def test_a_sample_declared_missing_is_no_context():
    confidences = [[], [0.5], [0.9]]
    some = Objects.from_lists(confidences=confidences)
    columns, missing = {"p": some}, {"p": np.array([False, False, True])}
    found = alcore.score(Pool(3, columns=columns, missing=missing), uncertainty(empty="most"))
    assert found[:2].tolist() == [1, 1] and np.isnan(found[2])
    unknown = Objects.from_lists(confidences=[[0.5], [np.nan], [0.7]])
    missing = {"p": np.array([False, True, False])}
    found = alcore.score(Pool(3, columns={"p": unknown}, missing=missing), uncertainty())
    assert np.isnan(found).tolist() == [False, True, False]


def test_sums_are_brought_to_at_most_1_to_be_summed():
    entry = uncertainty(aggregate="sum", min_confidence=0)
    number = RNG.random(N)
    weight = {"strategy": "weight", "column": "w"}
    recipe = {"budget": 3, "strategies": [entry, weight], "combine": "sum"}
    chosen = alcore.select(pool(p=objects(), w=number), recipe, device="cpu")
    assert chosen.gains.max() <= 2
    cost = [[50, 51, 51, 51], [51, 50, 51, 51], [51, 51, 50, 51], [51, 51, 51, 50]]
    entry = {"strategy": "expected_cost", "column": "p", "cost": cost}
    recipe = {"budget": 3, "strategies": [entry], "combine": "sum"}
    assert alcore.select(pool(p=P), recipe, device="cpu").gains.max() <= 1


def test_a_stored_uncertainty_below_0_is_refused():
    negative = Maps(lambda row: np.full((3, 3), -1.0 if row == 5 else 1.0), N)
    assert "sample 5: its stored uncertainty is below 0" in refused(
        uncertainty(measure="stored"), p=negative
    )


def test_objects_without_boxes_cannot_disagree():
    assert "column 'a' has no boxes" in refused(disagreement(["a", "b"]), a=objects(), b=objects())


def test_members_of_unequal_shape_are_told_by_their_shapes():
    with pytest.raises(
        InvalidInput, match=r"'m': the members are of unequal shape: \(1, 4\), \(12, 4\)"
    ):
        Pool(N, columns={"m": [P, P[:1]]})


@pytest.mark.parametrize("column", [[], ["m"]])
def test_a_list_of_columns_needs_two(column):
    assert "give a column's name, or a list of 2 or more" in refused(disagreement(column), m=M)
