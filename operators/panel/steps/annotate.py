"""The third step: annotate. Earlier selections, each of which can be shown, sent, and undone."""

from __future__ import annotations

from typing import Any

import fiftyone.operators.types as types

from ...dataset.selection_records import selections, strategies_of
from ...runs.marks import chosen_view, shows
from ...runs.names import Names
from ...runs.records import describe, summary
from ...runs.used_embeddings import changes_since
from ...runs.writing import undo
from .step import Step, latest


class Annotate(Step):
    """The step in which what was chosen is sent to annotation, and comes back."""

    # Events

    def on_show(self, ctx: Any) -> None:
        """Show a selection in the samples grid."""
        one = self._row(ctx)
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

    # State

    def rows(self, ctx: Any) -> list[dict[str, str]]:
        """Return the rows of the table of selections, the newest first."""
        return [
            {
                "selection": one["run_key"],
                "made": one["created_at"][:16].replace("T", " "),
                "chosen": "; ".join(
                    filter(None, [summary(ctx.dataset, one), changes_since(ctx.dataset, one)])
                ),
                "strategies": strategies_of(one["recipe"]),
            }
            for one in latest(ctx.dataset)
        ]

    def _row(self, ctx: Any) -> dict[str, Any] | None:
        # By its key, because selections may have been added or deleted since the table was drawn.
        listed, row = ctx.panel.get_state("facts.rows") or [], ctx.params["row"]
        key = listed[row]["selection"] if row < len(listed) else None
        return next((one for one in selections(ctx.dataset) if one["run_key"] == key), None)

    # Drawing

    def draw_annotate(self, ctx: Any, panel: Any) -> None:
        """Draw the step."""
        if not ctx.panel.get_state("facts.rows"):
            panel.md(
                "Nothing is selected yet. Select first; what was chosen is listed here.", name="none"
            )
            return
        table = types.TableView(
            max_inline_actions=2, componentsProps={"table": {"sx": {"minWidth": 200}}}
        )
        for key in ("selection", "chosen", "made", "strategies"):
            table.add_column(key, label=key.capitalize())
        table.add_row_action("show", self.on_show, icon="visibility", tooltip="Show")
        table.add_row_action("undo", self.on_undo, icon="undo", tooltip="Undo")
        panel.list("selections", types.Object(), view=table)
