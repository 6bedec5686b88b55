"""The field of the labels is found whatever it is called, and predictions are not taken for it."""

import pytest


@pytest.fixture
def usual(plugin):
    return plugin("operators.forms.pieces").usual_labels


def labels(dataset, kind):
    import fiftyone as fo

    one = {
        "class": fo.Classification(label="cat"),
        "sure class": fo.Classification(label="cat", confidence=0.5),
        "boxes": fo.Detections(detections=[fo.Detection(label="cat", bounding_box=[0, 0, 1, 1])]),
        "sure boxes": fo.Detections(
            detections=[fo.Detection(label="cat", bounding_box=[0, 0, 1, 1], confidence=0.5)]
        ),
        "no boxes": fo.Detections(),
        "place": fo.GeoLocation(point=[1, 2]),
        "value": fo.Regression(value=1.0),
    }[kind]
    return [None] * 20 + [one] * 4 + [None] * (len(dataset) - 24)


def test_ground_truth_goes_first(dataset, usual):
    dataset.set_values("labels", labels(dataset, "class"))
    assert usual(dataset) == "ground_truth"


@pytest.mark.parametrize(
    ("fields", "expected"),
    [
        ({}, ""),
        ({"weather": "class"}, "weather"),
        ({"weather": "class", "my_labels": "class"}, "my_labels"),
        ({"answers": "boxes", "found": "sure boxes"}, "answers"),
        ({"found": "sure class"}, ""),
        ({"model_1": "class", "annotations": "no boxes"}, "annotations"),
        ({"where": "place", "age": "value"}, ""),
    ],
)
def test_other_names(dataset, usual, fields, expected):
    dataset.delete_sample_field("ground_truth")
    for name, kind in fields.items():
        dataset.set_values(name, labels(dataset, kind))
    assert usual(dataset) == expected


def test_no_kind_of_prediction_is_taken_for_labels(unchanged_kinds, usual):
    assert usual(unchanged_kinds) == ""
