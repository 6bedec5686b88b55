"""The panel, from its cards to tags and back."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from playwright.sync_api import Page, expect

from support.browser import screenshot, sdk
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
    expect(panel.strategies()).to_have_count(2)
    screenshot(page, "panel-opened")

    panel.fill("Budget", "6")
    panel.fill("Tag and saved view", "round one")
    panel.click("Preview")
    expect(panel.root.get_by_text("6 of 29 would be chosen")).to_be_visible()
    panel.expect_plots(4)
    screenshot(page, "panel-preview")
    panel.root.locator(".js-plotly-plot").last.scroll_into_view_if_needed()
    screenshot(page, "panel-preview-below")
    assert state(dataset) == before

    panel.click("Select")
    expect(page.get_by_test_id("entry-counts")).to_have_text("6 samples")
    expect(panel.row("round_one")).to_be_visible()
    panel.row("round_one").scroll_into_view_if_needed()
    screenshot(page, "panel-selected")
    after = state(dataset)
    assert after["tags"] == {"earlier": 3, "round one": 6}
    assert after["saved_views"] == ["earlier", "round one"]
    assert after["runs"] == ["earlier", "round_one"]
    assert set(after["fields"]) - set(before["fields"]) == {"round_one_rank"}
    assert recipe_of(dataset, "round_one")["budget"] == 6

    panel.row_action("earlier", "Show")
    expect(page.get_by_test_id("entry-counts")).to_have_text("3 samples")
    screenshot(page, "panel-earlier-shown")
    panel.row_action("round_one", "Undo")
    expect(panel.row("round_one")).to_have_count(0)
    expect(page.get_by_test_id("entry-counts")).to_have_text("3 samples")
    screenshot(page, "panel-undone")
    assert state(dataset) == before


def test_a_single_sample_can_be_chosen(
    page_for: OpenApp, make_dataset: Callable[..., Any], state: State
) -> None:
    dataset = make_dataset(1, labeled=0)
    page = page_for(dataset)
    panel = Panel(page)
    expect(panel.root.get_by_text("1 to choose from, 0 labeled")).to_be_visible()
    panel.click("Preview")
    expect(panel.root.get_by_text("1 of 1 would be chosen")).to_be_visible()
    screenshot(page, "panel-one-sample")
    panel.fill("Tag and saved view", "only")
    panel.click("Select")
    expect(panel.row("only")).to_be_visible()
    assert state(dataset)["tags"] == {"only": 1}
