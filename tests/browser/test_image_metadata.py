"""Image metadata, from the form to the sidebar."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from playwright.sync_api import Page, expect

from support.browser import fill, open_operator, screenshot


def test_images_are_measured_and_shown_in_the_sidebar(
    page_for: Callable[[Any], Page], judged: Any
) -> None:
    page = page_for(judged)
    form = open_operator(page, "Active learning: compute image metadata")
    execute = form.get_by_role("button", name="Execute", exact=True)
    expect(form.get_by_text("40 images; what was measured")).to_be_visible()
    screenshot(page, "metadata-form")
    fill(form, "Field", "boxes")
    expect(form.get_by_text("'boxes' exists and holds no image metadata").first).to_be_visible()
    expect(execute).to_be_disabled()
    fill(form, "Field", "image_metadata")
    expect(form.get_by_text("'boxes' exists")).to_have_count(0)
    expect(execute).to_be_enabled()
    form.get_by_text("40 images; what was measured").scroll_into_view_if_needed()
    screenshot(page, "metadata-filled")
    execute.click()
    expect(form.get_by_text("Groups of near-duplicates")).to_be_visible()
    screenshot(page, "metadata-done")
    form.get_by_role("button", name="Close").click()
    judged.reload()
    assert judged.count("image_metadata.sharpness") == 40
    page.get_by_test_id("sidebar-group-image_metadata-field").click()
    page.get_by_test_id("sidebar-field-arrow-enabled-image_metadata.luminance").click()
    expect(page.get_by_placeholder("min").first).to_be_visible()
    screenshot(page, "metadata-sidebar")
