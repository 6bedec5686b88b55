"""list_selections: the selections of a dataset."""

from __future__ import annotations

from typing import Any

import fiftyone.operators as foo
import fiftyone.operators.types as types

from .base import call
from .runs.records import selections, told
from .runs.used_embeddings import changes_since


class ListSelections(foo.Operator):
    @property
    def config(self) -> Any:
        return foo.OperatorConfig(
            name="list_selections",
            label="Active learning: list selections",
            description="The selections made on this dataset, the oldest first",
            icon="list",
            risk_level="low",
        )

    def resolve_input(self, ctx: Any) -> Any:
        return types.Property(types.Object())

    def execute(self, ctx: Any) -> dict[str, Any]:
        rows = [
            {
                "run_key": one["run_key"],
                "created_at": one["created_at"],
                "chosen": one["chosen"],
                "told": told(one),
                "tag": one["names"]["tag"],
                "saved_view": one["names"]["saved_view"],
                "strategies": strategies_of(one["recipe"]),
                "changed": changes_since(ctx.dataset, one),
            }
            for one in selections(ctx.dataset)
        ]
        return {"selections": rows}

    def resolve_output(self, ctx: Any) -> Any:
        table = types.TableView()
        for key, label in (
            ("run_key", "Selection"),
            ("created_at", "Made"),
            ("told", "Chosen"),
            ("tag", "Tag"),
            ("strategies", "Strategies"),
            ("changed", "Embeddings"),
        ):
            table.add_column(key, label=label)
        outputs = types.Object()
        outputs.list("selections", types.Object(), view=table, label="Selections")
        return types.Property(outputs)

    def __call__(self, sample_collection: Any) -> Any:
        """The selections of a dataset, as a list of plain values under ``result["selections"]``."""
        return call(self, sample_collection, {})


def strategies_of(recipe: dict[str, Any]) -> str:
    """A recipe in a few words: ``coverage x balance``, stages joined by ``then``."""
    stages = recipe.get("stages") or [recipe]
    signs = {"sum": " + ", "product": " x "}
    return " then ".join(
        signs[stage.get("combine", "product")].join(
            entry["strategy"] for entry in stage.get("strategies") or []
        )
        for stage in stages
    )
