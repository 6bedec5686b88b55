"""undo_selection: remove what a selection added."""

from __future__ import annotations

from typing import Any

import fiftyone.operators as foo
import fiftyone.operators.types as types

from .base import call
from .runs.records import selections, told, undo


class UndoSelection(foo.Operator):
    @property
    def config(self) -> Any:
        return foo.OperatorConfig(
            name="undo_selection",
            label="Active learning: undo a selection",
            description="Removes the tag, saved view, rank field and record that a selection added",
            dynamic=True,
            icon="undo",
            risk_level="high",
        )

    def resolve_input(self, ctx: Any) -> Any:
        inputs = types.Object()
        view = types.DropdownView()
        for one in reversed(selections(ctx.dataset)):
            about = f"{told(one)}, {one['created_at'][:16].replace('T', ' ')}"
            view.add_choice(one["run_key"], label=one["run_key"], description=about)
        if not view.choices:
            inputs.view("none", types.Notice(label="This dataset has no selections"))
        inputs.enum("run_key", view.values(), label="Selection", required=True, view=view)
        inputs.view(
            "told",
            types.Notice(label="Removes exactly what it added; labels made since then stay"),
        )
        return types.Property(inputs, view=types.View(label="Undo a selection"))

    def execute(self, ctx: Any) -> dict[str, Any]:
        run_key = ctx.params["run_key"]
        of = {one["run_key"]: one["names"].get("objects") for one in selections(ctx.dataset)}
        count = undo(ctx.dataset, run_key)
        ctx.ops.clear_view()
        ctx.ops.reload_dataset()
        return {"run_key": run_key, "objects" if of.get(run_key) else "samples": count}

    def resolve_output(self, ctx: Any) -> Any:
        outputs = types.Object()
        outputs.str("run_key", label="Undone")
        for things in ("samples", "objects"):
            if things in (ctx.results or {}):
                outputs.int(things, label=f"{things.capitalize()} it had chosen")
        return types.Property(outputs)

    def __call__(self, sample_collection: Any, run_key: str) -> Any:
        """Undo the selection ``run_key`` of a dataset."""
        return call(self, sample_collection, {"run_key": run_key})
