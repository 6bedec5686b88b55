"""Metrics of boxes and masks, by hand; they write nothing, and what cannot be measured is said."""

import fiftyone as fo
import numpy as np
import pytest

EXAM = 12


@pytest.fixture
def exam(pool):
    return pool.match_tags("exam").limit(EXAM)


def measured(rooms, pool, predictions, labels):
    return rooms.metric.measure(pool, predictions, labels, rooms.test_set.TestSet("few", pool))


def boxes(corner, label="cat", **more):
    return fo.Detections(
        detections=[fo.Detection(label=label, bounding_box=[corner, 0.1, 0.4, 0.4], **more)]
    )


@pytest.mark.parametrize("wrong", [0, 3])
def test_boxes(pool, exam, rooms, everything, wrong):
    """Of boxes that lie where they should or elsewhere, the precision is the share found, in order."""
    exam.set_values("true_boxes", [boxes(0.1)] * EXAM)
    found = [boxes(0.5 if row < wrong else 0.1, confidence=1 - row / 20) for row in range(EXAM)]
    exam.set_values("seen", found)
    before = everything(pool)
    metric = measured(rooms, pool, "seen", "true_boxes")
    assert everything(pool) == before
    assert metric.name == "mean average precision" and metric.samples == EXAM
    if not wrong:
        assert metric.value == 1 and metric.error == 0 and (metric.low, metric.high) == (1, 1)
    else:
        # The wrong ones come first, so the precision at each recall is 9/12 up to recall 9/12.
        recalls = np.linspace(0, 1, 101)
        assert metric.value == pytest.approx(np.where(recalls <= 0.75, 0.75, 0).mean(), abs=1e-6)
        assert 0 < metric.error < 0.3 and metric.low < metric.value < metric.high


def test_masks(pool, exam, rooms, everything):
    """Class 1 is the left half; predictions reach a quarter further, so 1 has 2/3, and 0 has 1/2."""
    truth, guess = np.zeros((4, 8), np.uint8), np.zeros((4, 8), np.uint8)
    truth[:, :4], guess[:, :6] = 1, 1
    exam.set_values("mask", [fo.Segmentation(mask=truth)] * EXAM)
    exam.set_values("seen", [fo.Segmentation(mask=guess)] * EXAM)
    before = everything(pool)
    metric = measured(rooms, pool, "seen", "mask")
    assert everything(pool) == before
    assert metric.name == "mean IoU"
    assert metric.value == pytest.approx((2 / 3 + 1 / 2) / 2) and metric.error == pytest.approx(0)


def test_texts_are_classes_and_a_missing_prediction_is_wrong(pool, exam, rooms):
    truth = exam.values("truth")
    exam.set_values("said", [fo.Classification(label=one) for one in truth[:-2]] + [None, None])
    view = pool.match_tags("exam").limit(EXAM)
    metric = rooms.metric.measure(pool, "said", "truth", rooms.test_set.TestSet("few", view))
    assert metric.value == pytest.approx(10 / 12)
    assert metric.notes == ["2 samples have no prediction, which counts as wrong"]


def test_an_interval_of_an_accuracy_is_that_of_wilson(pool, exam, rooms):
    exam.set_values("said", [fo.Classification(label=one) for one in exam.values("truth")])
    view = pool.match_tags("exam").limit(EXAM)
    metric = rooms.metric.measure(pool, "said", "truth", rooms.test_set.TestSet("few", view))
    z = 1.959964
    assert metric.value == 1 and metric.high == 1
    assert metric.low == pytest.approx(EXAM / (EXAM + z**2), abs=1e-5) and metric.error > 0


def test_what_cannot_be_measured_is_said(pool, exam, rooms, invalid):
    exam.set_values("mask", [fo.Segmentation(mask=np.zeros((2, 2), np.uint8))] * EXAM)
    exam.set_values("true_boxes", [fo.Detections()] * EXAM)
    exam.set_values("seen", [boxes(0.1, confidence=0.5)] * EXAM)
    rest = pool.match_tags("exam").skip(EXAM)
    empty = rooms.test_set.TestSet("rest", rest)
    with pytest.raises(invalid, match="'seen' holds Detections and 'mask' holds Segmentation"):
        measured(rooms, pool, "seen", "mask")
    with pytest.raises(invalid, match="hold nothing to compare with"):
        measured(rooms, pool, "seen", "true_boxes")
    with pytest.raises(invalid, match="'seen' has no value in the 78 labeled samples"):
        rest.set_values("true_boxes", [boxes(0.1)] * len(rest))
        rooms.metric.measure(pool, "seen", "true_boxes", empty)
    with pytest.raises(invalid, match="none of the 78 samples of 'rest' has a label in 'mask'"):
        pool.set_values("other", [fo.Segmentation(mask=np.zeros((2, 2), np.uint8))] * len(pool))
        rooms.metric.measure(pool, "other", "mask", empty)
