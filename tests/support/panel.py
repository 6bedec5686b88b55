"""The panel in a page, as a user handles it."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING

from support.browser import WAY_TO_FIELD, Kind, form_field, open_panel

if TYPE_CHECKING:
    from playwright.sync_api import Locator, Page, Request

QUIET = 7  # idle frames without an event of the panel under way
# Passes when the page has nothing else to do, has drawn what there is, and 80 ms have gone by.
IDLE_FRAME = """() => new Promise(
    done => requestAnimationFrame(
        () => requestIdleCallback(() => setTimeout(done, 80), {timeout: 2000})
    )
)"""
PATIENCE = 90  # seconds


class Panel:
    """The panel in a page, as a user handles it."""

    def __init__(self, page: Page) -> None:
        from playwright.sync_api import expect

        self.page = page
        self._under_way: set[Request] = set()
        page.on("request", self._note)
        page.on("requestfinished", lambda request: self._under_way.discard(request))
        page.on("requestfailed", lambda request: self._under_way.discard(request))
        self.root = open_panel(page, "active_learning")
        expect(self.root.get_by_role("button", name="1 Matters")).to_be_visible()
        self.settle()

    def _note(self, request: Request) -> None:
        if request.url.endswith("/operators/execute"):
            self._under_way.add(request)

    def settle(self) -> None:
        """Wait until the panel has had its say: it answers every input, and itself when it opens.

        That is when the page has been idle for some frames with no event of the panel under way.
        """
        quiet, end = 0, time.monotonic() + PATIENCE
        while quiet < QUIET:
            assert time.monotonic() < end, "the panel does not come to rest"
            self.page.evaluate(IDLE_FRAME)
            quiet = 0 if self._under_way else quiet + 1

    def fill(self, label: str, value: str) -> None:
        form_field(self.root, label).fill(value)
        self.settle()

    def click(self, button: str) -> None:
        self.root.get_by_role("button", name=button, exact=True).click()
        self.settle()

    def step(self, name: str) -> None:
        """Go to a step: "1 Matters", "2 Chosen", "3 Annotate" or "4 Brought"."""
        self.root.get_by_role("button", name=name, exact=True).click()
        self.settle()

    def finish(self) -> None:
        """Wait until no job runs, and the panel has shown what came of it."""
        from playwright.sync_api import expect

        self.settle()
        expect(self.root.get_by_role("button", name="Stop", exact=True)).to_have_count(0)
        self.settle()

    def preview(self) -> None:
        self.click("Preview")
        self.finish()

    def select(self) -> None:
        self.click("Select")
        self.finish()

    def add(self, kind: str) -> None:
        """Add a card of a kind, by its title."""
        self.click("Add what matters")
        self.click(f"Add: {kind.lower()}")

    def choose(self, card: int, label: str, option: str) -> None:
        """Choose in a dropdown of a card; cards count from 1."""
        self.card_field(card, label, "dropdown").click()
        options = self.page.get_by_role("option")
        options.get_by_text(option, exact=True).first.click()
        self.settle()

    def card_button(self, card: int, name: str) -> Locator:
        """A button of a card: "Move up", "Move down", "Duplicate", "Remove", "More" or "Less"."""
        before = f"(.//*[normalize-space(text())='More' or normalize-space(text())='Less'])[{card}]"
        if name in ("More", "Less"):
            return self.root.locator(f"xpath={before}").first
        return self.root.get_by_label(name, exact=True).nth(card - 1)

    def press(self, card: int, name: str) -> None:
        self.card_button(card, name).click()
        self.settle()

    def card_field(self, card: int, label: str, kind: Kind = "dropdown") -> Locator:
        start = f"(.//p[normalize-space()='{label}'])[{card}]"
        return self.root.locator(f"xpath={start}/{WAY_TO_FIELD[kind]}").first

    def cards(self) -> Locator:
        return self.root.get_by_label("Remove", exact=True)

    def row(self, selection: str) -> Locator:
        """The row of an earlier selection."""
        cell = self.page.get_by_role("cell", name=selection, exact=True)
        return self.root.get_by_role("row").filter(has=cell)

    def row_action(self, selection: str, action: str) -> None:
        self.row(selection).get_by_label(action, exact=True).get_by_role("button").click()
        self.settle()

    def expect_plots(self, count: int) -> None:
        from playwright.sync_api import expect

        expect(self.root.locator(".js-plotly-plot .main-svg:first-child")).to_have_count(count)
