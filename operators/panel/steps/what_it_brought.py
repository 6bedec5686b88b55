"""The fourth step: what it brought. The rounds with their metrics, and whether to label another one."""

from __future__ import annotations

import hashlib
import json
from typing import Any

import fiftyone.operators.types as types
from fiftyone.core.expressions import ViewExpression, ViewField

from ....alcore import InvalidInput, Recipe
from ...dataset.fields import Choice, prediction_fields
from ...dataset.selection_records import record_of_selection
from ...evaluation.stopping import StoppingRequest, advice_line, advise_view
from ...forms.markdown import bold, escaped, paragraphs, table
from ...forms.options import NONE
from ...rounds.comparison import compare
from ...rounds.model import record_audit, record_round
from ...rounds.rounds import Round, models_to_record, rounds_of, usual_test_set
from ...rounds.verdict import CHECK, FLATTENING, GO_ON, REACHED
from ...rounds.words import audit_lines, curve, metric_text, timeline, verdict_of
from ...runs import jobs
from ...runs.marks import shows
from ...runs.names import Names
from ...runs.writing import undo
from ..drawing import NARROW_TABLE, alert, column, dropdown, plot, row
from .step import Step, latest

MEASURE, AUDIT, COMPARE, ADVISE = "measure", "audit", "compare", "advise"
SHOWN_ROUNDS = 20
SEVERITY = {GO_ON: "info", FLATTENING: "warning", CHECK: "error", REACHED: "success"}
COLUMNS = {
    "round": "Round",
    "chosen": "Chosen",
    "sent": "Sent",
    "back": "Labeled",
    "metric": "Metric",
    "model": "Model",
}
EQUAL = "repeat(2, minmax(0, 1fr))"


class WhatItBrought(Step):
    """The step in which the user sees what the rounds brought."""

    # Events

    def on_measure(self, ctx: Any) -> None:
        """Measure the new model on the test set, and audit the labels of its round."""
        dataset, labels = ctx.dataset, self.labels(ctx)
        entered = self._entered(ctx, rounds_of(dataset, labels))
        if not entered["predictions"]:
            raise InvalidInput("There are no predictions to measure; predict with the new model first")
        if not entered["test_set"]:
            raise InvalidInput("Name the test set: its tag, or the test set that was selected")

        def work(report: jobs.Progress) -> dict[str, Any]:
            return record_round(
                dataset,
                entered["round"],
                entered["predictions"],
                entered["test_set"],
                labels,
                entered["before"] or None,
                report=report,
            )

        self.start(ctx, MEASURE, "Measuring the new model", work)

    def on_measure_done(self, ctx: Any, result: dict[str, Any]) -> None:
        """Say how good the new model is; the timeline shows the rest."""
        text = metric_text(result["model"]["metric"])
        ctx.panel.set_state(
            "brought.measured", paragraphs(map(escaped, [text, *result["model"]["notes"]]))
        )

    def on_audit(self, ctx: Any) -> None:
        """Audit the labels of a round that came back."""
        dataset, labels = ctx.dataset, self.labels(ctx)
        run_key = self._entered(ctx, rounds_of(dataset, labels))["round"]

        def work(report: jobs.Progress) -> dict[str, Any]:
            return record_audit(dataset, run_key, labels, report=report)

        self.start(ctx, AUDIT, "Auditing the labels", work)

    def on_audit_done(self, ctx: Any, result: dict[str, Any]) -> None:
        """Do nothing: what was found is in the record of the round, from which it is drawn."""

    def on_compare(self, ctx: Any) -> None:
        """Compare two rounds."""
        dataset, rounds = ctx.dataset, rounds_of(ctx.dataset, self.labels(ctx))
        entered = self._entered(ctx, rounds)
        keys = [entered["one"], entered["other"]]
        if keys[0] == keys[1]:
            raise InvalidInput("Choose two different rounds to compare")
        one, other = (next(each for each in rounds if each.run_key == key) for key in keys)

        def work(report: jobs.Progress) -> dict[str, Any]:
            return {"head": keys, "rows": compare(dataset, one, other, report)}

        self.start(ctx, COMPARE, "Comparing two rounds", work)

    def on_compare_done(self, ctx: Any, result: dict[str, Any]) -> None:
        """Show the comparison of two rounds."""
        text = table(["", *map(escaped, result["head"])], result["rows"])
        ctx.panel.set_state("brought.compared", text)

    def on_repeat(self, ctx: Any) -> None:
        """Open the recipe of a round in the first step."""
        run_key = self._listed(ctx)
        record = record_of_selection(ctx.dataset, run_key) if run_key else None
        if record is None:
            raise InvalidInput("This round is not there any more")
        self.open_recipe(ctx, _without_defaults(record["recipe"]))
        ctx.panel.set_state("step", "matters")

    def on_undo_round(self, ctx: Any) -> None:
        """Remove all that the selection of a round wrote; labels stay."""
        run_key = self._listed(ctx)
        record = record_of_selection(ctx.dataset, run_key) if run_key else None
        if run_key is None or record is None:
            raise InvalidInput("This round is not there any more")
        shown = shows(ctx.view, Names(**record["names"]))
        undo(ctx.dataset, run_key)
        self.update(ctx)
        if shown:
            ctx.ops.clear_view()
        ctx.ops.reload_dataset()
        ctx.ops.notify(f"Undone: {run_key}; its labels stay", variant="success")

    def on_advise(self, ctx: Any) -> None:
        """Judge from the predictions whether to stop labeling."""
        view, request = self.view(ctx), self._stop_request(ctx)

        def work(report: jobs.Progress) -> dict[str, Any]:
            return advise_view(view, request, report)

        self.start(ctx, ADVISE, "Is it time to stop?", work)

    def on_advise_done(self, ctx: Any, result: dict[str, Any]) -> None:
        """Show the advice on whether to stop labeling."""
        lines = [bold(result["verdict"]), *map(advice_line, result["advices"])]
        ctx.panel.set_state("brought.advised", paragraphs([*lines, *map(escaped, result["notes"])]))

    # State

    def labels_are_back(self, ctx: Any) -> bool:
        """Return whether any sample of the latest selections is labeled now, as it is after a round."""
        names = [one["names"] for one in latest(ctx.dataset) if one.get("to_label", True)]
        ranks = [one["rank_field"] for one in names if not one.get("objects")]
        ranks = [path for path in ranks if ctx.dataset.get_field(path) is not None]
        label = self.labels(ctx)
        if not ranks or not label or ctx.dataset.get_field(label) is None:
            return False
        chosen = ViewExpression.any([ViewField(path).exists() for path in ranks])
        return len(ctx.dataset.match(chosen & ViewField(label).exists()).limit(1)) > 0

    def _entered(self, ctx: Any, rounds: list[Round]) -> dict[str, Any]:
        """Return what was entered on rounds, with defaults for what was not."""
        if not rounds:
            raise InvalidInput("Nothing was selected for labeling yet")
        given = {**(ctx.panel.get_state("round") or {}), **(ctx.panel.get_state("pair") or {})}
        usual = self._usual(ctx, rounds)
        found = {name: given.get(name) or usual[name] for name in usual}
        keys = {one.run_key for one in rounds}
        for name in ("round", "one", "other"):
            if found[name] not in keys:  # it was undone meanwhile
                found[name] = usual[name]
        return found

    def _usual(self, ctx: Any, rounds: list[Round]) -> dict[str, Any]:
        models = models_to_record(ctx.dataset, rounds, self.labels(ctx))
        return {
            "round": rounds[-1].run_key,
            "predictions": models[0].path if models else NONE,
            "test_set": usual_test_set(ctx.dataset, rounds) or "",
            "before": NONE,
            "goal": None,
            "one": rounds[max(0, len(rounds) - 2)].run_key,
            "other": rounds[-1].run_key,
        }

    def _listed(self, ctx: Any) -> str | None:
        # By its key, because rounds may have been added or undone since the timeline was drawn.
        keys, place = ctx.panel.get_state("brought.keys") or [], ctx.params["row"]
        return keys[place] if place < len(keys) else None

    def _stop_request(self, ctx: Any) -> StoppingRequest:
        entered = ctx.panel.get_state("stop") or {}
        price = entered.get("price")
        counts = isinstance(price, (int, float))  # the value of an empty input is not a number
        return StoppingRequest(
            entered.get("now") or NONE,
            [entered["before"]] if entered.get("before") else [],
            self.request(ctx).labeled,
            batch=max(1, int(ctx.panel.get_state("wanted.budget") or 1)),
            matrix={"cost": entered.get("mistake") or 0} if counts else {},
            price=price if counts else None,
            bad="leave_out",
        )

    # Drawing

    def draw_what_it_brought(self, ctx: Any, panel: Any) -> None:
        """Draw the step."""
        rounds = rounds_of(ctx.dataset, self.labels(ctx))
        if not rounds:
            panel.md(
                "Nothing was selected for labeling yet. Once a selection is labeled, this step tells "
                "what it brought, and whether another round is worth it.",
                name="no_rounds",
            )
            return
        back = any(one.labeled for one in rounds)
        if back:
            self._draw_verdict(ctx, panel, rounds)
        else:
            panel.md(
                "No label of a selection is back yet. Once there are some, this step tells what they "
                "brought, and whether another round is worth it.",
                name="no_labels",
            )
        self._draw_timeline(ctx, panel, rounds)
        if back:
            self._draw_audit(panel, rounds)
            self._draw_record(ctx, panel, rounds)
        if len(rounds) > 1:
            self._draw_comparison(ctx, panel, rounds)
        if back:
            self._draw_stop(ctx, panel)

    def _draw_verdict(self, ctx: Any, panel: Any, rounds: list[Round]) -> None:
        goal = ctx.panel.get_state("round.goal")
        found = verdict_of(rounds, goal if isinstance(goal, (int, float)) else None)
        alert(panel, "verdict", SEVERITY[found.says], f"{found.says.capitalize()}: {found.sentence}")
        drawn = curve(rounds)
        if drawn is not None:
            self._send(ctx, "curve_plot", drawn["data"])
            plot(panel, "curve_plot", drawn["layout"])

    def _draw_timeline(self, ctx: Any, panel: Any, rounds: list[Round]) -> None:
        panel.md("**Rounds, the newest first**", name="timeline_title")
        rows = timeline(rounds)[:SHOWN_ROUNDS]
        keys = [one.run_key for one in reversed(rounds)][:SHOWN_ROUNDS]
        if keys != ctx.panel.get_state("brought.keys"):
            ctx.panel.set_state("brought.keys", keys)
        self._send(ctx, "timeline", rows)
        view = types.TableView(max_inline_actions=2, componentsProps=NARROW_TABLE)
        for name, label in COLUMNS.items():
            if any(one[name] for one in rows):
                view.add_column(name, label=label)
        view.add_row_action("repeat", self.on_repeat, icon="replay", tooltip="Repeat its recipe")
        view.add_row_action("undo_round", self.on_undo_round, icon="undo", tooltip="Undo")
        panel.list("timeline", types.Object(), view=view)
        if len(rounds) > SHOWN_ROUNDS:
            panel.md(
                f"The first {len(rounds) - SHOWN_ROUNDS} rounds are not shown.", name="more_rounds"
            )

    def _draw_audit(self, panel: Any, rounds: list[Round]) -> None:
        one = next((one for one in reversed(rounds) if one.audit), None)
        if one is not None and one.audit is not None:
            lines = [f"**Labels of round {one.number}**", *map(escaped, audit_lines(one.audit))]
            panel.md(paragraphs(lines), name="audit_text")

    def _draw_record(self, ctx: Any, panel: Any, rounds: list[Round]) -> None:
        panel.md("**Measure the new model**", name="record_title")
        entered, inside = self._entered(ctx, rounds), column(panel, "round")
        dropdown(inside, "round", "Round", _choices(rounds), entered["round"])
        models = models_to_record(ctx.dataset, rounds, self.labels(ctx))
        dropdown(inside, "predictions", "Predictions of the new model", models, entered["predictions"])
        inside.str(
            "test_set", label="Test set: a tag, or one selected", default=entered["test_set"] or None
        )
        before = [Choice(NONE, "those of the round before"), *models]
        dropdown(inside, "before", "Predictions before the round", before, entered["before"])
        inside.float("goal", label="Goal, from 0 to 1", default=entered["goal"], min=0, max=1)
        buttons = row(panel, "record_buttons")
        buttons.btn("measure", label="Measure", icon="speed", on_click=self.on_measure)
        buttons.btn("audit", label="Audit the labels", icon="fact_check", on_click=self.on_audit)
        measured = ctx.panel.get_state("brought.measured")
        if measured:
            panel.md(measured, name="measured_text")

    def _draw_comparison(self, ctx: Any, panel: Any, rounds: list[Round]) -> None:
        panel.md("**Compare two rounds**", name="compare_title")
        entered = self._entered(ctx, rounds)
        pair = row(panel, "pair", EQUAL)
        dropdown(pair, "one", "One", _choices(rounds), entered["one"])
        dropdown(pair, "other", "The other", _choices(rounds), entered["other"])
        panel.btn("compare", label="Compare", icon="compare_arrows", on_click=self.on_compare)
        compared = ctx.panel.get_state("brought.compared")
        if compared:
            panel.md(compared, name="compared_text")

    def _draw_stop(self, ctx: Any, panel: Any) -> None:
        panel.md("**Is another round worth it, by the predictions alone?**", name="stop_text")
        entered = ctx.panel.get_state("stop") or {}
        inside = column(panel, "stop")
        fields = [one for one in prediction_fields(ctx.dataset) if one.path != self.labels(ctx)]
        dropdown(inside, "now", "Predictions now", fields, entered.get("now"))
        before = [Choice(NONE, "no earlier round"), *fields]
        dropdown(inside, "before", "Predictions before", before, entered.get("before"))
        inside.float("price", label="Price of a label", default=entered.get("price"), min=0)
        inside.float("mistake", label="Cost of a mistake", default=entered.get("mistake"), min=0)
        panel.btn("advise", label="Is it time to stop?", icon="stop_circle", on_click=self.on_advise)
        advised = ctx.panel.get_state("brought.advised")
        if advised:
            panel.md(advised, name="advised_text")

    def _send(self, ctx: Any, name: str, data: Any) -> None:
        """Send data to the App, unless it has them."""
        text = hashlib.sha256(json.dumps(data).encode()).hexdigest()
        place = f"brought.sent_{name}"
        if ctx.panel.get_state(place) != text:
            ctx.panel.set_state(place, text)
            ctx.panel.set_data(name, data)


def _without_defaults(recipe: dict[str, Any]) -> dict[str, Any]:
    """Return a recorded recipe without what is not set, which cards would not show."""
    usual = Recipe.of({"budget": 1}).model_dump(mode="json", by_alias=True)
    return {
        name: value for name, value in recipe.items() if name == "budget" or usual.get(name) != value
    }


def _choices(rounds: list[Round]) -> list[Choice]:
    """Return the rounds as choices, the newest first."""
    return [
        Choice(one.run_key, f"round {one.number}, {one.labeled:,} of {one.samples:,} labeled")
        for one in reversed(rounds)
    ]
