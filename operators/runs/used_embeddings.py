"""Finds the embeddings that a selection used, and whether they have been computed again since."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from ..dataset.fiftyone_private import label_path
from ..dataset.resumable_field import EMBEDDINGS, record_of

KEPT = ("made", "model", "layer", "date")


def embeddings_used(dataset: Any, columns: Iterable[str]) -> list[dict[str, Any]]:
    """Return the records of the embeddings that the given columns use.

    A column can be the field of the embeddings, or a similarity run over it. Only embeddings that
    compute_embeddings made have a record.
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
    """Return a text on changes of the embeddings that a selection used; empty if nothing changed.

    Args:
        dataset: the dataset.
        selection: an entry of ``selections``.
    """
    changes = []
    for used in selection.get("embeddings") or []:
        record = record_of(dataset, used["field"], EMBEDDINGS.method)
        if dataset.get_field(used["field"]) is None:
            changes.append(f"{used['field']} is gone")
        elif record is None or record.get("made") != used["made"]:
            changes.append(f"{used['field']} was made anew")
    return f"since then {' and '.join(changes)}" if changes else ""


def _path_of(dataset: Any, column: str) -> str | None:
    """Return the path of a column's vectors; None for a similarity run that stores them itself."""
    if column not in dataset.list_brain_runs(type="similarity"):
        return column
    config = dataset.get_brain_info(column).config
    stored, objects = config.embeddings_field, getattr(config, "patches_field", None)
    if not stored or not objects:
        return stored or None
    return label_path(dataset, objects, stored)
