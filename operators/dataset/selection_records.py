"""The records of a dataset's selections. Each is a FiftyOne run that lists all that it added."""

from __future__ import annotations

from typing import Any

from .fiftyone_private import has_results

METHOD = "alcore/select"

# The states of a selection, in the entry ``state`` of its record. Where a record has a ``staged``
# entry, the selection replaces another one: it is written under these names first.
WRITING = "writing"  # its marks are not complete
REPLACING = "replacing"  # complete under the staged names; the one that it replaces is being removed
RENAMING = "renaming"  # complete under its own names; the staged ones are being removed
WHOLE = "whole"
UNDOING = "undoing"
COMPLETE = {REPLACING, RENAMING, WHOLE}


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


def earlier_ranks(dataset: Any, objects: str | None = None, but: str | None = None) -> list[str]:
    """Return the fields that mark what earlier selections chose for labeling or held out.

    Selections that only list what was found, such as near-duplicates, are not included.

    Args:
        dataset: the dataset.
        objects: the field of the objects, for selections of its objects; None for those of samples.
        but: the key of a selection that is left out, as one that is replaced is.
    """
    found = [one for one in selections(dataset) if one.get("to_label", True) and one["run_key"] != but]
    complete = [current_names(one) for one in found if state_of(one) in COMPLETE]
    mine = [names for names in complete if names.get("objects") == objects]
    fields = [[names["rank_field"], names.get("held_out_field")] for names in mine]
    return [path for both in fields for path in both if path]


def is_test_set(record: dict[str, Any]) -> bool:
    """Return whether a selection chose a test set."""
    entries = (record.get("recipe") or {}).get("strategies") or []
    return any(one.get("strategy") == "test_set" for one in entries)


def is_round(record: dict[str, Any]) -> bool:
    """Return whether a selection was a round: complete, to be labeled, and no test set."""
    return record.get("to_label", True) and state_of(record) in COMPLETE and not is_test_set(record)


def next_round(dataset: Any, replaced: str | None = None) -> int:
    """Return the number of the next round, from 1; that of a selection which is ``replaced`` stays."""
    keys = [one["run_key"] for one in selections(dataset) if is_round(one)]
    return 1 + (keys.index(replaced) if replaced in keys else len(keys))


def state_of(record: dict[str, Any]) -> str:
    """Return the state of a selection; records of earlier versions have none and are whole."""
    return str(record.get("state") or WHOLE)


def current_names(record: dict[str, Any]) -> dict[str, Any]:
    """Return the names under which the marks of a selection are now."""
    staged = record.get("staged")
    return staged if staged and state_of(record) in (WRITING, REPLACING) else record["names"]


def records_of_key(dataset: Any, run_key: str) -> list[dict[str, Any]]:
    """Return the record of a selection, and of those that were to replace it and were interrupted."""
    return [
        one
        for one in selections(dataset)
        if one["run_key"] == run_key or (one.get("staged") and one["names"]["run_key"] == run_key)
    ]


def results_of(dataset: Any, run_key: str) -> Any:
    """Return the results of a run as they are stored now; None if there are none."""
    if not has_results(dataset, run_key):
        return None
    return dataset.load_run_results(run_key, cache=False, load_view=False)


def claims_of_tag(dataset: Any, tag: str, objects: str | None, but: str) -> set[Any]:
    """Return what the other selections mark with a tag.

    Args:
        dataset: the dataset.
        tag: the tag.
        objects: the field of the tagged objects; None for samples.
        but: the key of the run that is left out.

    Returns:
        Ids of samples, or pairs of the ids of sample and label.
    """
    found: set[Any] = set()
    for one in selections(dataset):
        names = one["names"]
        tags = {names.get("tag"): "tagged"} if names.get("objects") == objects else {}
        if objects is None:
            tags[names.get("held_out_tag")] = "held_out_tagged"
        if one["run_key"] == but or tag not in tags:
            continue
        listed = getattr(results_of(dataset, one["run_key"]), tags[tag], None) or []
        found |= set(map(tuple, listed)) if objects else set(listed)
    return found


def strategies_of(recipe: dict[str, Any]) -> str:
    """Return a short text for a recipe, such as ``coverage x balance``; ``then`` joins its stages."""
    stages = recipe.get("stages") or [recipe]
    signs = {"sum": " + ", "product": " x "}
    return " then ".join(
        signs[stage.get("combine", "product")].join(
            entry["strategy"].replace("_", " ") for entry in stage.get("strategies") or []
        )
        for stage in stages
    )
