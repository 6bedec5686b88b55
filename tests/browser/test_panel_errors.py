"""What the panel says where it cannot choose."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
from playwright.sync_api import Page, expect

from support.browser import screenshot
from support.panel import Panel

OpenApp = Callable[[Any], Page]
State = Callable[[Any], dict[str, Any]]


def test_what_cannot_be_chosen_from_is_said_and_nothing_is_written(
    page_for: OpenApp, dataset: Any, state: State
) -> None:
    import fiftyone as fo

    dataset.add_sample_field("broken", fo.VectorField)
    dataset.set_values("broken", [np.full(8, np.nan) for _ in range(len(dataset))])
    dataset.limit(1).tag_samples("taken")
    before = state(dataset)
    page = page_for(dataset)
    panel = Panel(page)
    panel.fill("How many", "3")
    panel.fill("Tag and saved view", "taken")
    panel.select()
    expect(panel.root.get_by_text("tag: 'taken' is in use, by 1 sample")).to_be_visible()
    screenshot(page, "panel-tag-refused")

    panel.fill("Tag and saved view", "fresh")
    panel.choose(1, "Embeddings", "broken")
    expect(panel.root.get_by_text("tag: 'taken' is in use")).to_have_count(0)
    for button in ("Preview", "Select"):
        panel.click(button)
        panel.finish()
        expect(panel.root.get_by_text("'broken'").first).to_be_visible()
        panel.step("1 Matters")
    screenshot(page, "panel-broken-field")
    assert state(dataset) == before


def test_an_empty_view_is_said(page_for: OpenApp, dataset: Any, state: State) -> None:
    from fiftyone import ViewField

    dataset.save_view("nothing", dataset.match(ViewField("sharpness") > 2))
    before = state(dataset)
    page = page_for(dataset)
    page.goto(f"{page.url.split('?')[0]}?view=nothing", wait_until="domcontentloaded")
    expect(page.get_by_test_id("entry-counts")).to_have_text("0 samples")
    panel = Panel(page)
    expect(panel.root.get_by_text("The view is empty")).to_be_visible()
    for button in ("Preview", "Select"):
        expect(panel.root.get_by_role("button", name=button, exact=True)).to_be_disabled()
    screenshot(page, "panel-empty-view")
    assert state(dataset) == before
