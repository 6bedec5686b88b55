"""What the panel says where it cannot choose."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from playwright.sync_api import Page, expect

from support.browser import screenshot
from support.panel import Panel

OpenApp = Callable[[Any], Page]
State = Callable[[Any], dict[str, Any]]


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
