"""Odd datasets and odd calls end in a choice or in one sentence."""

import numpy as np
import pytest

import alcore

RANDOM = {"budget": 3, "strategies": [{"strategy": "random"}]}


def test_a_run_that_was_renamed(dataset, operator, writing, everything):
    before = everything(dataset)
    operator("select")(dataset, recipe=RANDOM, tag="a")
    dataset.rename_run("a", "b")
    (listed,) = operator("list_selections")(dataset).result["selections"]
    assert listed["run_key"] == "b" and listed["state"] == "whole"
    operator("select")(dataset, recipe=RANDOM, tag="c", skip_chosen=True)
    assert operator("undo_selection")(dataset, "b").result["samples"] == 3
    writing.undo(dataset, "c")
    assert everything(dataset) == before


def test_the_runs_of_a_clone(dataset, operator, writing, everything):
    before = everything(dataset)
    operator("select")(dataset, recipe=RANDOM, tag="a")
    clone = dataset.clone()
    try:
        operator("select")(clone, recipe=RANDOM, tag="b", skip_chosen=True)
        a, b = (clone.load_run_results(key).ids for key in "ab")
        assert not set(a) & set(b)
        for key in "ab":
            writing.undo(clone, key)
        assert everything(clone)["fields"] == before["fields"]
        assert clone.count_sample_tags() == {} and clone.list_runs() == clone.list_saved_views() == []
        assert dataset.count_sample_tags() == {"a": 3} and dataset.list_runs() == ["a"]
    finally:
        clone.delete()


def test_repeated_ids_of_labels(kinds, operator, everything, invalid):
    import fiftyone as fo

    first = kinds.first().boxes.detections
    copied = [fo.Detections(detections=[one.copy() for one in first]) for _ in range(2)]
    for new in copied:
        for one, old in zip(new.detections, first, strict=True):
            one._id = old._id
    ids = kinds.values("id")
    kinds.set_values("boxes", dict(zip(ids[2:4], copied, strict=True)), key_field="id")
    before = everything(kinds)
    options = {"recipe": {**RANDOM, "budget": 20}, "objects": "boxes"}
    with pytest.raises(invalid, match=r"6 objects .* with the id of another"):
        operator("select")(kinds, **options, tag="a")
    assert everything(kinds) == before
    result = operator("select")(kinds, **options, tag="a", bad="leave_out").result
    assert result["chosen"] == 1 and any("left out" in note for note in result["notes"])
    assert len(kinds.load_saved_view("a")) == 1


def test_labels_of_frames(mongod, images, operator, invalid, plugin):
    import fiftyone as fo

    dataset = fo.Dataset()
    try:
        sample = fo.Sample(filepath="/tmp/a.mp4")
        sample.frames[1] = fo.Frame(found=fo.Detections(detections=[fo.Detection(label="a")]))
        dataset.add_sample(sample)
        with pytest.raises(invalid, match="holds values of frames"):
            operator("select_uncertain")(dataset, predictions="frames.found", budget=1)
    finally:
        dataset.delete()


def test_combine_lightly_alone(invalid):
    pool = alcore.Pool(
        9,
        columns={"e": np.random.default_rng(0).normal(size=(9, 3)), "p": np.full((9, 2), 0.5)},
        classes={"p": ["a", "b"]},
    )
    with pytest.raises(alcore.InvalidInput) as error:
        alcore.select(pool, {"budget": 3, "combine": "lightly"})
    assert "lightly" in str(error.value) and "\n" not in str(error.value)


def test_two_columns_of_disagreement_under_lightly():
    rng = np.random.default_rng(0)
    columns = {name: rng.dirichlet(np.ones(3), 20) for name in "ab"}
    pool = alcore.Pool(20, columns=columns, classes={key: ["x", "y", "z"] for key in "ab"})
    entry = {"strategy": "disagreement", "column": ["a", "b"]}
    recipe = {"budget": 5, "combine": "lightly", "strategies": [entry]}
    assert len(alcore.select(pool, recipe)) == 5


def test_a_sample_deleted_meanwhile(dataset, operator, monkeypatch):
    import fiftyone as fo

    values = [0.0 if one == "dock" else 1 + n / 99 for n, one in enumerate(dataset.values("place"))]
    dataset.set_values("sharpness", values)
    options = {"outcome": "sharpness", "fields": ["place"], "minimum": 2, "false_discoveries": 1.0}
    gone = dataset.last().id
    whole = fo.DatasetView.__len__
    monkeypatch.setattr(fo.DatasetView, "__len__", lambda self: whole(self) + 2)
    result = operator("find_weak_slices")(dataset, **options, slice="place: dock", tag="a").result
    assert result["slice"] == "place: dock" and dataset.match_tags("a").count() == 16
    monkeypatch.undo()
    dataset.delete_samples([gone])
    assert operator("find_weak_slices")(dataset, **options).result["slices"]


@pytest.mark.parametrize("kind", ["logits", "probs"])
def test_models_with_one_output(dataset, plugin, kind):
    import fiftyone as fo

    reading, Recipe = plugin("operators.reading.read"), plugin("alcore").Recipe
    x = np.random.default_rng(0).normal(size=48)
    p = 1 / (1 + np.exp(-x))
    values = x if kind == "logits" else p
    labels = [
        fo.Classification(label="cat" if one > 0.5 else "no cat", **{kind: [float(value)]})
        for one, value in zip(p, values, strict=True)
    ]
    dataset.set_values("binary", labels, dynamic=True)
    entry = {"strategy": "uncertainty", "column": "binary"}
    given = {"given": "logits"} if kind == "logits" else {}
    found = reading.read(dataset, Recipe.of({"budget": 1, "strategies": [{**entry, **given}]}))
    np.testing.assert_allclose(found.pool.columns["binary"], np.c_[1 - p, p], atol=1e-6)
    assert found.pool.classes["binary"] == ["no cat", "cat"]


def test_kappa_takes_missing_predictions():
    from alcore.evaluation.stopping import kappa

    first = np.array(["a", None, "b", "a"], dtype=object)
    second = np.array(["a", "b", "b", None], dtype=object)
    assert kappa(first, second) == 1.0


def test_categories_of_nan_are_missing():
    place = np.array(["dock", np.nan, "road", None, "dock"], dtype=object)
    pool = alcore.Pool(5, columns={"place": place})
    assert pool.missing["place"].tolist() == [False, True, False, True, False]
    with pytest.raises(alcore.InvalidInput, match="complex numbers"):
        alcore.Pool(2, columns={"x": np.ones((2, 3)) + 1j})
