"""Which fields of a dataset fit which purpose."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import fiftyone as fo

from ...alcore import InvalidInput

# Where a label may hold one number per class, in the order they are looked for.
VECTOR_ATTRIBUTES = ("probs", "probabilities", "logits")
# The attribute under which a label keeps its list.
LIST_OF = {
    fo.Detections: "detections",
    fo.Polylines: "polylines",
    fo.Keypoints: "keypoints",
    fo.Classifications: "classifications",
}
OWN_FIELDS = {"id", "tags", "filepath", "created_at", "last_modified_at"}
NUMBERS = (fo.FloatField, fo.IntField, fo.BooleanField, fo.DateField, fo.DateTimeField)


@dataclass(frozen=True)
class Choice:
    """A field that fits, and what it holds, in a few words."""

    path: str
    holds: str


def prediction_fields(dataset: Any) -> list[Choice]:
    """Classifications, and plain vectors named like probabilities."""
    schema = dataset.get_field_schema()
    flat = dataset.get_field_schema(flat=True)
    choices = []
    for path, field in schema.items():
        if document_type(field) is fo.Classification:
            vector = class_vector_path(flat, path)
            holds = (
                vector.rsplit(".", 1)[1]
                if vector and not vector.endswith(".logits")
                else "logits, or label and confidence where there are none"
            )
            choices.append(Choice(path, holds))
        elif is_vector(field) and path in VECTOR_ATTRIBUTES:
            choices.append(Choice(path, "a vector a sample"))
    # A model's output before what is likely to be the truth.
    return sorted(choices, key=lambda choice: choice.path == "ground_truth")


def object_fields(dataset: Any) -> list[Choice]:
    """Labels with several predictions a sample: boxes, polylines, keypoints, tags."""
    flat = dataset.get_field_schema(flat=True)
    choices = []
    for path, field in dataset.get_field_schema().items():
        kind = document_type(field)
        if kind in LIST_OF:
            root = f"{path}.{LIST_OF[kind]}"
            vector = next((a for a in VECTOR_ATTRIBUTES if f"{root}.{a}" in flat), "confidences")
            choices.append(Choice(path, f"{kind.__name__}, with {vector}"))
    return sorted(choices, key=lambda choice: choice.path == "ground_truth")


def detection_fields(dataset: Any) -> list[Choice]:
    """Fields of objects that have boxes."""
    return [
        choice
        for choice in object_fields(dataset)
        if document_type(dataset.get_field(choice.path)) is fo.Detections
    ]


def map_fields(dataset: Any) -> list[Choice]:
    """Predictions of pixels: heatmaps, segmentations with class maps, arrays, paths of arrays."""
    flat = dataset.get_field_schema(flat=True)
    choices = []
    for path, field in dataset.get_field_schema().items():
        if path not in OWN_FIELDS and any(map_paths(flat, path)):
            kind = document_type(field)
            holds = kind.__name__ if kind else "paths of arrays" if is_text(field) else "arrays"
            if kind or not is_text(field) or path.endswith("_path"):
                choices.append(Choice(path, holds))
    return choices


def map_paths(flat: dict[str, Any], path: str) -> tuple[str | None, str | None]:
    """Where a field holds maps of its samples' pixels: as arrays, and as paths of files."""
    field = flat.get(path)
    kind = document_type(field)
    if kind is fo.Heatmap:
        return f"{path}.map", f"{path}.map_path"
    if kind is fo.Segmentation:
        arrays = [f"{path}.{name}" for name in VECTOR_ATTRIBUTES]
        return (
            next((one for one in arrays if one in flat), None),
            next((f"{one}_path" for one in arrays if f"{one}_path" in flat), None),
        )
    if isinstance(field, fo.ArrayField):
        return path, None
    return None, path if is_text(field) else None


def is_text(field: Any) -> bool:
    """Whether a field holds text."""
    return isinstance(field, fo.StringField)


def member_fields(dataset: Any) -> list[Choice]:
    """Arrays of several predictions a sample, such as those of dropout."""
    return [
        Choice(path, "arrays, (T, C)")
        for path, field in dataset.get_field_schema(flat=True).items()
        if isinstance(field, fo.ArrayField)
        and not path.endswith((".map", ".mask"))
        and not inside_list(dataset, path)
    ]


def uncertain_fields(dataset: Any) -> list[Choice]:
    """Predictions of samples, of objects and of pixels."""
    return prediction_fields(dataset) + object_fields(dataset) + map_fields(dataset)


def embedding_fields(dataset: Any) -> list[Choice]:
    """Vector fields, and similarity runs of whole images."""
    flat = dataset.get_field_schema(flat=True)
    choices = [
        Choice(path, "a vector field")
        for path, field in flat.items()
        if is_vector(field)
        and path not in OWN_FIELDS
        and path.rsplit(".", 1)[-1] not in VECTOR_ATTRIBUTES
        and not inside_list(dataset, path)
    ]
    return choices + [Choice(key, "a similarity run") for key in similarity_runs(dataset)]


def number_fields(dataset: Any) -> list[Choice]:
    """Numbers, booleans and dates, dotted paths included."""
    return [
        Choice(path, type(field).__name__.removesuffix("Field").lower())
        for path, field in dataset.get_field_schema(flat=True).items()
        if isinstance(field, NUMBERS) and path not in OWN_FIELDS and not inside_list(dataset, path)
    ]


def category_fields(dataset: Any) -> list[Choice]:
    """Strings and booleans, labels' names among them."""
    return [
        Choice(path, "a category")
        for path, field in dataset.get_field_schema(flat=True).items()
        if isinstance(field, (fo.StringField, fo.BooleanField))
        and path not in OWN_FIELDS
        and not path.startswith("metadata.")
        and not inside_list(dataset, path)
    ]


def group_fields(dataset: Any) -> list[Choice]:
    """What may tell which samples belong together: strings, whole numbers, the groups themselves."""
    flat = dataset.get_field_schema(flat=True)
    groups = [Choice(f"{dataset.group_field}.id", "the groups")] if dataset.group_field else []
    return groups + [
        Choice(path, "a category" if is_text(field) else "a whole number")
        for path, field in flat.items()
        if isinstance(field, (fo.StringField, fo.IntField))
        and path not in OWN_FIELDS
        and not path.startswith("metadata.")
        and not inside_list(dataset, path)
    ]


def class_fields(dataset: Any) -> list[Choice]:
    """What can be balanced: predictions, objects, categories, numbers and dates."""
    predictions = prediction_fields(dataset)
    taken = {choice.path for choice in predictions}
    categories = [c for c in category_fields(dataset) if c.path.rsplit(".", 1)[0] not in taken]
    known = {choice.path for choice in categories}
    numbers = [c for c in number_fields(dataset) if c.path not in known]
    numbers = [c for c in numbers if c.path.rsplit(".", 1)[0] not in taken]
    return predictions + object_fields(dataset) + categories + numbers


def declared_classes(dataset: Any, field: str) -> list[str]:
    """The class names that the dataset declares for a field, or for all of them."""
    names = (field, field.removesuffix(".members"), field.split(".", 1)[0])
    found = next((dataset.classes[one] for one in names if dataset.classes.get(one)), None)
    return list(map(str, found or dataset.default_classes or []))


def label_fields(dataset: Any) -> list[Choice]:
    """Fields that hold labels of any kind."""
    choices = []
    for path, field in dataset.get_field_schema().items():
        kind = document_type(field)
        if kind is not None and issubclass(kind, fo.Label):
            choices.append(Choice(path, kind.__name__))
    return choices


def truth_fields(dataset: Any) -> list[Choice]:
    """Fields that may hold true classes: Classifications, and strings."""
    labels = [one for one in label_fields(dataset) if one.holds == "Classification"]
    texts = [
        one
        for one in category_fields(dataset)
        if "." not in one.path and is_text(dataset.get_field(one.path))
    ]
    return labels + texts


def usual_truth(dataset: Any) -> str | None:
    """The field that by its name holds the truth, where it may."""
    paths = [one.path for one in truth_fields(dataset)]
    return "ground_truth" if "ground_truth" in paths else None


def truth_path(dataset: Any, name: str) -> str:
    """Where the names of a field's true classes are.

    Raises:
        InvalidInput: there is no such field, or it holds something else.
    """
    field = dataset.get_field(name)
    if field is None:
        raise InvalidInput(f"label_field: {dataset.name!r} has no field {name!r}")
    kind = document_type(field)
    if kind is fo.Classification:
        return f"{name}.label"
    if not is_text(field):
        held = kind.__name__ if kind is not None else type(field).__name__
        raise InvalidInput(f"label_field: {name!r} holds {held}; it takes Classification or strings")
    return name


def similarity_runs(dataset: Any) -> list[str]:
    """Brain keys of similarity runs over whole images."""
    keys = []
    for key in dataset.list_brain_runs(type="similarity"):
        config = dataset.get_brain_info(key).config
        if not getattr(config, "patches_field", None):
            keys.append(key)
    return keys


def document_type(field: Any) -> Any:
    """The label class of an embedded document field, else None."""
    return field.document_type if isinstance(field, fo.EmbeddedDocumentField) else None


def class_vector_path(flat: dict[str, Any], path: str) -> str | None:
    """Where a Classification field holds its vector over the classes."""
    for attribute in VECTOR_ATTRIBUTES:
        if f"{path}.{attribute}" in flat:
            return f"{path}.{attribute}"
    return None


def inside_list(dataset: Any, path: str) -> bool:
    """Whether the path goes through a list, and so has several values a sample."""
    parts = path.split(".")
    return any(
        isinstance(dataset.get_field(".".join(parts[:end])), fo.ListField)
        for end in range(1, len(parts))
    )


def only(choices: list[Choice], what: str) -> str:
    """The one field that fits, or among several the one with the usual name.

    Raises:
        InvalidInput: there is none, or it is not clear which.
    """
    if not choices:
        raise InvalidInput(f"{what}: the dataset has no field that fits; name one")
    usual = [choice.path for choice in choices if choice.path == what]
    if usual or len(choices) == 1:
        return (usual or [choices[0].path])[0]
    names = ", ".join(repr(choice.path) for choice in choices)
    raise InvalidInput(f"several fields could be the {what}: {names}; name the one")


def first(choices: list[Choice], what: str) -> str:
    """The first field that fits, as a form proposes it.

    Raises:
        InvalidInput: there is none.
    """
    return choices[0].path if choices else only(choices, what)


def is_vector(field: Any) -> bool:
    """Whether a field holds vectors: a vector field, or a list of numbers."""
    if isinstance(field, fo.VectorField):
        return True
    return isinstance(field, fo.ListField) and isinstance(field.field, (fo.FloatField, fo.IntField))
