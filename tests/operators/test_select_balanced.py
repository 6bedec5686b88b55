"""select_balanced beyond classes: objects, places, numbers, dates, and several at once."""

from collections import Counter
from functools import partial

import pytest


def after(dataset, result, name="balance"):
    dataset.reload()
    report = dataset.load_run_results(result["run_key"]).report
    return report["stages"][0]["reached"][name]["after"]


def chosen_of(dataset, tag, field):
    return Counter(dataset.match_tags(tag).values(field))


def test_dates_numbers_and_places_are_balanced(dataset, operator):
    select = partial(operator("select_balanced"), skip_chosen=False)
    dataset.set_values(
        "taken",
        [one.replace(hour=5 if n < 36 else 21) for n, one in enumerate(dataset.values("taken"))],
    )
    by_hour = select(dataset, by="taken", date_part="hour", budget=8, tag="hours").result
    assert after(dataset, by_hour)["counts"] == {"05": 4, "21": 4}
    by_weekday = select(
        dataset, by="taken", date_part="weekday", timezone="Asia/Tokyo", budget=7, tag="days"
    ).result
    assert set(after(dataset, by_weekday)["counts"].values()) == {1}
    in_bins = select(dataset, by="sharpness", bins=4, budget=12, tag="bins").result
    assert list(after(dataset, in_bins)["counts"].values()) == [3] * 4
    by_edges = select(dataset, by="sharpness", edges=[0.2, 0.8], budget=6, tag="edges").result
    assert after(dataset, by_edges)["counts"] == {"below 0.2": 2, "0.2 to 0.8": 2, "0.8 or more": 2}


def test_several_are_balanced_jointly_or_each_on_its_own(dataset, operator):
    select = partial(operator("select_balanced"), skip_chosen=False)
    together = select(dataset, by="place", also=["night"], jointly=True, budget=12, tag="pairs").result
    assert len(after(dataset, together)["counts"]) == 6
    assert set(after(dataset, together)["counts"].values()) == {2}
    select(dataset, by="place", also=["night"], budget=12, tag="each")
    assert set(chosen_of(dataset, "each", "place").values()) == {4}
    assert set(chosen_of(dataset, "each", "night").values()) == {6}


def test_labels_of_classes_say_nothing_of_places(dataset, operator):
    """Eight samples are labeled, of classes; in the balance of places they count by their places."""
    result = operator("select_balanced")(
        dataset, by="place", label_field="ground_truth", budget=4, tag="places"
    ).result
    assert after(dataset, result)["counts"] == {"dock": 4, "road": 4, "yard": 4}


def test_objects_are_balanced_beside_the_labeled_ones_true_objects(kinds, operator):
    import fiftyone as fo

    kinds.add_sample_field("truth", fo.EmbeddedDocumentField, embedded_doc_type=fo.Detections)
    first = kinds.first()
    found = [fo.Detection(label="car", bounding_box=[0.1, 0.1, 0.2, 0.2]) for _ in range(5)]
    first["truth"] = fo.Detections(detections=found)
    first.save()
    result = operator("select_balanced")(
        kinds, by="boxes", count="predicted", label_field="truth", budget=1, tag="few"
    ).result
    counts = after(kinds, result)["counts"]
    assert counts["car"] >= 5 and sum(counts.values()) > 5


@pytest.mark.parametrize(
    "options",
    [
        {"method": "class_balanced"},
        {"method": "class_balanced", "measure": "margin", "regularization": 3},
        {"method": "class_balanced", "measure": "diversity", "embeddings": "embeddings"},
        {"method": "minority"},
        {"method": "minority", "variant": "uncertain", "measure": "entropy"},
    ],
)
def test_methods_with_a_rule_of_their_own(dataset, operator, options):
    result = operator("select_balanced")(
        dataset, by="predictions", label_field="ground_truth", budget=6, tag="rule", **options
    ).result
    told = after(dataset, result, options["method"])
    assert len(dataset.match_tags("rule")) == 6
    if options["method"] == "minority":
        assert sum(one["chosen"] for one in told["minority"].values()) + list(told.values())[1] == 6
    else:
        assert sum(told["counts"].values()) == pytest.approx(8 + 6)


def test_why_a_class_falls_short_is_told(dataset, operator):
    dataset.set_values("place", ["dock"] * 46 + ["road"] * 2)
    result = operator("select_balanced")(dataset, by="place", budget=20, tag="short").result
    assert after(dataset, result)["short"]["road"]["why"] == "too few candidates: 2"
    assert any("road" in note and "too few candidates: 2" in note for note in result["notes"])


@pytest.mark.parametrize(
    "options, message",
    [
        ({"by": "sharpness", "edges": "low, high"}, "edges: give numbers"),
        ({"by": "sharpness", "edges": "3, 1"}, "each above the one before"),
        ({"by": "taken", "timezone": "Mars"}, "no time zone 'Mars'"),
        ({"by": "predictions", "also": ["place"], "jointly": True}, "'predictions'"),
        ({"by": "predictions", "method": "fair"}, "there is no 'fair'; choose balance, class_balanced"),
        ({"by": "place", "method": "minority"}, "'place' is a StringField; it takes"),
    ],
)
def test_what_cannot_be_parted_is_refused(dataset, operator, invalid, state, options, message):
    before = state(dataset)
    with pytest.raises(invalid, match=message):
        operator("select_balanced")(dataset, budget=3, tag="no", **options)
    assert state(dataset) == before


def test_the_form_asks_what_parts_the_chosen_fields(dataset, operator):
    import fiftyone.operators as foo

    def form(**params):
        ctx = foo.executor.ExecutionContext(
            {"dataset_name": dataset.name, "params": {"view_target": "DATASET", **params}}
        )
        return operator("select_balanced").resolve_input(ctx).type.properties

    assert {"date_part", "timezone"} <= set(form(by="taken")) and "bins" not in form(by="taken")
    assert {"bins", "edges"} <= set(form(by="sharpness"))
    assert "count" in form(by="predictions") and "count" not in form(by="place")
    assert "jointly" in form(by="place", also=["night"]) and "jointly" not in form(by="place")
