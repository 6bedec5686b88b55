"""Fixtures: a test that asks for none of them starts no database, no App and no browser."""

from __future__ import annotations

import asyncio
import atexit
import os
import re
import tempfile
from collections.abc import Callable, Generator, Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import TYPE_CHECKING, Any

import hypothesis
import pytest

from support import servers
from support.browser import PICTURES, find_chromium

if TYPE_CHECKING:
    from playwright.sync_api import Browser, Page, Response

pytest_plugins = ["support.fixtures"]

# What ends here ends after FiftyOne's own clean-up at exit, which hangs without its database.
AT_EXIT = ExitStack()
atexit.register(AT_EXIT.close)

# FiftyOne reads the environment at import: it must be in place before any test module is.
HOME = AT_EXIT.enter_context(tempfile.TemporaryDirectory(prefix="alcore-tests-"))
ENVIRONMENT = servers.isolated(os.environ, Path(HOME))
os.environ.clear()
os.environ.update(ENVIRONMENT)

# How long an example takes says more about a busy machine than about the code.
# In CI the same code sees the same examples; elsewhere each run tries others.
hypothesis.settings.register_profile(
    "alcore", deadline=None, derandomize=os.environ.get("CI") == "true"
)
hypothesis.settings.load_profile("alcore")

CHROMIUM = find_chromium()
CHROMIUM_IS_A_MUST = os.environ.get("CI") == "true"
FAILED = pytest.StashKey[bool]()
NO_CHROMIUM = "no Chromium found: install it, or set CHROMIUM to its path"
CHROMIUM_FLAGS = [
    "--no-sandbox",  # Chromium has none for root
    "--disable-gpu",
    "--disable-quic",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
    "--no-first-run",
]


@pytest.hookimpl(tryfirst=True)  # before `-m browser` is applied
def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    def needs_browser(item: pytest.Item) -> bool:
        return "browser" in getattr(item, "fixturenames", ())

    for item in items:
        if "gpu" in getattr(item, "fixturenames", ()):
            item.add_marker("gpu")
    for item in filter(needs_browser, items):
        item.add_marker("browser")
        if not CHROMIUM and not CHROMIUM_IS_A_MUST:
            item.add_marker(pytest.mark.skip(reason=NO_CHROMIUM))
    _interleave(items, needs_browser)


def _interleave(items: list[pytest.Item], needs_browser: Callable[[pytest.Item], bool]) -> None:
    """Spread the files with a browser among the others: two browsers at once are slow on two cores."""
    files: dict[Path, list[pytest.Item]] = {}
    for item in items:
        files.setdefault(item.path, []).append(item)
    place: dict[Path, float] = {}
    for wanted in (True, False):
        some = [path for path, tests in files.items() if any(map(needs_browser, tests)) == wanted]
        place |= {path: (number + 0.5) / len(some) for number, path in enumerate(some)}
    items.sort(key=lambda item: place[item.path])


@pytest.fixture(autouse=True)
def no_running_loop(request: pytest.FixtureRequest) -> Iterator[None]:
    """Hide the event loop that Playwright leaves running; else operators would give back tasks."""
    running = asyncio.events._get_running_loop()
    if running is None or "browser" in request.fixturenames:
        yield
        return
    asyncio.events._set_running_loop(None)
    yield
    asyncio.events._set_running_loop(running)


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(
    item: pytest.Item,
) -> Generator[None, pytest.TestReport, pytest.TestReport]:
    """Note a failure, of which `page_for` takes a picture."""
    report = yield
    if report.failed:
        item.stash[FAILED] = True
    return report


def pytest_terminal_summary(terminalreporter: Any) -> None:
    skipped = terminalreporter.stats.get("skipped", ())
    if any(NO_CHROMIUM in str(report.longrepr) for report in skipped):
        terminalreporter.write_line(f"Browser tests were left out: {NO_CHROMIUM}.")


@pytest.fixture(scope="session")
def mongod() -> str:
    """The address of a database of the tests' own, to which FiftyOne connects at its first use."""
    return AT_EXIT.enter_context(servers.database(ENVIRONMENT))


@pytest.fixture(scope="session")
def app_url(mongod: str) -> Iterator[str]:
    """The App, with the plugin loaded without error."""
    with servers.app(servers.free_address()) as url:
        assert servers.plugin_errors(url) == []
        yield url


@pytest.fixture(scope="session")
def browser() -> Iterator[Browser]:
    from playwright.sync_api import expect, sync_playwright

    assert CHROMIUM, NO_CHROMIUM
    expect.set_options(timeout=60_000)
    with sync_playwright() as playwright:
        playwright.selectors.set_test_id_attribute("data-cy")
        chromium = playwright.chromium.launch(executable_path=CHROMIUM, args=CHROMIUM_FLAGS)
        yield chromium
        chromium.close()


@pytest.fixture
def page_for(
    browser: Browser, app_url: str, request: pytest.FixtureRequest
) -> Iterator[Callable[[Any], Page]]:
    """`page = page_for(dataset)`: the App at a dataset, in a fresh browser profile, images drawn.

    Give each test a dataset with a name of its own: the server remembers a dataset's last view and
    panels. The test fails on any error of the page or the server; a failure leaves a last picture.
    """
    errors: list[str] = []

    def note_error(error: Exception) -> None:
        if "entry is loading" not in str(error):  # the App's own, harmless
            errors.append(str(error))

    def note_failure(response: Response) -> None:
        if response.status >= 500:
            errors.append(f"{response.status} {response.url}")

    context = browser.new_context(viewport={"width": 1600, "height": 1000})
    context.set_default_timeout(90_000)
    context.add_init_script("window.IS_PLAYWRIGHT = true")  # keeps the App's hints from popping up
    context.route(
        lambda url: url.startswith("http") and not url.startswith(app_url),
        lambda route: route.abort(),
    )

    def open_app(dataset: Any) -> Page:
        page = context.new_page()
        page.on("pageerror", note_error)
        page.on("response", note_failure)
        page.goto(f"{app_url}/datasets/{dataset.name}", wait_until="domcontentloaded")
        page.wait_for_function(
            "document.querySelector('canvas')?.getAttribute('canvas-loaded') === 'true'"
        )
        return page

    yield open_app
    test = re.sub(r"\W+", "-", request.node.name).strip("-")
    for page in context.pages if PICTURES or errors or request.node.stash.get(FAILED, False) else ():
        page.screenshot(path=servers.OUTPUT / f"{test}-end.png")
    context.close()
    assert not errors, "\n".join(errors)
