"""Writes, undoes and shows selections of a dataset. The record of a selection lists what it added."""

from __future__ import annotations

import math
from contextlib import suppress
from dataclasses import asdict
from datetime import datetime, timezone
from importlib.metadata import version
from typing import Any

import fiftyone as fo

from ... import alcore
from ...alcore import InvalidInput, Selection
from ..dataset.fiftyone_private import dataset_of, shows_parts, shows_the_same
from ..dataset.object_labels import (
    add_tag,
    all_slices,
    chosen_objects,
    remove_tag,
    set_ranks,
    shows_objects,
    without_tag,
)
from ..dataset.selection_records import METHOD, record_of_selection
from .names import Names, check_names, counted, names_in_record


def write(
    view: Any,
    chosen: Selection,
    names: Names,
    recipe: dict[str, Any],
    details: dict[str, Any],
    overwrite: bool = False,
    samples: list[str] | None = None,
    to_tag: list[str] | None = None,
    numbers: dict[str, float] | None = None,
    held_out: list[str] | None = None,
) -> None:
    """Write a selection completely or not at all: run record, ranks, tag and saved view.

    The record is written first. If the process ends early, ``undo`` then knows what to remove.

    Args:
        view: the view from which the selection was chosen.
        chosen: the selection.
        names: the names under which it is written.
        recipe: the recipe as plain values.
        details: further entries of the record.
        overwrite: whether an earlier selection with this run key is replaced.
        samples: if objects were chosen, the sample id of each one. If ``names.objects`` is None, the
            ranks and the tag are written on these samples, in the order in which they first occur.
        to_tag: the ids of the chosen samples that get the tag; None for all.
        numbers: maps sample ids to the values of ``names.number_field``.
        held_out: the ids of samples that were not chosen and that later selections must not choose.

    Raises:
        InvalidInput: if a name is taken.
    """
    dataset = dataset_of(view)
    check_names(dataset, names, overwrite)
    earlier = _keep(dataset, names.run_key)
    if earlier is not None:
        undo(dataset, names.run_key)
    results = _results(chosen, names, samples, to_tag, held_out)
    try:
        _write(view, names, _config(names, recipe, results, details), results, numbers or {})
    except BaseException:
        with suppress(InvalidInput):
            undo(dataset, names.run_key)
        if earlier is not None:
            _write(*earlier)
        raise


def undo(dataset: Any, run_key: str) -> int:
    """Remove exactly what a selection added.

    Returns:
        The number of samples or objects that the selection had marked.

    Raises:
        InvalidInput: if there is no such selection.
    """
    names = names_in_record(dataset, run_key)
    results = dataset.load_run_results(run_key)
    tagged = results.tagged if results is not None else []
    if names.tag and tagged and names.objects:
        remove_tag(dataset, names.objects, names.tag, [(sample, label) for sample, label in tagged])
    elif names.tag and tagged:
        all_slices(dataset).select(tagged).untag_samples(names.tag)
    held_out = getattr(results, "held_out_tagged", None)
    if names.held_out_tag and held_out:
        all_slices(dataset).select(held_out).untag_samples(names.held_out_tag)
    if names.saved_view and dataset.has_saved_view(names.saved_view):
        dataset.delete_saved_view(names.saved_view)
    for field in (names.rank_field, names.number_field, names.held_out_field):
        if field is not None and dataset.get_field(field) is not None:
            dataset.delete_sample_field(field)
    dataset.delete_run(run_key)
    return len(results.ids) if results is not None else 0


def chosen_view(dataset: Any, names: Names) -> Any:
    """Return a view of the chosen samples or objects, in the order in which they were chosen.

    The view does not list ids, so it stays small for any number of samples.
    """
    if names.objects:
        return chosen_objects(dataset, names.objects, names.rank_field)
    return all_slices(dataset).exists(names.rank_field).sort_by(names.rank_field)


def shows(view: Any, names: Names) -> bool:
    """Return whether a view is the one that shows this selection."""
    if names.objects:
        return shows_objects(view, names.objects, names.rank_field)
    if shows_parts(view):
        return False
    shown = chosen_view(dataset_of(view), names)
    return shows_the_same(view, shown)


def describe(selection: dict[str, Any]) -> str:
    """Return a short text on what was chosen.

    Args:
        selection: an entry of ``selections``.
    """
    objects, chosen = selection.get("objects"), selection["chosen"]
    if not objects:
        return counted(chosen)
    samples = counted(selection["images"])
    among = counted(chosen, objects)
    return f"{among}, in {samples}" if selection["names"].get("objects") else f"{samples}, by {among}"


def _write(
    view: Any,
    names: Names,
    config: dict[str, Any],
    results: dict[str, Any],
    numbers: dict[str, float],
) -> None:
    dataset = dataset_of(view)
    ids = results["ids"]
    pairs = list(zip(results["sample_ids"], ids, strict=True)) if names.objects else []
    if names.tag and names.objects:
        results["tagged"] = without_tag(dataset, names.objects, names.tag, pairs)
    elif names.tag:
        wanted = ids if results["to_tag"] is None else results["to_tag"]
        results["tagged"] = _without_tag(dataset, names.tag, wanted)
    held_out = results["held_out"]
    if names.held_out_tag:
        results["held_out_tagged"] = _without_tag(dataset, names.held_out_tag, held_out)
    view.register_run(names.run_key, dataset.init_run(**config))
    dataset.save_run_results(
        names.run_key, dataset.init_run_results(names.run_key, **results), overwrite=True
    )
    dataset.add_sample_field(
        names.rank_field, fo.IntField, description=f"Place in the selection {names.run_key}"
    )
    everyone = all_slices(dataset)
    if names.objects:
        set_ranks(dataset, names.rank_field, pairs)
    else:
        ranks = {one: rank for rank, one in enumerate(ids, start=1)}
        everyone.set_values(names.rank_field, ranks, key_field="id")
    if names.number_field:
        dataset.add_sample_field(
            names.number_field,
            _field_of(numbers),
            description=config["number_description"],
        )
        everyone.set_values(names.number_field, numbers, key_field="id")
    if names.held_out_field:
        dataset.add_sample_field(
            names.held_out_field,
            fo.BooleanField,
            description=f"Kept by {names.run_key} from being trained on",
        )
        everyone.set_values(names.held_out_field, dict.fromkeys(held_out, True), key_field="id")
    if names.held_out_tag and results["held_out_tagged"]:
        everyone.select(results["held_out_tagged"]).tag_samples(names.held_out_tag)
    if names.tag and names.objects:
        add_tag(dataset, names.objects, names.tag, results["tagged"])
    elif names.tag:
        everyone.select(results["tagged"]).tag_samples(names.tag)
    if names.saved_view:
        count = counted(len(ids), names.objects)
        dataset.save_view(
            names.saved_view,
            chosen_view(dataset, names),
            description=f"Selection {names.run_key}: {count}, in the order chosen",
            overwrite=True,
        )


def _field_of(numbers: dict[str, float]) -> type:
    """Return the field type that fits all of the numbers."""
    kinds = set(map(type, numbers.values()))
    if kinds == {bool}:
        return fo.BooleanField
    return fo.IntField if kinds <= {int} else fo.FloatField


def _config(
    names: Names, recipe: dict[str, Any], results: dict[str, Any], details: dict[str, Any]
) -> dict[str, Any]:
    return {
        "method": METHOD,
        "names": asdict(names),
        "recipe": recipe,
        "seed": recipe.get("seed", 0),
        "chosen": len(results["gains"]),
        "created_at": datetime.now(timezone.utc).isoformat(timespec="milliseconds"),
        "versions": {
            "active_learning": alcore.__version__,
            **{name: version(name) for name in ("fiftyone", "torch", "numpy")},
        },
        **details,
    }


def _results(
    chosen: Selection,
    names: Names,
    samples: list[str] | None,
    to_tag: list[str] | None,
    held_out: list[str] | None,
) -> dict[str, Any]:
    """Return the results of the run as plain values.

    ``ids`` are the samples or labels that get ranks. If objects were chosen, ``gains`` and ``reasons``
    are in the order of ``label_ids``.
    """
    results = {
        "ids": list(chosen.ids),
        "gains": [_plain(gain) for gain in chosen.gains.tolist()],
        "reasons": [
            {name: _plain(value) for name, value in reason.items()} for reason in chosen.reasons
        ],
        "report": chosen.report,
        "tagged": [],
        "to_tag": to_tag,
        "held_out": held_out or [],
        "held_out_tagged": [],
    }
    if samples is None:
        return results
    ids = results["ids"] if names.objects else list(dict.fromkeys(samples))
    return results | {"ids": ids, "label_ids": list(chosen.ids), "sample_ids": samples}


def _without_tag(dataset: Any, tag: str, ids: list[str]) -> list[str]:
    """Return the ids of those samples that do not have the tag yet."""
    theirs = set(all_slices(dataset).select(ids).match_tags(tag).values("id"))
    return [one for one in ids if one not in theirs]


def _plain(value: float) -> float | None:
    return value if math.isfinite(value) else None


def _keep(
    dataset: Any, run_key: str
) -> tuple[Any, Names, dict[str, Any], dict[str, Any], dict[str, float]] | None:
    """Return the arguments with which ``_write`` restores a selection; None if there is none."""
    record = record_of_selection(dataset, run_key)
    if record is None:
        return None
    results = dataset.load_run_results(run_key)
    if results is None:
        return None
    names = Names(**record["names"])
    parts = ("ids", "gains", "reasons", "report", "label_ids", "sample_ids")
    kept = {name: getattr(results, name) for name in parts if hasattr(results, name)}
    numbers = {}
    if names.number_field and dataset.get_field(names.number_field) is not None:
        found = zip(*all_slices(dataset).values(["id", names.number_field]), strict=True)
        numbers = {one: value for one, value in found if value is not None}
    return (
        dataset.load_run_view(run_key),
        names,
        {"method": METHOD, **record},
        {
            **kept,
            "tagged": [],
            "to_tag": getattr(results, "to_tag", None),
            "held_out": getattr(results, "held_out", []),
            "held_out_tagged": [],
        },
        numbers,
    )
