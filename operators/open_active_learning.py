"""The operator open_active_learning: it opens the panel, from a button above the samples grid."""

from __future__ import annotations

from typing import Any

import fiftyone.operators as foo
import fiftyone.operators.types as types

from .base import PANEL, operator_name


class OpenActiveLearning(foo.Operator):
    """Opens the panel beside the samples grid."""

    label = "Active learning: choose what to label next"

    @property
    def config(self) -> Any:
        return foo.OperatorConfig(
            name=operator_name(self),
            label=self.label,
            description="Opens the panel in which samples are chosen, annotated and judged",
            icon="filter_center_focus",
            risk_level="low",
        )

    def resolve_placement(self, ctx: Any) -> Any:
        button = types.Button(label=self.label, icon="filter_center_focus", prompt=False)
        return types.Placement(types.Places.SAMPLES_GRID_SECONDARY_ACTIONS, button)

    def execute(self, ctx: Any) -> None:
        ctx.ops.open_panel(PANEL, layout="horizontal")
