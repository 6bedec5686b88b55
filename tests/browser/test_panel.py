"""The panel, from what matters to tags and back, over a reload of the page."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from playwright.sync_api import Page, expect

from support.browser import close_sample, screenshot, sdk
from support.panel import Panel

OpenApp = Callable[[Any], Page]
State = Callable[[Any], dict[str, Any]]
RecipeOf = Callable[[Any, str], dict[str, Any]]


def test_from_cards_to_tags_and_back(
    page_for: OpenApp, dataset: Any, state: State, recipe_of: RecipeOf
) -> None:
    import fiftyone.operators as foo

    select_uncertain = foo.get_operator("@alcore/active_learning/select_uncertain")
    sdk(select_uncertain, dataset, budget=3, label_field="ground_truth", tag="earlier")
    before = state(dataset)
    page = page_for(dataset)
    panel = Panel(page)
    expect(panel.root.get_by_text("29 to choose from, 11 labeled")).to_be_visible()
    expect(panel.root.get_by_text("Typical of the pool")).to_be_visible()
    expect(panel.root.get_by_text("Rare classes")).to_be_visible()
    expect(panel.cards()).to_have_count(2)
    screenshot(page, "panel-opened")

    panel.fill("How many", "6")
    panel.fill("Tag and saved view", "round one")
    panel.preview()
    expect(panel.root.get_by_text("6 of 29 would be chosen")).to_be_visible()
    expect(page.get_by_test_id("entry-counts")).to_have_text("6 samples")
    panel.expect_plots(4)
    screenshot(page, "panel-preview")
    page.reload(wait_until="domcontentloaded")
    panel.settle()
    expect(panel.root.get_by_text("6 of 29 would be chosen")).to_be_visible()
    panel.expect_plots(4)
    panel.click("Back to the pool")
    expect(page.get_by_test_id("entry-counts")).to_have_text("40 samples")
    previewed = sdk(dataset.values, "id")
    assert previewed and state(dataset) == before

    panel.select()
    expect(page.get_by_test_id("entry-counts")).to_have_text("6 samples")
    expect(panel.row("round_one")).to_be_visible()
    screenshot(page, "panel-selected")
    page.set_viewport_size({"width": 1024, "height": 1000})
    expect(panel.row("round_one").get_by_label("Undo", exact=True)).to_be_in_viewport()
    screenshot(page, "panel-narrow")
    page.set_viewport_size({"width": 1600, "height": 1000})
    after = state(dataset)
    assert after["tags"] == {"earlier": 3, "round one": 6}
    assert after["saved_views"] == ["earlier", "round one"]
    assert after["runs"] == ["earlier", "round_one"]
    assert set(after["fields"]) - set(before["fields"]) == {"round_one_rank"}
    assert recipe_of(dataset, "round_one")["budget"] == 6

    page.locator("[data-cy=looker]").first.click()
    page.get_by_text("Why this image").first.click()
    expect(page.get_by_text("Number 1 of 6 in the order chosen.")).to_be_visible()
    expect(page.get_by_text("from the nearest labeled image")).to_be_visible()
    screenshot(page, "panel-why-this-image")
    close_sample(page)

    panel.row_action("earlier", "Show")
    expect(page.get_by_test_id("entry-counts")).to_have_text("3 samples")
    panel.row_action("round_one", "Undo")
    expect(panel.row("round_one")).to_have_count(0)
    expect(page.get_by_test_id("entry-counts")).to_have_text("3 samples")
    screenshot(page, "panel-undone")
    assert state(dataset) == before
