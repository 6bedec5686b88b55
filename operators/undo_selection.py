"""The operator undo_selection: it removes what a selection added."""

from __future__ import annotations

from typing import Any

import fiftyone.operators.types as types

from .base import PluginOperator
from .dataset.fiftyone_private import dataset_of
from .dataset.selection_records import records_of_key, selections
from .forms import pieces
from .runs.records import summary
from .runs.run import Progress
from .runs.writing import check_there, undo


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
    unlisted = True
    has_target = False

    def draw_form(self, ctx: Any, inputs: Any) -> None:
        view = types.DropdownView()
        for one in reversed(selections(ctx.dataset)):
            about = f"{summary(ctx.dataset, one)}, {one['created_at'][:16].replace('T', ' ')}"
            view.add_choice(one["run_key"], label=one["run_key"], description=about)
        if not view.choices:
            inputs.view("none", types.Notice(label="This dataset has no selections"))
        about = "The run key of what is removed; labels made since then stay"
        pieces.dropdown_input(
            inputs, "run_key", view, label="Selection", description=about, required=True
        )

    def check(self, view: Any, options: dict[str, Any]) -> None:
        check_there(dataset_of(view), options.get("run_key"))

    def run(self, view: Any, options: dict[str, Any], report: Progress) -> dict[str, Any]:
        dataset, run_key = dataset_of(view), options["run_key"]
        found = records_of_key(dataset, run_key)
        things = "objects" if found and found[0]["names"].get("objects") else "samples"
        return {"run_key": run_key, things: undo(dataset, run_key)}

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
