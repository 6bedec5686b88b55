"""Weak slices are found and written, and chosen from by metadata, with histograms in the form."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from playwright.sync_api import Locator, Page, expect

from support.browser import check, fill, form_drawn_anew, form_field, open_operator, screenshot


def test_a_weak_slice_is_written_and_filtered_by(
    page_for: Callable[[Any], Page],
    make_dataset: Callable[..., Any],
    recipe_of: Callable[[Any, str], dict[str, Any]],
) -> None:
    dataset = make_dataset(160, 120)
    places = [["dock", "road", "yard", "quay"][number % 4] for number in range(160)]
    dataset.set_values("place", places)
    true = dataset[:120].values("predictions.label")
    wrong = [one if place != "dock" else "metal" for one, place in zip(true, places[:120], strict=True)]
    dataset[:120].set_values("ground_truth.label", wrong)
    page = page_for(dataset)

    form = open_operator(page, "Active learning: find weak slices")
    expect(form.get_by_text("In which slices are looked for")).to_be_visible()
    check(form, "Find them now")
    expect(form.get_by_text("slices are worse than the rest, beyond chance")).to_be_visible()
    form.get_by_text("Write this slice").scroll_into_view_if_needed()
    screenshot(page, "slices-found")
    pick(page, form, "Write this slice", "place: dock")
    form.get_by_text("Replace an earlier selection").scroll_into_view_if_needed()
    screenshot(page, "slices-named")
    form.get_by_role("button", name="Execute", exact=True).click()
    expect(form.get_by_text("is_weak_slice", exact=True).first).to_be_visible()
    screenshot(page, "slices-written")
    form.get_by_role("button", name="Close").click()
    expect(page.get_by_test_id("entry-counts")).to_have_text("40 samples")
    dataset.reload()
    assert dataset.count_values("is_weak_slice") == {True: 40, False: 120}

    form = open_operator(page, "Active learning: select by metadata")
    with form_drawn_anew(form):
        form.get_by_text("Entire dataset").click()
    pick(page, form, "Fields", "place")
    pick(page, form, "Fields", "sharpness")
    plots = form.locator(".js-plotly-plot .main-svg:first-child")
    expect(plots).to_have_count(2)
    pick(page, form, "place: keep only", "dock")
    expect(form.get_by_text("10 of 40 samples to choose from pass all filters")).to_be_visible()
    screenshot(page, "metadata-categories")
    fill(form, "sharpness: at least", "0.4")
    pick(page, form, "sharpness: prefer", "around")
    fill(form, "sharpness: around", "0.7")
    fill(form, "sharpness: width", "0.1")
    high = sum(
        place == "dock" and sharpness >= 0.4
        for place, sharpness in zip(places[120:], dataset.values("sharpness")[120:], strict=True)
    )
    expect(form.get_by_text(f"{high} of 40 samples to choose from pass all filters")).to_be_visible()
    form.get_by_text("sharpness: at least").scroll_into_view_if_needed()
    screenshot(page, "metadata-numbers")
    fill(form, "Tag", "sharp")
    form.get_by_role("button", name="Execute", exact=True).click()
    expect(form.get_by_text("sharp", exact=True).first).to_be_visible()
    recipe = recipe_of(dataset, "sharp")
    assert recipe["filters"] == [
        {"column": "place", "in": ["dock"]},
        {"column": "sharpness", "min": 0.4},
    ]
    assert recipe["strategies"][0]["prefer"] == {"around": 0.7, "width": 0.1}


def pick(page: Page, form: Locator, label: str, option: str) -> None:
    """Choose one of several in a dropdown, whose options have descriptions."""
    form_field(form, label, "dropdown").click()
    with form_drawn_anew(form):
        page.get_by_role("option").filter(has=page.get_by_text(option, exact=True)).first.click()
    page.keyboard.press("Tab")
