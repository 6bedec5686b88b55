"""The panel: four steps, from what matters to what it brought, and the jobs that run meanwhile."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable
from typing import Any

import fiftyone.operators as foo
import fiftyone.operators.types as types

from ...alcore import InvalidInput
from ..dataset.fields import prediction_fields
from ..dataset.fiftyone_private import use_own_dataset
from ..dataset.labeled_samples import count_labeled
from ..dataset.selection_records import earlier_ranks
from ..forms.pieces import NONE, usual_labels
from ..runs.errors import sentence_of
from . import draft
from .background import Background
from .cards import alone_of
from .drawing import FULL_WIDTH, alert, column, row
from .steps.annotate import Annotate
from .steps.step import PREVIEW, SELECT, VIEW, WHOLE, stages_text
from .steps.what_it_brought import WhatItBrought
from .steps.what_matters import WhatMatters
from .steps.would_be_chosen import WouldBeChosen

STEPS = {
    "matters": "1 Matters",
    "chosen": "2 Chosen",
    "annotate": "3 Annotate",
    "brought": "4 Brought",
}
TICK = 700  # milliseconds between two looks at the jobs
BUDGET = 100
# What the App reports by itself, also where the user did nothing.
REPORTS = {"on_load", "on_tick", "on_change_view", "on_start", "on_field", "on_strategy"}
WIDE_BUTTON = {"button": {"sx": {"width": "100%", "minWidth": 0, "px": 0.5}}}


class ActiveLearning(WhatMatters, WouldBeChosen, Annotate, WhatItBrought, Background, foo.Panel):
    """The panel. Its steps are drawn, and their events handled, by one class each."""

    @property
    def config(self) -> Any:
        return foo.PanelConfig(
            name="active_learning",
            label="Active learning",
            icon="filter_center_focus",
            category=foo.Categories.CURATE,
            surfaces="grid",
            help_markdown=(
                "Choose the samples to label next: say what matters, look at what would be chosen, "
                "annotate, and see what it brought."
            ),
        )

    # Events

    def on_load(self, ctx: Any) -> None:
        """Open the panel as it was left; on a dataset where it never was, with what is proposed."""
        kept = draft.load(ctx.dataset)
        state = kept or self._first_state(ctx)
        if ctx.panel.get_state("loaded") != ctx.dataset.name:
            # The App keeps the state of a panel when another dataset is opened.
            state = {**dict.fromkeys(set(ctx.panel_state) - set(state)), **state}
        ctx.panel.set_state(state)
        if kept is None:
            self.propose(ctx)
        result = self.result(ctx, PREVIEW)
        if result is not None:
            self.show_plots(ctx, result)
        ctx.panel.set_state({"error": "", "loaded": ctx.dataset.name})
        self.update(ctx)

    def execute(self, ctx: Any) -> Any:
        """Handle an event and draw. An error becomes a sentence in the panel.

        The App reports a change of view several times after every drawing, and asks for the state of
        the jobs again and again. Where nothing would look otherwise, nothing is drawn.
        """
        method = ctx.params.get("__method__")
        if method == "on_change":
            self._save(ctx)
            return None
        try:
            use_own_dataset(ctx)
            if method in ("on_change_view", "on_tick") and self._is_up_to_date(ctx):
                return None
            if method not in REPORTS or self._is_of_other_inputs(ctx):
                ctx.panel.set_state("error", "")
            result = super().execute(ctx)
        except Exception as error:
            sentence = sentence_of(error, "the panel")
            self.set_error(ctx, sentence)
            ctx.ops.show_panel_output(self.render(ctx))
            result = None
        self._save(ctx)
        return result

    def on_change(self, ctx: Any) -> None:
        """Keep what was entered; ``execute`` does so."""

    def on_change_dataset(self, ctx: Any) -> None:
        """Open the panel anew."""
        self.on_load(ctx)

    def on_change_view(self, ctx: Any) -> None:
        """Count again, for the view may be what is chosen from."""
        if ctx.panel.get_state("order") is not None:
            self.update(ctx)

    def on_step(self, ctx: Any) -> None:
        """Go to another step."""
        ctx.panel.set_state("step", ctx.params["step"])

    # State

    def recipe_key(self, ctx: Any) -> str:
        """Return a text that changes with all that the user entered for a selection."""
        try:
            recipe: Any = self.recipe(ctx)
        except InvalidInput as error:
            recipe = str(error)
        parts = [recipe, stages_text(self.view(ctx)), self.labels(ctx), self.objects(ctx)]
        parts.append(ctx.panel.get_state("start.skip_chosen"))
        return hashlib.sha256(json.dumps(parts, default=str).encode()).hexdigest()

    def _first_state(self, ctx: Any) -> dict[str, Any]:
        labels = usual_labels(ctx.dataset)
        predictions = [one.path for one in prediction_fields(ctx.dataset) if one.path != labels]
        known = [labels, *earlier_ranks(ctx.dataset)]
        total, labeled = count_labeled(ctx.dataset.view(), known)
        return {
            "step": "matters",
            "order": [],
            "next": 0,
            "form": {},
            "open": [],
            "start": {
                "labels": labels,
                "source": VIEW if ctx.has_custom_view else WHOLE,
                "objects": NONE,
                "skip_chosen": True,
            },
            "wanted": {"budget": max(1, min(BUDGET, (total - labeled) // 10)), "tag": ""},
            "rare": {"batch": "top", "seed": 0, "json": ""},
            "stop": {"now": next(iter(predictions), NONE), "before": NONE, "mistake": 1.0},
            "jobs": {},
            "shown": {},
            "layouts": {},
            "awaited": [],
            "costs": "",
        }

    def set_error(self, ctx: Any, sentence: str) -> None:
        ctx.panel.set_state({"error": sentence, "error_key": self.recipe_key(ctx)})

    def _is_of_other_inputs(self, ctx: Any) -> bool:
        """Return whether the inputs were changed since the error that is shown."""
        return bool(ctx.panel.get_state("error")) and (
            ctx.panel.get_state("error_key") != self.recipe_key(ctx)
        )

    def _save(self, ctx: Any) -> None:
        """Keep the state of the panel, if it is that of the open dataset."""
        if ctx.dataset is not None and ctx.panel.get_state("loaded") == ctx.dataset.name:
            draft.save(ctx.dataset, ctx.panel_state)

    def _facts(self, ctx: Any) -> dict[str, Any]:
        """Return what the panel shows of the dataset."""
        view = self.view(ctx)
        known = [self.labels(ctx)]
        if ctx.panel.get_state("start.skip_chosen"):
            known += earlier_ranks(ctx.dataset)
        total, labeled = count_labeled(view, known)
        return {
            "total": total,
            "labeled": labeled,
            "rows": self.rows(ctx),
            "labels_are_back": self.labels_are_back(ctx),
            "stages": hashlib.sha256(stages_text(view).encode()).hexdigest(),
        }

    def update(self, ctx: Any) -> None:
        """Update the facts of the dataset, and remove the advice if they changed."""
        facts = self._facts(ctx)
        if facts != ctx.panel.get_state("facts"):
            ctx.panel.set_state("brought.advised", "")
        ctx.panel.set_state("facts", facts)
        ctx.panel.set_data("selections", facts["rows"])

    def _is_up_to_date(self, ctx: Any) -> bool:
        """Return whether a new drawing of the panel would equal the current one."""
        if self.ended(ctx):
            return False
        is_tick = ctx.params.get("__method__") == "on_tick"
        if not is_tick and ctx.panel.get_state("facts") != self._facts(ctx):
            return False
        return bool(ctx.panel.get_state("drawn") == _digest(self._draw(ctx)))

    # Drawing

    def render(self, ctx: Any) -> Any:
        drawn = self._draw(ctx)
        ctx.panel.set_state("drawn", _digest(drawn))
        return drawn

    def _draw(self, ctx: Any) -> Any:
        panel = types.Object()
        if ctx.panel.get_state("order") is None:
            return types.Property(panel)  # on_load has not run yet
        step = ctx.panel.get_state("step") or "matters"
        self._draw_top(ctx, panel, step)
        draw: dict[str, Callable[[Any, Any], None]] = {
            "matters": self.draw_what_matters,
            "chosen": self.draw_would_be_chosen,
            "annotate": self.draw_annotate,
            "brought": self.draw_what_it_brought,
        }
        draw[step](ctx, panel)
        view = types.VStackView(
            gap=2,
            componentsProps={
                **FULL_WIDTH,
                "container": {"sx": {"width": "100%", "px": 2, "py": 1, "boxSizing": "border-box"}},
            },
        )
        return types.Property(panel, view=view)

    def _draw_top(self, ctx: Any, panel: Any, step: str) -> None:
        """Draw what stays in sight: the steps, the counts, the budget, the buttons and the jobs."""
        sticky = {
            "position": "sticky",
            "top": 0,
            "zIndex": 5,
            "background": "var(--fo-palette-background-mediaSpace)",
            "paddingBottom": "8px",
        }
        top = column(panel, "top", componentsProps={"item": {"sx": sticky}})
        # Buttons, for tabs of the App report each change of the state as a new one, without end.
        steps = row(top, "steps", f"repeat({len(STEPS)}, minmax(0, 1fr))", gap=0.5)
        for name, label in STEPS.items():
            variant = "contained" if name == step else "outlined"
            params = {"step": name}
            steps.btn(
                name,
                label=label,
                variant=variant,
                on_click=self.on_step,
                params=params,
                componentsProps=WIDE_BUTTON,
            )
        total, labeled = ctx.panel.get_state("facts.total") or 0, ctx.panel.get_state("facts.labeled")
        counts = f"**{total - (labeled or 0):,}** to choose from, **{labeled or 0:,}** labeled"
        top.md(counts if total else "The view is empty: there is nothing to choose from", name="counts")
        running = self.running(ctx)
        if step in ("matters", "chosen"):
            busy = any(job.kind in (PREVIEW, SELECT) for job in running)
            self._draw_run(ctx, panel, top, total - (labeled or 0), busy)
        self.draw_jobs(ctx, top, running)
        if self.awaited(ctx):
            timer = types.TimerView(interval=TICK, on_interval=self.on_tick)
            panel.define_property("timer", types.Object(), view=timer)
        error = ctx.panel.get_state("error")
        # What the cards say themselves is not said twice.
        if error and error != alone_of(list(self.cards(ctx).values())):
            alert(top, "error_text", "error", error)
        self.draw_finished(ctx, top)

    def _draw_run(self, ctx: Any, panel: Any, top: Any, candidates: int, busy: bool) -> None:
        wanted = row(panel, "wanted", "minmax(0, 1fr) minmax(0, 2fr)", gap=2, align_y="end")
        budget, tag = ctx.panel.get_state("wanted.budget"), ctx.panel.get_state("wanted.tag")
        wanted.int("budget", label="How many", default=budget, min=1)
        wanted.str("tag", label="Tag and saved view", default=tag)
        buttons = row(top, "run_buttons")
        buttons.btn(
            "preview",
            label="Preview",
            icon="visibility",
            on_click=self.on_preview,
            disabled=busy or candidates == 0,
        )
        buttons.btn(
            "select",
            label="Select",
            icon="check",
            on_click=self.on_select,
            variant="contained",
            disabled=busy or candidates == 0,
        )
        if isinstance(budget, int) and budget > candidates > 0 and not self.objects(ctx):
            alert(
                top,
                "budget_text",
                "info",
                f"There are {candidates:,} to choose from, so no more than these can be chosen",
            )


def _digest(drawn: Any) -> str:
    """Return a hash of a drawing.

    Default values are left out, because an input that is already drawn keeps the entered value; but
    not those of texts, which are what is shown.
    """

    def shown(part: Any) -> Any:
        if isinstance(part, dict):
            is_text = (part.get("view") or {}).get("name") == "MarkdownView"
            kept = part.items() if is_text else ((k, v) for k, v in part.items() if k != "default")
            return {name: shown(value) for name, value in kept}
        return [shown(one) for one in part] if isinstance(part, list) else part

    text = json.dumps(shown(drawn.to_json()), default=str)
    return hashlib.sha256(text.encode()).hexdigest()
