"""The third step: annotate. Earlier selections, each of which can be shown, sent, and undone."""

from __future__ import annotations

from typing import Any

import fiftyone.operators.types as types

from ....alcore import InvalidInput
from ...annotation.backends import APP, FILES, configured
from ...annotation.queue import count_labeled
from ...annotation.sending import Request, send
from ...dataset.fields import Choice
from ...dataset.selection_records import COMPLETE, selections, state_of, strategies_of
from ...forms.markdown import bold, escaped
from ...runs.marks import chosen_view, shows
from ...runs.names import Names
from ...runs.records import describe, summary
from ...runs.used_embeddings import changes_since
from ...runs.writing import undo
from ..drawing import NARROW_TABLE, dropdown, row
from .step import Step, latest


class Annotate(Step):
    """The step in which what was chosen is sent to annotation, and comes back."""

    # Events

    def on_show(self, ctx: Any) -> None:
        """Show a selection in the samples grid."""
        one = self._row(ctx)
        self.update(ctx)
        if one is not None:
            ctx.ops.set_view(view=chosen_view(ctx.dataset, Names(**one["names"])))
            changed = changes_since(ctx.dataset, one)
            if changed:
                ctx.ops.notify(f"{one['run_key']}: {changed}", variant="warning")

    def on_undo(self, ctx: Any) -> None:
        """Remove all that a selection wrote."""
        one = self._row(ctx)
        if one is None:
            self.update(ctx)
            return
        # Before the undo, which may delete the open view.
        shown = shows(ctx.view, Names(**one["names"]))
        undo(ctx.dataset, one["run_key"])
        self.update(ctx)
        if shown:
            ctx.ops.clear_view()
        ctx.ops.reload_dataset()
        ctx.ops.notify(f"Undone: {one['run_key']}, {describe(one)}", variant="success")

    def on_choose_selection(self, ctx: Any) -> None:
        """Turn to another selection."""
        ctx.panel.set_state("annotate.selection", ctx.params["value"])
        self.update(ctx)

    def on_annotate_in_app(self, ctx: Any) -> None:
        """Open the selection in the order of rank, with its label field offered for annotation."""
        one = self._current(ctx)
        if one is None:
            return
        request = Request(APP, self._label_field(ctx, one))
        try:
            result = send(ctx.dataset, one["run_key"], request, lambda share, label: None)
        except InvalidInput:
            self._prompt(ctx, "send_to_annotation", {"to": APP})  # its form says what is missing
            return
        self.update(ctx)
        ctx.ops.reload_dataset()
        ctx.ops.set_view(view=chosen_view(ctx.dataset, Names(**one["names"])))
        for note in result["notes"]:
            ctx.ops.notify(note, variant="info")

    def on_send(self, ctx: Any) -> None:
        """Open the form by which a selection is sent to a tool."""
        to = next(iter(configured()), None)
        self._prompt(ctx, "send_to_annotation", {"to": to} if to else {})

    def on_files(self, ctx: Any) -> None:
        """Open the form by which a selection is written to files."""
        self._prompt(ctx, "send_to_annotation", {"to": FILES})

    def on_import(self, ctx: Any) -> None:
        """Open the form by which labels come back."""
        self._prompt(ctx, "import_annotations", {})

    def on_annotation_done(self, ctx: Any) -> None:
        """Show where the selection stands now."""
        self.update(ctx)

    def _prompt(self, ctx: Any, operator: str, params: dict[str, Any]) -> None:
        one = self._current(ctx)
        if one is not None:
            filled = {"run_key": one["run_key"], **params}
            if operator == "send_to_annotation":
                filled["label_field"] = self._label_field(ctx, one)
            self.prompt(ctx, operator, filled, on_success=self.on_annotation_done)

    # State

    def rows(self, ctx: Any) -> list[dict[str, str]]:
        """Return the rows of the table of selections, the newest first."""
        current = self._current(ctx)
        key = current["run_key"] if current else None
        return [
            {
                "selection": one["run_key"],
                "made": one["created_at"][:16].replace("T", " "),
                "chosen": "; ".join(
                    filter(None, [summary(ctx.dataset, one), changes_since(ctx.dataset, one)])
                ),
                "strategies": strategies_of(one["recipe"]),
                "stands": self._standing(ctx, one) if one["run_key"] == key else "",
            }
            for one in latest(ctx.dataset)
        ]

    def _row(self, ctx: Any) -> dict[str, Any] | None:
        # By its key, because selections may have been added or deleted since the table was drawn.
        listed, number = ctx.panel.get_state("facts.rows") or [], ctx.params["row"]
        key = listed[number]["selection"] if number < len(listed) else None
        return next((one for one in selections(ctx.dataset) if one["run_key"] == key), None)

    def _current(self, ctx: Any) -> dict[str, Any] | None:
        """Return the selection that the buttons are for: the one chosen, else the latest to label."""
        key = ctx.panel.get_state("annotate.selection")
        found = latest(ctx.dataset)
        to_label = [one for one in found if one.get("to_label", True) and state_of(one) in COMPLETE]
        return next((one for one in to_label if one["run_key"] == key), next(iter(to_label), None))

    def _label_field(self, ctx: Any, one: dict[str, Any]) -> str:
        """Return the field that a selection's labels are made in."""
        sent, labeled = one.get("sent") or {}, one.get("labeled") or {}
        return str(sent.get("label_field") or labeled.get("field") or self.labels(ctx))

    def _standing(self, ctx: Any, one: dict[str, Any]) -> str:
        """Return how far a selection is: chosen, sent, and how many are labeled now."""
        names, sent = Names(**one["names"]), one.get("sent")
        field = self._label_field(ctx, one)
        total, labeled = count_labeled(ctx.dataset, names, field)
        told = [f"chosen {total:,}"]
        if sent:
            where = {APP: "offered in the App", FILES: f"{sent['samples']:,} written to files"}
            told.append(where.get(sent["to"], f"sent {sent['samples']:,} to {sent['to']}"))
        if field:
            told.append(f"{labeled:,} of {total:,} labeled in {field}")
        return ", ".join(told)

    # Drawing

    def draw_annotate(self, ctx: Any, panel: Any) -> None:
        """Draw the step."""
        rows = ctx.panel.get_state("facts.rows")
        if not rows:
            panel.md(
                "Nothing is selected yet. Select first; what was chosen is listed here.", name="none"
            )
            return
        self._draw_current(ctx, panel, rows)
        table = types.TableView(max_inline_actions=2, componentsProps=NARROW_TABLE)
        for key in ("selection", "chosen", "made", "strategies"):
            table.add_column(key, label=key.capitalize())
        table.add_row_action("show", self.on_show, icon="visibility", tooltip="Show")
        table.add_row_action("undo", self.on_undo, icon="undo", tooltip="Undo")
        panel.list("selections", types.Object(), view=table)

    def _draw_current(self, ctx: Any, panel: Any, rows: list[dict[str, str]]) -> None:
        """Draw where a selection stands, and what can be done with it."""
        current = next((one for one in rows if one.get("stands")), None)
        if current is None:
            return
        # Not one that was made since the rows were: the App would report the shown one as chosen.
        listed = {one["selection"] for one in rows}
        choices = [
            Choice(one["run_key"], describe(one))
            for one in latest(ctx.dataset)
            if one.get("to_label", True) and state_of(one) in COMPLETE and one["run_key"] in listed
        ]
        if len(choices) > 1:
            key = current["selection"]
            annotate = panel.v_stack("annotate", gap=0, width="100%")
            dropdown(annotate, "selection", "Selection", choices, key, self.on_choose_selection)
        panel.md(f"{bold(current['selection'])}: {escaped(current['stands'])}", name="stands_text")
        buttons = row(panel, "annotate_buttons")
        buttons.btn(
            "in_app",
            label="Annotate in the App",
            icon="edit",
            on_click=self.on_annotate_in_app,
            variant="contained",
        )
        buttons.btn("send", label="Send", icon="send", on_click=self.on_send)
        buttons.btn("files", label="Files", icon="folder", on_click=self.on_files)
        buttons.btn("import", label="Import", icon="download", on_click=self.on_import)
