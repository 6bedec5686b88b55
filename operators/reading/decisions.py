"""Predicted and true classes by name: which columns to read for them, and how to interpret these."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import fiftyone as fo
import numpy as np

from ...alcore import InvalidInput
from ...alcore.strategies import Reads
from ..dataset.fields import class_vector_path, document_type
from ..dataset.fiftyone_private import dataset_of
from ..dataset.stored_schema import schema_of
from .read import ReadPool


def columns_read(labels: Sequence[str], probabilities: Sequence[str]) -> dict[str, Reads]:
    """Return how to read columns: labels as plain values, probabilities as predictions."""
    return dict.fromkeys(labels, Reads.VALUES) | dict.fromkeys(probabilities, Reads.PREDICTIONS)


def decision_path(dataset: Any, field: str, option: str = "predictions") -> str | None:
    """Return the path of a field's predicted class names.

    Args:
        dataset: the dataset.
        field: the field of the predictions.
        option: the option that names the field, for error messages.

    Returns:
        The path, or None for a plain vector, where the class with the greatest value is the predicted
        one.

    Raises:
        InvalidInput: if there is no such field, or if it does not hold one class per sample.
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
    """Return whether any sample of a view has a vector over the classes, or a confidence."""
    if decision_path(dataset_of(view), field) is None:
        return True
    flat = schema_of(dataset_of(view))
    paths = [class_vector_path(flat, field), f"{field}.confidence"]
    return any(len(view.exists(path).limit(1)) for path in paths if path in flat)


def decided(reading: ReadPool, dataset: Any, field: str) -> np.ndarray:
    """Return the (N,) names of the predicted classes; None where there is no prediction."""
    path = decision_path(dataset, field)
    if path is not None:
        return names_at(reading, path)
    matrix, names = reading.pool.columns[field], reading.pool.classes[field]
    found = np.array(names, dtype=object)[matrix.argmax(1)]
    found[reading.pool.missing[field]] = None
    return found


def names_at(reading: ReadPool, path: str) -> np.ndarray:
    """Return the (N,) texts at a path; None where a sample has none."""
    found = np.array(reading.pool.columns[path], dtype=object)
    found[reading.pool.missing[path]] = None
    return found


def codes_of(names: np.ndarray, classes: Sequence[str]) -> np.ndarray:
    """Return the (N,) int64 index of each name in ``classes``; -1 if the name is not a class."""
    position = {name: place for place, name in enumerate(classes)}
    values = names.tolist()
    return np.fromiter((position.get(one, -1) for one in values), dtype=np.int64, count=len(values))


def unnamed(reading: ReadPool, field: str, seen: set[Any]) -> list[str]:
    """Return the classes of a field's vectors whose names are unknown.

    Such a class is named by its index, because no sample is predicted to be of it. A name that is in
    ``seen`` is a real class name, even if it looks like an index.
    """
    names = reading.pool.classes[field]
    return [name for place, name in enumerate(names) if name == str(place) and name not in seen]
