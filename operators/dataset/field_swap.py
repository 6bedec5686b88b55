"""Writes several fields, all of them or none. Fields that are replaced stay until all are written."""

from __future__ import annotations

import uuid
from collections.abc import Collection, Iterable
from dataclasses import dataclass
from typing import Any

import fiftyone as fo

from .views import values_elsewhere


@dataclass(frozen=True)
class NewField:
    """A sample field that is to be written.

    Attributes:
        values: the values by sample id.
        description: the description of the field that the App shows.
        info: the record in ``field.info``, by which the plugin recognizes the field later.
        kind: the FiftyOne field type.
        computed: the ids of all samples for which values were computed. If the field is replaced, the
            values of all other samples stay; None if no values stay.
    """

    values: dict[str, Any]
    description: str
    info: dict[str, Any]
    kind: Any = fo.FloatField
    computed: Collection[str] | None = None


def write_fields(dataset: Any, fields: dict[str, NewField]) -> list[str]:
    """Write fields by name, all of them or none.

    Existing fields with these names are kept until all new fields are written, then replaced.

    Returns:
        Notes on the values that stay.
    """
    notes = []
    earlier = [name for name in fields if dataset.get_field(name) is not None]
    temporary = {name: f"{name}_{uuid.uuid4().hex[:8]}" for name in earlier}
    try:
        for name, one in fields.items():
            path = temporary.get(name, name)
            dataset.add_sample_field(path, one.kind, description=one.description, info=one.info)
            keeps = name in earlier and one.computed is not None
            stay = values_elsewhere(dataset, name, one.computed or ()) if keeps else {}
            dataset.set_values(path, {**stay, **one.values}, key_field="id")
            if stay:
                notes.append(
                    f"field {name!r}: {len(stay):,} samples outside this view keep their earlier values"
                )
        if earlier:
            _swap(dataset, temporary)
    except BaseException:
        delete_fields(dataset, [temporary.get(name, name) for name in fields])
        raise
    return notes


def delete_fields(dataset: Any, paths: Iterable[str]) -> None:
    """Delete the given fields; those that do not exist are ignored."""
    there = [path for path in paths if dataset.get_field(path) is not None]
    if there:
        dataset.delete_sample_fields(there)


def _swap(dataset: Any, temporary: dict[str, str]) -> None:
    """Rename each temporary field to the name of the field that it replaces.

    Args:
        dataset: the dataset.
        temporary: maps the name of each replaced field to the name of its temporary field.
    """
    aside = {name: f"{path}_old" for name, path in temporary.items()}
    try:
        dataset.rename_sample_fields(aside)
        dataset.rename_sample_fields({path: name for name, path in temporary.items()})
    except BaseException:
        back = {old: name for name, old in aside.items() if dataset.get_field(old) is not None}
        delete_fields(dataset, back.values())
        if back:
            dataset.rename_sample_fields(back)
        raise
    delete_fields(dataset, aside.values())
