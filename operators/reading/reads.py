"""How columns can be read: the fields that fit, the error texts for others, and the readers.

This is the only module that maps the ``Reads`` of ``alcore`` to the fields of a dataset.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import fiftyone as fo

from ...alcore import InvalidInput, Recipe
from ...alcore.strategies import Reads
from ..dataset.fields import (
    NUMBERS,
    Choice,
    category_fields,
    class_fields,
    document_type,
    embedding_fields,
    is_vector,
    map_fields,
    map_paths,
    may_hold_vectors,
    member_fields,
    number_fields,
    object_fields,
    prediction_fields,
    uncertain_fields,
)
from ..dataset.stored_schema import LIST_OF
from .column import Declared
from .field_readers import Embeddings, FieldReader, Predictions, Scalars
from .label_readers import Members, ObjectList, PixelMaps, TagList

CATEGORIES = (*NUMBERS, fo.StringField)
VALUES = (*CATEGORIES, fo.ObjectIdField)  # an ObjectIdField is, for example, group.id


@dataclass(frozen=True)
class Fitting:
    """The fields that can be read in one way.

    Attributes:
        takes: a description of these fields, for error messages.
        fields: finds these fields in a dataset.
    """

    takes: str
    fields: Callable[[Any], list[Choice]]


FITTING = {
    Reads.PREDICTIONS: Fitting(
        "a Classification, a vector of probabilities or logits, objects with confidences, a Heatmap, "
        "or arrays of pixels",
        uncertain_fields,
    ),
    Reads.OBJECTS: Fitting("objects with confidences", object_fields),
    Reads.MAPS: Fitting("a Heatmap, or arrays of pixels", map_fields),
    Reads.CLASS_PROBABILITIES: Fitting(
        "a Classification, or a vector of probabilities or logits", prediction_fields
    ),
    Reads.MEMBERS: Fitting(
        "arrays of members, (T, C), or a list with a field for each member", member_fields
    ),
    Reads.MEMBER: Fitting("predictions, as many as there are members", uncertain_fields),
    Reads.CLASS_MEMBER: Fitting("class predictions, as many as there are members", prediction_fields),
    Reads.VECTORS: Fitting("a vector field or a similarity run", embedding_fields),
    Reads.NUMBERS: Fitting("numbers, booleans or dates", number_fields),
    Reads.CLASSES: Fitting(
        "predictions of classes or objects, a category, numbers in bins, or dates", class_fields
    ),
    Reads.CATEGORIES: Fitting("strings, numbers or booleans", category_fields),
    Reads.VALUES: Fitting("strings, numbers, booleans or dates", category_fields),
}

# If a column is read in two ways that are compatible, the way that serves both.
_PREDICTED = (Reads.CLASSES, Reads.PREDICTIONS, Reads.CLASS_PROBABILITIES)
_SERVES_BOTH = {
    frozenset({Reads.CLASSES, Reads.CATEGORIES}): Reads.CLASSES,
    frozenset({Reads.PREDICTIONS, Reads.CLASSES}): Reads.PREDICTIONS,
    frozenset({Reads.CLASS_PROBABILITIES, Reads.CLASSES}): Reads.CLASS_PROBABILITIES,
    frozenset({Reads.CLASS_PROBABILITIES, Reads.PREDICTIONS}): Reads.CLASS_PROBABILITIES,
    **{
        frozenset({member, one}): member
        for member in (Reads.MEMBER, Reads.CLASS_MEMBER)
        for one in _PREDICTED
    },
    frozenset({Reads.MEMBER, Reads.CLASS_MEMBER}): Reads.CLASS_MEMBER,
    frozenset({Reads.OBJECTS, Reads.PREDICTIONS}): Reads.OBJECTS,
    frozenset({Reads.OBJECTS, Reads.CLASSES}): Reads.OBJECTS,
    frozenset({Reads.MAPS, Reads.PREDICTIONS}): Reads.MAPS,
}


def reads_of(recipe: Recipe) -> dict[str, tuple[Reads, str]]:
    """Return for each column of a recipe how it is read, and which part of the recipe uses it first.

    Raises:
        InvalidInput: if one column is used in two ways that are not compatible.
    """
    found: dict[str, tuple[Reads, str]] = {}
    ordered = sorted(recipe.reads(), key=lambda one: one[2] == "filter")
    for column, reads, user in ordered:
        if user == "filter":
            if column == "id":
                continue
            user = "a filter"
        known, who = found.setdefault(column, (reads, user))
        if known is reads or reads is Reads.VALUES:
            continue
        both = _SERVES_BOTH.get(frozenset({known, reads}))
        if both is None:
            raise InvalidInput(
                f"{user}: field {column!r} is used as {reads.value} here and as {known.value} by "
                f"{who}; name the path of what is meant, such as predictions.label"
            )
        found[column] = (both, who)
    return found


def reader_of(
    n: int, view: Any, flat: dict[str, Any], column: str, reads: Reads, declared: Declared
) -> FieldReader | None:
    """Return the reader of a field, or None if the field cannot be read in this way.

    Args:
        n: the number of rows.
        view: the view that is read.
        flat: the dataset's flat schema; it must contain ``column``.
        column: the path of the field.
        reads: how the field is read.
        declared: what is declared about the column.

    Raises:
        InvalidInput: if the field holds a list of labels of a type that does not fit.
    """
    field = flat[column]
    kind = document_type(field)
    classes = kind is fo.Classification
    if reads in (Reads.CLASSES, Reads.NUMBERS, Reads.VALUES) and kind in LIST_OF:
        return ObjectList(n, column, kind, flat, declared, counted=True)
    if reads is Reads.OBJECTS:
        return ObjectList(n, column, kind, flat, declared) if kind in LIST_OF else None
    if reads is Reads.MAPS:
        paths = map_paths(flat, column)
        return PixelMaps(n, view, *paths, declared) if any(paths) else None
    if reads is Reads.CLASSES:
        reads = Reads.CLASS_PROBABILITIES if classes or is_vector(field) else Reads.CATEGORIES
    if reads in (*_PREDICTED[1:], Reads.MEMBER, Reads.CLASS_MEMBER):
        if classes or is_vector(field):
            return Predictions(n, column, flat, declared, plain=not classes)
        if reads in (Reads.CLASS_PROBABILITIES, Reads.CLASS_MEMBER):
            return None
        return _reader_of_several(n, view, flat, column, reads, declared)
    if reads is Reads.MEMBERS and isinstance(field, (fo.ArrayField, fo.ListField)):
        return Members(n, column, declared)
    if reads is Reads.VECTORS and may_hold_vectors(field):
        return Embeddings(n, column)
    single = {Reads.NUMBERS: NUMBERS, Reads.CATEGORIES: CATEGORIES, Reads.VALUES: VALUES}
    if isinstance(field, single.get(reads, ())):
        return Scalars(n, column, numbers=reads is Reads.NUMBERS)
    return None


def _reader_of_several(
    n: int, view: Any, flat: dict[str, Any], column: str, reads: Reads, declared: Declared
) -> FieldReader | None:
    """Return the reader of predictions of objects or pixels, or of the number that one member predicts.

    It is None if the field does not fit.
    """
    field = flat[column]
    kind = document_type(field)
    if reads is Reads.MEMBER and kind is fo.Regression:
        return Scalars(n, f"{column}.value", numbers=True)
    if reads is Reads.MEMBER and isinstance(field, NUMBERS):
        return Scalars(n, column, numbers=True)
    if kind is fo.Classifications:
        return TagList(n, column, flat, declared)
    if kind in LIST_OF:
        return ObjectList(n, column, kind, flat, declared, boxes=reads is Reads.MEMBER)
    if any(map_paths(flat, column)):
        return PixelMaps(n, view, *map_paths(flat, column), declared)
    return None
