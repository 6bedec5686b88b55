"""The panel: strategies as cards, a preview, the selection, and earlier selections."""

from __future__ import annotations

import hashlib
import json
from typing import Any

import fiftyone.operators as foo
import fiftyone.operators.types as types
from fiftyone.core.expressions import ViewExpression, ViewField

from ...alcore import InvalidInput
from ...alcore.strategies import BY_NAME
from ..dataset.fields import Choice, label_fields, prediction_fields
from ..dataset.fiftyone_private import plain_stages, stages_of
from ..dataset.labeled_samples import count_labeled
from ..dataset.selection_records import earlier_ranks, selections, strategies_of
from ..evaluation.stopping import StoppingRequest, advice_line, advise_view
from ..forms import plots, words
from ..forms.markdown import bold, escaped, paragraphs
from ..forms.pieces import NONE
from ..forms.previews import counted
from ..reading.read import Labeled
from ..runs.errors import sentence_of
from ..runs.marks import chosen_view, shows
from ..runs.names import Names
from ..runs.records import describe, summary
from ..runs.run import SelectionRequest, preview, run_selection, view_of
from ..runs.used_embeddings import changes_since
from ..runs.writing import undo
from .cards import (
    alone_of,
    default_cards,
    draw_card,
    dropdown,
    entry_of,
    new_card,
    next_strategy,
    texts_of,
)

MOST_CARDS = 6
SHOWN_SELECTIONS = 10
POINTS = 1500  # per group in the plane; the App sends all plots back with every event
MAKERS = {
    "compute_embeddings": "Embeddings",
    "compute_dropout_predictions": "Dropout predictions",
    "fit_loss_predictor": "Predicted loss",
    "compute_scores": "Scores as fields",
}


class ActiveLearning(foo.Panel):
    """The panel, whose cards make a recipe. It shows a preview of the recipe and runs the selection."""

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

    # Events. Inputs keep their own state. Only inputs on which the drawing depends have a handler,
    # because the App reports each input at least once when it first draws it.

    def on_load(self, ctx: Any) -> None:
        labels = [choice.path for choice in label_fields(ctx.dataset)]
        default = "ground_truth" if "ground_truth" in labels else ""
        cards = default_cards(ctx.dataset, default)
        predictions = [one.path for one in prediction_fields(ctx.dataset) if one.path != default]
        ctx.panel.set_state(
            {
                "cards": len(cards),
                "form": {f"card_{number}": card for number, card in enumerate(cards)},
                "start": {
                    "labels": default,
                    "source": "current view" if ctx.has_custom_view else "whole dataset",
                    "skip_chosen": True,
                },
                "wanted": {"budget": 100, "tag": "", "batch": "top"},
                "stop": {"now": next(iter(predictions), NONE), "before": NONE, "mistake": 1.0},
                "advised": "",
                "error": "",
                "previewed": "",
            }
        )
        self._update(ctx)

    def execute(self, ctx: Any) -> Any:
        """Handle an event and draw. A change of view that changes nothing in the panel is ignored.

        The App reports a change of view several times after every drawing, and a drawing takes
        seconds in the browser.
        """
        if ctx.params.get("__method__") == "on_change_view" and self._is_up_to_date(ctx):
            return None
        try:
            return super().execute(ctx)
        except Exception as error:
            sentence = sentence_of(error, "the panel")
            ctx.panel.set_state("error", sentence)
            ctx.ops.notify(sentence, variant="error")
            ctx.ops.show_panel_output(self.render(ctx))
            return None

    def on_change_dataset(self, ctx: Any) -> None:
        self.on_load(ctx)

    def on_change_view(self, ctx: Any) -> None:
        if _cards(ctx):
            self._update(ctx)

    def on_start(self, ctx: Any) -> None:
        """Handle a change of an input that defines the candidates or the labeled samples."""
        if _cards(ctx):
            self._update(ctx)

    def on_strategy(self, ctx: Any) -> None:
        """Handle a new strategy of a card; the event's path is ``form.card_<number>.strategy``."""
        number = int(ctx.params["path"].split(".")[-2].removeprefix("card_"))
        cards = _cards(ctx)
        strategy = ctx.params["value"]
        fits = number < len(cards) and strategy in BY_NAME
        if fits and cards[number].get("drawn") != strategy:
            card = new_card(ctx.dataset, strategy, self._labels(ctx))
            ctx.panel.set_state({f"form.card_{number}": card, "error": ""})

    def on_field(self, ctx: Any) -> None:
        """Do nothing: the panel is drawn again after every event, with the options of the new field."""

    def on_make(self, ctx: Any) -> None:
        """Open the form of an operator that computes values for strategies, such as embeddings."""
        ctx.prompt(f"@alcore/active_learning/{ctx.params['make']}")

    def on_add(self, ctx: Any) -> None:
        cards = _cards(ctx)
        used = {card["strategy"] for card in cards}
        card = new_card(ctx.dataset, next_strategy(ctx.dataset, used), self._labels(ctx))
        ctx.panel.set_state({f"form.card_{len(cards)}": card, "cards": len(cards) + 1, "error": ""})

    def on_remove(self, ctx: Any) -> None:
        ctx.panel.set_state({"cards": max(0, len(_cards(ctx)) - 1), "error": ""})

    def on_preview(self, ctx: Any) -> None:
        try:
            reading, chosen = preview(self._view(ctx), self._recipe(ctx), self._request(ctx))
        except InvalidInput as error:
            ctx.panel.set_state("error", str(error))
            return
        pool, recipe = reading.pool, reading.recipe
        for name, plot in (
            ("score_plot", plots.score_plot(pool, recipe, chosen)),
            ("class_plot", plots.class_plot(pool, recipe, chosen)),
            ("plane_plot", plots.plane_plot(pool, recipe, chosen, most=POINTS)),
            ("distance_plot", plots.distance_plot(pool, recipe, chosen)),
        ):
            ctx.panel.set_data(f"shown.{name}", plot["data"] if plot else [])
            ctx.panel.set_state(f"{name}_layout", plot["layout"] if plot else None)
        lines = [counted(chosen), *map(escaped, reading.notes)]
        ctx.panel.set_state({"previewed": paragraphs(lines), "error": ""})

    def on_select(self, ctx: Any) -> None:
        request = self._request(ctx)
        request.tag = ctx.panel.get_state("wanted.tag") or None
        try:
            result = run_selection(self._view(ctx), self._recipe(ctx), request)
        except InvalidInput as error:
            ctx.panel.set_state("error", str(error))
            return
        ctx.panel.set_state({"error": "", "previewed": "", "wanted.tag": ""})
        self._update(ctx)
        ctx.ops.reload_dataset()
        ctx.ops.set_view(view=view_of(ctx.dataset, result))
        ctx.ops.notify(
            f"Chosen and tagged {result['tag']}: {result['chosen']} samples", variant="success"
        )

    def on_advise(self, ctx: Any) -> None:
        """Show advice on whether to stop labeling, from the inputs of the panel."""
        try:
            advice = advise_view(self._view(ctx), self._stop_request(ctx))
        except InvalidInput as error:
            ctx.panel.set_state({"advised": "", "stop_error": str(error)})
            return
        lines = [bold(advice["verdict"]), *map(advice_line, advice["advices"])]
        advised = paragraphs([*lines, *map(escaped, advice["notes"])])
        ctx.panel.set_state({"advised": advised, "stop_error": ""})

    def on_show(self, ctx: Any) -> None:
        one = self._row(ctx)
        if one is not None:
            ctx.ops.set_view(view=chosen_view(ctx.dataset, Names(**one["names"])))
            changed = changes_since(ctx.dataset, one)
            if changed:
                ctx.ops.notify(f"{one['run_key']}: {changed}", variant="warning")

    def on_undo(self, ctx: Any) -> None:
        one = self._row(ctx)
        if one is None:
            self._update(ctx)
            return
        shown = _is_chosen_view(ctx.view, one)  # before the undo, which may delete the open view
        undo(ctx.dataset, one["run_key"])
        ctx.panel.set_state("previewed", "")
        self._update(ctx)
        if shown:
            ctx.ops.clear_view()
        ctx.ops.reload_dataset()
        ctx.ops.notify(f"Undone: {one['run_key']}, {describe(one)}", variant="success")

    # State

    def _labels(self, ctx: Any) -> str:
        return ctx.panel.get_state("start.labels") or ""

    def _view(self, ctx: Any) -> Any:
        """Return the view to choose from.

        If the App shows a selection, it is the view from which that selection was chosen.
        """
        if ctx.panel.get_state("start.source") == "whole dataset":
            return ctx.dataset.view()
        for one in _latest(ctx.dataset):
            if _is_chosen_view(ctx.view, one):
                return ctx.dataset.load_run_view(one["run_key"])
        return ctx.view

    def _facts(self, ctx: Any) -> dict[str, Any]:
        """Return what the panel shows of the dataset, and the stages of the view to choose from.

        It shows the counts, the latest selections, and whether chosen samples have labels now.
        """
        view = self._view(ctx)
        known = [self._labels(ctx)]
        if ctx.panel.get_state("start.skip_chosen"):
            known += earlier_ranks(ctx.dataset)
        total, labeled = count_labeled(view, known)
        rows = [
            {
                "selection": one["run_key"],
                "made": one["created_at"][:16].replace("T", " "),
                "chosen": "; ".join(
                    filter(None, [summary(ctx.dataset, one), changes_since(ctx.dataset, one)])
                ),
                "strategies": strategies_of(one["recipe"]),
            }
            for one in _latest(ctx.dataset)
        ]
        return {
            "counts": f"**{total - labeled:,}** to choose from, **{labeled:,}** labeled",
            "rows": rows,
            "labels_are_back": self._labels_are_back(ctx),
            "stages": json.dumps(plain_stages(stages_of(view.view())), default=str),
        }

    def _update(self, ctx: Any) -> None:
        """Update the facts of the dataset, and remove the advice if they changed."""
        facts = self._facts(ctx)
        if facts != ctx.panel.get_state("facts"):
            ctx.panel.set_state({"advised": "", "stop_error": ""})
        ctx.panel.set_state("facts", facts)
        ctx.panel.set_data("selections", facts["rows"])

    def _is_up_to_date(self, ctx: Any) -> bool:
        """Return whether a new drawing of the panel would equal the current one."""
        if ctx.panel.get_state("facts") != self._facts(ctx):
            return False
        return bool(ctx.panel.get_state("drawn") == _digest(self._draw(ctx)))

    def _labels_are_back(self, ctx: Any) -> bool:
        """Return whether any sample of the latest selections is labeled now, as it is after a round."""
        names = [one["names"] for one in _latest(ctx.dataset) if one.get("to_label", True)]
        ranks = [one["rank_field"] for one in names if not one.get("objects")]
        ranks = [path for path in ranks if ctx.dataset.get_field(path) is not None]
        label = self._labels(ctx)
        if not ranks or not label or ctx.dataset.get_field(label) is None:
            return False
        chosen = ViewExpression.any([ViewField(path).exists() for path in ranks])
        return len(ctx.dataset.match(chosen & ViewField(label).exists()).limit(1)) > 0

    def _row(self, ctx: Any) -> dict[str, Any] | None:
        # By its key, because selections may have been added or deleted since the table was drawn.
        listed, row = ctx.panel.get_state("facts.rows") or [], ctx.params["row"]
        key = listed[row]["selection"] if row < len(listed) else None
        return next((one for one in selections(ctx.dataset) if one["run_key"] == key), None)

    def _recipe(self, ctx: Any) -> dict[str, Any]:
        cards = _cards(ctx)
        alone = alone_of(cards)
        if alone:
            raise InvalidInput(alone)
        strategies = [
            entry_of(ctx.dataset, self._with_texts(ctx, number, card))
            for number, card in enumerate(cards)
        ]
        examples = [entry["to"] for entry in strategies if "to" in entry]
        return {
            "budget": ctx.panel.get_state("wanted.budget"),
            "batch": ctx.panel.get_state("wanted.batch") or "top",
            "filters": [{"column": "id", "not_in": ids} for ids in examples],
            "strategies": strategies or None,
        }

    def _with_texts(self, ctx: Any, number: int, card: dict[str, Any]) -> dict[str, Any]:
        """Return a card with the texts that are entered below it."""
        texts = {
            name: ctx.panel.get_state(f"form.{name}_{number}") or ""
            for name in texts_of(ctx.dataset, card)
        }
        return {**card, **texts}

    def _request(self, ctx: Any) -> SelectionRequest:
        skip = bool(ctx.panel.get_state("start.skip_chosen"))
        labeled = Labeled(self._labels(ctx) or None, chosen=skip)
        return SelectionRequest(labeled=labeled, bad="leave_out")

    def _stop_request(self, ctx: Any) -> StoppingRequest:
        entered = ctx.panel.get_state("stop") or {}
        price = entered.get("price")
        counts = isinstance(price, (int, float))  # the value of an empty input is not a number
        return StoppingRequest(
            entered.get("now") or NONE,
            [entered["before"]] if entered.get("before") else [],
            self._request(ctx).labeled,
            batch=max(1, int(ctx.panel.get_state("wanted.budget") or 1)),
            matrix={"cost": entered.get("mistake") or 0} if counts else {},
            price=price if counts else None,
            bad="leave_out",
        )

    # Drawing

    def render(self, ctx: Any) -> Any:
        drawn = self._draw(ctx)
        ctx.panel.set_state("drawn", _digest(drawn))
        return drawn

    def _draw(self, ctx: Any) -> Any:
        panel = types.Object()
        if ctx.panel.get_state("cards") is None:
            return types.Property(panel)  # on_load has not run yet
        self._draw_start(ctx, panel)
        self._draw_cards(ctx, panel)
        self._draw_run(ctx, panel)
        self._draw_preview(ctx, panel)
        self._draw_selections(ctx, panel)
        self._draw_stop(ctx, panel)
        view = types.VStackView(
            gap=2, componentsProps={"container": {"sx": {"width": "100%", "px": 2, "py": 1}}}
        )
        return types.Property(panel, view=view)

    def _draw_start(self, ctx: Any, panel: Any) -> None:
        panel.md(ctx.panel.get_state("facts.counts") or "", name="counts_text")
        start = panel.h_stack("start", gap=2, align_y="bottom")
        labels = [Choice(NONE, "no sample is labeled"), *label_fields(ctx.dataset)]
        dropdown(start, "labels", "Labels", labels, self._labels(ctx), self.on_start)
        sources = [Choice("whole dataset", ""), Choice("current view", "")]
        source = ctx.panel.get_state("start.source")
        dropdown(start, "source", "Choose from", sources, source, self.on_start)
        start.bool(
            "skip_chosen",
            label="Count earlier selections as labeled",
            default=bool(ctx.panel.get_state("start.skip_chosen")),
            view=types.CheckboxView(),
            on_change=self.on_start,
        )

    def _draw_cards(self, ctx: Any, panel: Any) -> None:
        form = types.Object()
        cards = _cards(ctx)
        for number, card in enumerate(cards):
            draw_card(ctx.dataset, form, number, card, self.on_strategy, self.on_field)
        panel.define_property("form", form)
        alone = alone_of(cards)
        if alone:
            panel.view("alone_text", types.AlertView(severity="warning", label=alone))
        row = panel.h_stack("card_buttons", gap=1)
        if len(cards) < MOST_CARDS:
            row.btn("add", label="Add strategy", icon="add", on_click=self.on_add)
        if cards:
            row.btn("remove", label="Remove last", icon="remove", on_click=self.on_remove)
        panel.md("To judge by what is not there yet:", name="makers_text")
        makers = panel.h_stack("makers", gap=1)
        for name, label in MAKERS.items():
            makers.btn(name, label=label, on_click=self.on_make, params={"make": name})

    def _draw_run(self, ctx: Any, panel: Any) -> None:
        wanted = panel.h_stack("wanted", gap=2)
        budget, tag = ctx.panel.get_state("wanted.budget"), ctx.panel.get_state("wanted.tag")
        wanted.int("budget", label="Budget", default=budget, min=1)
        wanted.str("tag", label="Tag and saved view", default=tag)
        batches = [Choice(n, w.line) for n, w in words.BATCHES.items() if n != "batch_bald"]
        dropdown(wanted, "batch", "Batch", batches, ctx.panel.get_state("wanted.batch"))
        error = ctx.panel.get_state("error")
        if error and error != alone_of(_cards(ctx)):
            panel.view("error_text", types.AlertView(severity="error", label=error))
        row = panel.h_stack("run_buttons", gap=1)
        row.btn("preview", label="Preview", icon="visibility", on_click=self.on_preview)
        row.btn("select", label="Select", icon="check", on_click=self.on_select, variant="contained")

    def _draw_preview(self, ctx: Any, panel: Any) -> None:
        advice = ctx.panel.get_state("previewed")
        if not advice:
            return
        panel.md(advice, name="preview_text")
        # The plots are in an object of their own; directly in the stack, each takes the panel's height.
        shown = types.Object()
        panel.define_property("shown", shown)
        for name, label in (
            ("score_plot", "What the model is unsure of"),
            ("class_plot", "Classes"),
            ("plane_plot", "Embedding plane"),
            ("distance_plot", "Distance to the nearest labeled"),
        ):
            layout = ctx.panel.get_state(f"{name}_layout")
            if layout:
                shown.md(f"**{label}**", name=f"{name}_label")
                shown.plot(name, layout=layout, height=280, config={"displayModeBar": False})

    def _draw_selections(self, ctx: Any, panel: Any) -> None:
        if not ctx.panel.get_state("facts.rows"):
            return
        panel.md("**Earlier selections**", name="selections_text")
        table = types.TableView(
            max_inline_actions=2, componentsProps={"table": {"sx": {"minWidth": 300}}}
        )
        for key in ("selection", "made", "chosen", "strategies"):
            table.add_column(key, label=key.capitalize())
        table.add_row_action("show", self.on_show, icon="visibility", tooltip="Show")
        table.add_row_action("undo", self.on_undo, icon="undo", tooltip="Undo")
        panel.list("selections", types.Object(), view=table)

    def _draw_stop(self, ctx: Any, panel: Any) -> None:
        if not ctx.panel.get_state("facts.labels_are_back"):
            return
        panel.md("**Stop?** Labels are back: is another round worth it?", name="stop_text")
        entered = ctx.panel.get_state("stop") or {}
        row = panel.h_stack("stop", gap=1, align_y="bottom")
        fields = [one for one in prediction_fields(ctx.dataset) if one.path != self._labels(ctx)]
        dropdown(row, "now", "Predictions now", fields, entered.get("now"))
        before = [Choice(NONE, "no earlier round"), *fields]
        dropdown(row, "before", "Predictions before", before, entered.get("before"))
        row.float("price", label="Price of a label", min=0)
        row.float("mistake", label="Cost of a mistake", default=entered.get("mistake"), min=0)
        error = ctx.panel.get_state("stop_error")
        if error:
            panel.view("stop_error_text", types.AlertView(severity="error", label=error))
        panel.btn("advise", label="Is it time to stop?", icon="stop_circle", on_click=self.on_advise)
        advised = ctx.panel.get_state("advised")
        if advised:
            panel.md(advised, name="advised_text")


def _digest(drawn: Any) -> str:
    """Return a hash of a drawing.

    Default values are left out, because an input that is already drawn keeps the entered value.
    """

    def shown(part: Any) -> Any:
        if isinstance(part, dict):
            return {name: shown(value) for name, value in part.items() if name != "default"}
        return [shown(one) for one in part] if isinstance(part, list) else part

    text = json.dumps(shown(drawn.to_json()), default=str)
    return hashlib.sha256(text.encode()).hexdigest()


def _cards(ctx: Any) -> list[dict[str, Any]]:
    count = ctx.panel.get_state("cards") or 0
    cards = [ctx.panel.get_state(f"form.card_{number}") for number in range(count)]
    return [card for card in cards if card]


def _is_chosen_view(view: Any, selection: dict[str, Any]) -> bool:
    """Return whether a view is the one that shows a selection."""
    return shows(view, Names(**selection["names"]))


def _latest(dataset: Any) -> list[dict[str, Any]]:
    return selections(dataset)[::-1][:SHOWN_SELECTIONS]
