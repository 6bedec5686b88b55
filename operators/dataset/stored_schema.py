"""The schema of a dataset, with attributes of labels that are stored but not declared.

``fo.Classification(..., probs=p)`` stores ``probs``, and FiftyOne does not declare it by itself.
"""

from __future__ import annotations

from collections.abc import Iterable
from datetime import datetime
from typing import Any

import fiftyone as fo

from .arrays import ArrayDecoder
from .fiftyone_private import stored_labels

LABELS_READ = 50
LIST_OF = {
    fo.Detections: "detections",
    fo.Polylines: "polylines",
    fo.Keypoints: "keypoints",
    fo.Classifications: "classifications",
}
PLAIN: dict[type, type] = {
    bool: fo.BooleanField,
    int: fo.IntField,
    float: fo.FloatField,
    str: fo.StringField,
    datetime: fo.DateTimeField,
}


def schema_of(dataset: Any) -> dict[str, Any]:
    """Return the flat schema of a dataset: paths to fields, those declared first.

    An attribute that is not declared is found if one of the first ``LABELS_READ`` labels has it.
    """
    flat = dict(dataset.get_field_schema(flat=True))
    roots = {path: field.document_type for path, field in label_roots(flat).items()}
    for path, labels in stored_labels(dataset, list(roots), LABELS_READ).items():
        inside = LIST_OF.get(roots[path])
        root = f"{path}.{inside}" if inside else path
        parts = labels if not inside else [one for label in labels for one in label.get(inside) or []]
        for name, value in _attributes(parts).items():
            if f"{root}.{name}" not in flat:
                flat[f"{root}.{name}"] = _field_of(value)
    return {path: field for path, field in flat.items() if field is not None}


def label_roots(flat: dict[str, Any]) -> dict[str, Any]:
    """Return the label fields of samples by path, also inside embedded documents but not in lists."""
    found = {}
    for path, field in flat.items():
        parents = [flat.get(path[:end]) for end, char in enumerate(path) if char == "."]
        inside = any(isinstance(one, fo.ListField) or _is_label(one) for one in parents)
        if _is_label(field) and not inside and not path.startswith("frames."):
            found[path] = field
    return found


def _is_label(field: Any) -> bool:
    kind = field.document_type if isinstance(field, fo.EmbeddedDocumentField) else None
    return kind is not None and issubclass(kind, fo.Label)


def _attributes(labels: Iterable[dict[str, Any]]) -> dict[str, Any]:
    """Return the first value of each attribute."""
    found: dict[str, Any] = {}
    for label in labels:
        for name, value in label.items():
            if value is not None and not name.startswith("_"):
                found.setdefault(name, value)
    return found


def _field_of(value: Any) -> Any:
    """Return a field of the type of a stored value; None if it is of no use."""
    if isinstance(value, bytes):
        try:
            dimensions = ArrayDecoder()(value).ndim
        except (ValueError, TypeError, OSError):
            return None
        return fo.VectorField() if dimensions == 1 else fo.ArrayField()
    if isinstance(value, list):
        numbers = value and all(isinstance(one, (int, float)) for one in value)
        return fo.ListField(fo.FloatField()) if numbers else None
    kind = PLAIN.get(type(value))
    return kind() if kind else None
