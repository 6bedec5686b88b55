"""Finds the fields of a dataset that fit a purpose."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Any

import fiftyone as fo

from ...alcore import InvalidInput
from .fiftyone_private import stored_labels
from .stored_schema import LIST_OF, label_roots, schema_of

# The attributes in which a label may hold one number per class, in order of preference.
VECTOR_ATTRIBUTES = ("probs", "probabilities", "logits")
OWN_FIELDS = {"id", "tags", "filepath", "created_at", "last_modified_at"}
# What a name says of a field of labels, and attributes that labels by people do not have.
LIKE_PREDICTIONS = re.compile(r"pred|model|infer|logit|prob|score|auto_?lab|eval", re.IGNORECASE)
LIKE_LABELS = re.compile(r"truth|label|annot|(^|_)gt|target|class", re.IGNORECASE)
LIKE_EMBEDDINGS = re.compile(r"emb|feat|vec|clip|dino|resnet|similar", re.IGNORECASE)
SCORES = ("confidence", "logits", "prob", "members", "scores")
LABELED_KINDS = {
    *("Classification", "Classifications", "Detections", "Polylines", "Keypoints"),
    *("Segmentation", "TemporalDetections"),
}
LABELS_SEEN = 10
NUMBERS = (fo.FloatField, fo.IntField, fo.BooleanField, fo.DateField, fo.DateTimeField)


@dataclass(frozen=True)
class Choice:
    """A field that fits, and a short description of what it holds."""

    path: str
    holds: str


def prediction_fields(dataset: Any) -> list[Choice]:
    """Return the Classification fields, and plain vectors that are named like probabilities."""
    flat = schema_of(dataset)
    choices = []
    for path, field in _of_samples(flat).items():
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
    # The output of a model comes before ``ground_truth``, which is probably not a prediction.
    return sorted(choices, key=lambda choice: choice.path == "ground_truth")


def object_fields(dataset: Any) -> list[Choice]:
    """Return the fields of label lists, per sample: boxes, polylines, keypoints or tags."""
    flat = schema_of(dataset)
    choices = []
    for path, field in _of_samples(flat).items():
        kind = document_type(field)
        if kind in LIST_OF:
            root = f"{path}.{LIST_OF[kind]}"
            vector = next((a for a in VECTOR_ATTRIBUTES if f"{root}.{a}" in flat), "confidences")
            choices.append(Choice(path, f"{kind.__name__}, with {vector}"))
    return sorted(choices, key=lambda choice: choice.path == "ground_truth")


def evaluation_of(dataset: Any, path: str) -> str | None:
    """Return the key of the last evaluation of a field of objects; None where it has none."""
    root = f"{path}.{LIST_OF.get(document_type(dataset.get_field(path)), '')}"
    infos = [dataset.get_evaluation_info(key) for key in dataset.list_evaluations()]
    found = [
        (one.timestamp, one.key)
        for one in infos
        if getattr(one.config, "pred_field", None) == path and dataset.get_field(f"{root}.{one.key}")
    ]
    return max(found)[1] if found else None


def detection_fields(dataset: Any) -> list[Choice]:
    """Return the fields of objects that have bounding boxes."""
    return [
        choice
        for choice in object_fields(dataset)
        if document_type(dataset.get_field(choice.path)) is fo.Detections
    ]


def map_fields(dataset: Any) -> list[Choice]:
    """Return the fields of predictions per pixel: heatmaps, segmentations with class maps, arrays, and
    paths of arrays.
    """
    flat = schema_of(dataset)
    choices = []
    for path, field in _of_samples(flat).items():
        if path not in OWN_FIELDS and any(map_paths(flat, path)):
            kind = document_type(field)
            holds = kind.__name__ if kind else "paths of arrays" if is_text(field) else "arrays"
            if kind or not is_text(field) or path.endswith("_path"):
                choices.append(Choice(path, holds))
    return choices


def map_paths(flat: dict[str, Any], path: str) -> tuple[str | None, str | None]:
    """Return the path of a field's pixel maps as arrays, and the path of their file names.

    Either is None if the field does not have it.
    """
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


def _of_samples(flat: dict[str, Any]) -> dict[str, Any]:
    """Return the top-level fields, and the labels inside embedded documents."""
    return {path: field for path, field in flat.items() if "." not in path} | label_roots(flat)


def is_text(field: Any) -> bool:
    """Return whether a field holds text."""
    return isinstance(field, fo.StringField)


def member_fields(dataset: Any) -> list[Choice]:
    """Return the fields with arrays of several predictions per sample, such as those of dropout."""
    return [
        Choice(path, "arrays, (T, C)")
        for path, field in schema_of(dataset).items()
        if isinstance(field, fo.ArrayField)
        and not path.endswith((".map", ".mask"))
        and not inside_list(dataset, path)
    ]


def uncertain_fields(dataset: Any) -> list[Choice]:
    """Return the fields of predictions for samples, objects and pixels."""
    return prediction_fields(dataset) + object_fields(dataset) + map_fields(dataset)


def embedding_fields(dataset: Any) -> list[Choice]:
    """Return the vector fields, and the similarity runs over whole images; the likeliest first."""
    flat = schema_of(dataset)
    choices = [
        Choice(path, "a vector field")
        for path, field in flat.items()
        if is_vector(field)
        and path not in OWN_FIELDS
        and path.rsplit(".", 1)[-1] not in VECTOR_ATTRIBUTES
        and document_type(flat.get(path.removesuffix(".range"))) is not fo.Heatmap
        and not inside_list(dataset, path)
    ]
    choices += [Choice(key, "a similarity run") for key in similarity_runs(dataset)]
    return sorted(choices, key=lambda one: LIKE_EMBEDDINGS.search(one.path) is None)


def number_fields(dataset: Any) -> list[Choice]:
    """Return the fields of numbers, booleans and dates, including nested fields."""
    return [
        Choice(path, type(field).__name__.removesuffix("Field").lower())
        for path, field in dataset.get_field_schema(flat=True).items()
        if isinstance(field, NUMBERS) and path not in OWN_FIELDS and not inside_list(dataset, path)
    ]


def category_fields(dataset: Any) -> list[Choice]:
    """Return the fields of strings and booleans, including the class names of labels."""
    return [
        Choice(path, "a category")
        for path, field in dataset.get_field_schema(flat=True).items()
        if isinstance(field, (fo.StringField, fo.BooleanField))
        and path not in OWN_FIELDS
        and not path.startswith("metadata.")
        and not inside_list(dataset, path)
    ]


def group_fields(dataset: Any) -> list[Choice]:
    """Return the fields that may tell which samples belong together: strings, integers, group ids."""
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
    """Return the fields that can be balanced: predictions, objects, categories, numbers and dates."""
    predictions = prediction_fields(dataset)
    taken = {choice.path for choice in predictions}
    categories = [c for c in category_fields(dataset) if c.path.rsplit(".", 1)[0] not in taken]
    known = {choice.path for choice in categories}
    numbers = [c for c in number_fields(dataset) if c.path not in known]
    numbers = [c for c in numbers if c.path.rsplit(".", 1)[0] not in taken]
    return predictions + object_fields(dataset) + categories + numbers


def declared_classes(dataset: Any, field: str) -> list[str]:
    """Return the class names that the dataset declares for a field, else its default classes."""
    names = (field, field.removesuffix(".members"), field.split(".", 1)[0])
    found = next((dataset.classes[one] for one in names if dataset.classes.get(one)), None)
    return list(map(str, found or dataset.default_classes or []))


def label_fields(dataset: Any) -> list[Choice]:
    """Return the fields that hold labels of any type."""
    choices = []
    for path, field in label_roots(dataset.get_field_schema(flat=True)).items():
        kind = document_type(field)
        if kind is not None and issubclass(kind, fo.Label):
            choices.append(Choice(path, kind.__name__))
    return choices


def likely_labels(dataset: Any) -> list[Choice]:
    """Return the fields that seem to hold labels by people, the likeliest first.

    If there is a field "ground_truth", it is the only one. Else these are the fields of labels that are
    not named like predictions and whose first labels have neither a confidence nor scores of classes;
    those named like labels come first.
    """
    choices = [one for one in label_fields(dataset) if one.holds in LABELED_KINDS]
    usual = [one for one in choices if one.path == "ground_truth"]
    if usual:
        return usual
    choices = [one for one in choices if not LIKE_PREDICTIONS.search(one.path)]
    stored = stored_labels(dataset, [one.path for one in choices], LABELS_SEEN)
    kinds = {kind.__name__: name for kind, name in LIST_OF.items()}

    def is_predicted(choice: Choice) -> bool:
        labels, inside = stored[choice.path], kinds.get(choice.holds)
        parts = [*labels, *(one for label in labels for one in label.get(inside) or [])]
        names = {name for part in parts for name, value in part.items() if value is not None}
        return any(name.startswith(SCORES) for name in names)

    found = [one for one in choices if not is_predicted(one)]
    return sorted(found, key=lambda one: LIKE_LABELS.search(one.path) is None)


def truth_fields(dataset: Any) -> list[Choice]:
    """Return the fields that may hold true classes: Classifications and strings."""
    labels = [one for one in label_fields(dataset) if one.holds == "Classification"]
    texts = [
        one
        for one in category_fields(dataset)
        if "." not in one.path and is_text(dataset.get_field(one.path))
    ]
    return labels + texts


def usual_truth(dataset: Any) -> str | None:
    """Return "ground_truth" if there is such a field and it can hold true classes, else None."""
    paths = [one.path for one in truth_fields(dataset)]
    return "ground_truth" if "ground_truth" in paths else None


def truth_path(dataset: Any, name: str) -> str:
    """Return the path of the class names in a field of true classes.

    Raises:
        InvalidInput: if there is no such field, or if it holds neither Classifications nor strings.
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
    """Return the brain keys of the similarity runs over whole images."""
    keys = []
    for key in dataset.list_brain_runs(type="similarity"):
        config = dataset.get_brain_info(key).config
        if not getattr(config, "patches_field", None):
            keys.append(key)
    return keys


def document_type(field: Any) -> Any:
    """Return the document class of an embedded document field, such as a label class; else None."""
    return field.document_type if isinstance(field, fo.EmbeddedDocumentField) else None


def class_vector_path(flat: dict[str, Any], path: str) -> str | None:
    """Return the path of a Classification's vector over the classes; None if it has none."""
    for attribute in VECTOR_ATTRIBUTES:
        if f"{path}.{attribute}" in flat:
            return f"{path}.{attribute}"
    return None


def inside_list(dataset: Any, path: str) -> bool:
    """Return whether a path goes through a list, so that each sample may have several values."""
    parts = path.split(".")
    return any(
        isinstance(dataset.get_field(".".join(parts[:end])), fo.ListField)
        for end in range(1, len(parts))
    )


def only(choices: list[Choice], what: str) -> str:
    """Return the only field that fits; if several fit, the one whose name is ``what``.

    Raises:
        InvalidInput: if no field fits, or if several fit and none is named ``what``.
    """
    if not choices:
        raise InvalidInput(f"{what}: the dataset has no field that fits; name one")
    usual = [choice.path for choice in choices if choice.path == what]
    if usual or len(choices) == 1:
        return (usual or [choices[0].path])[0]
    names = ", ".join(repr(choice.path) for choice in choices)
    raise InvalidInput(f"several fields could be the {what}: {names}; name the one")


def first(choices: list[Choice], what: str) -> str:
    """Return the first field that fits; forms use it as the default.

    Raises:
        InvalidInput: if no field fits.
    """
    return choices[0].path if choices else only(choices, what)


def may_hold_vectors(field: Any) -> bool:
    """Return whether a field holds vectors, or arrays or lists of a type that is not declared."""
    untyped = isinstance(field, fo.ListField) and field.field is None
    return is_vector(field) or untyped or isinstance(field, fo.ArrayField)


def is_vector(field: Any) -> bool:
    """Return whether a field holds vectors: a vector field, or a list of numbers."""
    if isinstance(field, fo.VectorField):
        return True
    return isinstance(field, fo.ListField) and isinstance(field.field, (fo.FloatField, fo.IntField))
