"""From the question to annotation and back, twice: the App in a browser, and a real Label Studio."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from playwright.sync_api import Page, expect

from support import servers
from support.browser import screenshot, sdk
from support.label_studio import TOKEN, Annotator
from support.panel import Panel

OpenApp = Callable[[Any], Page]
RecipeOf = Callable[[Any, str], dict[str, Any]]


@pytest.fixture
def app_url() -> str:
    """The address of an App that the test starts itself, with Label Studio configured."""
    return servers.free_address()


@pytest.fixture
def settings(label_studio_server: str) -> dict[str, str]:
    return {
        "FIFTYONE_LABELSTUDIO_URL": label_studio_server,
        "FIFTYONE_LABELSTUDIO_API_KEY": TOKEN,
    }


def execute(panel: Panel, button: str) -> None:
    """Press a button of the panel, execute the form that opens, and close it.

    On a slow machine it says that the work goes on in the background; the panel shows the result.
    """
    panel.click(button)
    form = panel.page.get_by_test_id("operators-prompt-modal")
    form.get_by_role("button", name="Execute").click()
    close = form.get_by_role("button", name="Close")
    expect(close).to_be_visible()
    screenshot(panel.page, f"form-{button.lower()}-result")
    close.click()
    panel.settle()


def annotate(annotator: Annotator, dataset: Any, key: str) -> None:
    """Label all tasks of a round, the last one first, by what is seen in each picture."""
    seen = {Path(path).read_bytes(): Path(path) for path in dataset.values("filepath")}
    for task in annotator.tasks(annotator.project(f"{dataset.name} {key}"))[::-1]:
        annotator.choose(task, "ground_truth", true_class(dataset, seen[annotator.picture(task)]))


def true_class(dataset: Any, path: Path) -> str:
    classes = dataset.classes["predictions"]
    return str(classes[int(path.stem) % len(classes)])


def expect_closed(dataset: Any, key: str, count: int) -> None:
    """All labels are on the images that they were made of, and the round is closed."""
    dataset.reload()
    labels, paths = dataset.exists(f"{key}_rank").values(["ground_truth.label", "filepath"])
    assert labels == [true_class(dataset, Path(one)) for one in paths] and len(labels) == count
    returned = dataset.get_run_info(key).config.returned
    assert (returned["labeled"], returned["left"], returned["closed"]) == (count, 0, True)


def second_round(annotator: Annotator, dataset: Any) -> None:
    """Choose, send, label and bring back without the browser; the first round has shown the buttons."""
    import fiftyone.operators as foo

    def operator(name: str) -> Any:
        return foo.get_operator(f"@alcore/active_learning/{name}")

    operator("select")(dataset, recipe={"budget": 4}, label_field="ground_truth", tag="two")
    operator("send_to_annotation")(dataset, run_key="two")
    annotate(annotator, dataset, "two")
    operator("import_annotations")(dataset, run_key="two")
    expect_closed(dataset, "two", 4)


def test_from_the_question_to_annotation_and_back(
    page_for: OpenApp,
    app_url: str,
    settings: dict[str, str],
    configured: None,
    annotator: Annotator,
    dataset: Any,
    recipe_of: RecipeOf,
) -> None:
    dataset.classes = {**dataset.classes, "ground_truth": dataset.classes["predictions"]}
    dataset.save()
    with servers.app(app_url, settings):
        page = page_for(dataset)
        panel = Panel(page)
        panel.click("Add what matters")
        screenshot(page, "panel-kinds")
        panel.click("Add: what the model gets wrong")
        panel.press(1, "Remove")  # the first card too
        panel.press(2, "More")
        panel.choose(1, "Measure", "entropy")
        panel.press(1, "Move up")  # the only one: the first card has none
        panel.fill("How many", "5")
        panel.fill("Tag and saved view", "one")
        panel.preview()
        expect(panel.root.get_by_text("5 of 32 would be chosen")).to_be_visible()
        panel.select()
        expect(panel.row("one")).to_be_visible()
        uncertainty, balance = sdk(recipe_of, dataset, "one")["strategies"]
        assert (uncertainty["strategy"], uncertainty["measure"]) == ("uncertainty", "entropy")
        assert (balance["strategy"], balance["column"]) == ("balance", "predictions")
        execute(panel, "Send")
        expect(panel.root.get_by_text("sent 5 to labelstudio, 0 of 5 labeled")).to_be_visible()
        page.close()

    sdk(annotate, annotator, dataset, "one")

    with servers.app(app_url, settings):
        page = page_for(dataset)
        panel = Panel(page)
        expect(panel.root.get_by_text("sent 5 to labelstudio, 0 of 5 labeled")).to_be_visible()
        execute(panel, "Import")
        expect(panel.root.get_by_text("5 of 5 labeled in ground_truth")).to_be_visible()
        sdk(expect_closed, dataset, "one", 5)

        sdk(second_round, annotator, dataset)
        panel.row_action("one", "Show")  # by which the panel takes notice
        expect(panel.root.get_by_text("4 of 4 labeled in ground_truth")).to_be_visible()
        screenshot(page, "panel-second-round")
        panel.row_action("two", "Undo")
        expect(panel.row("two")).to_have_count(0)
        sdk(dataset.reload)
        assert dataset.list_runs() == ["one"] and dataset.list_saved_views() == ["one"]
        assert dataset.count_sample_tags() == {"one": 5}
        assert len(dataset.exists("ground_truth")) == 8 + 5 + 4  # the labels stay
        expect_closed(dataset, "one", 5)
