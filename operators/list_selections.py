"""The operator list_selections: it lists the selections of a dataset."""

from __future__ import annotations

from typing import Any

import fiftyone.operators.types as types

from .base import PluginOperator
from .dataset.fiftyone_private import dataset_of
from .dataset.selection_records import selections, strategies_of
from .forms import pieces
from .runs.records import describe, describe_state
from .runs.run import Progress
from .runs.used_embeddings import changes_since

COLUMNS = {
    "run_key": "Selection",
    "created_at": "Made",
    "what": "Chosen",
    "state": "State",
    "tag": "Tag",
    "strategies": "Strategies",
    "changed": "Embeddings",
}


class ListSelections(PluginOperator):
    """Lists the selections of a dataset, the oldest first."""

    label = "Active learning: list selections"
    about = "The selections made on this dataset, the oldest first"
    icon = "list"
    result_label = "Selections"
    risk = "low"
    may_be_delegated = False
    unlisted = True
    has_target = False

    def draw_form(self, ctx: Any, inputs: Any) -> None:
        """Add nothing: there is nothing to choose."""

    def run(self, view: Any, options: dict[str, Any], report: Progress) -> dict[str, Any]:
        dataset = dataset_of(view)
        rows = [
            {
                "run_key": one["run_key"],
                "created_at": one["created_at"],
                "chosen": one["chosen"],
                "what": describe(one),
                "state": describe_state(dataset, one),
                "tag": one["names"]["tag"],
                "saved_view": one["names"]["saved_view"],
                "strategies": strategies_of(one["recipe"]),
                "changed": changes_since(dataset, one),
            }
            for one in selections(dataset)
        ]
        return {"selections": rows}

    def has_written(self, result: dict[str, Any]) -> bool:
        return False

    def draw_result(self, outputs: Any, result: dict[str, Any]) -> None:
        if not result.get("selections"):
            pieces.nothing_output(outputs, "There are no selections on this dataset yet")
            return
        table = types.TableView()
        for key, label in COLUMNS.items():
            table.add_column(key, label=label)
        outputs.list("selections", types.Object(), view=table, label="Selections")

    def __call__(self, sample_collection: Any) -> Any:
        """List the selections of a dataset, the oldest first.

        Returns:
            An ``ExecutionResult``; ``result["selections"]`` is a list of dicts of plain values.
        """
        return self.start(sample_collection, {})
