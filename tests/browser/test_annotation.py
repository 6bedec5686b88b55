"""The panel's third step in the App: annotate there, and write files by a form."""

from __future__ import annotations

import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

from playwright.sync_api import Page, expect

from support.browser import close_sample, form_field, screenshot, sdk
from support.panel import Panel

OpenApp = Callable[[Any], Page]
PATIENCE = 60  # seconds


def wait_until(page: Page, ready: Callable[[], bool]) -> None:
    """Wait until the database says so."""
    end = time.monotonic() + PATIENCE
    while not ready():
        assert time.monotonic() < end, "it is not in the database"
        page.wait_for_timeout(200)


def test_what_was_chosen_is_annotated_in_the_app_and_written_to_files(
    page_for: OpenApp, dataset: Any, tmp_path: Path
) -> None:
    import fiftyone.operators as foo

    select = foo.get_operator("@alcore/active_learning/select_uncertain")
    sdk(select, dataset, budget=5, predictions="predictions", label_field="ground_truth", tag="next")
    page = page_for(dataset)
    panel = Panel(page)
    panel.step("3 Annotate")
    expect(panel.root.get_by_text("chosen 5, 0 of 5 labeled in ground_truth")).to_be_visible()

    panel.click("Annotate in the App")
    expect(page.get_by_test_id("entry-counts")).to_have_text("5 samples")
    expect(panel.root.get_by_text("offered in the App")).to_be_visible()
    screenshot(page, "panel-annotate")
    dataset.reload()
    assert dataset.active_label_schemas == ["ground_truth"]

    page.get_by_test_id("looker").first.click()
    page.get_by_test_id("annotate").click()
    page.get_by_test_id("create-classification").click()
    page.get_by_test_id("root_label_container").get_by_text("paper", exact=True).click()
    first = dataset.sort_by("next_rank").exists("next_rank").first().id

    def is_labeled() -> bool:
        label = dataset.select(first).values("ground_truth.label")[0]
        return bool(label == "paper")

    wait_until(page, is_labeled)
    screenshot(page, "annotated-in-the-app")
    page.get_by_test_id("annotate-edit-back").click()
    close_sample(page)

    panel.click("Files")
    form = page.get_by_test_id("operators-prompt-modal")
    folder = tmp_path / "files"
    form_field(form, "Folder").fill(str(folder))
    screenshot(page, "panel-files")
    form.get_by_role("button", name="Execute").click()
    expect(form.get_by_text(str(folder))).to_be_visible()
    form.get_by_role("button", name="Close").click()
    expect(panel.root.get_by_text("5 written to files, 1 of 5 labeled")).to_be_visible()
    assert sorted(one.name for one in folder.iterdir()) == ["ranks.csv", "ranks.json"]
