"""The forms that choose by embeddings, with their previews, as a user sees them."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
from playwright.sync_api import Locator, Page, expect

from support.browser import check, fill, open_operator, screenshot

OpenApp = Callable[[Any], Page]
State = Callable[[Any], dict[str, Any]]


def expect_plots(page: Page, form: Locator, count: int) -> None:
    expect(form.locator(".js-plotly-plot .main-svg:first-child")).to_have_count(count)
    form.locator(".js-plotly-plot").last.scroll_into_view_if_needed()


def test_representative_samples_are_previewed_and_chosen(
    page_for: OpenApp, make_dataset: Callable[..., Any], state: State
) -> None:
    dataset = make_dataset(120, 12)
    before = state(dataset)
    page = page_for(dataset)
    form = open_operator(page, "Active learning: select representative samples")
    expect(form.get_by_text("Cold start")).to_be_visible()
    form.get_by_text("typicality: in dense surroundings").click()
    expect(form.get_by_text("Different from each other, too")).to_be_visible()
    screenshot(page, "representative-form")
    fill(form, "Budget", "9")
    check(form, "Preview")
    expect(form.get_by_text("9 of 108 would be chosen")).to_be_visible()
    expect_plots(page, form, 2)
    screenshot(page, "representative-preview")
    assert state(dataset) == before
    fill(form, "Tag", "typical")
    form.get_by_role("button", name="Execute", exact=True).click()
    expect(form.get_by_text("typical", exact=True).first).to_be_visible()
    form.get_by_role("button", name="Close").click()
    expect(page.get_by_test_id("entry-counts")).to_have_text("9 samples")
    assert state(dataset)["tags"] == {"typical": 9}


def test_near_duplicates_of_few_samples_are_found_by_the_form(
    page_for: OpenApp, make_dataset: Callable[..., Any], state: State
) -> None:
    dataset = make_dataset(12, 0)
    vectors = np.stack(dataset.values("embeddings"))
    vectors[9:] = vectors[:3] + 1e-3
    dataset.set_values("embeddings", list(vectors))
    page = page_for(dataset)
    form = open_operator(page, "Active learning: find near-duplicates")
    check(form, "Preview")
    expect(form.get_by_text("3 groups, of 6 samples within")).to_be_visible()
    expect_plots(page, form, 1)
    screenshot(page, "duplicates-preview")
    form.get_by_role("button", name="Execute", exact=True).click()
    expect(form.get_by_text("Saved view, in order:")).to_be_visible()
    screenshot(page, "duplicates-done")
    form.get_by_role("button", name="Close").click()
    expect(page.get_by_test_id("entry-counts")).to_have_text("6 samples")
    assert state(dataset)["tags"] == {"near-duplicate": 3}


def test_diverse_and_similar_samples_are_previewed(
    page_for: OpenApp, make_dataset: Callable[..., Any], state: State
) -> None:
    dataset = make_dataset(12, 0)
    dataset.limit(2).tag_samples("a tag with a name of some length, as people have them")
    before = state(dataset)
    page = page_for(dataset)
    form = open_operator(page, "Active learning: select diverse samples")
    form.get_by_text("probcover: each covers a ball").click()
    expect(form.get_by_text("Classes", exact=True)).to_be_visible()
    fill(form, "Budget", "3")
    check(form, "Preview")
    expect(form.get_by_text("3 of 12 would be chosen")).to_be_visible()
    expect_plots(page, form, 2)
    screenshot(page, "diverse-preview-few")
    form.get_by_role("button", name="Cancel").click()
    form = open_operator(page, "Active learning: select by similarity")
    expect(form.get_by_text("example_tag: name the tag").first).to_be_visible()
    screenshot(page, "similarity-form")
    fill(form, "Tag of the examples", "a tag with a name of some length, as people have them")
    expect(form.get_by_text("example_tag:")).to_have_count(0)
    form.get_by_text("filter: only those beyond a threshold").click()
    expect(form.get_by_text("Threshold", exact=True)).to_be_visible()
    fill(form, "Budget", "2")
    check(form, "Preview")
    expect(form.get_by_text("2 of 12 would be chosen")).to_be_visible()
    expect_plots(page, form, 2)
    form.get_by_text("Threshold", exact=True).scroll_into_view_if_needed()
    screenshot(page, "similarity-filled")
    assert state(dataset) == before
