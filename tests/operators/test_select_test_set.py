"""Test sets on real datasets: chosen as alcore has them, written, undone, sentence by the form."""

import numpy as np
import pytest

import alcore as engine
from support.operators import form_of


@pytest.fixture
def select(operator):
    return operator("select_test_set")


@pytest.fixture
def copies(dataset):
    """Videos of four frames, and copies: 40 to 43 are those of 20 to 23, 44 that of the labeled 0."""
    vectors = np.stack(dataset.values("embeddings"))
    vectors[40:44] = vectors[20:24] + 1e-3
    vectors[44] = vectors[0] + 1e-3
    dataset.set_values("embeddings", list(vectors))
    dataset.set_values("video", [f"v{row // 4}" for row in range(48)], dynamic=True)
    return dataset


def pool_of(dataset, labeled=8, **columns):
    logits = np.stack(dataset.values("predictions.logits")).astype(np.float64)
    p = np.exp(logits) / np.exp(logits).sum(1, keepdims=True)
    made = {
        "embeddings": np.stack(dataset.values("embeddings")),
        "predictions.label": dataset.values("predictions.label"),
        "place": dataset.values("place"),
        "loss": 1 - p.max(1),
    }
    mask = np.arange(len(dataset)) < labeled
    ids = dataset.values("id")
    return engine.Pool(len(dataset), ids=ids, labeled=mask, columns=made | columns)


def ids_of(dataset, run="test"):
    return dataset.load_run_results(run).ids


CASES = [
    ({"method": "random"}, {"method": "random"}),
    ({"strata": "predictions"}, {"strata": ["predictions.label"]}),
    (
        {"strata": ["predictions.label", "place"], "shares": {"place": {"dock": 0.6}}, "seed": 2},
        {"strata": ["predictions.label", "place"], "shares": {"place": {"dock": 0.6}}, "seed": 2},
    ),
    (
        {"strata": ["place"], "embeddings": "embeddings", "metric": "cosine"},
        {"strata": ["place"], "embeddings": "embeddings", "metric": "cosine", "method": "both"},
    ),
    (
        {"embeddings": "embeddings", "minimum_distance": 0},
        {"embeddings": "embeddings", "minimum_distance": None},
    ),
    (
        {"expected_loss": "predictions", "embeddings": "embeddings"},
        {"expected_loss": "loss", "embeddings": "embeddings"},
    ),
    ({"expected_loss": "sharpness"}, {"expected_loss": "sharpness"}),
]


@pytest.mark.parametrize(("options", "spec"), CASES)
def test_picks_are_those_of_alcore(unchanged, select, state, operator, options, spec):
    dataset = unchanged
    before = state(dataset)
    sharpness = {"sharpness": dataset.values("sharpness")}
    expected = engine.select_test_set(pool_of(dataset, **sharpness), {"size": 12, **spec})
    result = select(dataset, size=12, label_field="ground_truth", **options).result
    assert ids_of(dataset) == expected.ids
    assert dataset.load_saved_view("test").values("id") == expected.ids
    assert result["chosen"] == 12
    for name, sentence in expected.report["distance"].items():
        if isinstance(sentence, dict):
            assert result["distance"][name]["chosen"] == pytest.approx(sentence["chosen"], abs=1e-6)
    operator("undo_selection")(dataset, "test")
    assert state(dataset) == before


def test_what_is_near_the_test_set_is_held_out_and_undone(copies, select, operator, state):
    before = state(copies)
    options = {"embeddings": "embeddings", "method": "random", "label_field": "ground_truth"}
    result = select(copies, size=20, **options).result
    chosen, rows = set(ids_of(copies)), {one: row for row, one in enumerate(copies.values("id"))}
    pairs = [(20, 40), (21, 41), (22, 42), (23, 43)]
    expected = {
        b if ids[a] in chosen else a
        for ids in [copies.values("id")]
        for a, b in pairs
        if (ids[a] in chosen) != (ids[b] in chosen)
    }
    held_out = copies.match_tags("test-held-out").values("id")
    assert {rows[one] for one in held_out} == expected and expected
    assert result["held_out"] == len(held_out) and result["held_out_tag"] == "test-held-out"
    assert copies.exists("test_held_out").values("id") == held_out
    assert copies.values("id")[44] not in chosen  # it is like one that is labeled
    assert not chosen & set(held_out) and copies.match_tags("test").count() == 20
    operator("undo_selection")(copies, "test")
    assert state(copies) == before


def test_later_selections_leave_both_alone(copies, select, operator):
    select(copies, size=20, embeddings="embeddings", method="random", label_field="ground_truth")
    taken = set(copies.match_tags(["test", "test-held-out"]).values("id"))
    assert len(taken) > 20
    later = operator("select_uncertain")
    left = 48 - len(taken)
    chosen = later(copies, budget=left, predictions="predictions", tag="next", skip_chosen=True).result
    assert chosen["chosen"] == left and not taken & set(ids_of(copies, "next"))


def test_a_tag_that_was_there_stays(copies, select, operator):
    copies.limit(30).tag_samples("test-held-out")
    options = {"size": 20, "embeddings": "embeddings", "label_field": "ground_truth"}
    with pytest.raises(Exception, match="tag: 'test-held-out' is in use, by 30 samples"):
        select(copies, **options)
    select(copies, overwrite=True, **options)
    operator("undo_selection")(copies, "test")
    assert copies.count_sample_tags() == {"test-held-out": 30}


def test_groups_stay_whole(copies, select):
    result = select(
        copies, size=12, groups="video", strata=["place"], label_field="ground_truth"
    ).result
    videos = set(copies.match_tags("test").values("video"))
    assert len(videos) == 3 and result["chosen"] == 12 and not videos & {"v0", "v1"}
    assert copies.match_tags("test").count() == 12


def test_weights_come_with_an_active_test_set(dataset, select, operator):
    options = {"expected_loss": "predictions", "label_field": "ground_truth"}
    result = select(dataset, size=15, tag="exam", **options).result
    assert result["number_field"] == "exam_weight" and result["population"] == 40
    view = dataset.load_saved_view("exam")
    weights = np.array(view.values("exam_weight"))
    assert dataset.exists("exam_weight").count() == 15 and len(set(weights)) > 5
    right = np.array(view.values("predictions.label")) == np.array(view.values("sure.label"))
    found = engine.weighted_estimate(right, weights, result["population"])
    assert found.mean > 0 and np.isfinite(found.standard_error)
    operator("undo_selection")(dataset, "exam")
    assert dataset.get_field("exam_weight") is None


def test_like_a_saved_view_or_a_tag(dataset, select):
    docks = dataset.match({"place": "dock"})
    dataset.save_view("production", docks)
    docks.tag_samples("live")
    for given in ({"reference_view": "production"}, {"reference_tag": "live"}):
        select(dataset, size=6, strata=["place"], overwrite=True, **given)
        assert dataset.match_tags("test").distinct("place") == ["dock"]
    expected = engine.select_test_set(
        pool_of(dataset, 0), {"size": 6, "embeddings": "embeddings"}, pool_of(docks, 0)
    )
    select(dataset, size=6, embeddings="embeddings", reference_tag="live", overwrite=True)
    assert ids_of(dataset) == expected.ids
    assert dataset.get_run_info("test").config.reference == {"reference_tag": "live"}


def test_a_view_is_chosen_from_alone(dataset, select):
    view = dataset.skip(30)
    select(view, interval={"half_width": 0.2}, method="random", tag="late", device="cpu")
    assert set(ids_of(dataset, "late")) <= set(view.values("id"))
    report = dataset.load_run_results("late").report
    assert report["interval"]["half_width"] <= 0.2 and report["pool"] == 18


def test_the_record_says_what_was_asked_for(dataset, select, operator):
    select(dataset, size=0.25, strata=["place"], label_field="ground_truth")
    config = dataset.get_run_info("test").config
    entry = config.recipe["strategies"][0]
    assert entry["strategy"] == "test_set" and entry["size"] == 0.25 and entry["strata"] == ["place"]
    assert config.recipe["budget"] == 10 and config.labeled["field"] == "ground_truth"
    row = operator("list_selections")(dataset).result["selections"][0]
    assert row["strategies"] == "test set" and row["chosen"] == 10


def test_what_breaks_off_leaves_nothing(copies, select, state, break_at):
    before = state(copies)
    options = {"size": 20, "embeddings": "embeddings", "label_field": "ground_truth"}
    break_at("save_view")
    with pytest.raises(KeyboardInterrupt):
        select(copies, **options)
    assert state(copies) == before


@pytest.mark.parametrize(
    ("options", "sentence"),
    [
        ({}, "give either a size or an interval"),
        ({"size": 5, "budget": 5}, "unknown option 'budget'; it takes"),
        ({"size": 5, "method": "stratified"}, "strata: 'stratified' takes"),
        ({"size": 5, "strata": ["nowhere"]}, "has no field 'nowhere'"),
        ({"size": 5, "strata": ["place"], "shares": "{"}, "shares: is not JSON"),
        ({"size": 5, "strata": ["place"], "shares": "[1]"}, "shares: give shares by name"),
        ({"size": 5, "embeddings": "sharpness"}, "it takes a vector field"),
        ({"size": 5, "groups": "embeddings"}, "it takes strings, numbers, booleans or dates"),
        ({"size": 5, "reference_view": "no"}, "reference_view: there is no saved view 'no'"),
        ({"size": 5, "reference_tag": "no"}, "reference_tag: nothing has the tag 'no'"),
        ({"size": 5, "reference_tag": "a", "reference_view": "b"}, "a saved view or a tag, not both"),
        ({"size": 5, "expected_loss": "nowhere"}, "has no field 'nowhere'"),
    ],
)
def test_what_is_wrong_is_said_before_anything_is_read(unchanged, select, invalid, options, sentence):
    with pytest.raises(invalid, match=sentence):
        select(unchanged, **options)


def test_too_many_are_refused_in_a_sentence(unchanged, select, state):
    before = state(unchanged)
    with pytest.raises(Exception, match="45 samples are wanted, and 40 may be chosen: 8 of 48 are lab"):
        select(unchanged, size=45, method="random", label_field="ground_truth")
    assert state(unchanged) == before


def test_the_form_begins_with_what_fits(unchanged, select):
    form = form_of(select, unchanged)
    assert "error" not in form, form["error"].view.label
    assert form["strata"].type.__class__.__name__ == "List"
    assert form["embeddings"].default == "embeddings" and form["size"].default == 8
    assert form["label_field"].default == "ground_truth"
    assert "40 samples to choose from" in form["counts"].view.label


def test_the_form_asks_for_what_a_choice_takes(unchanged, select):
    common = {"size": 5, "embeddings": "embeddings", "strata": ["place"], "target": "pool"}
    interval = form_of(select, unchanged, **common, size_by="interval", method="random")
    assert "That takes 43 samples, of 48 not" in interval["size_needed"].view.label
    assert "size" not in interval and "deviation" not in interval and "strata" not in interval
    wide = form_of(
        select,
        unchanged,
        **common,
        size_by="interval",
        metric_kind="mean",
        half_width=0.5,
        method="random",
    )
    assert "That takes 12 samples" in wide["size_needed"].view.label and "error" not in wide
    active = form_of(select, unchanged, **common, size_by="count", method="active")
    assert "expected_loss" in active and "groups" not in active
    shares = form_of(
        select, unchanged, **{**common, "target": "shares"}, size_by="count", method="random"
    )
    assert "shares" in shares and "strata" in shares
    like = form_of(
        select, unchanged, **{**common, "target": "reference"}, size_by="count", method="herding"
    )
    assert "reference_view" in like and "name the saved view or the tag" in like["error"].view.label


def test_a_form_drops_what_it_no_longer_shows(dataset, select):
    import fiftyone.operators as foo

    params = {
        "size_by": "count",
        "size": 6.0,
        "half_width": 0.05,
        "target": "pool",
        "shares": '{"dock": 1}',
        "reference_tag": "gone",
        "method": "herding",
        "strata": ["place"],
        "embeddings": "embeddings",
        "expected_loss": "predictions",
        "label_field": "ground_truth",
    }
    foo.execute_operator(select.uri, {"dataset": dataset}, params=params)
    spec = {"size": 6, "embeddings": "embeddings"}
    assert ids_of(dataset) == engine.select_test_set(pool_of(dataset), spec).ids


def test_the_preview_writes_nothing(copies, select, state):
    before = state(copies)
    params = {
        "size_by": "count",
        "size": 10,
        "method": "both",
        "strata": ["place"],
        "show_preview": True,
    }
    more = {"embeddings": "embeddings", "label_field": "ground_truth", "target": "pool"}
    form = form_of(select, copies, **params, **more)
    text = form["preview_text"].view.label if hasattr(form["preview_text"].view, "label") else ""
    text = text or str(form["preview_text"].default)
    assert "**10** of 39 samples that may be chosen" in text and "sets as large by chance" in text
    plots = [name for name in form if name.startswith("plot_") and not name.endswith("label")]
    assert len(plots) == 3
    assert state(copies) == before
