"""select_like_failures: by an evaluation of classes, of boxes, and by a weak slice."""

import json
import uuid

import numpy as np
import pytest

import alcore
from support.operators import form_of


@pytest.fixture
def like_failures(operator):
    return operator("select_like_failures")


@pytest.fixture
def judged(mongod):
    """60 samples, 30 labeled, of which some are predicted wrong and some boxes are missed."""
    import fiftyone as fo

    rng = np.random.default_rng(0)
    dataset = fo.Dataset(f"test-{uuid.uuid4().hex[:8]}")
    samples = []
    for i in range(60):
        truth, predicted = "ab"[i % 2], "ab"[(i % 2) ^ (i in (3, 8, 12))]
        sample = fo.Sample(f"/{i}.png", embeddings=rng.normal(size=4).tolist(), odd=i in (5, 6))
        sample["predictions"] = fo.Classification(label=predicted, confidence=0.5 + 0.005 * i)
        box = fo.Detection(label="car", bounding_box=[0.1, 0.1, 0.2, 0.2], confidence=0.9)
        sample["found"] = fo.Detections(detections=[box] if i % 4 else [])
        if i < 30:
            sample["ground_truth"] = fo.Classification(label=truth)
            known = fo.Detection(label="car", bounding_box=[0.1, 0.1, 0.2, 0.2])
            sample["boxes"] = fo.Detections(detections=[known] if i % 3 else [])
        samples.append(sample)
    dataset.add_samples(samples)
    known = dataset.exists("ground_truth")
    known.evaluate_classifications("predictions", gt_field="ground_truth", eval_key="classes")
    known.evaluate_detections("found", gt_field="boxes", eval_key="detected")
    yield dataset
    dataset.delete()


def test_wrong_classes_the_most_confident_first(judged, like_failures):
    options = {"failures": "classes", "embeddings": "embeddings", "budget": 6, "covered": 0.0}
    result = like_failures(judged, label_field="ground_truth", **options).result
    ids, X = judged.values(["id", "embeddings"])
    failures = [ids[i] for i in (12, 8, 3)]
    pool = alcore.Pool(
        60, ids, labeled=np.arange(60) < 30, columns={"embeddings": np.array(X, dtype=float)}
    )
    entry = {"strategy": "like_failures", "column": "embeddings", "to": failures, "covered": 0.0}
    expected = alcore.select(pool, {"budget": 6, "strategies": [entry]})
    assert judged.load_saved_view(result["saved_view"]).values("id") == expected.ids
    assert result["failures"] == 3 and result["chosen"] == 6
    assert (
        "2 failures: b taken for a" in result["notes"] or "2 failures: a taken for b" in result["notes"]
    )


def test_each_pick_names_its_failure(judged, like_failures, plugin):
    result = like_failures(
        judged, failures="classes", embeddings="embeddings", budget=10, label_field="ground_truth"
    ).result
    records = plugin("operators.dataset.selection_records")
    why = records.results_of(judged, result["run_key"]).report["why"]
    ids = judged.values("id")
    failures = {ids[i] for i in (3, 8, 12)}
    assert len(why["answered"]) == 7 and {one for one, _ in why["answered"].values()} == failures
    assert list(why["answered"]) == why["ids"][:7]


def test_missed_and_false_boxes_are_told_apart(judged, like_failures, plugin):
    failures = plugin("operators.evaluation.failures")
    numbers = {one: i for i, one in enumerate(judged.values("id"))}
    missed = failures.failures_of(judged, "detected", "missed")
    false = failures.failures_of(judged, "detected", "false_positives")
    assert sorted(numbers[one] for one in missed.ids) == [i for i in range(30) if i % 3 and not i % 4]
    assert sorted(numbers[one] for one in false.ids) == [i for i in range(30) if not i % 3 and i % 4]
    assert failures.failures_of(judged, "detected").total == missed.total + false.total
    assert set(missed.says) == {"1 objects that were missed"}
    form = form_of(like_failures, judged, failures="detected")
    assert {"failures", "kind", "embeddings", "covered"} <= set(form)
    assert "kind" not in form_of(like_failures, judged, failures="classes")


def test_a_weak_slice_is_a_field_of_booleans(judged, like_failures):
    view = judged.match_tags("absent", bool=False)
    options = {"failures": "odd", "embeddings": "embeddings", "label_field": "ground_truth"}
    result = like_failures(view, budget=4, **options).result
    assert result["failures"] == 2 and result["chosen"] == 4
    assert "2 failures: in the weak slice" in result["notes"]


def test_failures_outside_of_the_view_count(judged, like_failures):
    view = judged.skip(30)
    result = like_failures(
        view, failures="classes", embeddings="embeddings", budget=5, label_field="ground_truth"
    ).result
    assert result["chosen"] == 5


BAD = [
    ({"failures": "absent"}, "failures: 'absent' is neither an evaluation nor a field of booleans"),
    ({"failures": "classes", "kind": "missed"}, "kind: 'classes' compares classes"),
    ({"failures": "classes", "covered": 2}, "covered"),
    ({"failures": "classes", "objects": "found"}, "objects: samples are chosen here"),
]


@pytest.mark.parametrize("number", range(len(BAD)))
def test_bad_input_is_one_sentence(judged, like_failures, plugin, number):
    options, told = BAD[number]
    with pytest.raises(plugin("alcore").InvalidInput) as error:
        like_failures(judged, embeddings="embeddings", **options)
    assert told in str(error.value) and "\n" not in str(error.value)


def test_no_failure_is_said(judged, like_failures, plugin):
    judged.set_values("odd", [False] * 60)
    with pytest.raises(plugin("alcore").InvalidInput, match="'odd' has no failure"):
        like_failures(judged, failures="odd", embeddings="embeddings")


def test_the_recipe_can_be_run_as_json(judged, operator):
    ids = judged.values("id")
    entry = {"strategy": "like_failures", "column": "embeddings", "to": ids[:2]}
    recipe = json.dumps({"budget": 5, "strategies": [entry]})
    assert operator("select")(judged, recipe=recipe, label_field="ground_truth").result["chosen"] == 5
