"""The records of the selections of a dataset: each is a FiftyOne run, which says all that it added."""

from __future__ import annotations

from typing import Any

METHOD = "alcore/select"


def record_of_selection(dataset: Any, run_key: str) -> dict[str, Any] | None:
    """The record of a selection, else None."""
    if run_key not in dataset.list_runs(method=METHOD):
        return None
    config = dataset.get_run_info(run_key).config.serialize()
    return {name: value for name, value in config.items() if name not in ("method", "cls", "type")}


def selections(dataset: Any) -> list[dict[str, Any]]:
    """The selections of a dataset, the oldest first, each as plain values."""
    found = []
    for key in dataset.list_runs(method=METHOD):
        record = record_of_selection(dataset, key)
        if record is not None:
            found.append({"run_key": key, **record})
    return sorted(found, key=lambda one: one["created_at"])


def earlier_ranks(dataset: Any, objects: str | None = None) -> list[str]:
    """The fields that have a value where an earlier selection is to be labeled, or holds out.

    Of samples, or of a field's objects. What was found rather than chosen, such as near-duplicates, is
    not among them.
    """
    found = [one["names"] for one in selections(dataset) if one.get("to_label", True)]
    mine = [names for names in found if names.get("objects") == objects]
    fields = [[names["rank_field"], names.get("held_out_field")] for names in mine]
    return [path for both in fields for path in both if path]


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
