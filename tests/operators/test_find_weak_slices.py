"""find_weak_slices: by labels, evaluations and fields; what is written, and what it is good for."""

import json
from collections import Counter

import numpy as np
import pytest

from support.datasets import copy_of, kept, new_name


@pytest.fixture(scope="module")
def driving_master(mongod, images):
    with kept(make_driving(images)) as master:
        yield master


@pytest.fixture
def driving(driving_master):
    with copy_of(driving_master) as dataset:
        yield dataset


@pytest.fixture(scope="module")
def unchanged(driving_master):
    """The same, for tests that leave it as it is."""
    with copy_of(driving_master) as dataset:
        yield dataset


def make_driving(images):
    """240 samples of 48 images, wrong mostly at night at the dock; boxes, and a loss."""
    import fiftyone as fo

    rng = np.random.default_rng(0)
    dataset = fo.Dataset(new_name())
    samples = []
    for number in range(240):
        place, night = ["dock", "road", "yard"][number % 3], bool(number % 2)
        wrong = rng.random() < (0.9 if place == "dock" and night else 0.1)
        truth = ["car", "bus"][number // 6 % 2]
        sample = fo.Sample(
            filepath=images[number % len(images)],
            place=place,
            night=night,
            speed=float(rng.normal()),
            camera=f"serial-{number}",
            ground_truth=fo.Classification(label=truth),
            predictions=fo.Classification(
                label="tram" if wrong else truth, confidence=0.5, loss=float(wrong + rng.random() / 10)
            ),
        )
        box = fo.Detection(label="car", bounding_box=[0.1, 0.1, 0.4, 0.4])
        sample["boxes"] = fo.Detections(detections=[] if number % 5 == 0 else [box])
        found = (
            box.copy() if not wrong else fo.Detection(label="car", bounding_box=[0.6, 0.6, 0.2, 0.2])
        )
        found.confidence = 0.9
        sample["found"] = fo.Detections(detections=[] if number % 5 == 0 else [found])
        samples.append(sample)
    dataset.add_samples(samples, dynamic=True, progress=False)
    return dataset


def names(result):
    return [one["slice"] for one in result["slices"]]


def is_weak(dataset):
    both = zip(*dataset.values(["place", "night"]), strict=True)
    return [place == "dock" and night for place, night in both]


def test_slices_are_judged_by_predictions_beside_labels(unchanged, operator, state):
    before = state(unchanged)
    result = operator("find_weak_slices")(unchanged).result
    assert set(names(result)[0].split(", ")) == {"night: True", "place: dock"}
    assert set(names(result)[1:]) <= {"night: True", "place: dock"}
    pairs = zip(*unchanged.values(["predictions.label", "ground_truth.label"]), strict=True)
    right = np.array([a == b for a, b in pairs])
    inside = np.array(is_weak(unchanged))
    first = result["slices"][0]
    assert (first["count"], first["mean"]) == (40, right[inside].mean())
    assert first["difference"] == pytest.approx(right[inside].mean() - right[~inside].mean())
    assert first["low"] < first["mean"] < first["high"] < 0.5
    assert first["q"] < 1e-6 < 0.3 < first["worse_by"]
    assert (result["count"], result["mean"]) == (240, right.mean())
    assert "the share of predictions that is right is" in result["text"]
    assert result["notes"] == ["camera: not looked at, with more than 200 values, unless named"]
    assert state(unchanged) == before


def test_a_slice_s_filters_and_weights_go_into_a_recipe(driving, operator):
    first = operator("find_weak_slices")(driving).result["slices"][0]
    assert {"column": "night", "in": [True]} in first["filters"]
    recipe = {"budget": 1.0, "strategies": [{"strategy": "random"}], "filters": first["filters"]}
    operator("select")(driving, recipe=json.loads(json.dumps(recipe)), tag="kept")
    assert driving.match_tags("kept").count() == sum(is_weak(driving)) == 40
    weighed = {"budget": 40, "strategies": first["weights"]}
    operator("select")(driving, recipe=weighed, tag="preferred", skip_chosen=False)
    assert set(driving.match_tags("preferred").values("id")) == set(
        driving.match_tags("kept").values("id")
    )


def test_a_slice_is_written_as_a_field_a_tag_and_a_view_and_undone(driving, operator, state):
    before = state(driving)
    found = operator("find_weak_slices")(driving).result
    result = operator("find_weak_slices")(driving, slice=names(found)[0], tag="night-dock").result
    driving.reload()
    assert driving.values("is_night_dock") == is_weak(driving)
    assert driving.count_sample_tags()["night-dock"] == 40
    shown = driving.load_saved_view("night-dock")
    assert len(shown) == 40
    right = [
        a == b for a, b in zip(*shown.values(["predictions.label", "ground_truth.label"]), strict=True)
    ]
    assert right == sorted(right)
    asked = json.loads(result["written_as"])
    assert asked["filters"] == [{"column": "is_night_dock", "in": [True]}] == result["filters"]
    operator("select")(driving, recipe={"budget": 1.0, **asked}, skip_chosen=True, tag="again")
    assert driving.match_tags("again").count() == 40
    half = [{"strategy": "weight", "column": "is_night_dock", "prefer": [True]}]
    recipe = {"budget": 50, "strategies": half}
    operator("select")(driving, recipe=recipe, tag="first", skip_chosen=False)
    assert Counter(driving.match_tags("first").values("is_night_dock")) == {True: 40, False: 10}
    later = operator("find_weak_slices")(driving).result
    assert not any("is_night_dock" in one or "rank" in one for one in names(later))
    for run in ("again", "first", result["run_key"]):
        operator("undo_selection")(driving, run)
    assert state(driving) == before


def test_samples_without_labels_are_in_the_slice_to_be_chosen_from(driving, operator):
    unlabeled = driving[120:]
    unlabeled.set_field("ground_truth", None).save("ground_truth")
    driving.reload()
    find = operator("find_weak_slices")
    options = {"fields": ["place", "night"], "minimum": 10}
    found = find(driving, **options).result
    assert (found["count"], found["slices"][0]["count"]) == (120, 20)
    find(driving, slice=names(found)[0], tag="weak", **options)
    driving.reload()
    assert driving.values("is_weak") == is_weak(driving)
    last = driving.load_saved_view("weak").values("ground_truth.label")[20:]
    assert last == [None] * 20
    operator("select_by_metadata")(
        driving,
        filters=[{"field": "is_weak", "in": [True]}],
        label_field="ground_truth",
        budget=1.0,
        tag="next",
    )
    assert driving.match_tags("next").count() == 20


def test_evaluations_of_boxes_and_classes_say_what_is_weak(driving, operator):
    driving.evaluate_detections("found", "boxes", eval_key="boxed", progress=False)
    driving.evaluate_classifications("predictions", "ground_truth", eval_key="classed", progress=False)
    boxed = operator("find_weak_slices")(driving, outcome="boxed", fields=["place", "night"]).result
    assert set(names(boxed)[0].split(", ")) == {"night: True", "place: dock"}
    counts = zip(*driving.values(["boxed_tp", "boxed_fp", "boxed_fn"]), strict=True)
    f1 = [2 * tp / (2 * tp + fp + fn) if tp + fp + fn else 1.0 for tp, fp, fn in counts]
    assert f1.count(1.0) >= 48  # nothing is there, and nothing is found
    assert boxed["slices"][0]["mean"] == pytest.approx(np.mean(np.array(f1)[is_weak(driving)]))
    assert "the mean F1 of samples by boxed" in boxed["text"]
    find = operator("find_weak_slices")
    classed = find(driving, outcome="classed", fields=["place", "night"]).result
    plain = find(driving, fields=["place", "night"]).result
    assert classed["slices"] == plain["slices"]


def test_a_number_may_be_better_or_worse_where_it_is_high(unchanged, operator):
    find = operator("find_weak_slices")
    result = find(
        unchanged, outcome="predictions.loss", higher_is="worse", fields=["place", "night", "speed"]
    ).result
    assert set(names(result)[0].split(", ")) == {"night: True", "place: dock"}
    assert result["slices"][0]["difference"] > 0
    result = find(unchanged, outcome="predictions.loss", fields=["place", "night"]).result
    assert not any("dock" in one for one in names(result))
    result = find(
        unchanged, outcome="predictions.loss", higher_is="worse", fields=["place"], pairs=False
    ).result
    assert names(result) == ["place: dock"]


def test_a_view_is_looked_at_alone(unchanged, operator):
    view = unchanged.match({"night": True})
    result = operator("find_weak_slices")(view, fields=["place", "night"], minimum=10).result
    assert (names(result), result["count"]) == (["place: dock"], 120)


def test_the_form_finds_on_demand_and_offers_the_slices(driving, operator):
    import fiftyone.operators as foo

    def form(**params):
        ctx = foo.executor.ExecutionContext(
            {"dataset_name": driving.name, "params": {"view_target": "DATASET", **params}}
        )
        return operator("find_weak_slices").resolve_input(ctx).type.properties

    assert "slice" not in form() and "error" not in form()
    shown = form(show_preview=True)
    assert any("place: dock" in one for one in shown["slice"].view.values())
    assert "| slice | samples |" in shown["slices"].default
    assert "tag" not in shown
    driving.tag_samples("weak-slice")
    named = form(show_preview=True, slice=shown["slice"].view.values()[1])
    assert named["tag"].invalid and "'weak-slice' is in use" in named["tag"].error_message
    assert "higher_is" in form(outcome="predictions.loss") and "predictions" not in form(
        outcome="predictions.loss"
    )


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"outcome": "nothing"}, "has no field 'nothing'"),
        ({"outcome": "predictions.loss", "higher_is": "good"}, "higher_is: there is no 'good'"),
        ({"predictions": "found"}, "predictions: field 'found' is no Classification; evaluate it"),
        ({"fields": ["boxes.detections.label"]}, "has several values a sample"),
        ({"fields": ["nowhere"]}, "has no field 'nowhere'"),
        ({"slices": "place: dock"}, "unknown option 'slices'"),
        ({"slice": "place: dock", "field": "place"}, "field 'place' exists"),
    ],
)
def test_what_cannot_be_looked_at_is_refused(unchanged, operator, invalid, state, options, message):
    before = state(unchanged)
    with pytest.raises(invalid, match=message):
        operator("find_weak_slices")(unchanged, **options)
    assert state(unchanged) == before


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"slice": "place: moon"}, "none that was found is 'place: moon'; there are '"),
        ({"fields": ["place"], "timezone": "Mars"}, "there is no time zone 'Mars'"),
    ],
)
def test_what_turns_out_wrong_leaves_nothing_behind(unchanged, operator, state, options, message):
    before = state(unchanged)
    with pytest.raises(Exception, match=message):
        operator("find_weak_slices")(unchanged, **options)
    assert state(unchanged) == before
