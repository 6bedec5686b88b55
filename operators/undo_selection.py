"""The operator undo_selection: it removes what a selection added."""

from __future__ import annotations

from typing import Any

import fiftyone.operators.types as types

from .base import PluginOperator
from .dataset.fiftyone_private import dataset_of
from .dataset.selection_records import selections
from .runs.names import names_in_record
from .runs.records import describe, undo
from .runs.run import Progress


class UndoSelection(PluginOperator):
    """Removes everything that a selection added to the dataset: tags, saved view, fields and record."""

    label = "Active learning: undo a selection"
    about = "Removes exactly what a selection added; labels made since then stay."
    description = "Removes the tag, saved view, rank field and record that a selection added"
    icon = "undo"
    result_label = "Undone"
    refused_at = "run_key"
    risk = "high"
    may_be_delegated = False
    has_target = False

    def draw_form(self, ctx: Any, inputs: Any) -> None:
        view = types.DropdownView()
        for one in reversed(selections(ctx.dataset)):
            about = f"{describe(one)}, {one['created_at'][:16].replace('T', ' ')}"
            view.add_choice(one["run_key"], label=one["run_key"], description=about)
        if not view.choices:
            inputs.view("none", types.Notice(label="This dataset has no selections"))
        inputs.enum("run_key", view.values(), label="Selection", required=True, view=view)

    def run(self, view: Any, options: dict[str, Any], report: Progress) -> dict[str, Any]:
        dataset, run_key = dataset_of(view), options["run_key"]
        objects = names_in_record(dataset, run_key).objects
        return {"run_key": run_key, "objects" if objects else "samples": undo(dataset, run_key)}

    def refresh(self, ctx: Any, result: dict[str, Any]) -> None:
        ctx.ops.clear_view()
        ctx.ops.reload_dataset()

    def draw_result(self, outputs: Any, result: dict[str, Any]) -> None:
        outputs.str("run_key", label="Undone")
        for things in ("samples", "objects"):
            if things in result:
                outputs.int(things, label=f"{things.capitalize()} it had chosen")

    def __call__(self, sample_collection: Any, run_key: str) -> Any:
        """Undo a selection.

        Args:
            sample_collection: the dataset, or a view of it.
            run_key: the run key of the selection.

        Returns:
            An ``ExecutionResult``; its ``result`` has the number of samples or objects that the
            selection had chosen.

        Raises:
            InvalidInput: if there is no such selection.
        """
        return self.start(sample_collection, {"run_key": run_key})
