"""The panel, from its cards to tags and back, and what it says where it cannot choose."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
from playwright.sync_api import Locator, Page, Request, expect

from support.browser import WAY_TO_FIELD, Kind, form_field, open_panel, screenshot, sdk

QUIET = 700  # milliseconds without an event of the panel under way

OpenApp = Callable[[Any], Page]
State = Callable[[Any], dict[str, Any]]
RecipeOf = Callable[[Any, str], dict[str, Any]]


class Panel:
    """The panel in a page, as a user handles it."""

    def __init__(self, page: Page) -> None:
        self.page = page
        self._under_way: set[Request] = set()
        page.on("request", self._note)
        page.on("requestfinished", lambda request: self._under_way.discard(request))
        page.on("requestfailed", lambda request: self._under_way.discard(request))
        self.root = open_panel(page, "active_learning")
        expect(self.root.get_by_role("button", name="Select")).to_be_visible()
        self.settle()

    def _note(self, request: Request) -> None:
        if request.url.endswith("/operators/execute"):
            self._under_way.add(request)

    def settle(self) -> None:
        """Wait until the panel has had its say: it answers every input, and itself when it opens."""
        quiet = 0
        while quiet < QUIET:
            self.page.wait_for_timeout(100)
            quiet = 0 if self._under_way else quiet + 100

    def fill(self, label: str, value: str) -> None:
        form_field(self.root, label).fill(value)
        self.settle()

    def click(self, button: str) -> None:
        self.root.get_by_role("button", name=button, exact=True).click()
        self.settle()

    def choose(self, card: int, label: str, option: str) -> None:
        """Choose in a dropdown of a card; cards count from 1."""
        self.card_field(card, label, "dropdown").click()
        options = self.page.get_by_role("option")
        options.get_by_text(option, exact=True).first.click()
        self.settle()

    def card_field(self, card: int, label: str, kind: Kind = "dropdown") -> Locator:
        start = f"(.//p[normalize-space()='Strategy'])[{card}]"
        if label != "Strategy":
            start += f"/following::p[normalize-space()='{label}'][1]"
        return self.root.locator(f"xpath={start}/{WAY_TO_FIELD[kind]}").first

    def strategies(self) -> Locator:
        return self.root.get_by_text("Strategy", exact=True)

    def row(self, selection: str) -> Locator:
        """The row of an earlier selection."""
        cell = self.page.get_by_role("cell", name=selection, exact=True)
        return self.root.get_by_role("row").filter(has=cell)

    def row_action(self, selection: str, action: str) -> None:
        self.row(selection).get_by_label(action, exact=True).get_by_role("button").click()
        self.settle()

    def expect_plots(self, count: int) -> None:
        expect(self.root.locator(".js-plotly-plot .main-svg:first-child")).to_have_count(count)


def test_from_cards_to_tags_and_back(
    page_for: OpenApp, dataset: Any, state: State, recipe_of: RecipeOf
) -> None:
    import fiftyone.operators as foo

    select_uncertain = foo.get_operator("@alcore/active_learning/select_uncertain")
    sdk(select_uncertain, dataset, budget=3, label_field="ground_truth", tag="earlier")
    before = state(dataset)
    page = page_for(dataset)
    panel = Panel(page)
    expect(panel.root.get_by_text("29 to choose from, 11 labeled")).to_be_visible()
    expect(panel.strategies()).to_have_count(2)
    screenshot(page, "panel-opened")

    panel.fill("Budget", "6")
    panel.fill("Tag and saved view", "round one")
    panel.click("Preview")
    expect(panel.root.get_by_text("6 of 29 would be chosen")).to_be_visible()
    panel.expect_plots(4)
    screenshot(page, "panel-preview")
    panel.root.locator(".js-plotly-plot").last.scroll_into_view_if_needed()
    screenshot(page, "panel-preview-below")
    assert state(dataset) == before

    panel.click("Select")
    expect(page.get_by_test_id("entry-counts")).to_have_text("6 samples")
    expect(panel.row("round_one")).to_be_visible()
    panel.row("round_one").scroll_into_view_if_needed()
    screenshot(page, "panel-selected")
    after = state(dataset)
    assert after["tags"] == {"earlier": 3, "round one": 6}
    assert after["saved_views"] == ["earlier", "round one"]
    assert after["runs"] == ["earlier", "round_one"]
    assert set(after["fields"]) - set(before["fields"]) == {"round_one_rank"}
    assert recipe_of(dataset, "round_one")["budget"] == 6

    panel.row_action("earlier", "Show")
    expect(page.get_by_test_id("entry-counts")).to_have_text("3 samples")
    screenshot(page, "panel-earlier-shown")
    panel.row_action("round_one", "Undo")
    expect(panel.row("round_one")).to_have_count(0)
    expect(page.get_by_test_id("entry-counts")).to_have_text("3 samples")
    screenshot(page, "panel-undone")
    assert state(dataset) == before


def test_cards_are_added_removed_and_changed(
    page_for: OpenApp, dataset: Any, recipe_of: RecipeOf
) -> None:
    page = page_for(dataset)
    panel = Panel(page)
    panel.click("Add strategy")
    panel.click("Add strategy")
    expect(panel.strategies()).to_have_count(4)
    screenshot(page, "panel-four-cards")
    panel.click("Remove last")
    expect(panel.strategies()).to_have_count(3)

    panel.choose(2, "Strategy", "expected_cost")
    panel.click("Preview")
    expect(panel.root.get_by_text("cost: CSV needs a first row")).to_be_visible()
    screenshot(page, "panel-costs-refused")
    panel.choose(2, "Strategy", "balance")
    panel.choose(1, "Strategy", "diversity")
    panel.choose(1, "Metric", "cosine")
    panel.choose(3, "Strategy", "uncertainty")
    panel.choose(3, "Measure", "entropy")
    panel.card_field(3, "Strength", "text").fill("2")
    panel.settle()
    panel.fill("Budget", "4")
    panel.fill("Tag and saved view", "mixed")
    screenshot(page, "panel-cards-changed")
    panel.click("Select")
    expect(page.get_by_test_id("entry-counts")).to_have_text("4 samples")
    recipe = recipe_of(dataset, "mixed")
    assert recipe["budget"] == 4
    diversity, balance, uncertainty = recipe["strategies"]
    assert (diversity["strategy"], diversity["metric"]) == ("diversity", "cosine")
    assert (balance["strategy"], balance["column"]) == ("balance", "predictions")
    assert (uncertainty["measure"], uncertainty["strength"]) == ("entropy", 2)


def test_cards_take_members_boxes_and_costs(
    page_for: OpenApp, judged: Any, recipe_of: RecipeOf
) -> None:
    page = page_for(judged)
    panel = Panel(page)
    panel.choose(1, "Strategy", "disagreement")
    panel.choose(1, "Field", "dropout.members")
    panel.choose(2, "Strategy", "uncertainty")
    panel.choose(2, "Field", "boxes")
    panel.choose(2, "Aggregate", "sum")
    expect(panel.root.get_by_text("margin: the best two classes are close")).to_be_visible()
    panel.choose(1, "Measure", "vote_entropy")
    expect(panel.root.get_by_text("vote entropy: members vote for different")).to_be_visible()
    form_field(panel.root, "Batch", "dropdown").click()
    screenshot(page, "panel-batches")
    page.get_by_role("option").get_by_text("power", exact=True).first.click()
    panel.settle()
    screenshot(page, "panel-members-and-boxes")
    panel.fill("Budget", "5")
    panel.fill("Tag and saved view", "unknown")
    panel.click("Preview")
    expect(panel.root.get_by_text("5 of 32 would be chosen")).to_be_visible()
    screenshot(page, "panel-members-preview")
    panel.click("Select")
    expect(page.get_by_test_id("entry-counts")).to_have_text("5 samples")
    recipe = recipe_of(judged, "unknown")
    disagreement, uncertainty = recipe["strategies"]
    assert recipe["batch"] == "power"
    assert disagreement["column"] == "dropout.members"
    assert disagreement["measure"] == "vote_entropy"
    assert (uncertainty["column"], uncertainty["aggregate"]) == ("boxes", "sum")

    panel.click("Scores as fields")
    form = page.get_by_test_id("operators-prompt-modal")
    expect(form.get_by_text("Writes how uncertain each sample is")).to_be_visible()
    screenshot(page, "panel-opens-scores")


def test_a_card_with_a_rule_of_its_own_stands_alone(
    page_for: OpenApp, dataset: Any, recipe_of: RecipeOf, state: State
) -> None:
    dataset[10:13].tag_samples("like these")
    before = state(dataset)
    page = page_for(dataset)
    panel = Panel(page)
    panel.choose(1, "Strategy", "typiclust")
    expect(panel.root.get_by_text("typiclust chooses by a rule of its own: nothing")).to_be_visible()
    screenshot(page, "panel-rule-with-company")
    panel.click("Select")
    expect(panel.root.get_by_text("typiclust chooses by a rule of its own: nothing")).to_have_count(1)
    assert state(dataset) == before
    panel.click("Remove last")
    expect(panel.root.get_by_text("typiclust chooses by a rule of its own: nothing")).to_have_count(0)
    panel.choose(1, "Strategy", "badge")
    expect(panel.card_field(1, "Embeddings")).to_be_visible()
    panel.choose(1, "Strategy", "similarity")
    panel.choose(1, "Like those tagged", "like these")
    panel.fill("Budget", "4")
    panel.fill("Tag and saved view", "alike")
    screenshot(page, "panel-similarity")
    panel.click("Select")
    expect(page.get_by_test_id("entry-counts")).to_have_text("4 samples")
    examples = sdk(dataset.match_tags("like these").values, "id")
    recipe = recipe_of(dataset, "alike")
    assert recipe["strategies"][0]["to"] == recipe["filters"][0]["not_in"] == examples


def test_what_cannot_be_chosen_from_is_said_and_nothing_is_written(
    page_for: OpenApp, dataset: Any, state: State
) -> None:
    import fiftyone as fo

    dataset.add_sample_field("broken", fo.VectorField)
    dataset.set_values("broken", [np.full(8, np.nan) for _ in range(len(dataset))])
    dataset.limit(1).tag_samples("taken")
    before = state(dataset)
    page = page_for(dataset)
    panel = Panel(page)
    panel.fill("Budget", "3")
    panel.fill("Tag and saved view", "taken")
    panel.click("Select")
    expect(panel.root.get_by_text("tag: 'taken' is in use, by 1 sample")).to_be_visible()
    screenshot(page, "panel-tag-refused")

    panel.fill("Tag and saved view", "fresh")
    panel.choose(1, "Field", "broken")
    for button in ("Preview", "Select"):
        panel.click(button)
        expect(panel.root.get_by_text("'broken'").first).to_be_visible()
    screenshot(page, "panel-broken-field")
    assert state(dataset) == before


def test_an_empty_view_is_said(page_for: OpenApp, dataset: Any, state: State) -> None:
    from fiftyone import ViewField

    dataset.save_view("nothing", dataset.match(ViewField("sharpness") > 2))
    before = state(dataset)
    page = page_for(dataset)
    page.goto(f"{page.url.split('?')[0]}?view=nothing", wait_until="domcontentloaded")
    expect(page.get_by_test_id("entry-counts")).to_have_text("0 samples")
    panel = Panel(page)
    expect(panel.root.get_by_text("0 to choose from")).to_be_visible()
    panel.click("Preview")
    expect(panel.root.get_by_text("the view is empty")).to_be_visible()
    panel.click("Select")
    expect(panel.root.get_by_text("the view is empty")).to_be_visible()
    screenshot(page, "panel-empty-view")
    assert state(dataset) == before


def test_a_single_sample_can_be_chosen(
    page_for: OpenApp, make_dataset: Callable[..., Any], state: State
) -> None:
    dataset = make_dataset(1, labeled=0)
    page = page_for(dataset)
    panel = Panel(page)
    expect(panel.root.get_by_text("1 to choose from, 0 labeled")).to_be_visible()
    panel.click("Preview")
    expect(panel.root.get_by_text("1 of 1 would be chosen")).to_be_visible()
    screenshot(page, "panel-one-sample")
    panel.fill("Tag and saved view", "only")
    panel.click("Select")
    expect(panel.row("only")).to_be_visible()
    assert state(dataset)["tags"] == {"only": 1}


def test_after_a_round_the_panel_says_whether_to_go_on(
    page_for: OpenApp, dataset: Any, state: State
) -> None:
    import fiftyone as fo
    import fiftyone.operators as foo

    select_uncertain = foo.get_operator("@alcore/active_learning/select_uncertain")
    sdk(select_uncertain, dataset, budget=3, label_field="ground_truth", tag="earlier")
    labels = dataset.values("predictions.label")
    last = [fo.Classification(label=one) for one in [*labels[1:], labels[0]]]
    dataset.set_values("predictions_before", last)
    page = page_for(dataset)
    panel = Panel(page)
    expect(panel.row("earlier")).to_be_visible()
    expect(panel.root.get_by_text("Labels are back")).to_have_count(0)

    chosen = dataset.match_tags("earlier")
    chosen.set_values("ground_truth", [fo.Classification(label=labels[0])] * 3)
    before = state(dataset)
    page.reload(wait_until="domcontentloaded")
    panel.settle()
    expect(panel.root.get_by_text("Labels are back")).to_be_visible()
    form_field(panel.root, "Predictions before", "dropdown").click()
    page.get_by_role("option").get_by_text("predictions_before", exact=True).first.click()
    panel.settle()
    panel.fill("Price of a label", "0.5")
    panel.click("Is it time to stop?")
    expect(panel.root.get_by_text("of 29 predictions")).to_be_visible()
    expect(panel.root.get_by_text("of 29 samples are worth their price")).to_be_visible()
    panel.root.get_by_text("of 29 samples are worth their price").scroll_into_view_if_needed()
    screenshot(page, "panel-stop")
    assert state(dataset) == before
