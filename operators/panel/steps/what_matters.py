"""The first step: what matters. Cards say what to look for; the budget says how many to choose."""

from __future__ import annotations

from typing import Any

import fiftyone.operators.types as types

from ....alcore import InvalidInput
from ....alcore.strategies import BY_NAME
from ...dataset.fields import (
    Choice,
    embedding_fields,
    label_fields,
    object_fields,
    prediction_fields,
    uncertain_fields,
)
from ...forms.markdown import escaped, paragraphs
from ...forms.options import NONE
from .. import cards, kinds
from ..drawing import alert, box, column, dropdown, row
from .advice import Advice
from .recipes import Recipes
from .step import SELECTED, VIEW, WHOLE

MOST_CARDS = 8
# What can be computed for the strategies under "How", by the operator that computes it.
MAKERS = {
    "compute_embeddings": "Embeddings",
    "compute_zero_shot_predictions": "Predictions from class names",
    "compute_image_metadata": "Measures of the images",
    "compute_dropout_predictions": "Dropout predictions",
    "fit_loss_predictor": "Predicted loss",
    "compute_scores": "Scores as fields",
}


class WhatMatters(Advice, Recipes):
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
            kept = [one for one in order if one != card_id]
            ctx.panel.set_state("order", kept)
        else:
            other = place + (1 if action == "down" else -1)
            if 0 <= other < len(order):
                order[place], order[other] = order[other], order[place]
                ctx.panel.set_state("order", order)

    def on_make(self, ctx: Any) -> None:
        """Open the form of the operator that computes what a card needs, such as embeddings."""
        self.prompt(ctx, ctx.params["make"], on_success=self.on_made)

    def on_made(self, ctx: Any) -> None:
        """Propose cards anew after something was computed, if the user has not changed any."""
        if ctx.panel.get_state("proposed") == self._entries(ctx):
            self.propose(ctx)

    # State

    def propose(self, ctx: Any) -> None:
        """Replace the cards by those that are proposed for the dataset."""
        self.put_cards(ctx, cards.default_cards(ctx.dataset, self.labels(ctx)))
        ctx.panel.set_state("proposed", self._entries(ctx))

    def _entries(self, ctx: Any) -> list[dict[str, Any]] | None:
        """Return the recipe entries of the cards; None if a card is not complete."""
        try:
            return [cards.entry_of(ctx.dataset, card) for card in self.cards(ctx).values()]
        except InvalidInput:
            return None

    def _insert(self, ctx: Any, card: dict[str, Any], place: int) -> None:
        order, number = list(self.cards(ctx)), ctx.panel.get_state("next") or 0
        order.insert(place, f"c{number}")
        ctx.panel.set_state({f"form.c{number}": card, "order": order, "next": number + 1})

    # Drawing

    def draw_what_matters(self, ctx: Any, panel: Any) -> None:
        """Draw the step."""
        for number, (text, maker, making) in enumerate(first_look(ctx.dataset, self.labels(ctx))):
            panel.md(text, name=f"look_{number}")
            if maker:
                panel.btn(f"look_{maker}", label=making, on_click=self.on_make, params={"make": maker})
        if not ctx.panel.get_state("adding"):
            self.draw_advice(ctx, panel)
            self._draw_from(ctx, panel)
        if ctx.panel.get_state("rare.json"):
            self.draw_json(ctx, panel)
        else:
            self._draw_cards(ctx, panel)
        self.draw_recipes(ctx, panel)

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
        if ctx.panel.get_state("adding"):
            self._draw_kinds(ctx, panel)
            return
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
            panel.btn("add", label="Add what matters", icon="add", on_click=self.on_kinds)

    def _draw_kinds(self, ctx: Any, panel: Any) -> None:
        """Draw what can be added, with what it needs, in the place of the cards."""
        panel.btn("close_kinds", label="Close the list", icon="close", on_click=self.on_kinds)
        listed = column(panel, "kinds")
        for name, kind in {**kinds.KINDS, kinds.OTHER: kinds.MORE}.items():
            fits = name == kinds.OTHER or kinds.strategy_for(ctx.dataset, kind, self.labels(ctx))
            inside = box(listed, name)
            lines = [f"**{kind.title}**", kind.promise]
            if not fits:
                unfit = kinds.not_offered(ctx.dataset, kind, kind.strategies[0], self.labels(ctx))
                lines += [f"Needs {kind.needs}; there is none yet. {unfit}"]
            inside.md(paragraphs(lines), name="about")
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


def first_look(dataset: Any, labels: str) -> list[tuple[str, str, str]]:
    """Return what the panel says first of a dataset: a line each, with an operator and its button.

    The operator and the text of its button are empty where there is nothing to press.
    """
    judged = [one for one in uncertain_fields(dataset) if one.path != labels]
    vectors = embedding_fields(dataset)
    if judged and vectors:
        return []
    embeddings = ("compute_embeddings", "Compute embeddings")
    if dataset.media_type == "video":
        return [
            (
                "These are videos, which are chosen whole, by chance or by their own fields. To choose "
                "frames, make them images first: "
                '`dataset.to_frames(sample_frames=True).clone("frames")`, and open that dataset.',
                "",
                "",
            )
        ]
    if not judged and not vectors:
        return [
            (
                "There are images only: no predictions and no embeddings yet. Compute embeddings "
                "first, so that images can be compared by their looks; or choose the first by chance.",
                *embeddings,
            ),
            (
                "Or name the classes: a model that reads text predicts them, and the first images are "
                "chosen by what it is unsure of.",
                "compute_zero_shot_predictions",
                "Predict from class names",
            ),
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
