"""Names of classes and places are text wherever they are shown: nothing is fetched for them."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
from playwright.sync_api import Page, Request, expect

from support.browser import check, fill, form_drawn_anew, form_field, open_operator, screenshot
from support.panel import Panel

PIXEL = "http://127.0.0.1:9/pixel.png"
HOSTILE = f"![p]({PIXEL}) <img src='{PIXEL}'> **x** | [l]({PIXEL})"


def watched(page: Page) -> list[str]:
    """The addresses that the page asks for from now on, beside those of the App."""
    requested: list[str] = []

    def note(request: Request) -> None:
        if "pixel" in request.url:
            requested.append(request.url)

    page.on("request", note)
    return requested


def hostile(dataset: Any) -> None:
    """Give a class and a place a name that is markup."""
    import fiftyone as fo

    places = ["dock" if row % 3 else HOSTILE for row in range(len(dataset))]
    dataset.set_values("place", places)
    dataset.set_values("right", [float(one == "dock") for one in places])
    rng = np.random.default_rng(0)
    labels = []
    for row, p in enumerate(rng.dirichlet(np.ones(2), len(dataset))):
        p = np.sort(p) if row % 2 else np.sort(p)[::-1]
        label = ["plain", HOSTILE][int(p.argmax())]
        labels.append(fo.Classification(label=label, confidence=float(p.max()), probs=p.tolist()))
    dataset.set_values("predictions", labels)
    # A label that contradicts its values is named in a note.
    dataset.set_values(
        "ground_truth.label", dict.fromkeys(dataset.values("id")[:3], HOSTILE), key_field="id"
    )


def test_names_are_text(page_for: Callable[[Any], Page], dataset: Any) -> None:
    hostile(dataset)
    page = page_for(dataset)
    requested = watched(page)
    panel = Panel(page)
    panel.fill("How many", "30")
    panel.preview()
    expect(panel.root.get_by_text("would be chosen").first).to_be_visible()
    screenshot(page, "panel-hostile-names")
    assert requested == []
    form = open_operator(page, "Active learning: find weak slices")
    with form_drawn_anew(form):
        form_field(form, "Judged by", "dropdown").click()
        page.get_by_role("option", name="right").first.click()
    fill(form, "Samples of a slice", "5")
    check(form, "Find them now")
    expect(
        form.locator("td", has_text="place: ![p](http://127.0.0.1:9/pixel.png)").first
    ).to_be_visible()
    screenshot(page, "form-hostile-names")
    assert requested == [] and form.locator("img[src*=pixel]").count() == 0
