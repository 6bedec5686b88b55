"""Reading labels with several predictions a sample: objects, members, pixels, several fields."""

import shutil
from pathlib import Path

import numpy as np
import pytest
from scipy.special import expit, softmax

import alcore as engine

N = 6
CLASSES = ["car", "person", "traffic light"]
COUNTS = [2, 0, 3, 1, None, 1]  # None: nothing has been predicted


@pytest.fixture
def scored(plugin, kinds):
    """Gives what an entry says of every sample."""
    reading, alcore = plugin("operators.reading.read"), plugin("alcore")

    def score(entry, dataset=kinds, **options):
        recipe = alcore.Recipe.of({"budget": 1, "strategies": [entry]})
        found = reading.read(dataset.view(), recipe, **options)
        return alcore.score(found.pool, found.recipe.strategies[0], device="cpu")

    return score


@pytest.fixture
def scores(plugin):
    return plugin("alcore").scores


def classified(fo, classes, p):
    return fo.Classification(
        label=classes[int(p.argmax())], confidence=float(p.max()), probs=p.tolist()
    )


def uncertainty(column, **more):
    return {"strategy": "uncertainty", "column": column, **more}


def per_sample(values, how=np.max, empty=np.nan):
    """From a value an object to one a sample, as in COUNTS."""
    out, start = [], 0
    for count in COUNTS:
        out.append(empty if not count else how(values[start : start + count]))
        start += count or 0
    return np.array(out)


def binary(confidences, scores, measure="margin"):
    return getattr(scores, measure)(np.stack([confidences, 1 - confidences], 1))


def test_boxes_by_their_class_vectors(scored, scores, arrays):
    each = scores.entropy(arrays["probs"])
    found = scored(uncertainty("boxes", measure="entropy", empty="most"))
    expected = per_sample(each)
    expected[1] = np.nanmax(expected)
    np.testing.assert_allclose(found, expected, rtol=1e-5)
    mean = scored(uncertainty("boxes", measure="entropy", aggregate="mean"))
    np.testing.assert_allclose(mean[[0, 2]], per_sample(each, np.mean)[[0, 2]], rtol=1e-5)


@pytest.mark.parametrize("field", ["bare", "lines", "points", "plain_tags"])
def test_objects_by_their_confidences(scored, scores, arrays, field):
    expected = per_sample(binary(arrays["confidences"], scores))
    expected[1] = np.nanmin(expected)
    found = scored(uncertainty(field, empty="least"))
    np.testing.assert_allclose(found, expected, rtol=1e-6)


def test_classes_that_do_not_exclude_each_other_by_their_logits(scored, scores, arrays):
    found = scored(uncertainty("tags_with_logits"))
    expected = scores.multi_label(expit(arrays["tags"]), "margin")
    np.testing.assert_allclose(found, expected, rtol=1e-5)


@pytest.mark.parametrize("field", ["map_path", "stored_map", "seg"])
def test_pixels_from_disk_and_from_the_field(scored, scores, arrays, field):
    found = scored(uncertainty(field, measure="entropy"))
    expected = [scores.entropy(one.reshape(3, -1).T).mean() for one in arrays["maps"]]
    np.testing.assert_allclose(found, expected, rtol=1e-5)


def test_heatmaps_of_another_slice_of_a_grouped_dataset(mongod, scored, scores, arrays, kinds):
    import fiftyone as fo

    grouped = fo.Dataset()
    grouped.add_group_field("group", default="left")
    for row, path in enumerate(kinds.values("filepath")):
        group = fo.Group()
        left, right = (fo.Sample(filepath=path, group=group.element(one)) for one in ("left", "right"))
        right["heat"] = fo.Heatmap(map=arrays["heat"][row] * 4, range=[0, 4])
        grouped.add_samples([left, right], dynamic=True, progress=False)
    entry = uncertainty("heat", aggregate="mean")
    found = scored(entry, grouped.select_group_slices("right"))
    np.testing.assert_allclose(found, scored(entry), atol=1e-6)
    grouped.delete()


@pytest.mark.parametrize(("field", "off"), [("heat", 1e-5), ("heat_file", 0.01)])
def test_heatmaps_as_probabilities_and_as_uncertainty(scored, scores, arrays, field, off):
    flat = arrays["heat"].reshape(N, -1)
    stored = scored(uncertainty(field, measure="stored"))
    np.testing.assert_allclose(stored, flat.mean(1), atol=off)
    found = scored(uncertainty(field))
    np.testing.assert_allclose(found, [binary(one, scores).mean() for one in flat], atol=2 * off)


@pytest.mark.parametrize("field", ["dropout", "dropout.members"])
@pytest.mark.parametrize("measure", ["bald", "vote_entropy"])
def test_members_of_one_field(scored, scores, arrays, field, measure):
    found = scored({"strategy": "disagreement", "column": field, "measure": measure})
    members = softmax(arrays["members"].astype(float), axis=-1).transpose(1, 0, 2)
    np.testing.assert_allclose(found, getattr(scores, measure)(members), rtol=1e-4, atol=1e-7)


def test_members_of_several_fields_are_brought_to_the_same_order_of_classes(scored, scores):
    found = scored({"strategy": "disagreement", "column": ["one", "two"]})
    np.testing.assert_allclose(found, 0, atol=1e-6)


def test_members_that_know_unequal_classes_have_0_for_the_others(scored, kinds):
    import fiftyone as fo

    pairs = [(["cat", "dog"], [0.75, 0.25]), (["dog", "fox"], [0.25, 0.75])]
    for name, (classes, p) in zip(["left", "right"], pairs, strict=True):
        values = [classified(fo, classes, np.array(p if row else p[::-1])) for row in range(N)]
        kinds.set_values(name, values, dynamic=True)
    found = scored({"strategy": "disagreement", "column": ["left", "right"], "measure": "mean_std"})
    left, right = np.array([0.75, 0.25, 0]), np.array([0, 0.25, 0.75])
    assert found[1] == pytest.approx(np.stack([left, right]).std(0).mean())


def test_several_fields_of_boxes_numbers_and_regressions_disagree(scored, arrays):
    found = scored({"strategy": "disagreement", "column": ["boxes", "bare"]})
    assert np.flatnonzero(np.isnan(found)).tolist() == [4]
    assert found[1] == 0 and (found[[0, 2, 3, 5]] > 0).all()
    same = scored({"strategy": "disagreement", "column": ["bare", "bare"]})
    assert np.nanmax(same) == 0
    found = scored({"strategy": "disagreement", "column": ["first", "second"]})
    np.testing.assert_allclose(found, arrays["values"].var(0))
    stored = scored({"strategy": "weight", "column": "variance"})
    assert stored.argmax() == (arrays["values"][0] ** 2).argmax()


def test_one_field_may_be_judged_for_itself_and_as_a_member(plugin, kinds):
    recipe = {
        "budget": 2,
        "strategies": [
            uncertainty("dropout"),
            {"strategy": "batch_bald", "column": "dropout"},
            {"strategy": "disagreement", "column": ["one", "dropout"]},
        ],
    }
    reading, alcore = plugin("operators.reading.read"), plugin("alcore")
    found = reading.read(kinds.view(), alcore.Recipe.of(recipe))
    assert set(found.pool.columns) == {"dropout", "dropout.members", "one"}
    assert len(alcore.select(found.pool, found.recipe, device="cpu")) == 2


def test_a_temperature_is_fitted_on_the_label_field(plugin, dataset):
    reading, alcore = plugin("operators.reading.read"), plugin("alcore")
    recipe = {"budget": 2, "strategies": [uncertainty("predictions", temperature="fit")]}
    labeled = reading.Labeled("ground_truth")
    found = reading.read(dataset.view(), alcore.Recipe.of(recipe), labeled)
    chosen = alcore.select(found.pool, found.recipe, device="cpu")
    # The labels are the model's own, so that no temperature is low enough.
    after = chosen.report["stages"][0]["reached"]["uncertainty"]["after"]
    assert after["temperature"] == pytest.approx(0.05)


# What is wrong


def first(dataset, path):
    return dataset.values(path)[0]


def spoil(dataset, path, row, value):
    values = dataset.values(path)
    values[row] = value
    dataset.set_values(path, values)


def bad_boxes(kinds, attribute, value):

    values = kinds.values("boxes")
    values[2].detections[1][attribute] = value
    kinds.set_values("boxes", values)


@pytest.mark.parametrize(
    ("attribute", "value", "what"),
    [
        ("confidence", 1.5, "a confidence outside 0 to 1"),
        ("probs", [0.5, 0.5], "an object whose vector has not the 3 classes of most"),
        ("probs", [0.5, float("nan"), 0.5], "an object whose vector has NaN"),
        ("probs", [2.0, -3.0, 1.0], "an object whose class probabilities lie outside 0 to 1"),
    ],
)
def test_bad_objects_stop_or_leave_their_sample_out(scored, kinds, invalid, attribute, value, what):
    bad_boxes(kinds, attribute, value)
    with pytest.raises(invalid, match=f"field 'boxes': 1 sample .* with {what}"):
        scored(uncertainty("boxes"))
    found = scored(uncertainty("boxes"), bad="leave_out")
    assert np.flatnonzero(np.isnan(found)).tolist() == [2, 4]


def test_an_object_needs_a_confidence_or_a_vector(scored, kinds, invalid):
    bad_boxes(kinds, "confidence", None)
    assert np.isfinite(scored(uncertainty("boxes"))[2])
    bad_boxes(kinds, "probs", None)
    with pytest.raises(invalid, match="an object with neither a confidence nor a class vector"):
        scored(uncertainty("boxes"))


@pytest.fixture
def own_maps(kinds, maps, tmp_path):
    """A folder with copies of the maps' files, to which the dataset refers instead."""
    folder = shutil.copytree(maps, tmp_path / "maps")
    for field in ("map_path", "seg.probs_path", "heat_file.map_path"):
        paths = [Path(path).name for path in kinds.values(field)]
        kinds.set_values(field, [str(folder / name) for name in paths])
    return folder


def test_a_map_whose_file_is_gone(scored, invalid, own_maps):
    (own_maps / "3.npy").unlink()
    with pytest.raises(invalid, match=r"field 'map_path': 1 sample .* with a map whose file is gone"):
        scored(uncertainty("map_path"))
    found = scored(uncertainty("map_path"), bad="leave_out")
    assert np.flatnonzero(np.isnan(found)).tolist() == [3]
    (own_maps / "2.png").unlink()
    with pytest.raises(invalid, match=r"field 'heat_file': 1 sample .* with a map whose file is gone"):
        scored(uncertainty("heat_file"))


def test_a_map_that_wants_unpickling_is_refused(scored, invalid, own_maps):
    np.save(own_maps / "1.npy", np.array([{"not": "numbers"}], dtype=object), allow_pickle=True)
    with pytest.raises(invalid, match=r"1 sample .* with a map that cannot be read .*allow_pickle"):
        scored(uncertainty("map_path"))


def test_members_of_unequal_shape(scored, kinds, invalid):
    values = kinds.values("dropout")
    values[1]["members"] = np.ones((2, 3), dtype=np.float32)
    kinds.set_values("dropout", values)
    with pytest.raises(invalid, match="members of another shape than the 4 x 3 of most"):
        scored({"strategy": "disagreement", "column": "dropout"})


def test_fields_that_do_not_fit_are_named(scored, invalid):
    with pytest.raises(invalid, match="'variance' is a FloatField; it takes a Classification"):
        scored(uncertainty("variance"))
    with pytest.raises(invalid, match="'boxes' is a Detections; it takes arrays of members"):
        scored({"strategy": "disagreement", "column": "boxes"})
    with pytest.raises(invalid, match="'lines' is a Polylines; it takes Detections, for boxes"):
        scored({"strategy": "disagreement", "column": ["boxes", "lines"]})


def test_fields_are_offered_by_what_they_hold(plugin, kinds):
    fields = plugin("operators.dataset.fields")
    assert {c.path for c in fields.object_fields(kinds)} == {
        "boxes",
        "bare",
        "lines",
        "points",
        "plain_tags",
        "tags_with_logits",
    }
    assert {c.path for c in fields.map_fields(kinds)} == {
        "map_path",
        "stored_map",
        "seg",
        "heat",
        "heat_file",
    }
    assert {c.path for c in fields.member_fields(kinds)} >= {"dropout.members"}


@pytest.mark.parametrize("column", ["map_path", "stored_map", "seg", ["seg", "stored_map"]])
def test_maps_on_disk_and_in_the_database_are_chosen_by_class(column, kinds, operator, arrays):
    entry = {"strategy": "clasp", "column": column, "round": 5}
    operator("select")(kinds, recipe={"budget": 3, "strategies": [entry]}, tag="next")
    maps = engine.Maps(lambda row: arrays["maps"][row], N)
    pool = engine.Pool(N, ids=kinds.values("id"), columns={"maps": maps})
    expected = engine.select(pool, {"budget": 3, "strategies": [{**entry, "column": "maps"}]})
    assert set(kinds.match_tags("next").values("id")) == set(expected.ids)


def test_the_rounds_of_the_dataset_are_counted_where_the_recipe_leaves_the_round_open(kinds, operator):
    rounds = []
    for key, entry in (("a", {}), ("b", {}), ("c", {"round": 5}), ("d", {}), ("b", {})):
        recipe = {"budget": 1, "strategies": [{"strategy": "clasp", "column": "seg", **entry}]}
        operator("select")(kinds, recipe=recipe, run_key=key, overwrite=key in kinds.list_runs())
        rounds.append(kinds.get_run_info(key).config.recipe["strategies"][0]["round"])
    assert rounds == [1, 2, 5, 4, 2]


def test_clasp_takes_maps_alone(kinds, operator):
    recipe = {"budget": 3, "strategies": [{"strategy": "clasp", "column": "boxes"}]}
    with pytest.raises(Exception, match="field 'boxes' is a Detections; it takes a Heatmap, or arrays"):
        operator("select")(kinds, recipe=recipe)
