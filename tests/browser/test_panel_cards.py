"""The panel's cards: added, removed, changed, and what they take."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from playwright.sync_api import Page, expect

from support.browser import screenshot, sdk
from support.panel import Panel

OpenApp = Callable[[Any], Page]
State = Callable[[Any], dict[str, Any]]
RecipeOf = Callable[[Any, str], dict[str, Any]]


def test_cards_are_added_removed_and_changed(
    page_for: OpenApp, dataset: Any, recipe_of: RecipeOf
) -> None:
    page = page_for(dataset)
    panel = Panel(page)
    panel.click("Add strategy")
    panel.click("Add strategy")
    expect(panel.strategies()).to_have_count(4)
    screenshot(page, "panel-four-cards")
    panel.click("Remove last")
    expect(panel.strategies()).to_have_count(3)

    panel.choose(2, "Strategy", "expected_cost")
    panel.click("Preview")
    expect(panel.root.get_by_text("cost: CSV needs a first row")).to_be_visible()
    screenshot(page, "panel-costs-refused")
    panel.choose(2, "Strategy", "balance")
    panel.choose(1, "Strategy", "diversity")
    panel.choose(1, "Distance", "cosine")
    panel.choose(3, "Strategy", "uncertainty")
    panel.choose(3, "Measure", "entropy")
    panel.card_field(3, "Strength", "text").fill("2")
    panel.settle()
    panel.fill("Budget", "4")
    panel.fill("Tag and saved view", "mixed")
    screenshot(page, "panel-cards-changed")
    panel.click("Select")
    expect(page.get_by_test_id("entry-counts")).to_have_text("4 samples")
    recipe = recipe_of(dataset, "mixed")
    assert recipe["budget"] == 4
    diversity, balance, uncertainty = recipe["strategies"]
    assert (diversity["strategy"], diversity["metric"]) == ("diversity", "cosine")
    assert (balance["strategy"], balance["column"]) == ("balance", "predictions")
    assert (uncertainty["measure"], uncertainty["strength"]) == ("entropy", 2)


def test_a_card_with_a_rule_of_its_own_stands_alone(
    page_for: OpenApp, dataset: Any, recipe_of: RecipeOf, state: State
) -> None:
    dataset[10:13].tag_samples("like these")
    before = state(dataset)
    page = page_for(dataset)
    panel = Panel(page)
    panel.choose(1, "Strategy", "typiclust")
    expect(panel.root.get_by_text("typiclust chooses by a rule of its own: nothing")).to_be_visible()
    screenshot(page, "panel-rule-with-company")
    panel.click("Select")
    expect(panel.root.get_by_text("typiclust chooses by a rule of its own: nothing")).to_have_count(1)
    assert state(dataset) == before
    panel.click("Remove last")
    expect(panel.root.get_by_text("typiclust chooses by a rule of its own: nothing")).to_have_count(0)
    panel.choose(1, "Strategy", "badge")
    expect(panel.card_field(1, "Embeddings")).to_be_visible()
    panel.choose(1, "Strategy", "similarity")
    panel.choose(1, "Like those tagged", "like these")
    panel.fill("Budget", "4")
    panel.fill("Tag and saved view", "alike")
    screenshot(page, "panel-similarity")
    panel.click("Select")
    expect(page.get_by_test_id("entry-counts")).to_have_text("4 samples")
    examples = sdk(dataset.match_tags("like these").values, "id")
    recipe = recipe_of(dataset, "alike")
    assert recipe["strategies"][0]["to"] == recipe["filters"][0]["not_in"] == examples
