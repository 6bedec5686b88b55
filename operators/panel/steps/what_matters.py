"""The first step: what matters. Cards say what to look for; the budget says how many to choose."""

from __future__ import annotations

import json
from typing import Any

import fiftyone.operators.types as types

from ....alcore import InvalidInput, Recipe
from ....alcore.data.json_text import parsed
from ....alcore.strategies import BY_NAME
from ...dataset.fields import (
    Choice,
    embedding_fields,
    label_fields,
    object_fields,
    prediction_fields,
    uncertain_fields,
)
from ...forms import words
from ...forms.markdown import escaped
from ...forms.options import NONE
from .. import cards, draft, kinds
from ..drawing import alert, box, column, dropdown, row
from .step import SELECTED, VIEW, WHOLE, Step

MOST_CARDS = 8
# What can be computed for the strategies under "How", by the operator that computes it.
MAKERS = {
    "compute_embeddings": "Embeddings",
    "compute_image_metadata": "Measures of the images",
    "compute_dropout_predictions": "Dropout predictions",
    "fit_loss_predictor": "Predicted loss",
    "compute_scores": "Scores as fields",
}
OPERATORS = "@alcore/active_learning"


class WhatMatters(Step):
    """The step in which the user says what matters."""

    # Events

    def on_start(self, ctx: Any) -> None:
        """Handle a change of what is chosen from, or of what counts as labeled."""
        self.update(ctx)

    def on_field(self, ctx: Any) -> None:
        """Handle a change on which the drawing depends; it is drawn after every event."""

    def on_strategy(self, ctx: Any) -> None:
        """Handle a new strategy of a card; the path of the event is ``form.<card>.more.strategy``."""
        card_id = ctx.params["path"].split(".")[-3]
        card, strategy = self.cards(ctx).get(card_id), ctx.params["value"]
        if card is not None and strategy in BY_NAME and card["strategy"] != strategy:
            new = cards.new_card(ctx.dataset, strategy, self.labels(ctx), card["kind"])
            ctx.panel.set_state(f"form.{card_id}", new)

    def on_kinds(self, ctx: Any) -> None:
        """Open or close the list of kinds of cards."""
        ctx.panel.set_state("adding", not ctx.panel.get_state("adding"))

    def on_add(self, ctx: Any) -> None:
        """Add a card of a kind."""
        kind = kinds.kind_of(ctx.params["kind"])
        strategy = kinds.strategy_for(ctx.dataset, kind, self.labels(ctx)) or kind.strategies[0]
        card = cards.new_card(ctx.dataset, strategy, self.labels(ctx), ctx.params["kind"])
        self._insert(ctx, card, len(self.cards(ctx)))
        ctx.panel.set_state("adding", False)

    def on_objects(self, ctx: Any) -> None:
        """Choose objects in place of images, by what the model is unsure of."""
        found = object_fields(ctx.dataset)
        if found:
            ctx.panel.set_state({"start.objects": found[0].path, "adding": False})
            self.update(ctx)

    def on_card(self, ctx: Any) -> None:
        """Open, move, copy or remove a card."""
        card_id, action = ctx.params["card"], ctx.params["action"]
        order = list(self.cards(ctx))
        if card_id not in order:
            return
        place = order.index(card_id)
        if action == "open":
            opened = ctx.panel.get_state("open") or []
            others = [one for one in opened if one != card_id]
            ctx.panel.set_state("open", others if card_id in opened else [*others, card_id])
        elif action == "copy":
            self._insert(ctx, self.cards(ctx)[card_id], place + 1)
        elif action == "remove":
            ctx.panel.set_state("order", [one for one in order if one != card_id])
        else:
            other = place + (1 if action == "down" else -1)
            if 0 <= other < len(order):
                order[place], order[other] = order[other], order[place]
                ctx.panel.set_state("order", order)

    def on_make(self, ctx: Any) -> None:
        """Open the form of the operator that computes what a card needs, such as embeddings."""
        ctx.prompt(f"{OPERATORS}/{ctx.params['make']}", on_success=self.on_made)

    def on_made(self, ctx: Any) -> None:
        """Propose cards anew after something was computed, if the user has not changed any."""
        if ctx.panel.get_state("proposed"):
            self.propose(ctx)

    def on_propose(self, ctx: Any) -> None:
        """Replace the cards by those that are proposed for the dataset."""
        self.propose(ctx)

    def on_more(self, ctx: Any) -> None:
        """Show or hide the options that are seldom needed."""
        ctx.panel.set_state("more", not ctx.panel.get_state("more"))

    def on_save_recipe(self, ctx: Any) -> None:
        """Save the recipe under the name that was entered."""
        name = (ctx.panel.get_state("recipes.name") or "").strip()
        if not name:
            raise InvalidInput("Enter a name under which the recipe is saved")
        draft.save_recipe(ctx.dataset, name, self.recipe(ctx))
        ctx.panel.set_state("recipes.name", "")
        ctx.ops.notify(f"The recipe is saved as {name}", variant="success")

    def on_open_recipe(self, ctx: Any) -> None:
        """Open a saved recipe, as cards if cards can show all of it."""
        name = ctx.panel.get_state("recipes.saved")
        found = draft.recipes(ctx.dataset).get(name)
        if found is None:
            raise InvalidInput("Choose a saved recipe first")
        self.open_recipe(ctx, found)

    def on_delete_recipe(self, ctx: Any) -> None:
        """Delete a saved recipe."""
        name = ctx.panel.get_state("recipes.saved")
        if name not in draft.recipes(ctx.dataset):
            raise InvalidInput("Choose a saved recipe first")
        draft.delete_recipe(ctx.dataset, name)
        ctx.panel.set_state("recipes.saved", "")

    def on_import_recipe(self, ctx: Any) -> None:
        """Open the recipe that was entered as JSON."""
        given = parsed("The recipe", ctx.panel.get_state("recipes.text") or "")
        if not isinstance(given, dict):
            raise InvalidInput('The recipe must be a JSON object, such as {"budget": 100}')
        Recipe.of(given)
        self.open_recipe(ctx, given)
        ctx.panel.set_state("recipes.text", "")

    def on_export_recipe(self, ctx: Any) -> None:
        """Show the recipe as JSON, and the Python that does the same."""
        ctx.panel.set_state("exported", not ctx.panel.get_state("exported"))

    def on_cards(self, ctx: Any) -> None:
        """Leave the recipe that was opened as JSON, and go back to cards."""
        ctx.panel.set_state("rare.json", "")

    # State

    def propose(self, ctx: Any) -> None:
        """Replace the cards by those that are proposed for the dataset."""
        made = cards.default_cards(ctx.dataset, self.labels(ctx))
        first = ctx.panel.get_state("next") or 0
        ids = [f"c{first + number}" for number in range(len(made))]
        changes: dict[str, Any] = {f"form.{one}": card for one, card in zip(ids, made, strict=True)}
        changes |= {"order": ids, "next": first + len(ids), "open": [], "proposed": True}
        ctx.panel.set_state(changes)

    def open_recipe(self, ctx: Any, recipe: dict[str, Any]) -> None:
        """Show a recipe as cards, or as JSON if it holds what cards do not show."""
        known = {"budget", "batch", "seed", "strategies", "filters"}
        entries = recipe.get("strategies") or []
        simple = set(recipe) <= known and not recipe.get("filters") and bool(entries)
        made: list[dict[str, Any]] = []
        for entry in entries if simple else []:
            card = cards.card_of(ctx.dataset, entry, self.labels(ctx))
            made.append(card)
            whole = Recipe.of({"budget": 1, "strategies": [entry]})
            again = Recipe.of({"budget": 1, "strategies": [cards.entry_of(ctx.dataset, card)]})
            simple = simple and whole == again
        if not simple:
            ctx.panel.set_state("rare.json", json.dumps(recipe, indent=2))
            return
        first = ctx.panel.get_state("next") or 0
        ids = [f"c{first + number}" for number in range(len(made))]
        changes: dict[str, Any] = {f"form.{one}": card for one, card in zip(ids, made, strict=True)}
        changes |= {"order": ids, "next": first + len(ids), "open": [], "rare.json": ""}
        places = {"budget": "wanted.budget", "batch": "rare.batch", "seed": "rare.seed"}
        changes |= {place: recipe[name] for name, place in places.items() if name in recipe}
        ctx.panel.set_state(changes | {"proposed": False})

    def _insert(self, ctx: Any, card: dict[str, Any], place: int) -> None:
        order, number = list(self.cards(ctx)), ctx.panel.get_state("next") or 0
        order.insert(place, f"c{number}")
        ctx.panel.set_state(
            {f"form.c{number}": card, "order": order, "next": number + 1, "proposed": False}
        )

    # Drawing

    def draw_what_matters(self, ctx: Any, panel: Any) -> None:
        """Draw the step."""
        for number, (text, maker, making) in enumerate(first_look(ctx.dataset, self.labels(ctx))):
            panel.md(text, name=f"look_{number}")
            if maker:
                panel.btn(f"look_{maker}", label=making, on_click=self.on_make, params={"make": maker})
        self._draw_from(ctx, panel)
        if ctx.panel.get_state("rare.json"):
            self._draw_json(ctx, panel)
        else:
            self._draw_cards(ctx, panel)
        self._draw_recipes(ctx, panel)

    def _draw_from(self, ctx: Any, panel: Any) -> None:
        start = column(panel, "start")
        labels = [Choice(NONE, "no sample is labeled"), *label_fields(ctx.dataset)]
        dropdown(start, "labels", "Labels", labels, self.labels(ctx), self.on_start)
        sources = [Choice(WHOLE, ""), Choice(VIEW, ""), Choice(SELECTED, "")]
        source = ctx.panel.get_state("start.source")
        dropdown(start, "source", "Choose from", sources, source, self.on_start)
        if object_fields(ctx.dataset):
            among = [Choice(NONE, "each image is chosen or not"), *object_fields(ctx.dataset)]
            texts = {NONE: "images"} | {one.path: f"objects of {one.path}" for one in among[1:]}
            dropdown(start, "objects", "Choose", among, self.objects(ctx) or NONE, self.on_start, texts)
        start.bool(
            "skip_chosen",
            label="Count earlier selections as labeled",
            default=bool(ctx.panel.get_state("start.skip_chosen")),
            view=types.CheckboxView(),
            on_change=self.on_start,
        )

    def _draw_cards(self, ctx: Any, panel: Any) -> None:
        found, opened = self.cards(ctx), ctx.panel.get_state("open") or []
        form = types.Object()
        panel.define_property("form", form)
        for place, (card_id, card) in enumerate(found.items()):
            cards.draw_card(
                ctx.dataset,
                form,
                card_id,
                card,
                first=place == 0,
                last=place == len(found) - 1,
                is_open=card_id in opened,
                events=self,
            )
        alone = cards.alone_of(list(found.values()))
        if alone:
            alert(panel, "alone_text", "warning", alone)
        if not found:
            panel.md("No card: the samples are chosen by the default recipe.", name="no_card")
        if len(found) < MOST_CARDS:
            adding = bool(ctx.panel.get_state("adding"))
            label, icon = ("Close the list", "close") if adding else ("Add what matters", "add")
            panel.btn("add", label=label, icon=icon, on_click=self.on_kinds)
            if adding:
                self._draw_kinds(ctx, panel)

    def _draw_kinds(self, ctx: Any, panel: Any) -> None:
        """Draw what can be added, with what it needs."""
        listed = column(panel, "kinds")
        for name, kind in {**kinds.KINDS, kinds.OTHER: kinds.MORE}.items():
            fits = name == kinds.OTHER or kinds.strategy_for(ctx.dataset, kind, self.labels(ctx))
            inside = box(listed, name)
            needs = "" if fits else f"\n\nNeeds {kind.needs}; there is none yet."
            inside.md(f"**{kind.title}**\n\n{kind.promise}{needs}", name="about")
            if fits:
                label = f"Add: {kind.title.lower()}"
                inside.btn("add", label=label, icon="add", on_click=self.on_add, params={"kind": name})
            elif kind.maker:
                inside.btn(
                    "make", label=kind.making, on_click=self.on_make, params={"make": kind.maker}
                )
        if object_fields(ctx.dataset) and not self.objects(ctx):
            inside = box(listed, kinds.OBJECTS)
            inside.md(
                "**Objects, not images**\n\nSingle boxes or shapes are chosen, each for itself.",
                name="about",
            )
            inside.btn("add", label="Choose objects", icon="add", on_click=self.on_objects)

        listed.md("To judge by what is not there yet, compute it:", name="makers_text")
        makers = row(listed, "makers")
        for name, label in MAKERS.items():
            makers.btn(name, label=label, on_click=self.on_make, params={"make": name})

    def _draw_json(self, ctx: Any, panel: Any) -> None:
        panel.md("This recipe holds more than cards can show; it is used as it stands.", name="as_json")
        rare = column(panel, "rare")
        view = types.TextFieldView(multiline=True, rows=10)
        rare.str("json", label="Recipe", default=ctx.panel.get_state("rare.json"), view=view)
        panel.btn("to_cards", label="Back to cards", on_click=self.on_cards)

    def _draw_recipes(self, ctx: Any, panel: Any) -> None:
        shown = bool(ctx.panel.get_state("more"))
        label, icon = ("Less", "expand_less") if shown else ("Seed, batch, recipes", "expand_more")
        panel.btn("more_toggle", label=label, icon=icon, on_click=self.on_more)
        if not shown:
            return
        rare = column(panel, "rare")
        batches = [Choice(n, w.line) for n, w in words.BATCHES.items() if n != "batch_bald"]
        dropdown(rare, "batch", "Batch", batches, ctx.panel.get_state("rare.batch"))
        rare.int("seed", label="Seed", default=ctx.panel.get_state("rare.seed") or 0, min=0)
        inside = box(panel, "recipes")
        inside.md("**Recipes of this dataset**", name="title")
        saved = [Choice(name, "") for name in draft.recipes(ctx.dataset)]
        if saved:
            given = ctx.panel.get_state("recipes.saved")
            dropdown(inside, "saved", "Saved recipe", saved, given or saved[0].path)
            buttons = row(inside, "of_saved")
            buttons.btn("open", label="Open", icon="folder_open", on_click=self.on_open_recipe)
            buttons.btn("delete", label="Delete", icon="delete", on_click=self.on_delete_recipe)
        inside.str("name", label="Save these cards as", default="")
        inside.btn("save", label="Save", icon="save", on_click=self.on_save_recipe)
        inside.str(
            "text",
            label="Recipe as JSON, to open",
            default="",
            view=types.TextFieldView(multiline=True, rows=3),
        )
        buttons = row(inside, "json_buttons")
        buttons.btn("import", label="Open the JSON", icon="upload", on_click=self.on_import_recipe)
        buttons.btn("export", label="As JSON and Python", icon="code", on_click=self.on_export_recipe)
        if ctx.panel.get_state("exported"):
            self._draw_exported(ctx, panel)

    def _draw_exported(self, ctx: Any, panel: Any) -> None:
        try:
            given = self.recipe(ctx)
        except InvalidInput as error:
            alert(panel, "export_error", "error", str(error))
            return
        recipe = {name: value for name, value in given.items() if value and value != "top"}
        panel.str(
            "as_json_text",
            label="JSON",
            default=json.dumps(recipe, indent=2),
            view=types.TextFieldView(multiline=True, rows=8, read_only=True),
        )
        options = {"label_field": self.labels(ctx), "objects": self.objects(ctx)}
        more = "".join(f", {name}={value!r}" for name, value in options.items() if value)
        skip = bool(ctx.panel.get_state("start.skip_chosen"))
        code = (
            "import fiftyone as fo\nimport fiftyone.operators as foo\n\n"
            f"dataset = fo.load_dataset({ctx.dataset.name!r})\n"
            f'select = foo.get_operator("{OPERATORS}/select")\n'
            f"recipe = {recipe!r}\n"
            f"select(dataset, recipe=recipe{more}, skip_chosen={skip}, bad='leave_out')\n"
        )
        panel.str(
            "as_python_text",
            label="Python",
            default=code,
            view=types.TextFieldView(multiline=True, rows=8, read_only=True),
        )


def first_look(dataset: Any, labels: str) -> list[tuple[str, str, str]]:
    """Return what the panel says first of a dataset: a line each, with an operator and its button.

    The operator and the text of its button are empty where there is nothing to press.
    """
    judged = [one for one in uncertain_fields(dataset) if one.path != labels]
    vectors = embedding_fields(dataset)
    if judged and vectors:
        return []
    embeddings = ("compute_embeddings", "Compute embeddings")
    if not judged and not vectors:
        return [
            (
                "There are images only: no predictions and no embeddings yet. Compute embeddings "
                "first, so that images can be compared by their looks; or choose the first by chance.",
                *embeddings,
            )
        ]
    if not vectors:
        what = "boxes" if object_fields(dataset) and not prediction_fields(dataset) else "predictions"
        return [
            (
                f"There are {what} ({escaped(judged[0].path)}), and no embeddings: the cards below "
                "choose by the predictions. With embeddings, near-copies are not chosen twice.",
                *embeddings,
            )
        ]
    return [
        (
            f"There are embeddings ({escaped(vectors[0].path)}), and no predictions: the card below "
            "chooses images that stand for many others. Add predictions once a model is trained.",
            "",
            "",
        )
    ]
