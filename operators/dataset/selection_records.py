"""The records of a dataset's selections. Each is a FiftyOne run that lists all that it added."""

from __future__ import annotations

from typing import Any

METHOD = "alcore/select"


def record_of_selection(dataset: Any, run_key: str) -> dict[str, Any] | None:
    """Return the record of a selection; None if there is no such selection."""
    if run_key not in dataset.list_runs(method=METHOD):
        return None
    config = dataset.get_run_info(run_key).config.serialize()
    return {name: value for name, value in config.items() if name not in ("method", "cls", "type")}


def selections(dataset: Any) -> list[dict[str, Any]]:
    """Return the records of all selections of a dataset as plain values, the oldest first."""
    found = []
    for key in dataset.list_runs(method=METHOD):
        record = record_of_selection(dataset, key)
        if record is not None:
            found.append({"run_key": key, **record})
    return sorted(found, key=lambda one: one["created_at"])


def earlier_ranks(dataset: Any, objects: str | None = None) -> list[str]:
    """Return the fields that mark what earlier selections chose for labeling or held out.

    Selections that only list what was found, such as near-duplicates, are not included.

    Args:
        dataset: the dataset.
        objects: the field of the objects, for selections of its objects; None for those of samples.
    """
    found = [one["names"] for one in selections(dataset) if one.get("to_label", True)]
    mine = [names for names in found if names.get("objects") == objects]
    fields = [[names["rank_field"], names.get("held_out_field")] for names in mine]
    return [path for both in fields for path in both if path]


def strategies_of(recipe: dict[str, Any]) -> str:
    """Return a short text for a recipe, such as ``coverage x balance``; ``then`` joins its stages."""
    stages = recipe.get("stages") or [recipe]
    signs = {"sum": " + ", "product": " x "}
    return " then ".join(
        signs[stage.get("combine", "product")].join(
            entry["strategy"] for entry in stage.get("strategies") or []
        )
        for stage in stages
    )
