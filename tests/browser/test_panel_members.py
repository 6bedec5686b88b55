"""The panel with boxes, and after a round."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from playwright.sync_api import Page, expect

from support.browser import form_field, screenshot, sdk
from support.panel import Panel

OpenApp = Callable[[Any], Page]
State = Callable[[Any], dict[str, Any]]


def test_objects_are_chosen(page_for: OpenApp, judged: Any) -> None:
    page = page_for(judged)
    panel = Panel(page)
    form_field(panel.root, "Choose", "dropdown").click()
    page.get_by_role("option").get_by_text("objects of boxes", exact=True).first.click()
    panel.settle()
    panel.fill("How many", "5")
    panel.fill("Tag and saved view", "hard boxes")
    panel.preview()
    screenshot(page, "panel-objects")
    expect(page.get_by_test_id("entry-counts")).to_contain_text("5")
    panel.select()
    expect(panel.row("hard_boxes")).to_be_visible()
    judged.reload()
    assert sdk(judged.count_label_tags, "boxes") == {"hard boxes": 5}


def test_after_a_round_the_panel_says_whether_to_go_on(
    page_for: OpenApp, dataset: Any, state: State
) -> None:
    import fiftyone as fo
    import fiftyone.operators as foo

    select_uncertain = foo.get_operator("@alcore/active_learning/select_uncertain")
    sdk(select_uncertain, dataset, budget=3, label_field="ground_truth", tag="earlier")
    labels = dataset.values("predictions.label")
    last = [fo.Classification(label=one) for one in [*labels[1:], labels[0]]]
    dataset.set_values("predictions_before", last)
    page = page_for(dataset)
    panel = Panel(page)
    panel.step("4 Brought")
    expect(panel.root.get_by_role("button", name="Is it time to stop?")).to_have_count(0)

    chosen = dataset.match_tags("earlier")
    chosen.set_values("ground_truth", [fo.Classification(label=labels[0])] * 3)
    before = state(dataset)
    page.reload(wait_until="domcontentloaded")
    panel.settle()
    panel.step("4 Brought")
    form_field(panel.root, "Predictions before", "dropdown").click()
    page.get_by_role("option").get_by_text("predictions_before", exact=True).first.click()
    panel.settle()
    panel.fill("Price of a label", "0.5")
    panel.click("Is it time to stop?")
    expect(panel.root.get_by_text("of 29 predictions")).to_be_visible()
    expect(panel.root.get_by_text("of 29 samples are worth their price")).to_be_visible()
    screenshot(page, "panel-stop")
    assert state(dataset) == before
