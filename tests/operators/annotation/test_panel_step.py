"""The third step of the panel: where a selection stands, and what its buttons do."""

import json

import pytest

from support.datasets import CLASSES
from support.headless_panel import HeadlessPanel
from support.operators import form_of

KEY = "next"  # as in conftest.py

pytestmark = pytest.mark.usefixtures("no_backend")


@pytest.fixture
def panel(chosen):
    panel = HeadlessPanel(chosen)
    panel.event("on_step", step="annotate")
    return panel


def stands(panel):
    return [row["stands"] for row in panel.state["facts"]["rows"] if row["stands"]]


def test_it_tells_where_the_latest_selection_stands(panel, dataset, ranked):
    import fiftyone as fo

    assert stands(panel) == ["chosen 6, 0 of 6 labeled in ground_truth"]
    panel.event("on_annotate_in_app")
    assert stands(panel) == ["chosen 6, offered in the App, 0 of 6 labeled in ground_truth"]
    assert dataset.active_label_schemas == ["ground_truth"]
    assert panel.asked("set_view") and panel.asked("notify")
    for sample in ranked(dataset).limit(2):
        sample["ground_truth"] = fo.Classification(label=CLASSES[0])
        sample.save()
    panel.event("on_annotation_done")
    assert stands(panel) == ["chosen 6, offered in the App, 2 of 6 labeled in ground_truth"]


def test_its_buttons_open_filled_forms(panel, dataset, operator):
    panel.event("on_send")
    (sent,) = panel.asked("prompt_user_for_operation")
    assert sent["operator_uri"].endswith("/send_to_annotation")
    assert sent["params"] == {"in_app": True, "run_key": KEY, "label_field": "ground_truth"}
    panel.event("on_files")
    (files,) = panel.asked("prompt_user_for_operation")
    assert files["params"]["to"] == "files"
    form = form_of(operator("send_to_annotation"), dataset, **files["params"])
    assert "error" not in form and form["folder"].default.endswith(KEY)  # nothing is wrong yet
    panel.event("on_import")
    (back,) = panel.asked("prompt_user_for_operation")
    assert (back["operator_uri"].rpartition("/")[2], back["params"]) == (
        "import_annotations",
        {"in_app": True, "run_key": KEY},
    )


def test_what_lacks_is_asked_for_in_the_form(panel, dataset):
    dataset.delete_sample_field("ground_truth")
    panel.event("on_annotate_in_app")
    (asked,) = panel.asked("prompt_user_for_operation")
    assert asked["params"]["to"] == "app"


def test_another_selection_can_be_chosen(panel, dataset, operator):
    select = operator("select_uncertain")
    select(dataset, predictions="sure", label_field="ground_truth", budget=3, tag="later")
    panel.event("on_annotation_done")
    assert stands(panel) == ["chosen 3, 0 of 3 labeled in ground_truth"]
    panel.event("on_choose_selection", value=KEY)
    assert stands(panel) == ["chosen 6, 0 of 6 labeled in ground_truth"]
    assert "Annotate in the App" in json.dumps(panel.asked("show_panel_output"))


def test_a_selection_made_elsewhere_becomes_the_current_one(panel, dataset, operator):
    select = operator("select_uncertain")
    select(dataset, predictions="sure", label_field="ground_truth", budget=3, tag="later")
    panel.event("on_step", step="annotate")
    assert "selection" not in panel.shown  # the App would report the shown one as chosen
    panel.event("on_show", row=0)
    assert stands(panel) == ["chosen 3, 0 of 3 labeled in ground_truth"]
    assert panel.shown["selection"]["default"] == "later"
