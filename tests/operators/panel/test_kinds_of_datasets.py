"""The panel opens on every kind of dataset without an error, and says where it cannot choose."""

from copy import deepcopy

import numpy as np
import pytest

from support.headless_panel import HeadlessPanel


@pytest.fixture
def make(mongod, images):
    import fiftyone as fo

    made = []

    def make_one(count=6):
        dataset = fo.Dataset()
        made.append(dataset)
        dataset.add_samples([fo.Sample(filepath=path) for path in images[:count]], progress=False)
        return dataset

    yield make_one
    for dataset in made:
        dataset.delete()


def preview(panel):
    panel.enter("wanted", budget=2)
    panel.event("on_preview")
    panel.finish()
    return panel.error


def test_bare_images_say_what_to_do_first_and_are_chosen_by_chance(plugin, make):
    panel = HeadlessPanel(make())
    assert "Compute embeddings first" in panel.texts()
    assert [card["strategy"] for card in panel.cards()] == ["random"]
    assert preview(panel) == ""
    assert panel.state["preview"]["chosen"] == 2


def test_an_empty_dataset_opens(plugin, make):
    panel = HeadlessPanel(make(count=0))
    assert "The view is empty" in panel.texts()
    assert panel.error == ""


def test_boxes_are_proposed_where_there_are_boxes(plugin, make):
    import fiftyone as fo

    dataset = make()
    box = {"label": "cat", "bounding_box": [0.1, 0.1, 0.2, 0.2], "confidence": 0.4}
    boxes = [fo.Detections(detections=[fo.Detection(**box)]) for _ in dataset]
    dataset.set_values("found", boxes)
    panel = HeadlessPanel(dataset)
    assert "There are boxes (found), and no embeddings" in panel.texts()
    assert "uncertainty" in [card["strategy"] for card in panel.cards()]
    assert preview(panel) == ""


def test_the_default_recipe_is_proposed_where_all_is_there(plugin, dataset):
    panel = HeadlessPanel(dataset)
    assert [card["strategy"] for card in panel.cards()] == ["coverage", "balance"]
    assert panel.state["start"]["labels"] == "ground_truth"
    assert preview(panel) == ""


def test_patches_are_refused_in_a_sentence(plugin, make):
    import fiftyone as fo

    dataset = make()
    box = fo.Detection(label="cat", bounding_box=[0.1, 0.1, 0.2, 0.2], confidence=0.4)
    dataset.set_values("found", [fo.Detections(detections=[box.copy()]) for _ in dataset])
    panel = HeadlessPanel(dataset.to_patches("found"))
    panel.state["start"]["source"] = "current view"
    error = preview(panel)
    assert "patches" in error and "Traceback" not in error


def test_videos_are_chosen_whole_and_it_says_how_to_choose_frames(
    plugin, make, images, operator, invalid, tmp_path
):
    import fiftyone as fo

    dataset = make(count=0)
    video = str(tmp_path / "a.mp4")  # no frame of it is read
    dataset.add_samples([fo.Sample(filepath=video) for _ in range(3)], progress=False)
    panel = HeadlessPanel(dataset)
    assert "To choose frames, make them images first: `dataset.to_frames(" in panel.texts()
    assert "Compute embeddings" not in panel.texts()
    panel.state["wanted"] = {"budget": 2, "tag": "next"}
    panel.event("on_select")
    panel.finish()
    assert panel.error == "" and dataset.count_sample_tags() == {"next": 2}
    with pytest.raises(invalid, match="the samples are videos, and only images are sent"):
        operator("send_to_annotation")(dataset, to="files", format="images", folder=str(tmp_path / "x"))


def test_all_images_of_dynamic_groups_are_chosen_from(plugin, dataset):
    panel = HeadlessPanel(dataset.group_by("place"))
    panel.enter("start", source="current view")
    panel.event("on_start")
    assert panel.state["facts"]["total"] == len(dataset)
    assert preview(panel) == ""
    assert panel.state["preview"]["chosen"] == 2


def test_polylines_are_chosen_by(plugin, make):
    import fiftyone as fo

    dataset = make()
    line = {"label": "<b>a</b> **x**", "points": [[(0.1, 0.1), (0.4, 0.5)]], "confidence": 0.4}
    dataset.set_values("lines", [fo.Polylines(polylines=[fo.Polyline(**line)]) for _ in dataset])
    panel = HeadlessPanel(dataset)
    assert preview(panel) == ""
    assert "**x**" not in panel.texts() and "<b>" not in panel.texts()


def test_groups_are_chosen_slice_by_slice(plugin, images):
    import fiftyone as fo

    dataset = fo.Dataset()
    dataset.add_group_field("group", default="left")
    group = [fo.Group() for _ in range(4)]
    samples = [
        fo.Sample(filepath=path, group=group[number // 2].element(("left", "right")[number % 2]))
        for number, path in enumerate(images[:8])
    ]
    dataset.add_samples(samples, progress=False)
    try:
        panel = HeadlessPanel(dataset)
        assert "**4** to choose from" in panel.texts()
        assert preview(panel) == ""
    finally:
        dataset.delete()


def test_names_from_data_are_text_and_many_classes_fit(plugin, make):
    import fiftyone as fo

    dataset = make(count=6)
    rng = np.random.default_rng(0)
    dataset.classes["predictions"] = names = [f"<b>![x](http://a.b/{n}) 类 {n}" for n in range(200)]
    for sample in dataset.iter_samples(autosave=True, progress=False):
        logits = rng.normal(size=200).astype(np.float32)
        best = names[int(logits.argmax())]
        sample["predictions"] = fo.Classification(label=best, confidence=0.5, logits=logits)
    panel = HeadlessPanel(dataset)
    assert preview(panel) == ""
    assert "![x](" not in panel.texts()
    ticks = [x for trace in panel.data["shown_plots"]["class_plot"] for x in trace["x"]]
    assert ticks and all(x.startswith("&lt;b>!") for x in ticks)
    assert panel.size() < 200_000


def test_a_card_without_what_it_needs_says_so(plugin, make):
    panel = HeadlessPanel(make())
    panel.event("on_add", kind="alike")
    panel.event("on_preview")
    assert panel.error == (
        "Like these examples: needs embeddings, and a tag on the examples, and there is none yet"
    )
    panel.event("on_card", card=panel.state["order"][-1], action="remove")
    assert panel.error == ""


def test_the_list_of_cards_tells_why_no_field_fits(plugin, make):
    import fiftyone as fo

    dataset = make()
    dataset.add_sample_field("ground_truth", fo.EmbeddedDocumentField, embedded_doc_type=fo.Detections)
    dataset.add_sample_field("<b>night", fo.FloatField)
    panel = HeadlessPanel(dataset)
    panel.event("on_kinds")
    about = panel.shown["unlike"]["type"]["properties"]["about"]["default"]
    assert about.endswith(
        "Needs embeddings; there is none yet. Not offered: ground\\_truth (the labels); "
        "\\<b\\>night (float). It takes a vector field or a similarity run."
    )


def test_what_an_earlier_result_shows_is_never_chosen_from(plugin, dataset):
    panel = HeadlessPanel(dataset)
    panel.state["start"]["source"] = "current view"
    panel.state["wanted"] = {"budget": 3, "tag": "next"}
    panel.event("on_select")
    panel.finish()
    shown = dataset.load_saved_view("next")
    panel.collection = shown
    panel.event("on_change_view")
    assert panel.state["facts"]["total"] == len(dataset)


def test_it_opens_on_what_a_call_from_python_has_chosen(plugin, dataset, operator):
    operator("select")(dataset, recipe={"budget": 3}, label_field="ground_truth", tag="next")
    panel = HeadlessPanel(dataset.load_saved_view("next"))
    assert panel.error == "" and panel.state["start"]["source"] == "current view"
    assert panel.state["facts"]["total"] == len(dataset)


def test_a_preview_is_outdated_once_something_changes(plugin, dataset):
    panel = HeadlessPanel(dataset)
    assert preview(panel) == ""
    assert "was changed since this preview" not in panel.texts()
    panel.event("on_card", card=panel.state["order"][0], action="remove")
    panel.event("on_step", step="chosen")
    assert "was changed since this preview" in panel.texts()


def test_a_double_click_makes_one_selection(plugin, dataset):
    panel = HeadlessPanel(dataset)
    panel.state["wanted"] = {"budget": 3, "tag": ""}
    as_it_was = deepcopy(panel.state)
    panel.event("on_select")
    panel.state = as_it_was  # the second click is sent before the first one is answered
    panel.event("on_select")
    panel.finish()
    assert len(dataset.list_runs()) == 1


def test_what_each_strategy_cost_the_others_is_shown(plugin, dataset):
    panel = HeadlessPanel(dataset)
    assert preview(panel) == ""
    panel.event("on_costs")
    panel.finish()
    assert panel.error == "" and "| coverage |" in panel.texts()


def test_a_single_sample_can_be_chosen(plugin, make):
    panel = HeadlessPanel(make(1))
    assert "**1** to choose from, **0** labeled" in panel.texts()
    panel.enter("wanted", budget=1, tag="only")
    for event in ("on_preview", "on_select"):
        panel.event(event)
        panel.finish()
        assert panel.error == ""
    assert panel.collection.count_sample_tags() == {"only": 1}


def test_a_broken_field_and_a_tag_in_use_are_said_and_nothing_is_written(plugin, dataset, state):
    import fiftyone as fo

    dataset.add_sample_field("broken", fo.VectorField)
    dataset.set_values("broken", [np.full(8, np.nan) for _ in range(len(dataset))])
    dataset.limit(1).tag_samples("taken")
    before = state(dataset)
    panel = HeadlessPanel(dataset)
    panel.enter("wanted", budget=3, tag="taken")
    panel.event("on_select")
    panel.finish()
    assert "tag: 'taken' is in use, by 1 sample" in panel.error
    panel.enter("wanted", tag="fresh")
    first = panel.state["order"][0]
    panel.state["form"][first]["main"]["column"] = "broken"
    for event in ("on_preview", "on_select"):
        panel.event(event)
        panel.finish()
        assert "'broken'" in panel.error and "in use" not in panel.error
    assert state(dataset) == before


def test_objects_are_chosen(plugin, kinds):
    panel = HeadlessPanel(kinds)
    panel.enter("start", objects="boxes")
    panel.event("on_start")
    panel.enter("wanted", budget=5, tag="hard boxes")
    for event in ("on_preview", "on_select"):
        panel.event(event)
        panel.finish()
        assert panel.error == ""
    assert kinds.count_label_tags("boxes") == {"hard boxes": 5}


def test_after_a_round_it_says_whether_to_go_on(plugin, dataset, operator, state):
    import fiftyone as fo

    operator("select_uncertain")(
        dataset, predictions="predictions", budget=3, label_field="ground_truth", tag="earlier"
    )
    labels = dataset.values("predictions.label")
    last = [fo.Classification(label=one) for one in [*labels[1:], labels[0]]]
    dataset.set_values("predictions_before", last)
    panel = HeadlessPanel(dataset)
    panel.event("on_step", step="brought")
    assert "advise" not in panel.shown
    chosen = dataset.match_tags("earlier")
    chosen.set_values("ground_truth", [fo.Classification(label=labels[0])] * 3)
    before = state(dataset)
    panel = HeadlessPanel(dataset)
    panel.event("on_step", step="brought")
    panel.enter("stop", now="predictions", before="predictions_before", price=0.5)
    panel.event("on_advise")
    panel.finish()
    assert panel.error == ""
    assert "of 37 predictions" in panel.texts() and "samples are worth their price" in panel.texts()
    assert state(dataset) == before
