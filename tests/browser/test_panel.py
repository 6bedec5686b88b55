"""The panel, from what matters to tags and back, over a reload of the page."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from playwright.sync_api import Page, expect

from support.browser import form_field, screenshot, sdk
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
    panel.click("What did each strategy cost the others?")
    panel.finish()
    expect(panel.root.get_by_role("cell", name="coverage")).to_be_visible()
    screenshot(page, "panel-costs-of-strategies")
    panel.click("Back to the pool")
    expect(page.get_by_test_id("entry-counts")).to_have_text("40 samples")
    panel.click("Show in the grid")
    expect(page.get_by_test_id("entry-counts")).to_have_text("6 samples")
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
    page.keyboard.press("Escape")

    panel.row_action("earlier", "Show")
    expect(page.get_by_test_id("entry-counts")).to_have_text("3 samples")
    panel.row_action("round_one", "Undo")
    expect(panel.row("round_one")).to_have_count(0)
    expect(page.get_by_test_id("entry-counts")).to_have_text("3 samples")
    screenshot(page, "panel-undone")
    assert state(dataset) == before


def test_what_was_entered_survives_a_reload(page_for: OpenApp, dataset: Any) -> None:
    page = page_for(dataset)
    panel = Panel(page)
    panel.fill("How many", "5")
    panel.press(2, "Remove")
    panel.add("Unlike what you have")
    expect(panel.cards()).to_have_count(2)
    panel.preview()
    expect(panel.root.get_by_text("5 of 32 would be chosen")).to_be_visible()

    page.reload(wait_until="domcontentloaded")
    panel.settle()
    expect(panel.root.get_by_text("5 of 32 would be chosen")).to_be_visible()
    panel.expect_plots(4)
    panel.step("1 Matters")
    expect(panel.root.get_by_text("Unlike what you have")).to_be_visible()
    expect(form_field(panel.root, "How many")).to_have_value("5")


def test_a_single_sample_can_be_chosen(
    page_for: OpenApp, make_dataset: Callable[..., Any], state: State
) -> None:
    dataset = make_dataset(1, labeled=0)
    page = page_for(dataset)
    panel = Panel(page)
    expect(panel.root.get_by_text("1 to choose from, 0 labeled")).to_be_visible()
    panel.preview()
    expect(panel.root.get_by_text("1 of 1 would be chosen")).to_be_visible()
    screenshot(page, "panel-one-sample")
    panel.fill("Tag and saved view", "only")
    panel.select()
    expect(panel.row("only")).to_be_visible()
    assert state(dataset)["tags"] == {"only": 1}


def test_bare_images_are_chosen_by_chance_and_it_says_what_to_do_first(
    page_for: OpenApp, make_dataset: Callable[..., Any], state: State
) -> None:
    dataset = make_dataset(20, labeled=0)
    dataset.delete_sample_fields(["predictions", "embeddings", "sharpness"])
    page = page_for(dataset)
    panel = Panel(page)
    expect(panel.root.get_by_text("There are images only")).to_be_visible()
    expect(panel.root.get_by_role("alert")).to_have_count(0)
    screenshot(page, "panel-bare")
    panel.fill("How many", "4")
    panel.fill("Tag and saved view", "first")
    panel.select()
    expect(panel.row("first")).to_be_visible()
    assert state(dataset)["tags"] == {"first": 4}
    panel.step("1 Matters")
    panel.click("Compute embeddings")
    expect(page.get_by_test_id("operators-prompt-modal")).to_be_visible()
