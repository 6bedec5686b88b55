"""The form of test sets, with its preview, as a user sees it."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
from playwright.sync_api import Page, expect

from support.browser import form_field, open_operator, screenshot


def test_a_test_set_is_previewed_and_chosen(
    page_for: Callable[[Any], Page],
    make_dataset: Callable[..., Any],
    state: Callable[[Any], dict[str, Any]],
) -> None:
    dataset = make_dataset(120, 12)
    vectors = np.stack(dataset.values("embeddings"))
    vectors[100:] = vectors[20:40] + 1e-3
    dataset.set_values("embeddings", list(vectors))
    before = state(dataset)
    page = page_for(dataset)
    form = open_operator(page, "Active learning: select a test set")
    expect(form.get_by_text("108 samples to choose from")).to_be_visible()
    form.get_by_text("active: drawn by expected loss").click()
    expect(form.get_by_text("Part drawn evenly")).to_be_visible()
    form.get_by_text("interval: as many as a metric takes").click()
    expect(form.get_by_text("That takes 85 samples, of 108 not labeled")).to_be_visible()
    form.get_by_text("Part drawn evenly").scroll_into_view_if_needed()
    expect(form.get_by_role("button", name="Execute", exact=True)).to_be_enabled()
    screenshot(page, "test-set-interval")
    form.get_by_text("count: so many, or a share").click()
    expect(form_field(form, "Size")).to_have_value("21")
    form.get_by_text("both: the shares of the strata").click()
    expect(form.get_by_text("Labels, predicted or true")).to_be_visible()
    screenshot(page, "test-set-form")
    form_field(form, "Preview", "checkbox").check()
    expect(form.get_by_text("held out,")).to_be_visible()
    plots = form.locator(".js-plotly-plot .main-svg:first-child")
    expect(plots).to_have_count(3)
    form.get_by_text("Distance to the target, strata", exact=True).scroll_into_view_if_needed()
    screenshot(page, "test-set-preview")
    plots.last.scroll_into_view_if_needed()
    screenshot(page, "test-set-strata")
    assert state(dataset) == before
    form.get_by_role("button", name="Execute", exact=True).click()
    expect(form.get_by_text("test-held-out", exact=True)).to_be_visible()
    screenshot(page, "test-set-done")
    form.get_by_role("button", name="Close").click()
    expect(page.get_by_test_id("entry-counts")).to_have_text("21 samples")
    tags = state(dataset)["tags"]
    assert tags["test"] == 21 and tags["test-held-out"] > 0
