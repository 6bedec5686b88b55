"""The panel's cards and recipes: added, moved, removed, changed, saved and opened."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

from playwright.sync_api import Page, expect

from support.browser import form_field, screenshot
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
    panel.press(1, "Remove")  # the first card too
    panel.press(2, "More")
    panel.choose(1, "Measure", "entropy")
    panel.press(1, "Move up")  # the only one: the first card has none
    panel.fill("How many", "4")
    panel.fill("Tag and saved view", "mixed")
    screenshot(page, "panel-cards-changed")
    panel.select()
    expect(page.get_by_test_id("entry-counts")).to_have_text("4 samples")
    recipe = recipe_of(dataset, "mixed")
    uncertainty, balance = recipe["strategies"]
    assert (uncertainty["strategy"], uncertainty["measure"]) == ("uncertainty", "entropy")
    assert (balance["strategy"], balance["column"]) == ("balance", "predictions")


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
