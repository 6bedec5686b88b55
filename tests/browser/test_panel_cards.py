"""The panel's cards: added, moved, removed and changed."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from playwright.sync_api import Page, expect

from support.browser import screenshot
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
