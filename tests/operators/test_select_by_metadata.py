"""select_by_metadata: filters, preferences, and a form with a histogram for each field."""

from datetime import datetime

import numpy as np
import pytest

from support.operators import form_of


def entries_of(dataset, tag):
    return dataset.get_run_info(tag).config.recipe


def test_filters_keep_and_preferences_order(dataset, operator):
    result = operator("select_by_metadata")(
        dataset,
        filters=[{"field": "sharpness", "max": 0.8}, {"column": "place", "not_in": ["yard"]}],
        preferences=[
            {"field": "sharpness", "prefer": "high", "strength": 3},
            {"field": "night", "prefer": [True]},
        ],
        budget=6,
        tag="sharp",
    ).result
    values = zip(*dataset.values(["id", "sharpness", "place", "night"]), strict=True)
    low, high = dataset.bounds("sharpness")
    worth = {
        one: ((sharpness - low) / (high - low)) ** 3 * (1.0 if night else 0.5)
        for one, sharpness, place, night in values
        if sharpness <= 0.8 and place != "yard"
    }
    chosen = dataset.load_run_results("sharp").ids
    assert chosen == sorted(worth, key=worth.get, reverse=True)[:6]
    assert result["chosen"] == 6


@pytest.mark.parametrize(
    ("prefer", "worth"),
    [
        ({"around": 0.5, "width": 0.1}, lambda v, s: -abs(s - 0.5)),
        (["road", "yard"], lambda v, s: {"road": 2, "yard": 1}.get(v, 0)),
        ({"dock": 3, "road": 1}, lambda v, s: 3 if v == "dock" else 1),
    ],
)
def test_each_kind_of_preference_orders(dataset, operator, prefer, worth):
    of_numbers = isinstance(prefer, dict) and "around" in prefer
    field = "sharpness" if of_numbers else "place"
    operator("select_by_metadata")(
        dataset, preferences=[{"field": field, "prefer": prefer}], budget=20, tag="a"
    )
    both = [worth(*one) for one in zip(*dataset.values(["place", "sharpness"]), strict=True)]
    of = dict(zip(dataset.values("id"), both, strict=True))
    chosen = [of[one] for one in dataset.load_run_results("a").ids]
    assert chosen == sorted(both, reverse=True)[:20]


def test_dates_are_given_as_text(dataset, operator):
    select = operator("select_by_metadata")
    wanted = {"field": "taken", "prefer": ["2026-01-05", "2026-01-07T23:00"]}
    select(dataset, preferences=[wanted], budget=4, tag="days")
    days = {one.day for one in dataset.match_tags("days").values("taken")}
    assert days <= {5, 6, 7}
    late = [{"field": "taken", "min": "2026-01-27"}]
    select(dataset, filters=late, budget=2, tag="late")
    assert min(dataset.match_tags("late").values("taken")) >= datetime(2026, 1, 27)


def test_with_filters_alone_any_that_pass_are_chosen_and_spread_or_uncertain_ones_on_wish(
    dataset, operator
):
    select = operator("select_by_metadata")
    night = [{"field": "night", "in": [True]}]
    select(dataset, filters=night, budget=5, tag="any")
    assert set(dataset.match_tags("any").values("night")) == {True}
    select(
        dataset, filters=night, predictions="predictions", embeddings="embeddings", budget=5, tag="both"
    )
    strategies = [one["strategy"] for one in entries_of(dataset, "both")["strategies"]]
    assert strategies == ["uncertainty", "diversity"]


def test_samples_without_a_value_or_with_nan_pass_no_filter(dataset, operator):
    values = dataset.values("sharpness")
    values[20], values[21], values[22] = None, float("nan"), 0.99
    dataset.set_values("sharpness", values)
    passing = sum(0.3 <= value <= 0.995 for value in values[8:] if value is not None)
    result = operator("select_by_metadata")(
        dataset,
        filters=[{"field": "sharpness", "max": 0.995}],
        label_field="ground_truth",
        budget=1.0,
        tag="all",
    ).result
    below = sum(value <= 0.995 for value in values[8:] if value is not None)
    assert result["chosen"] == below
    shown = form_of(operator("select_by_metadata"), dataset, fields=["sharpness"], sharpness_max=0.995)
    assert shown["remaining"].view.label == f"{below} of 40 samples to choose from pass all filters"
    shown = form_of(
        operator("select_by_metadata"),
        dataset,
        fields=["sharpness"],
        sharpness_max=0.995,
        sharpness_min=0.3,
    )
    assert shown["remaining"].view.label == f"{passing} of 40 samples to choose from pass all filters"


def bars(plot):
    return {one["name"]: np.array(one["y"]) for one in plot.view.data}


def test_the_form_draws_each_field_s_histogram_with_what_is_kept_and_preferred(unchanged, operator):
    form = form_of(
        operator("select_by_metadata"),
        unchanged,
        fields=["sharpness", "place", "night", "taken"],
        sharpness_min=0.25,
        sharpness_prefer="around",
        sharpness_around=0.5,
        sharpness_width=0.1,
        place_not_in=["yard"],
        place_prefer="ranking",
        place_ranking=["road"],
        night_in=["true"],
        taken_max="2026-01-14",
    )
    sharpness = np.array(unchanged.values("sharpness"))
    drawn = bars(form["sharpness_plot"])
    assert drawn["kept"].sum() + drawn["left out"].sum() == 48
    assert abs(drawn["left out"].sum() - (sharpness < 0.25).sum()) <= 3  # a bin lies across the bound
    assert form["sharpness_plot"].view.layout["shapes"][0]["x0"] == 0.25
    assert np.argmax(drawn["preferred"]) == pytest.approx(20, abs=2)
    place = form["place_plot"].view.data
    assert place[0]["x"] == ["dock", "road", "yard"]
    assert bars(form["place_plot"])["kept"].tolist() == [16, 16, 0]
    assert bars(form["place_plot"])["preferred"].tolist() == [8, 16, 8]
    assert bars(form["night_plot"])["kept"].sum() == 24
    assert form["taken_plot"].view.data[0]["x"][0].startswith("2026-01-01")
    passing = sum(
        s >= 0.25 and p != "yard" and n and t <= datetime(2026, 1, 14)
        for s, p, n, t in zip(
            *(unchanged.values(name)[8:] for name in ("sharpness", "place", "night", "taken")),
            strict=True,
        )
    )
    assert form["remaining"].view.label == f"{passing} of 40 samples to choose from pass all filters"
    assert form["place_ranking"].required and "strength" not in form


def test_the_form_s_inputs_choose_as_a_call_does(dataset, operator):
    import fiftyone.operators as foo

    given = {
        "fields": ["sharpness", "metadata.width", "night"],
        "sharpness_min": 0.2,
        "sharpness_prefer": "range",
        "sharpness_from": 0.4,
        "sharpness_to": 0.5,
        "metadata__width_max": 32,
        "night_prefer": "ranking",
        "night_ranking": ["false"],
        "night_strength": 2.0,
        "budget": 7.0,
        "tag": "form",
        "label_field": "",
    }
    uri = operator("select_by_metadata").uri
    foo.execute_operator(uri, {"dataset": dataset}, params={**given, "view_target": "DATASET"})
    operator("select_by_metadata")(
        dataset,
        filters=[{"field": "sharpness", "min": 0.2}, {"field": "metadata.width", "max": 32}],
        preferences=[
            {"field": "sharpness", "prefer": [0.4, 0.5]},
            {"field": "night", "prefer": [False], "strength": 2},
        ],
        budget=7,
        tag="call",
        skip_chosen=False,
    )
    dataset.reload()
    ours, theirs = entries_of(dataset, "form"), entries_of(dataset, "call")
    assert ours == theirs
    assert dataset.load_run_results("form").ids == dataset.load_run_results("call").ids


def test_objects_are_filtered_and_counted(kinds, operator):
    form = form_of(
        operator("select_by_metadata"),
        kinds,
        objects="boxes",
        fields=["boxes.detections.label", "variance"],
        boxes__detections__label_in=["car"],
    )
    cars = kinds.count_values("boxes.detections.label").get("car", 0)
    assert form["remaining"].view.label == f"{cars} of 7 objects to choose from pass all filters"
    result = operator("select_by_metadata")(
        kinds,
        objects="boxes",
        filters=[{"field": "boxes.detections.label", "in": ["car"]}],
        preferences=[{"field": "boxes.detections.confidence", "prefer": "low"}],
        budget=1.0,
        tag="cars",
    ).result
    assert result["chosen"] == cars


def test_a_field_without_any_value_says_so(dataset, operator):
    import fiftyone as fo

    dataset.add_sample_field("empty", fo.FloatField)
    form = form_of(operator("select_by_metadata"), dataset, fields=["empty"])
    assert form["empty_none"].view.label == "No sample has a value in empty"


def test_nothing_that_passes_is_an_error_in_the_form(unchanged, operator):
    form = form_of(operator("select_by_metadata"), unchanged, fields=["sharpness"], sharpness_min=5.0)
    assert form["remaining"].view.label == "0 of 40 samples to choose from pass all filters"
    assert type(form["remaining"].view).__name__ == "Error"


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"filters": {"field": "night"}}, r"filters: give a list of dicts, such as \[\{"),
        ({"filters": [{"field": "nights", "in": [True]}]}, "has no field 'nights'"),
        ({"filters": [{"field": "night"}]}, "needs one of: min and/or max, in, not_in"),
        ({"preferences": ["sharpness"]}, "preferences: give a list of dicts"),
        (
            {"preferences": [{"field": "place", "prefer": "high"}]},
            "'place' is a StringField; it takes num",
        ),
        (
            {"preferences": [{"field": "place", "prefer": "most"}]},
            "prefer: give 'high', 'low', a range",
        ),
        ({"preferences": [{"field": "taken", "prefer": ["soon", "late"]}]}, "taken: 'soon' is no date"),
        ({"fields": ["place"]}, "unknown option 'fields'"),
    ],
)
def test_what_cannot_be_asked_is_refused(dataset, operator, invalid, state, options, message):
    before = state(dataset)
    with pytest.raises(invalid, match=message):
        operator("select_by_metadata")(dataset, budget=3, tag="no", **options)
    assert state(dataset) == before


def test_a_category_that_no_sample_has_is_named_and_nothing_is_written(dataset, operator, state):
    before = state(dataset)
    wanted = [{"field": "place", "prefer": ["dok"]}]
    with pytest.raises(Exception, match="no sample's 'place' is 'dok'; there are 'dock', 'road'"):
        operator("select_by_metadata")(dataset, preferences=wanted, budget=3, tag="no")
    assert state(dataset) == before
