"""Objects instead of images, from the form to patches and back."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from playwright.sync_api import Page, expect

from support.browser import fill, form_field, open_operator, screenshot
from support.panel import Panel


def test_objects_are_chosen_shown_and_undone(
    page_for: Callable[[Any], Page], judged: Any, state: Callable[[Any], dict[str, Any]]
) -> None:
    before = state(judged)
    page = page_for(judged)
    form = open_operator(page, "Active learning: select uncertain samples")
    form_field(form, "Choose", "dropdown").click()
    page.get_by_role("option").get_by_text("objects of boxes", exact=True).first.click()
    expect(form.get_by_text("labels: the objects are tagged")).to_be_visible()
    expect(form.get_by_text("objects to choose from, in 32 samples")).to_be_visible()
    screenshot(page, "objects-form")
    fill(form, "Budget", "7")
    fill(form, "Tag", "unsure boxes")
    execute = form.get_by_role("button", name="Execute", exact=True)
    expect(execute).to_be_enabled()
    execute.click()
    expect(form.get_by_text("Images they lie in")).to_be_visible()
    form.get_by_role("button", name="Close").click()
    shown = page.get_by_test_id("entry-counts")
    expect(shown).to_have_text("7 patches")
    screenshot(page, "objects-chosen-in-grid")
    judged.reload()
    assert judged.count_label_tags() == {"unsure boxes": 7}

    page.goto(page.url.split("?")[0] + "?view=unsure-boxes", wait_until="domcontentloaded")
    expect(shown).to_have_text("7 patches")
    panel = Panel(page)
    panel.step("3 Annotate")
    expect(panel.root.get_by_text("7 objects of boxes").first).to_be_visible()
    screenshot(page, "objects-in-panel")
    panel.row_action("unsure_boxes", "Undo")
    expect(shown).to_have_text("40 samples")
    assert state(judged) == before
    assert judged.count_label_tags() == {}
