"""From a collection to a pool."""

import numpy as np
import pytest

import alcore as engine


@pytest.fixture
def reading(plugin):
    return plugin("operators.reading.read")


@pytest.fixture
def read(plugin, reading):
    """Reads the columns of some strategies."""
    recipes = plugin("alcore").Recipe

    def read_columns(view, *strategies, labels=None, tag=None, filters=(), **options):
        recipe = {"budget": 3, "strategies": list(strategies), "filters": list(filters)}
        labeled = reading.Labeled(labels, tag)
        return reading.read(view, recipes.of(recipe), labeled, **options)

    return read_columns


def uncertainty(column, **more):
    return {"strategy": "uncertainty", "column": column, **more}


def softmax(logits):
    e = np.exp(logits - logits.max(1, keepdims=True))
    return e / e.sum(1, keepdims=True)


def test_logits_become_probabilities(dataset, read):
    pool = read(dataset, uncertainty("predictions")).pool
    logits = np.stack(dataset.values("predictions.logits"))
    np.testing.assert_allclose(pool.columns["predictions"], softmax(logits), rtol=1e-5)
    assert list(pool.ids) == dataset.values("id")


def test_what_sums_to_one_is_not_put_through_softmax_again(dataset, read):
    for column, path in (("sure", "sure.probs"), ("predictions", "predictions.logits")):
        given = softmax(np.stack(dataset.values("predictions.logits")).astype(float))
        if column == "predictions":  # as ultralytics stores them
            dataset.set_values(path, list(given))
        pool = read(dataset, uncertainty(column)).pool
        np.testing.assert_allclose(pool.columns[column], given, atol=1e-6)


def test_declared_logits_are_logits_even_if_they_sum_to_one(dataset, read):
    given = softmax(np.stack(dataset.values("predictions.logits")).astype(float))
    dataset.set_values("predictions.logits", list(given))
    pool = read(dataset, uncertainty("predictions", given="logits")).pool
    np.testing.assert_allclose(pool.columns["predictions"], softmax(given), rtol=1e-5)


def test_label_and_confidence_alone(dataset, read):
    result = read(dataset, uncertainty("scored", measure="least_confidence"))
    confidence = np.array(dataset.values("scored.confidence"))
    pool = result.pool
    np.testing.assert_allclose(pool.columns["scored"].max(1), confidence, rtol=1e-5)
    np.testing.assert_allclose(pool.columns["scored"].sum(1), 1, rtol=1e-5)
    names = [pool.classes["scored"][i] for i in pool.columns["scored"].argmax(1)]
    assert names == dataset.values("scored.label")
    assert any("label and confidence only" in note for note in result.notes)


def test_classes_are_named_by_the_labels(dataset, read):
    pool = read(dataset, uncertainty("predictions")).pool
    names = [pool.classes["predictions"][i] for i in pool.columns["predictions"].argmax(1)]
    assert names == dataset.values("predictions.label")


def test_the_datasets_own_classes_go_first(dataset, read):
    from fiftyone import ViewField

    known = read(dataset, uncertainty("predictions")).pool.classes["predictions"]
    rare = [one for one in dataset.values("predictions.label") if one != known[2]]
    view = dataset.match(ViewField("predictions.label") != known[2])
    assert set(rare) == set(known[:2])
    dataset.classes["predictions"] = known
    assert read(view, uncertainty("predictions")).pool.classes["predictions"] == known
    dataset.classes["predictions"] = [*known[:2], "a name that no sample has"]
    assert read(view, uncertainty("predictions")).pool.classes["predictions"][2].startswith("a name")


def test_vectors_equal_the_public_reading(dataset, read):
    import fiftyone as fo

    stored = {
        "half": np.float16,
        "single": np.float32,
        "double": np.float64,
        "whole": np.int64,
    }
    for name, dtype in stored.items():
        dataset.add_sample_field(name, fo.VectorField)
        dataset.set_values(name, list((np.arange(48 * 5).reshape(48, 5) / 7 + 1).astype(dtype)))
    for name in [*stored, "embeddings", "listed"]:
        pool = read(dataset, {"strategy": "diversity", "column": name}).pool
        expected = np.stack(dataset.values(name)).astype(np.float64)
        np.testing.assert_allclose(pool.columns[name], expected, rtol=1e-6)


def test_vectors_that_are_not_npy_go_fiftyones_own_way(plugin):
    import io
    import zlib

    decode = plugin("operators.dataset.arrays").ArrayDecoder()
    stream = io.BytesIO()
    np.lib.format.write_array(stream, np.arange(3.0), version=(2, 0))
    np.testing.assert_array_equal(decode(zlib.compress(stream.getvalue())), np.arange(3.0))


def test_without_the_private_way_the_public_one_reads_the_same(dataset, read, monkeypatch):
    fast = read(dataset, uncertainty("predictions"), {"strategy": "diversity", "column": "embeddings"})

    def gone(*args, **kwargs):
        raise AttributeError("_iter_values")

    import fiftyone.core.collections as foc

    monkeypatch.setattr(foc.SampleCollection, "_iter_values", gone)
    slow = read(dataset, uncertainty("predictions"), {"strategy": "diversity", "column": "embeddings"})
    assert list(fast.pool.ids) == list(slow.pool.ids)
    for name, column in fast.pool.columns.items():
        np.testing.assert_allclose(column, slow.pool.columns[name], rtol=1e-6)


@pytest.mark.parametrize("stored", [True, False])
def test_similarity_runs(dataset, read, stored):
    import fiftyone.brain as fob

    vectors = np.stack(dataset.values("embeddings"))
    fob.compute_similarity(dataset, embeddings="embeddings" if stored else vectors, brain_key="sim")
    dataset.sort_by_similarity(dataset.first().id, brain_key="sim")  # shifts what FiftyOne keeps
    pool = read(dataset, {"strategy": "diversity", "column": "sim"}).pool
    np.testing.assert_allclose(pool.columns["sim"], vectors, rtol=1e-5)


@pytest.mark.parametrize(
    "entry",
    [
        {"strategy": "typiclust", "column": "sim"},
        {"strategy": "badge", "column": "predictions", "embeddings": "sim"},
        {"strategy": "similarity", "column": "sim", "to": [[1.0] * 6]},
    ],
)
def test_a_similarity_run_serves_whatever_takes_vectors(dataset, read, entry):
    import fiftyone.brain as fob

    fob.compute_similarity(dataset, embeddings="embeddings", brain_key="sim")
    found = read(dataset, entry)
    np.testing.assert_allclose(found.pool.columns["sim"], np.stack(dataset.values("embeddings")))
    assert found.recipe.strategies[0].strategy == entry["strategy"]


def test_filters_by_vectors_are_read_as_vectors(dataset, plugin, reading):
    filters = [
        {"column": "listed", "minimum_distance": 0.1},
        {"column": "embeddings", "similar_to": dataset.values("id")[:1], "min": 0.0},
    ]
    recipe = plugin("alcore").Recipe.of(
        {"budget": 3, "strategies": [{"strategy": "random"}], "filters": filters}
    )
    pool = reading.read(dataset.view(), recipe).pool
    assert pool.columns["listed"].shape == (48, 4) and pool.columns["embeddings"].shape == (48, 6)


def test_numbers_strings_booleans_dates_and_dotted_paths(dataset, read):
    filters = [
        {"column": "place", "in": ["dock", "road"]},
        {"column": "night", "in": [True]},
        {"column": "taken", "min": "2026-01-10T00:00:00"},
        {"column": "metadata.width", "min": 30},
    ]
    weight = {"strategy": "weight", "column": "sharpness"}
    result = read(dataset, weight, filters=filters)
    chosen = engine.select(
        engine.Pool(48, ids=result.pool.ids, columns=result.pool.columns),
        {"budget": 48, "strategies": [weight], "filters": filters},
    )
    from datetime import datetime

    from fiftyone import ViewField as F

    expected = dataset.match(
        F("place").is_in(["dock", "road"]) & (F("night")) & (F("taken") >= datetime(2026, 1, 10))
    )
    assert sorted(chosen.ids) == sorted(expected.values("id"))


def test_labeled_by_field_and_by_tag(dataset, read):
    some = dataset.skip(10).limit(4)
    some.tag_samples("done")
    pool = read(dataset, uncertainty("predictions"), labels="ground_truth", tag="done").pool
    expected = set(dataset.exists("ground_truth").values("id")) | set(some.values("id"))
    assert {one for one, is_in in zip(pool.ids, pool.labeled, strict=True) if is_in} == expected


def test_labeled_by_detections(dataset, read):
    import fiftyone as fo

    sample = dataset.first()
    sample["boxes"] = fo.Detections(detections=[])
    sample.save()
    pool = read(dataset, uncertainty("predictions"), labels="boxes").pool
    assert np.flatnonzero(pool.labeled).tolist() == [0]


def test_missing_predictions_are_left_out(dataset, read):
    gone = dataset.skip(20).limit(5)
    gone.set_field("predictions", None).save()
    pool = read(dataset, uncertainty("predictions")).pool
    assert np.flatnonzero(pool.missing["predictions"]).tolist() == list(range(20, 25))


def set_rows(dataset, path, rows, value):
    values = dataset.values(path)
    for row in rows:
        values[row] = value
    dataset.set_values(path, values)


BAD = {
    "NaN": ("embeddings", np.array([np.nan] * 6, dtype=np.float32), "NaN or infinite"),
    "zero": ("embeddings", np.zeros(6, dtype=np.float32), "zero vector"),
    "length": ("embeddings", np.ones(5, dtype=np.float32), "not the length 6"),
    "logits": ("predictions.logits", np.array([np.nan, 0, 0]), "NaN or infinite"),
    "classes": ("predictions.logits", np.zeros(4), "not the 3 classes"),
    "negative": ("sure.probs", [-0.2, 0.6, 0.6], "negative"),
    "sum": ("sure.probs", [0.6, 0.6, 0.6], "not sum to 1"),
    "confidence": ("scored.confidence", 1.5, "outside 0 to 1"),
    "number": ("sharpness", float("nan"), "NaN"),
}


@pytest.mark.parametrize("case", BAD)
def test_values_that_cannot_be_used(dataset, read, invalid, case):
    path, value, what = BAD[case]
    set_rows(dataset, path, [30, 31], value)
    column = path.split(".")[0]
    strategy = {"embeddings": "diversity", "sharpness": "weight"}.get(column, "uncertainty")
    entry = {"strategy": strategy, "column": column}
    with pytest.raises(invalid, match=what) as error:
        read(dataset, entry)
    assert column in str(error.value) and "2 samples" in str(error.value)
    assert dataset.values("id")[30] in str(error.value)
    result = read(dataset, entry, bad="leave_out")
    assert np.flatnonzero(result.pool.missing[column]).tolist() == [30, 31]
    assert any("2 samples" in note for note in result.notes)


def test_classes_that_differ_between_samples(dataset, read, invalid):
    labels = dataset.values("predictions.label")
    known = sorted(set(labels))
    for row in range(0, len(labels), 2):
        labels[row] = known[(known.index(labels[row]) + 1) % 3]
    dataset.set_values("predictions.label", labels)
    with pytest.raises(invalid, match="classes differ between samples"):
        read(dataset, uncertainty("predictions"))


def test_unknown_and_unfit_fields(dataset, read, invalid):
    with pytest.raises(invalid, match="no field 'nope'; fields that fit: 'predictions'"):
        read(dataset, uncertainty("nope"))
    with pytest.raises(invalid, match="'place' is a StringField; it takes a vector field"):
        read(dataset, {"strategy": "diversity", "column": "place"})
    with pytest.raises(invalid, match="'embeddings' is a VectorField; it takes numbers"):
        read(dataset, {"strategy": "weight", "column": "embeddings"})
    with pytest.raises(invalid, match="no field 'nope' to tell which samples are labeled"):
        read(dataset, uncertainty("predictions"), labels="nope")


def test_an_embedding_is_not_taken_for_logits(dataset, read, invalid):
    with pytest.raises(invalid, match="given: logits"):
        read(dataset, uncertainty("embeddings"))


def test_no_predictions_at_all(dataset, read, invalid):
    dataset.set_field("predictions", None).save()
    with pytest.raises(invalid, match="none of the 48 samples has a prediction"):
        read(dataset, uncertainty("predictions"))


def test_an_empty_view(dataset, read, invalid):
    with pytest.raises(invalid, match="the view is empty"):
        read(dataset.match_tags("nobody"), uncertainty("predictions"))


def test_balance_counts_the_labeled_by_their_labels(dataset, read):
    result = read(dataset, {"strategy": "balance", "column": "predictions"}, labels="ground_truth")
    entry = result.recipe.strategies[0]
    assert entry.labels == "ground_truth.label"
    chosen = engine.select(
        engine.Pool(
            48,
            labeled=result.pool.labeled,
            columns=result.pool.columns,
            classes=result.pool.classes,
            missing=result.pool.missing,
        ),
        result.recipe.model_dump(exclude_none=True, by_alias=True),
    )
    counts = chosen.report["stages"][0]["reached"]["balance"]["before"]["counts"]
    expected = dataset.count_values("ground_truth.label")
    assert {name: count for name, count in counts.items() if count} == {
        name: count for name, count in expected.items() if name is not None
    }


def test_labels_the_model_does_not_know_are_noted(dataset, read):
    sample = dataset.first()
    sample["ground_truth"].label = "something new"
    sample.save()
    result = read(dataset, {"strategy": "balance", "column": "predictions"}, labels="ground_truth")
    assert any("does not know" in note for note in result.notes)


def test_the_default_recipe_names_its_fields(dataset, plugin, reading, invalid):
    recipe = plugin("alcore").Recipe.of({"budget": 3})
    with pytest.raises(invalid, match="several fields could be the predictions"):
        dataset.rename_sample_field("predictions", "other")
        reading.read(dataset, recipe)
    dataset.rename_sample_field("other", "predictions")
    done = reading.read(dataset, recipe, reading.Labeled("ground_truth"))
    assert [entry.strategy for entry in done.recipe.strategies] == ["coverage", "balance"]
    assert done.recipe.strategies[0].weights.column == "predictions"


def test_samples_deleted_while_reading_are_no_error(dataset, read, monkeypatch):
    view = dataset.view()
    count = type(view).__len__
    monkeypatch.setattr(type(view), "__len__", lambda self: count(self) + 2)
    pool = read(view, uncertainty("predictions")).pool
    assert pool.n == 48 and list(pool.ids) == dataset.values("id") and not pool.labeled.any()


def test_a_grouped_datasets_active_slice(mongod, images, operator):
    import fiftyone as fo

    dataset = fo.Dataset()
    dataset.add_group_field("group", default="left")
    for number, path in enumerate(images[:12]):
        group = fo.Group()
        dataset.add_samples(
            [
                fo.Sample(filepath=path, group=group.element(side), sharpness=float(number))
                for side in ("left", "right")
            ],
            progress=False,
        )
    result = operator("select")(
        dataset,
        recipe={"budget": 3, "strategies": [{"strategy": "weight", "column": "sharpness"}]},
        tag="best",
    ).result
    assert result["pool"] == 12 and result["chosen"] == 3
    assert dataset.select_group_slices("left").count_sample_tags() == {"best": 3}
    dataset.delete()


def test_samples_of_earlier_selections_count_as_labeled_unless_asked_otherwise(dataset, operator):
    select = operator("select_uncertain")
    select(dataset, predictions="predictions", budget=5, tag="one")
    again = select(dataset, predictions="predictions", budget=5, tag="two", skip_chosen=False).result
    third = select(dataset, predictions="predictions", budget=5, tag="three").result
    ids = {key: set(dataset.match_tags(key).values("id")) for key in ("one", "two", "three")}
    assert ids["one"] == ids["two"] and not ids["one"] & ids["three"]
    assert again["labeled"] == 0 and third["labeled"] == 5


@pytest.mark.parametrize("name", ["select_uncertain", "select_informative"])
def test_a_selection_that_is_replaced_does_not_count(dataset, operator, name):
    """Replacing a selection again and again would else choose others each time."""
    options = {"predictions": "predictions", "budget": 5, "tag": "one", "overwrite": True}
    found = []
    for _ in range(3):
        assert operator(name)(dataset, **options).result["labeled"] == 0
        found.append(dataset.match_tags("one").values("id"))
    assert found[0] == found[1] == found[2] and len(found[0]) == 5


def test_a_test_set_that_is_replaced_does_not_count(dataset, operator):
    options = {"size": 10, "tag": "exam", "method": "random", "label_field": "ground_truth"}
    found = []
    for _ in range(2):
        operator("select_test_set")(dataset, **options, overwrite=True)
        found.append(dataset.match_tags("exam").values("id"))
    assert found[0] == found[1]


def test_where_no_sample_is_left_it_says_which_field(dataset, read, invalid):
    set_rows(dataset, "embeddings", range(48), np.full(6, np.nan, dtype=np.float32))
    with pytest.raises(invalid, match=r"'embeddings': 48 samples .* no sample is left to choose"):
        read(dataset, {"strategy": "diversity", "column": "embeddings"}, bad="leave_out")
