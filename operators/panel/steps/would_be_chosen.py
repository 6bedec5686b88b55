"""The second step: what would be chosen, in the samples grid and in plots; nothing is written."""

from __future__ import annotations

import json
from typing import Any

import fiftyone.operators.types as types

from ....alcore import Recipe
from ...dataset.fiftyone_private import view_of_stages
from ...evaluation.strategy_costs import costs_of
from ...forms import plots
from ...forms.markdown import escaped, paragraphs, table
from ...forms.previews import counted
from ...runs import jobs
from ...runs.run import preview, run_selection, view_of
from ..drawing import alert, plot, row
from .step import PREVIEW, SELECT, Step, stages_text

SHOWN = 1000  # images in the grid; the ids of a view travel with every request of the App
POINTS = 1500  # per group in the plane; the App sends all plots back with every event
COSTS = "costs"
PLOTS = {
    "score_plot": "What the model is unsure of",
    "class_plot": "Classes",
    "plane_plot": "Embedding plane",
    "distance_plot": "Distance to the nearest labeled",
}


class WouldBeChosen(Step):
    """The step in which the user sees what would be chosen, and selects it."""

    # Events

    def on_preview(self, ctx: Any) -> None:
        """Start a preview."""
        view, recipe, request = self.view(ctx), Recipe.of(self.recipe(ctx)), self.request(ctx)
        base = stages_text(view)

        def work(report: jobs.Progress) -> dict[str, Any]:
            reading, chosen = preview(view, recipe, request, report)
            report(0.95, "Drawing")
            pool, used = reading.pool, reading.recipe
            drawn = {
                "score_plot": plots.score_plot(pool, used, chosen),
                "class_plot": plots.class_plot(pool, used, chosen),
                "plane_plot": plots.plane_plot(pool, used, chosen, most=POINTS),
                "distance_plot": plots.distance_plot(pool, used, chosen),
            }
            plane = drawn["plane_plot"]
            return {
                "plane_ids": [one.pop("ids") for one in plane["data"]] if plane else [],
                "ids": [str(one) for one in chosen.ids[:SHOWN]],
                "chosen": len(chosen),
                "objects": request.objects,
                "base": base,
                "text": paragraphs([counted(chosen), *map(escaped, reading.notes)]),
                "plots": {name: one for name, one in drawn.items() if one},
                "why": chosen.report["why"],
            }

        self.start(ctx, PREVIEW, "Preview", work)
        ctx.panel.set_state({"step": "chosen", "costs": "", "jobs.costs": ""})

    def on_preview_done(self, ctx: Any, result: dict[str, Any]) -> None:
        """Show what would be chosen in the samples grid."""
        self.show_plots(ctx, result)
        self._show_in_grid(ctx, result)

    def on_costs(self, ctx: Any) -> None:
        """Compute what each strategy cost the others."""
        view, recipe, request = self.view(ctx), Recipe.of(self.recipe(ctx)), self.request(ctx)

        def work(report: jobs.Progress) -> dict[str, Any]:
            reading, chosen = preview(view, recipe, request, report)
            return {"rows": costs_of(reading, chosen, report)}

        self.start(ctx, COSTS, "What each strategy cost the others", work)

    def on_costs_done(self, ctx: Any, result: dict[str, Any]) -> None:
        """Show what each strategy cost the others."""
        rows = result["rows"]
        head = ["strategy", "measured by", "chosen", "by it alone", "by chance"]
        text = table(head, rows) if rows else "There is only one strategy, so nothing was given up."
        ctx.panel.set_state("costs", text)

    def on_show_preview(self, ctx: Any) -> None:
        """Show what would be chosen in the samples grid."""
        result = self.result(ctx, PREVIEW)
        if result is not None:
            self._show_in_grid(ctx, result)

    def on_back(self, ctx: Any) -> None:
        """Show in the grid what was chosen from."""
        shown = ctx.panel.get_state("shown") or {}
        if shown:
            stages = json.loads(shown["base"])
            if stages:
                ctx.ops.set_view(view=view_of_stages(ctx.dataset, stages))
            else:
                ctx.ops.clear_view()
            ctx.panel.set_state("shown", {})

    def on_lasso(self, ctx: Any) -> None:
        """Show the images whose points were selected in the plane."""
        known = (self.result(ctx, PREVIEW) or {}).get("plane_ids", [])
        ids = []
        for point in ctx.params.get("data") or []:
            trace, place = point.get("trace_idx"), point.get("idx")
            if isinstance(trace, int) and isinstance(place, int) and trace < len(known):
                ids += known[trace][place : place + 1]
        if ids:
            view = ctx.dataset.select(ids[:SHOWN])
            ctx.panel.set_state("shown.stages", stages_text(view))
            ctx.ops.set_view(view=view)

    def on_select(self, ctx: Any) -> None:
        """Start a selection, which writes what the preview chose if nothing has changed."""
        view, recipe, request = self.view(ctx), Recipe.of(self.recipe(ctx)), self.request(ctx)
        request.tag = (ctx.panel.get_state("wanted.tag") or "").strip() or None

        def work(report: jobs.Progress) -> dict[str, Any]:
            return run_selection(view, recipe, request, report)

        self.start(ctx, SELECT, "Selection", work)

    def on_select_done(self, ctx: Any, result: dict[str, Any]) -> None:
        """Show what was chosen, and go on to annotation."""
        ctx.panel.set_state(
            {
                "wanted.tag": "",
                "shown": {},
                "jobs.preview": "",
                "costs": "",
                "step": "annotate",
            }
        )
        self.clear_plots(ctx)
        self.update(ctx)
        ctx.ops.reload_dataset()
        ctx.ops.set_view(view=view_of(ctx.dataset, result))
        what = f"objects of {result['chosen_from']}" if self.objects(ctx) else "samples"
        ctx.ops.notify(
            f"Chosen and tagged {result['tag']}: {result['chosen']} {what}", variant="success"
        )

    # State

    def show_plots(self, ctx: Any, result: dict[str, Any]) -> None:
        """Send the plots of a preview to the App."""
        self.clear_plots(ctx)
        ctx.panel.set_state("preview", {"text": result["text"], "chosen": result["chosen"]})
        for name, drawn in result["plots"].items():
            ctx.panel.set_data(f"shown_plots.{name}", drawn["data"])
            ctx.panel.set_state(f"layouts.{name}", drawn["layout"])

    def clear_plots(self, ctx: Any) -> None:
        """Remove a preview from the panel."""
        ctx.panel.set_state({"layouts": {}, "preview": None})

    def _show_in_grid(self, ctx: Any, result: dict[str, Any]) -> None:
        ids, objects = result["ids"], result.get("objects")
        if not ids:
            return
        if objects:
            view = ctx.dataset.select_labels(ids=ids, fields=objects).to_patches(objects)
            view = view.select(ids, ordered=True)
        else:
            view = ctx.dataset.select(ids, ordered=True)
        ctx.panel.set_state("shown", {"base": result["base"], "stages": stages_text(view)})
        ctx.ops.set_view(view=view)

    # Drawing

    def draw_would_be_chosen(self, ctx: Any, panel: Any) -> None:
        """Draw the step."""
        result = ctx.panel.get_state("preview")
        if not result:
            panel.md(
                "Press *Preview* to see what would be chosen: the images in the samples grid, and "
                "plots here. Nothing is written.",
                name="no_preview",
            )
            return
        if ctx.panel.get_state("previewed") != self.recipe_key(ctx):
            alert(
                panel,
                "outdated",
                "warning",
                "What matters, or what is chosen from, was changed since this preview; preview again",
            )
        panel.md(result["text"], name="preview_text")
        buttons = row(panel, "preview_buttons")
        if ctx.panel.get_state("shown"):
            buttons.btn("back", label="Back to the pool", icon="arrow_back", on_click=self.on_back)
        else:
            buttons.btn(
                "show", label="Show in the grid", icon="grid_view", on_click=self.on_show_preview
            )
        if result["chosen"] > SHOWN:
            panel.md(f"The grid shows the first {SHOWN:,}, in the order chosen.", name="first_ones")
        # In an object of their own: directly in the column, the last one takes the panel's height.
        shown = types.Object()
        panel.define_property("shown_plots", shown)
        layouts = ctx.panel.get_state("layouts") or {}
        for name, label in PLOTS.items():
            if layouts.get(name):
                shown.md(f"**{label}**", name=f"{name}_label")
                events = {"on_selected": self.on_lasso} if name == "plane_plot" else {}
                plot(shown, name, layouts[name], **events)
        costs = ctx.panel.get_state("costs")
        if costs:
            panel.md("**What each strategy cost the others**", name="costs_title")
            panel.md(costs, name="costs_text")
        else:
            panel.btn(
                "costs_button",
                label="What did each strategy cost the others?",
                icon="balance",
                on_click=self.on_costs,
            )
