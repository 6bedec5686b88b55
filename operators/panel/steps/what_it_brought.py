"""The fourth step: what it brought. Whether labels are back, and whether another round is worth it."""

from __future__ import annotations

from typing import Any

from fiftyone.core.expressions import ViewExpression, ViewField

from ....alcore import InvalidInput
from ...dataset.fields import Choice, prediction_fields
from ...evaluation.stopping import StoppingRequest, advice_line, advise_view
from ...forms.markdown import bold, escaped, paragraphs
from ...forms.options import NONE
from ..drawing import alert, column, dropdown
from .step import Step, latest


class WhatItBrought(Step):
    """The step in which the user sees what the rounds brought."""

    # Events

    def on_advise(self, ctx: Any) -> None:
        """Show advice on whether to stop labeling, from the inputs of the panel."""
        try:
            advice = advise_view(self.view(ctx), self._stop_request(ctx))
        except InvalidInput as error:
            ctx.panel.set_state({"advised": "", "stop_error": str(error)})
            return
        lines = [bold(advice["verdict"]), *map(advice_line, advice["advices"])]
        advised = paragraphs([*lines, *map(escaped, advice["notes"])])
        ctx.panel.set_state({"advised": advised, "stop_error": ""})

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
        if not ctx.panel.get_state("facts.labels_are_back"):
            panel.md(
                "No label of a selection is back yet. Once there are some, this step tells what they "
                "brought, and whether another round is worth it.",
                name="no_labels",
            )
            return
        panel.md("**Is another round worth it?**", name="stop_text")
        entered = ctx.panel.get_state("stop") or {}
        inside = column(panel, "stop")
        fields = [one for one in prediction_fields(ctx.dataset) if one.path != self.labels(ctx)]
        dropdown(inside, "now", "Predictions now", fields, entered.get("now"))
        before = [Choice(NONE, "no earlier round"), *fields]
        dropdown(inside, "before", "Predictions before", before, entered.get("before"))
        inside.float("price", label="Price of a label", default=entered.get("price"), min=0)
        inside.float("mistake", label="Cost of a mistake", default=entered.get("mistake"), min=0)
        error = ctx.panel.get_state("stop_error")
        if error:
            alert(panel, "stop_error_text", "error", error)
        panel.btn("advise", label="Is it time to stop?", icon="stop_circle", on_click=self.on_advise)
        advised = ctx.panel.get_state("advised")
        if advised:
            panel.md(advised, name="advised_text")
