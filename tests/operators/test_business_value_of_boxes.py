"""compute_business_value of a detector's boxes, as a user calls it and as a form."""

import json

import numpy as np
import pytest

from support.operators import form_of

COSTS = {"missed_cost": 10.0, "false_cost": 2.0, "confused_cost": 5.0}


@pytest.fixture
def value(operator):
    return operator("compute_business_value")


@pytest.fixture
def confused(street):
    """Of every third found box the label is another, in the images with true boxes."""
    for number, sample in enumerate(street):
        for place, box in enumerate(sample.found.detections):
            if (number + place) % 3 == 0:
                box.label = {"car": "person", "person": "car"}.get(box.label, box.label)
        sample.save()
    return street


def overlap(a, b):
    across, down = (max(0, min(a[k] + a[k + 2], b[k] + b[k + 2]) - max(a[k], b[k])) for k in (0, 1))
    shared = across * down
    return shared / (a[2] * a[3] + b[2] * b[3] - shared)


def counted(dataset, least=0.0):
    """By sample id, how many boxes are missed, false and confused: matched by loops."""
    found = {}
    for sample in dataset.exists("true"):
        left = list(sample.true.detections)
        false = wrong = 0
        boxes = [box for box in sample.found.detections if box.confidence >= least]
        for box in sorted(boxes, key=lambda one: -one.confidence):
            near = [one for one in left if overlap(one.bounding_box, box.bounding_box) >= 0.5]
            best = max(near, key=lambda one: overlap(one.bounding_box, box.bounding_box), default=None)
            if best is None:
                false += 1
            else:
                left.remove(best)
                wrong += best.label != box.label
        found[sample.id] = (len(left), false, wrong)
    return found


def cost(counts):
    return float(np.dot(counts, list(COSTS.values())))


@pytest.mark.parametrize("least", [0.0, 0.6])
def test_figures_are_those_counted_by_loops(confused, value, state, least):
    before = state(confused)
    found = value(
        confused, predictions="found", label_field="true", min_confidence=least, **COSTS
    ).result
    by_sample = counted(confused, least)
    total = np.sum(list(by_sample.values()), axis=0)
    assert found["total"] == pytest.approx(-cost(total))
    missed, false, wrong = total.tolist()
    assert min(missed, false, wrong) > 0
    assert found["lines"][1] == (
        f"Missed: {missed} boxes, {-10 * missed:,}, false: {false} boxes, {-2 * false:,}, "
        f"confused: {wrong} boxes, {-5 * wrong:,}"
    )
    true = sum(len(one.detections) for one in confused.exists("true").values("true"))
    assert found["count"] == true + false
    assert (found["possible"], found["constant"]) == (0, "(none)")
    assert found["constant_total"] == -10 * true
    assert found["without_truth"] == 16
    assert sum(one["count"] for one in found["classes"]) == true + false
    assert json.loads(json.dumps(found, allow_nan=False)) == found
    assert state(confused) == before


def test_each_sample_has_the_sum_of_its_boxes(confused, value):
    confused.set_values("place", ["dock", "road"] * 16)
    options = {"predictions": "found", "label_field": "true", "slices": ["place"], **COSTS}
    found = value(confused, field="brings", **options).result
    confused.reload()
    written = dict(zip(*confused.exists("brings").values(["id", "brings"]), strict=True))
    assert written == {one: pytest.approx(-cost(counts)) for one, counts in counted(confused).items()}
    docks = confused.match({"place": "dock"}).values("id")
    dock = next(one for one in found["slices"] if one["name"] == "dock")
    assert dock["total"] == pytest.approx(sum(written[one] for one in written if one in docks))


def test_a_matrix_with_a_class_for_no_box_says_the_same(confused, value):
    names = ["boat", "car", "person", "(none)"]
    matrix = {t: {d: 5.0 for d in names if d != t} for t in names}
    for name in names[:-1]:
        matrix[name]["(none)"], matrix["(none)"][name] = 10.0, 2.0
    fields = {"predictions": "found", "label_field": "true"}
    assert (
        value(confused, cost=matrix, **fields).result["total"]
        == value(confused, **COSTS, **fields).result["total"]
    )


def test_the_form_asks_for_what_mistakes_of_boxes_cost(street, value, operator):
    form = form_of(value, street)
    assert {"missed_cost", "false_cost", "confused_cost", "iou", "min_confidence"} <= set(form)
    assert "decision" not in form
    assert form["label_field"].default == "true"


@pytest.mark.parametrize(
    ("options", "sentence"),
    [
        ({"label_field": "embeddings"}, "label_field: 'embeddings' holds no Detections"),
        ({"decision": "expected_gain"}, "decision: boxes are judged by their predicted class"),
        ({"missed_cost": -1}, "costs of boxes: one is below 0"),
        ({"iou": 1.5}, "iou: is 1.5; give a number from 0 to 1"),
        ({"min_confidence": -1}, "min_confidence: is -1"),
        ({"label_field": "found"}, "label_field: 'found' is what is judged"),
    ],
)
def test_what_cannot_be_is_refused_in_a_sentence(street, value, options, sentence):
    with pytest.raises(Exception, match=sentence):
        value(street, **{"predictions": "found", "label_field": "true"} | options)
