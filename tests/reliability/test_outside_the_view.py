"""What is computed anew on a view leaves the values of all other samples."""

import pytest

HALF = 24


@pytest.fixture(params=["compute_scores", "find_outliers", "find_weak_slices"])
def computed(request, operator, dataset):
    """Computes a field on a view; gives its name."""
    options = {
        "compute_scores": {"predictions": "predictions", "measures": ["margin"]},
        "find_outliers": {"embeddings": "embeddings", "neighbors": 2, "tag": "odd"},
        "find_weak_slices": {
            "outcome": "sharpness",
            "fields": ["place"],
            "minimum": 2,
            "false_discoveries": 1.0,
            "slice": "place: dock",
        },
    }[request.param]
    places = dataset.values("place")
    right = [0.0 if one == "dock" else 1 + n / 99 for n, one in enumerate(places)]
    dataset.set_values("sharpness", right)

    def compute(view, **more):
        result = operator(request.param)(view, **options, **more).result
        return result["fields"][0] if "fields" in result else result["field"]

    return compute


def test_values_outside_the_view_stay(dataset, computed):
    field = computed(dataset)
    before = dataset.values(field)
    assert None not in before
    assert computed(dataset.limit(HALF), overwrite=True) == field
    after = dataset.values(field)
    assert after[HALF:] == before[HALF:] and None not in after
    computed(dataset.skip(HALF), overwrite=True)
    assert None not in dataset.values(field) and dataset.values(field)[:HALF] == after[:HALF]


def test_it_is_said(dataset, operator):
    scores = operator("compute_scores")
    options = {"predictions": "predictions", "measures": ["margin"]}
    scores(dataset, **options)
    notes = scores(dataset.limit(HALF), **options, overwrite=True).result["notes"]
    assert "field 'al_margin': 24 samples outside this view keep their earlier values" in notes


def test_groups_of_another_view_are_not_mixed(dataset, operator, everything, invalid):
    find = operator("find_near_duplicates")
    dataset.set_values("embeddings", [[float(n // 2), 1.0, 0.5] for n in range(48)])
    find(dataset, embeddings="embeddings", distance=0.1)
    before = everything(dataset)
    with pytest.raises(invalid, match="values of 24 samples outside this view, which would be lost"):
        find(dataset.limit(HALF), embeddings="embeddings", distance=0.1, overwrite=True)
    assert everything(dataset) == before
