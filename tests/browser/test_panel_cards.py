"""The panel's cards and recipes: added, moved, removed, changed, saved and opened."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

from playwright.sync_api import Page, expect

from support.browser import form_field, screenshot, sdk
from support.panel import Panel

OpenApp = Callable[[Any], Page]
State = Callable[[Any], dict[str, Any]]
RecipeOf = Callable[[Any, str], dict[str, Any]]


def test_cards_are_added_moved_removed_and_changed(
    page_for: OpenApp, dataset: Any, recipe_of: RecipeOf
) -> None:
    page = page_for(dataset)
    panel = Panel(page)
    panel.click("Add what matters")
    screenshot(page, "panel-kinds")
    panel.click("Add: what the model gets wrong")
    panel.add("Costly mistakes")
    expect(panel.cards()).to_have_count(4)
    screenshot(page, "panel-four-cards")
    panel.click("Preview")
    expect(panel.root.get_by_text("Costly mistakes: enter the table of costs")).to_be_visible()
    screenshot(page, "panel-costs-refused")
    panel.press(4, "Remove")
    expect(panel.root.get_by_text("Costly mistakes: enter the table of costs")).to_have_count(0)

    panel.press(1, "Remove")  # the first card too
    panel.add("Unlike what you have")
    panel.press(3, "More")
    panel.choose(1, "Distance", "cosine")
    panel.press(3, "Less")
    panel.press(2, "More")
    panel.choose(1, "Measure", "entropy")
    panel.press(2, "Less")
    panel.press(2, "Move up")
    panel.fill("How many", "4")
    panel.fill("Tag and saved view", "mixed")
    screenshot(page, "panel-cards-changed")
    panel.select()
    expect(page.get_by_test_id("entry-counts")).to_have_text("4 samples")
    recipe = recipe_of(dataset, "mixed")
    assert recipe["budget"] == 4
    kinds = [one["strategy"] for one in recipe["strategies"]]
    assert kinds == ["balance", "diversity", "uncertainty"]
    balance, diversity, uncertainty = recipe["strategies"]
    assert (diversity["metric"], balance["column"]) == ("cosine", "predictions")
    assert uncertainty["measure"] == "entropy"


def test_a_card_with_a_rule_of_its_own_stands_alone(
    page_for: OpenApp, dataset: Any, recipe_of: RecipeOf, state: State
) -> None:
    dataset[10:13].tag_samples("like these")
    before = state(dataset)
    page = page_for(dataset)
    panel = Panel(page)
    panel.add("Another strategy")
    panel.press(3, "More")
    panel.choose(1, "How", "TypiClust")
    alone = panel.root.get_by_text("TypiClust chooses by a rule of its own")
    expect(alone).to_have_count(1)
    screenshot(page, "panel-rule-with-company")
    panel.click("Select")
    expect(alone).to_have_count(1)
    assert state(dataset) == before
    for _ in range(3):
        panel.press(1, "Remove")
    panel.add("Like these examples")
    expect(panel.root.get_by_text("TypiClust chooses")).to_have_count(0)
    panel.choose(1, "Like those tagged", "like these")
    panel.fill("How many", "4")
    panel.fill("Tag and saved view", "alike")
    screenshot(page, "panel-similarity")
    panel.select()
    expect(page.get_by_test_id("entry-counts")).to_have_text("4 samples")
    examples = sdk(dataset.match_tags("like these").values, "id")
    recipe = recipe_of(dataset, "alike")
    assert recipe["strategies"][0]["to"] == recipe["filters"][0]["not_in"] == examples


def test_recipes_are_saved_opened_and_imported(page_for: OpenApp, dataset: Any) -> None:
    page = page_for(dataset)
    panel = Panel(page)
    panel.press(1, "Remove")
    panel.fill("How many", "7")
    panel.click("Seed, batch, recipes")
    panel.fill("Save these cards as", "only balance")
    panel.click("Save")
    panel.click("As JSON and Python")
    expect(form_field(panel.root, "Python", "area")).to_contain_text("foo.get_operator")
    screenshot(page, "panel-recipes")

    panel.press(1, "Remove")
    expect(panel.cards()).to_have_count(0)
    panel.fill("How many", "3")
    panel.click("Open")
    expect(panel.cards()).to_have_count(1)
    expect(form_field(panel.root, "How many")).to_have_value("7")

    two_stages = {
        "stages": [
            {"budget": 20, "strategies": [{"strategy": "uncertainty", "column": "predictions"}]},
            {"budget": 5, "strategies": [{"strategy": "diversity", "column": "embeddings"}]},
        ]
    }
    form_field(panel.root, "Recipe as JSON, to open", "area").fill(json.dumps(two_stages))
    panel.settle()
    panel.click("Open the JSON")
    expect(panel.root.get_by_text("more than cards can show")).to_be_visible()
    panel.preview()
    expect(panel.root.get_by_text("5 of 32 would be chosen")).to_be_visible()
