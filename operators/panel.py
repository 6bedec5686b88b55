"""The panel: strategies as cards, a preview, the selection, and the earlier ones."""

from __future__ import annotations

from typing import Any

import fiftyone.operators as foo
import fiftyone.operators.types as types

from ..alcore import InvalidInput
from . import plots
from .fields import (
    Choice,
    category_fields,
    embedding_fields,
    label_fields,
    number_fields,
    prediction_fields,
)
from .list_selections import strategies_of
from .reading import Labelled
from .running import Request, preview, run_selection, view_of
from .writing import Names, chosen_view, selections, undo

MOST_CARDS = 6
SHOWN_SELECTIONS = 10
HINTS = {
    "coverage": "stand for many others; the best first choice",
    "uncertainty": "the model is unsure; alone it picks near-duplicates and noise",
    "balance": "of classes that are short",
    "diversity": "far from all chosen; alone it picks outliers",
    "weight": "a number is high or low",
    "random": "by chance, to compare with",
}
# The second choice on a card: the option's name in the recipe, and its values.
OPTIONS: dict[str, tuple[str, list[str]]] = {
    "uncertainty": ("measure", ["margin", "entropy", "least_confidence", "ratio"]),
    "coverage": ("kernel", ["gaussian", "cosine"]),
    "diversity": ("metric", ["euclidean", "cosine"]),
    "balance": ("target", ["uniform", "input"]),
    "weight": ("prefer", ["high", "low"]),
}


class ActiveLearning(foo.Panel):
    @property
    def config(self) -> Any:
        return foo.PanelConfig(
            name="active_learning",
            label="Active learning",
            icon="filter_center_focus",
            category=foo.Categories.CURATE,
            surfaces="grid",
            help_markdown="Choose the samples to label next: add strategies, preview, select.",
        )

    # Events

    def on_load(self, ctx: Any) -> None:
        labels = [choice.path for choice in label_fields(ctx.dataset)]
        default = "ground_truth" if "ground_truth" in labels else ""
        ctx.panel.set_state(
            {
                "labels": default,
                "budget": 100,
                "tag": "",
                "cards": _default_cards(ctx.dataset, default),
            }
        )
        self._count(ctx)
        self._list(ctx)

    def on_change_dataset(self, ctx: Any) -> None:
        self.on_load(ctx)

    def on_change_view(self, ctx: Any) -> None:
        self._count(ctx)

    def on_labels(self, ctx: Any) -> None:
        ctx.panel.set_state("labels", ctx.params["value"] or "")
        self._count(ctx)

    def on_budget(self, ctx: Any) -> None:
        ctx.panel.set_state("budget", ctx.params["value"])

    def on_tag(self, ctx: Any) -> None:
        ctx.panel.set_state("tag", ctx.params["value"] or "")

    def on_card(self, ctx: Any) -> None:
        """One input of one card changed; its path is ``card_<number>.<input>``."""
        card, name = ctx.params["path"].split(".")[-2:]
        number = int(card.removeprefix("card_"))
        cards = _cards(ctx)
        value = ctx.params["value"]
        if number >= len(cards) or cards[number].get(name) == value:
            return
        if name == "strategy":
            cards[number] = _new_card(ctx.dataset, value, ctx.panel.get_state("labels"))
        else:
            cards[number] = {**cards[number], name: value}
        self._set_cards(ctx, cards)

    def on_add(self, ctx: Any) -> None:
        cards = _cards(ctx)
        used = {card["strategy"] for card in cards}
        strategy = next((s for s in HINTS if s not in used and _fits(ctx.dataset, s)), "random")
        cards.append(_new_card(ctx.dataset, strategy, ctx.panel.get_state("labels")))
        self._set_cards(ctx, cards)

    def on_remove(self, ctx: Any) -> None:
        self._set_cards(ctx, _cards(ctx)[:-1])

    def on_preview(self, ctx: Any) -> None:
        try:
            reading, chosen = preview(ctx.view, self._recipe(ctx), self._request(ctx))
        except InvalidInput as error:
            self._fail(ctx, error)
            return
        pool, recipe = reading.pool, reading.recipe
        for name, plot in (
            ("score_plot", plots.score_plot(pool, recipe, chosen)),
            ("class_plot", plots.class_plot(pool, recipe, chosen)),
            ("plane_plot", plots.plane_plot(pool, recipe, chosen)),
        ):
            ctx.panel.set_data(name, plot["data"] if plot else [])
            ctx.panel.set_state(f"{name}_layout", plot["layout"] if plot else None)
        notes = "".join(f"\n\n{note}" for note in reading.notes)
        ctx.panel.set_state(
            {
                "previewed": f"{len(chosen)} of {chosen.report['pool']} would be chosen. "
                f"Nothing is written yet.{notes}",
                "error": "",
            }
        )

    def on_select(self, ctx: Any) -> None:
        request = self._request(ctx)
        request.tag = ctx.panel.get_state("tag") or None
        try:
            result = run_selection(ctx.view, self._recipe(ctx), request)
        except InvalidInput as error:
            self._fail(ctx, error)
            return
        ctx.panel.set_state({"error": "", "tag": ""})
        self._list(ctx)
        ctx.ops.reload_dataset()
        ctx.ops.set_view(view=view_of(ctx.dataset, result))
        ctx.ops.notify(f"Chosen and tagged: {result['chosen']} samples", variant="success")

    def on_show(self, ctx: Any) -> None:
        one = self._row(ctx)
        if one is not None:
            ctx.ops.set_view(view=chosen_view(ctx.dataset, Names(**one["names"])))

    def on_undo(self, ctx: Any) -> None:
        one = self._row(ctx)
        if one is None:
            return
        count = undo(ctx.dataset, one["run_key"])
        self._list(ctx)
        ctx.ops.clear_view()
        ctx.ops.reload_dataset()
        ctx.ops.notify(f"Undone: {one['run_key']}, {count} samples", variant="success")

    # State

    def _set_cards(self, ctx: Any, cards: list[dict[str, Any]]) -> None:
        ctx.panel.set_state("cards", cards)
        for number, card in enumerate(cards):
            ctx.panel.set_state(f"form.card_{number}", card)

    def _count(self, ctx: Any) -> None:
        label = ctx.panel.get_state("labels")
        view = ctx.view
        total = len(view)
        known = bool(label) and ctx.dataset.get_field(label) is not None
        labelled = len(view.exists(label)) if known else 0
        ctx.panel.set_state(
            "counts", f"**{total - labelled:,}** to choose from, **{labelled:,}** labelled"
        )

    def _list(self, ctx: Any) -> None:
        rows = [
            {
                "selection": one["run_key"],
                "made": one["created_at"][:16].replace("T", " "),
                "samples": one["chosen"],
                "strategies": strategies_of(one["recipe"]),
            }
            for one in _latest(ctx.dataset)
        ]
        ctx.panel.set_state("count_selections", len(rows))
        ctx.panel.set_data("selections", rows)

    def _row(self, ctx: Any) -> dict[str, Any] | None:
        found = _latest(ctx.dataset)
        row = ctx.params["row"]
        return found[row] if row < len(found) else None

    def _recipe(self, ctx: Any) -> dict[str, Any]:
        return {
            "budget": ctx.panel.get_state("budget"),
            "strategies": [_entry(card) for card in _cards(ctx)] or None,
        }

    def _request(self, ctx: Any) -> Request:
        return Request(labelled=Labelled(ctx.panel.get_state("labels") or None), bad="leave_out")

    def _fail(self, ctx: Any, error: Exception) -> None:
        ctx.panel.set_state("error", str(error))

    # Drawing

    def render(self, ctx: Any) -> Any:
        panel = types.Object()
        panel.md(ctx.panel.get_state("counts", ""), name="counts_text")
        self._draw_labels(ctx, panel)
        cards = _cards(ctx)
        form = types.Object()
        for number, card in enumerate(cards):
            self._draw_card(ctx, form, number, card)
        panel.define_property("form", form)
        row = panel.h_stack("card_buttons", gap=1)
        if len(cards) < MOST_CARDS:
            row.btn("add", label="Add strategy", icon="add", on_click=self.on_add)
        if cards:
            row.btn("remove", label="Remove last", icon="remove", on_click=self.on_remove)
        wanted = panel.h_stack("wanted", gap=2)
        budget = ctx.panel.get_state("budget", 100)
        wanted.int("budget", label="Budget", default=budget, min=1, on_change=self.on_budget)
        wanted.str(
            "tag",
            label="Tag and saved view",
            default=ctx.panel.get_state("tag", ""),
            on_change=self.on_tag,
        )
        error = ctx.panel.get_state("error")
        if error:
            panel.view("error_text", types.AlertView(severity="error", label=error))
        row = panel.h_stack("run_buttons", gap=1)
        row.btn(
            "preview",
            label="Preview",
            icon="visibility",
            on_click=self.on_preview,
            variant="outlined",
        )
        row.btn("select", label="Select", icon="check", on_click=self.on_select, variant="contained")
        self._draw_preview(ctx, panel)
        self._draw_selections(ctx, panel)
        return types.Property(panel)

    def _draw_labels(self, ctx: Any, panel: Any) -> None:
        view = types.DropdownView()
        view.add_choice("", label="none")
        for choice in label_fields(ctx.dataset):
            view.add_choice(choice.path, label=choice.path, description=choice.holds)
        panel.enum(
            "labels_field",
            view.values(),
            label="Labels",
            description="Samples with a value here are labelled already",
            default=ctx.panel.get_state("labels", ""),
            view=view,
            on_change=self.on_labels,
        )

    def _draw_card(self, ctx: Any, form: Any, number: int, card: dict[str, Any]) -> None:
        strategy = card["strategy"]
        row = form.h_stack(f"card_{number}", gap=1, align_y="end")
        kinds = types.DropdownView()
        for name, hint in HINTS.items():
            kinds.add_choice(name, label=name, description=hint)
        row.enum(
            "strategy",
            kinds.values(),
            label="Strategy",
            default=strategy,
            view=kinds,
            on_change=self.on_card,
        )
        choices = _fields_for(ctx.dataset, strategy)
        if strategy != "random":
            _dropdown(row, "column", "Field", choices, card.get("column"), self.on_card)
        if strategy in OPTIONS:
            name, values = OPTIONS[strategy]
            options = [Choice(value, "") for value in values]
            _dropdown(row, name, name.capitalize(), options, card.get(name), self.on_card)
        if strategy == "coverage":
            predictions = prediction_fields(ctx.dataset)
            _dropdown(
                row,
                "weights",
                "Weigh by",
                [Choice("", "none"), *predictions],
                card.get("weights", ""),
                self.on_card,
            )
        row.float(
            "strength",
            label="Strength",
            default=card.get("strength", 1.0),
            on_change=self.on_card,
        )

    def _draw_preview(self, ctx: Any, panel: Any) -> None:
        told = ctx.panel.get_state("previewed")
        if not told:
            return
        panel.view("preview_head", types.Header(label="Preview", divider=True))
        panel.md(told, name="preview_text")
        for name, label in (
            ("score_plot", "What the model is unsure of"),
            ("class_plot", "Classes"),
            ("plane_plot", "Embedding plane"),
        ):
            layout = ctx.panel.get_state(f"{name}_layout")
            if layout:
                panel.md(f"**{label}**", name=f"{name}_label")
                panel.plot(name, layout=layout, height=280, config={"displayModeBar": False})

    def _draw_selections(self, ctx: Any, panel: Any) -> None:
        if not ctx.panel.get_state("count_selections"):
            return
        panel.view("selections_head", types.Header(label="Earlier selections", divider=True))
        table = types.TableView(
            max_inline_actions=2, componentsProps={"table": {"sx": {"minWidth": 300}}}
        )
        for key in ("selection", "made", "samples", "strategies"):
            table.add_column(key, label=key.capitalize())
        table.add_row_action("show", self.on_show, icon="visibility", tooltip="Show")
        table.add_row_action("undo", self.on_undo, icon="undo", tooltip="Undo")
        panel.list("selections", types.Object(), view=table)


def _cards(ctx: Any) -> list[dict[str, Any]]:
    return list(ctx.panel.get_state("cards") or [])


def _latest(dataset: Any) -> list[dict[str, Any]]:
    return selections(dataset)[::-1][:SHOWN_SELECTIONS]


def _default_cards(dataset: Any, labels: str) -> list[dict[str, Any]]:
    """Coverage weighted by uncertainty, balanced over the classes, as far as there are fields."""
    wanted = ["coverage", "balance"] if embedding_fields(dataset) else ["uncertainty", "balance"]
    cards = [
        _new_card(dataset, strategy, labels)
        for strategy in wanted
        if _fields_for(dataset, strategy, labels)
    ]
    return cards or [_new_card(dataset, "random", labels)]


def _new_card(dataset: Any, strategy: str, labels: str | None) -> dict[str, Any]:
    card: dict[str, Any] = {"strategy": strategy, "strength": 1.0}
    choices = _fields_for(dataset, strategy, labels)
    if strategy != "random":
        card["column"] = choices[0].path if choices else ""
    if strategy in OPTIONS:
        name, values = OPTIONS[strategy]
        card[name] = values[0]
    if strategy == "coverage":
        predictions = _fields_for(dataset, "uncertainty", labels)
        card["weights"] = predictions[0].path if predictions else ""
    return card


def _fields_for(dataset: Any, strategy: str, labels: str | None = None) -> list[Choice]:
    """The fields that fit a strategy; the labels themselves are no predictions."""
    if strategy in ("coverage", "diversity"):
        return embedding_fields(dataset)
    if strategy == "weight":
        return number_fields(dataset)
    if strategy == "random":
        return []
    choices = [c for c in prediction_fields(dataset) if c.path != labels]
    if strategy == "balance":
        known = {c.path for c in prediction_fields(dataset)}
        choices += [c for c in category_fields(dataset) if c.path.rsplit(".", 1)[0] not in known]
    return choices


def _fits(dataset: Any, strategy: str) -> bool:
    return strategy == "random" or bool(_fields_for(dataset, strategy))


def _entry(card: dict[str, Any]) -> dict[str, Any]:
    """A card as an entry of a recipe."""
    entry = {name: value for name, value in card.items() if value != ""}
    if card["strategy"] == "coverage" and "weights" in entry:
        entry["weights"] = {"column": entry["weights"]}
    return entry


def _dropdown(
    row: Any, name: str, label: str, choices: list[Choice], value: Any, on_change: Any
) -> None:
    view = types.DropdownView()
    for choice in choices:
        view.add_choice(choice.path, label=choice.path or choice.holds, description=choice.holds)
    row.enum(name, view.values(), label=label, default=value, view=view, on_change=on_change)
