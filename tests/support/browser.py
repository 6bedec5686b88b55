"""What a test does to the App: open a form or a panel, fill it, wait for it, take its picture."""

from __future__ import annotations

import concurrent.futures
import os
import shutil
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from typing import TYPE_CHECKING, Any, Literal, TypeVar

from support.servers import OUTPUT

if TYPE_CHECKING:  # tests of the engine alone do not need Playwright
    from playwright.sync_api import Locator, Page, Response

Result = TypeVar("Result")
Kind = Literal["text", "area", "dropdown", "slider", "checkbox"]

BESIDE = 8  # pixels from the left: no sample that is open reaches there
PICTURES = os.environ.get("PICTURES") == "true"

# From a label's text to its field: the App ties only checkboxes and switches to their labels.
WAY_TO_FIELD = {
    "text": "following::input",
    "area": "following::textarea",
    "dropdown": "following::*[@role='combobox']",
    "slider": "following::input[@type='range']",
    "checkbox": "ancestor::label//input",
}


def find_chromium() -> str | None:
    names = (os.environ.get("CHROMIUM"), "chromium", "chromium-browser", "google-chrome")
    return next((path for name in names if name and (path := shutil.which(name))), None)


def sdk(function: Callable[..., Result], *args: Any, **kwargs: Any) -> Result:
    """Call FiftyOne from a browser test, in a thread without the event loop of Playwright.

    Where a loop runs, `execute_operator` gives back a task that nobody awaits.
    """
    with concurrent.futures.ThreadPoolExecutor(1) as thread:
        return thread.submit(function, *args, **kwargs).result()


def open_operator(page: Page, label: str) -> Locator:
    """Open an operator from the list of operators; gives its form."""
    page.keyboard.press("Backquote")
    page.get_by_test_id("operators-browser-search").fill(label)
    page.get_by_test_id("operators-browser").get_by_text(label, exact=True).click()
    form = page.get_by_test_id("operators-prompt-modal")
    form.wait_for()
    return form


def form_field(root: Locator, label: str, kind: Kind = "text") -> Locator:
    """The field under a label: `.fill("5")` a text or a slider, `.check()` a checkbox."""
    text = f"xpath=.//p[normalize-space()='{label}']"
    return root.locator(f"{text}/{WAY_TO_FIELD[kind]}").first


def fill(form: Locator, label: str, value: str) -> None:
    """Write into a form's text field, and wait until the form has been drawn anew."""
    with form_drawn_anew(form):
        form_field(form, label).fill(value)


def check(form: Locator, label: str) -> None:
    """Check a form's box, and wait until the form has been drawn anew."""
    with form_drawn_anew(form):
        form_field(form, label, "checkbox").check()


def close_sample(page: Page) -> None:
    """Close the sample that is open, by a click beside it: the App heeds the key not always."""
    from playwright.sync_api import expect

    size = page.viewport_size or {"height": 0}
    page.mouse.click(BESIDE, size["height"] / 2)
    expect(page.get_by_test_id("modal-content")).to_have_count(0)


@contextmanager
def form_drawn_anew(form: Locator) -> Iterator[None]:
    """Of two changes in haste the App keeps the answer that comes last; if it is the first one's,
    the form waits for ever."""
    with form.page.expect_response(lambda answer: answer.url.endswith("/operators/resolve-type")):
        yield
    form.get_by_role("progressbar").first.wait_for(state="detached")


def choose(page: Page, root: Locator, label: str, option: str) -> None:
    """Choose an option of the dropdown under a label."""
    form_field(root, label, "dropdown").click()
    page.get_by_role("option", name=option, exact=True).click()


def open_panel(page: Page, name: str) -> Locator:
    """Open a panel by its name (not its label); gives its content."""
    page.get_by_test_id("new-panel-btn").first.click()
    page.get_by_test_id(f"new-panel-option-{name}").click()
    panel = page.get_by_test_id(f"panel-content-{name}")
    panel.wait_for()
    return panel


def panel_event(page: Page, method: str) -> AbstractContextManager[Any]:
    """`with panel_event(page, "on_change"): ...` waits until the server has run that method."""

    def is_it(response: Response) -> bool:
        sent = response.request.post_data or ""
        return response.url.endswith("/operators/execute") and f'"__method__":"{method}"' in sent

    return page.expect_response(is_it)


def screenshot(page: Page, name: str) -> None:
    """Take a picture of the page where `PICTURES=true`: with plots each takes a second and more."""
    if PICTURES:
        page.screenshot(path=OUTPUT / f"{name}.png")
