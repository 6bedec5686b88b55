"""Which embeddings a selection was made by, and whether these have been made anew since."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from ..dataset.fiftyone_private import label_path
from ..dataset.resumable_field import EMBEDDINGS, record_of

KEPT = ("made", "model", "layer", "date")


def embeddings_used(dataset: Any, columns: Iterable[str]) -> list[dict[str, Any]]:
    """The records of the embeddings among some columns; similarity runs over them count too.

    Those that compute_embeddings did not make have no record.
    """
    found = []
    for column in columns:
        path = _path_of(dataset, column)
        record = record_of(dataset, path, EMBEDDINGS.method) if path else None
        if record is not None:
            kept = {name: record.get(name) for name in KEPT}
            found.append({"column": column, "field": path, **kept})
    return found


def changes_since(dataset: Any, selection: dict[str, Any]) -> str:
    """What has become of the embeddings that one of ``selections`` was made by; else empty."""
    changes = []
    for used in selection.get("embeddings") or []:
        record = record_of(dataset, used["field"], EMBEDDINGS.method)
        if dataset.get_field(used["field"]) is None:
            changes.append(f"{used['field']} is gone")
        elif record is None or record.get("made") != used["made"]:
            changes.append(f"{used['field']} was made anew")
    return f"since then {' and '.join(changes)}" if changes else ""


def _path_of(dataset: Any, column: str) -> str | None:
    """Where a column's vectors are stored, which a similarity run may name."""
    if column not in dataset.list_brain_runs(type="similarity"):
        return column
    config = dataset.get_brain_info(column).config
    stored, objects = config.embeddings_field, getattr(config, "patches_field", None)
    if not stored or not objects:
        return stored or None
    return label_path(dataset, objects, stored)
