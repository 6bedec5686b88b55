"""Recipes in the panel: saved on the dataset, opened, as JSON, and as the Python that does the same."""

from __future__ import annotations

import json
from typing import Any

import fiftyone.operators.types as types

from ....alcore import InvalidInput, Recipe
from ...dataset.fields import Choice
from ...forms import words
from ...runs.saved_recipes import delete_recipe, save_recipe, saved_recipes
from .. import cards
from ..drawing import alert, box, column, dropdown, row
from .step import OPERATORS, Step, recipe_in


class Recipes(Step):
    """The part of the first step that is about whole recipes."""

    # Events

    def on_more(self, ctx: Any) -> None:
        """Show or hide the options that are seldom needed."""
        ctx.panel.set_state("more", not ctx.panel.get_state("more"))

    def on_save_recipe(self, ctx: Any) -> None:
        """Save the recipe under the name that was entered."""
        name = (ctx.panel.get_state("recipes.name") or "").strip()
        if not name:
            raise InvalidInput("Enter a name under which the recipe is saved")
        if name in saved_recipes(ctx.dataset):
            raise InvalidInput(f"There is a recipe {name!r} already; delete it, or enter another name")
        save_recipe(ctx.dataset, name, self.recipe(ctx))
        ctx.panel.set_state("recipes.name", "")
        ctx.ops.notify(f"The recipe is saved as {name}", variant="success")

    def on_open_recipe(self, ctx: Any) -> None:
        """Open a saved recipe, as cards if cards can show all of it."""
        name = ctx.panel.get_state("recipes.saved")
        found = saved_recipes(ctx.dataset).get(name)
        if found is None:
            raise InvalidInput("Choose a saved recipe first")
        self.open_recipe(ctx, found)

    def on_delete_recipe(self, ctx: Any) -> None:
        """Delete a saved recipe."""
        name = ctx.panel.get_state("recipes.saved")
        if name not in saved_recipes(ctx.dataset):
            raise InvalidInput("Choose a saved recipe first")
        delete_recipe(ctx.dataset, name)
        ctx.panel.set_state("recipes.saved", "")

    def on_import_recipe(self, ctx: Any) -> None:
        """Open the recipe that was entered as JSON."""
        given = recipe_in(ctx.panel.get_state("recipes.text") or "")
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
        self.put_cards(ctx, made)
        places = {"budget": "wanted.budget", "batch": "rare.batch", "seed": "rare.seed"}
        entered = {place: recipe[name] for name, place in places.items() if name in recipe}
        ctx.panel.set_state({"rare.json": "", **entered})

    def put_cards(self, ctx: Any, made: list[dict[str, Any]]) -> None:
        """Replace the cards, each under an id that no card has had."""
        first = ctx.panel.get_state("next") or 0
        ids = [f"c{first + number}" for number in range(len(made))]
        changes: dict[str, Any] = {f"form.{one}": card for one, card in zip(ids, made, strict=True)}
        changes |= {"order": ids, "next": first + len(ids), "open": []}
        ctx.panel.set_state(changes)

    # Drawing

    def draw_json(self, ctx: Any, panel: Any) -> None:
        panel.md("This recipe holds more than cards can show; it is used as it stands.", name="as_json")
        rare = column(panel, "rare")
        view = types.TextFieldView(multiline=True, rows=10)
        rare.str("json", label="Recipe", default=ctx.panel.get_state("rare.json"), view=view)
        panel.btn("to_cards", label="Back to cards", on_click=self.on_cards)

    def draw_recipes(self, ctx: Any, panel: Any) -> None:
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
        saved = [Choice(name, "") for name in saved_recipes(ctx.dataset)]
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
