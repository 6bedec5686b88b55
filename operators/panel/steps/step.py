"""What the steps of the panel share: the state, and what is made of it."""

from __future__ import annotations

import json
from typing import Any

from ....alcore import InvalidInput, Recipe
from ....alcore.data.json_text import parsed
from ...base import IN_APP
from ...dataset.fiftyone_private import plain_stages, stages_of, view_of_stages
from ...dataset.selection_records import selections
from ...dataset.views import samples_of
from ...reading.read import Labeled
from ...runs import jobs
from ...runs.marks import shows
from ...runs.names import Names
from ...runs.run import SelectionRequest
from .. import cards

WHOLE, VIEW, SELECTED = "whole dataset", "current view", "selected samples"
OPERATORS = "@alcore/active_learning"
SHOWN_SELECTIONS = 10
PREVIEW, SELECT = "preview", "select"


class Step:
    """Base class of the steps: what they read of the state of the panel.

    The panel itself defines ``update`` and ``start``.
    """

    def update(self, ctx: Any) -> None:
        """Count again, and list the selections again, after a change of the dataset or the inputs."""
        raise NotImplementedError

    def start(self, ctx: Any, kind: str, title: str, work: jobs.Work) -> None:
        """Start a job; when it is done, the method ``on_<kind>_done`` gets its result."""
        raise NotImplementedError

    def open_recipe(self, ctx: Any, recipe: dict[str, Any]) -> None:
        """Show a recipe in the first step."""
        raise NotImplementedError

    def recipe_key(self, ctx: Any) -> str:
        """Return a text that changes with all that the user entered for a selection."""
        raise NotImplementedError

    def prompt(self, ctx: Any, operator: str, params: Any = None, **options: Any) -> None:
        """Open the form of an operator, some of it filled in.

        The App leaves out the defaults of hidden inputs where a panel opens a form, and draws the panel
        again only where something handles the end.
        """
        filled = {IN_APP: True, **(params or {})}
        ctx.prompt(f"{OPERATORS}/{operator}", params=filled, **{"on_success": self.on_ran, **options})

    def on_ran(self, ctx: Any) -> None:
        """Draw again after a form has run its operator, which may go on in the background."""

    def labels(self, ctx: Any) -> str:
        """Return the field of the labels; "" for none."""
        return ctx.panel.get_state("start.labels") or ""

    def objects(self, ctx: Any) -> str | None:
        """Return the field whose objects are chosen; None if images are."""
        return ctx.panel.get_state("start.objects") or None

    def cards(self, ctx: Any) -> dict[str, dict[str, Any]]:
        """Return the cards by their ids, in their order."""
        order = ctx.panel.get_state("order") or []
        found = {one: ctx.panel.get_state(f"form.{one}") for one in order}
        return {name: card for name, card in found.items() if card and card.get("strategy")}

    def view(self, ctx: Any) -> Any:
        """Return the samples to choose from.

        What the App shows of a selection or a preview is never chosen from: in its place it is the view
        that was chosen from.
        """
        source = ctx.panel.get_state("start.source")
        if source == SELECTED:
            return ctx.dataset.select(selected(ctx))
        if source != VIEW:
            return ctx.dataset.view()
        for one in latest(ctx.dataset):
            if shows(ctx.view, Names(**one["names"])):
                return ctx.dataset.load_run_view(one["run_key"]).view()
        shown = ctx.panel.get_state("shown") or {}
        if shown and shown.get("stages") == stages_text(ctx.view):
            return view_of_stages(ctx.dataset, json.loads(shown["base"]))
        return samples_of(ctx.view)

    def request(self, ctx: Any) -> SelectionRequest:
        """Return the options of a selection, apart from its names."""
        skip = bool(ctx.panel.get_state("start.skip_chosen"))
        labeled = Labeled(self.labels(ctx) or None, chosen=skip)
        return SelectionRequest(labeled=labeled, bad="leave_out", objects=self.objects(ctx))

    def recipe(self, ctx: Any) -> dict[str, Any]:
        """Return the recipe of the cards, or the one that was entered as JSON.

        Raises:
            InvalidInput: if a card lacks something, or if two cards do not go together.
        """
        text = (ctx.panel.get_state("rare.json") or "").strip()
        if text:
            return recipe_in(text)
        found = list(self.cards(ctx).values())
        wrong = cards.alone_of(found)
        for card in found:
            wrong = wrong or cards.missing_of(ctx.dataset, card)
        if wrong:
            raise InvalidInput(wrong)
        strategies = [cards.entry_of(ctx.dataset, card) for card in found]
        examples = [entry["to"] for entry in strategies if "to" in entry]
        budget = ctx.panel.get_state("wanted.budget")
        if not isinstance(budget, int) or budget < 1:
            raise InvalidInput("Say how many to choose: a whole number, 1 or more")
        recipe: dict[str, Any] = {
            "budget": budget,
            "batch": ctx.panel.get_state("rare.batch") or "top",
            "filters": [{"column": "id", "not_in": ids} for ids in examples],
            "strategies": strategies or None,
        }
        seed = ctx.panel.get_state("rare.seed")
        if isinstance(seed, int) and seed:
            recipe["seed"] = seed
        try:
            Recipe.of(recipe)
        except InvalidInput as error:
            raise InvalidInput(cards.in_words(str(error), found)) from None
        return recipe

    def job(self, ctx: Any, kind: str) -> jobs.Job | None:
        """Return the last job of a kind that this panel started."""
        return jobs.job_of(ctx.dataset, ctx.panel.get_state(f"jobs.{kind}"))

    def result(self, ctx: Any, kind: str) -> dict[str, Any] | None:
        """Return the result of the last job of a kind; None if it has not ended well."""
        return jobs.result_of(ctx.dataset, self.job(ctx, kind))


def recipe_in(text: str) -> dict[str, Any]:
    """Return the recipe that was entered as JSON.

    Raises:
        InvalidInput: if the text is no JSON object.
    """
    given = parsed("The recipe", text)
    if not isinstance(given, dict):
        raise InvalidInput('The recipe must be a JSON object, such as {"budget": 100}')
    return given


def selected(ctx: Any) -> list[str]:
    """Return the ids of the samples selected in the grid, or by the lasso of the embeddings panel."""
    extended = ctx.extended_selection or {}
    return list(ctx.selected or extended.get("selection") or [])


def latest(dataset: Any) -> list[dict[str, Any]]:
    """Return the records of the latest selections, the newest first."""
    return selections(dataset)[::-1][:SHOWN_SELECTIONS]


def stages_text(view: Any) -> str:
    """Return the stages of a view as a text, which is equal for views that show the same."""
    return json.dumps(plain_stages(stages_of(view)), default=str)
