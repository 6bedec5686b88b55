"""Fields written as a whole: all of them, or none; those they replace stay until all is written."""

from __future__ import annotations

import uuid
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

import fiftyone as fo


@dataclass(frozen=True)
class NewField:
    """A field of samples that is to be written.

    Attributes:
        values: by sample id.
        description: what the field says of itself in the App.
        info: its record, by which it is known again.
        kind: its type.
    """

    values: dict[str, Any]
    description: str
    info: dict[str, Any]
    kind: Any = fo.FloatField


def write_fields(dataset: Any, fields: dict[str, NewField]) -> None:
    """Write fields by name: all of them, or none.

    Fields of these names stay as they were until all is written.
    """
    earlier = [name for name in fields if dataset.get_field(name) is not None]
    temporary = {name: f"{name}_{uuid.uuid4().hex[:8]}" for name in earlier}
    try:
        for name, one in fields.items():
            path = temporary.get(name, name)
            dataset.add_sample_field(path, one.kind, description=one.description, info=one.info)
            dataset.set_values(path, one.values, key_field="id")
        if earlier:
            _swap(dataset, temporary)
    except BaseException:
        delete_fields(dataset, [temporary.get(name, name) for name in fields])
        raise


def delete_fields(dataset: Any, paths: Iterable[str]) -> None:
    """Delete those of some fields that there are."""
    there = [path for path in paths if dataset.get_field(path) is not None]
    if there:
        dataset.delete_sample_fields(there)


def _swap(dataset: Any, temporary: dict[str, str]) -> None:
    """Put each temporary field in the place of the field it replaces."""
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
