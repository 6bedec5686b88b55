"""Finds the fields that fit a purpose when each object of a label list is a candidate."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import fiftyone as fo

from ...alcore import InvalidInput
from .fields import (
    NUMBERS,
    VECTOR_ATTRIBUTES,
    Choice,
    category_fields,
    detection_fields,
    document_type,
    embedding_fields,
    is_vector,
    member_fields,
    number_fields,
    object_fields,
    prediction_fields,
    uncertain_fields,
)
from .stored_schema import LIST_OF, schema_of

Find = Callable[[Any], list[Choice]]
# Attributes with lists of numbers that are not embeddings.
NOT_EMBEDDINGS = {"bounding_box", "confidence", *VECTOR_ATTRIBUTES}
NOT_CATEGORIES = {"mask_path"}


def list_path(dataset: Any, objects: str) -> str:
    """Return the path of the list in a label field, such as ``predictions.detections``.

    Raises:
        InvalidInput: if there is no such field, or if it does not hold a list of labels.
    """
    field = dataset.get_field(objects)
    kind = document_type(field)
    if kind in LIST_OF:
        return f"{objects}.{LIST_OF[kind]}"
    names = ", ".join(repr(choice.path) for choice in object_fields(dataset))
    fitting = f"fields of objects: {names}" if names else "it has no field of objects"
    if field is None:
        raise InvalidInput(f"objects: {dataset.name!r} has no field {objects!r}; {fitting}")
    held = kind.__name__ if kind else type(field).__name__
    kinds = ", ".join(one.__name__ for one in LIST_OF)
    raise InvalidInput(f"objects: field {objects!r} is a {held}, not one of {kinds}; {fitting}")


def boxes_path(dataset: Any, objects: str) -> str:
    """Return the path of the list in a field of objects with bounding boxes.

    Raises:
        InvalidInput: if there is no such field, or if its objects have no bounding boxes.
    """
    root = list_path(dataset, objects)
    if document_type(dataset.get_field(objects)) is not fo.Detections:
        fitting = [choice.path for choice in detection_fields(dataset)]
        others = f"; {', '.join(fitting)} do" if fitting else ""
        raise InvalidInput(f"objects: those of {objects!r} have no boxes to cut out{others}")
    return root


def of_objects(find: Find, objects: str | None) -> Find:
    """Return a function like ``find`` that lists the fitting fields of objects before those of samples.

    Args:
        find: a function of ``fields`` that finds fields in a dataset.
        objects: the field of the objects; without it ``find`` itself is returned.
    """
    if not objects or find not in _INSIDE:
        return find
    inside = _INSIDE[find]
    return lambda dataset: inside(dataset, objects) + _of_samples(find, dataset)


def nearest(find: Find, objects: str | None) -> Find:
    """Return a function like ``find`` that finds a default field.

    It returns the fitting fields of objects. If there are none, it returns those of samples.
    """
    if not objects or find not in _INSIDE:
        return find
    inside = _INSIDE[find]
    return lambda dataset: inside(dataset, objects) or _of_samples(find, dataset)


def patch_runs(dataset: Any, objects: str) -> list[str]:
    """Return the brain keys of the similarity runs over the objects of a field."""
    runs = dataset.list_brain_runs(type="similarity")
    configs = {key: dataset.get_brain_info(key).config for key in runs}
    return [key for key in runs if getattr(configs[key], "patches_field", None) == objects]


def _of_samples(find: Find, dataset: Any) -> list[Choice]:
    """Return the fields of samples whose value is valid for each object of a sample.

    Fields with several predictions per sample are not among them, because these tell nothing about a
    single object.
    """
    return (prediction_fields if find is uncertain_fields else find)(dataset)


def _itself(dataset: Any, objects: str) -> list[Choice]:
    return [choice for choice in object_fields(dataset) if choice.path == objects]


def _vectors(dataset: Any, objects: str) -> list[Choice]:
    found = [
        Choice(path, "a vector an object")
        for path, field, name in _attributes(dataset, objects)
        if name not in NOT_EMBEDDINGS and is_vector(field)
    ]
    return found + [Choice(key, "a similarity run") for key in patch_runs(dataset, objects)]


def _numbers(dataset: Any, objects: str) -> list[Choice]:
    return [
        Choice(path, "a number an object")
        for path, field, name in _attributes(dataset, objects)
        if isinstance(field, NUMBERS)
    ]


def _categories(dataset: Any, objects: str) -> list[Choice]:
    return [
        Choice(path, "a category")
        for path, field, name in _attributes(dataset, objects)
        if isinstance(field, (fo.StringField, fo.BooleanField)) and name not in NOT_CATEGORIES
    ]


def _members(dataset: Any, objects: str) -> list[Choice]:
    return [
        Choice(path, "arrays, (T, C), of objects")
        for path, field, name in _attributes(dataset, objects)
        if isinstance(field, fo.ArrayField) and name not in ("mask", "map")
    ]


_INSIDE: dict[Find, Callable[[Any, str], list[Choice]]] = {
    prediction_fields: _itself,
    uncertain_fields: _itself,
    embedding_fields: _vectors,
    number_fields: _numbers,
    category_fields: _categories,
    member_fields: _members,
}


def _attributes(dataset: Any, objects: str) -> list[tuple[str, Any, str]]:
    """Return path, field and name of each attribute with one value per object."""
    root = list_path(dataset, objects)
    found = []
    for path, field in schema_of(dataset).items():
        name = path.removeprefix(f"{root}.")
        if name != path and name != "id" and not several_an_object(dataset, root, path):
            found.append((path, field, name))
    return found


def several_an_object(dataset: Any, root: str, path: str) -> bool:
    """Return whether a path inside a list of labels goes through another list."""
    parts = path.removeprefix(f"{root}.").split(".")
    return any(
        isinstance(dataset.get_field(".".join([root, *parts[:end]])), fo.ListField)
        for end in range(1, len(parts))
    )
