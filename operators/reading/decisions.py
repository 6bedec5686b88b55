"""Predicted and true classes, by name: what is read of them, and their columns."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import fiftyone as fo
import numpy as np

from ...alcore import InvalidInput
from ...alcore.strategies import Reads
from ..dataset.fields import class_vector_path, document_type
from ..dataset.fiftyone_private import dataset_of
from .read import ReadPool


def columns_read(labels: Sequence[str], probabilities: Sequence[str]) -> dict[str, Reads]:
    """What is read: fields as they are, and probabilities."""
    return dict.fromkeys(labels, Reads.VALUES) | dict.fromkeys(probabilities, Reads.PREDICTIONS)


def decision_path(dataset: Any, field: str, option: str = "predictions") -> str | None:
    """Where a field's predicted classes are; None of a plain vector, whose greatest value tells them.

    Raises:
        InvalidInput: there is no such field, or it holds no class a sample.
    """
    declared = dataset.get_field(field)
    if declared is None:
        raise InvalidInput(f"{option}: {dataset.name!r} has no field {field!r}")
    if isinstance(declared, (fo.VectorField, fo.ListField)):
        return None
    if document_type(declared) is fo.Classification:
        return f"{field}.label"
    raise InvalidInput(
        f"{option}: {field!r} does not hold one class a sample; it takes Classification, or a vector "
        "of probabilities"
    )


def has_probabilities(view: Any, field: str) -> bool:
    """Whether any sample of a view has a vector over the classes, or a confidence."""
    if decision_path(dataset_of(view), field) is None:
        return True
    flat = dataset_of(view).get_field_schema(flat=True)
    paths = [class_vector_path(flat, field), f"{field}.confidence"]
    return any(len(view.exists(path).limit(1)) for path in paths if path in flat)


def decided(reading: ReadPool, dataset: Any, field: str) -> np.ndarray:
    """(N,) the class that a field decides for, by name, None where there is no prediction."""
    path = decision_path(dataset, field)
    if path is not None:
        return names_at(reading, path)
    matrix, names = reading.pool.columns[field], reading.pool.classes[field]
    found = np.array(names, dtype=object)[matrix.argmax(1)]
    found[reading.pool.missing[field]] = None
    return found


def names_at(reading: ReadPool, path: str) -> np.ndarray:
    """(N,) the text at a path, None where there is none."""
    found = np.array(reading.pool.columns[path], dtype=object)
    found[reading.pool.missing[path]] = None
    return found


def codes_of(names: np.ndarray, classes: Sequence[str]) -> np.ndarray:
    """(N,) int64, each name's place among the classes, -1 where it is none of them."""
    position = {name: place for place, name in enumerate(classes)}
    values = names.tolist()
    return np.fromiter((position.get(one, -1) for one in values), dtype=np.int64, count=len(values))


def unnamed(reading: ReadPool, field: str, seen: set[Any]) -> list[str]:
    """The classes of a field's vectors that go by their place, for no sample tells their name."""
    names = reading.pool.classes[field]
    return [name for place, name in enumerate(names) if name == str(place) and name not in seen]
