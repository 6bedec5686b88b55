"""What kind of labels a field takes, and which classes these may have."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import fiftyone as fo

from ...alcore import InvalidInput
from ..dataset.fields import declared_classes, document_type
from ..dataset.stored_schema import LIST_OF
from ..dataset.views import all_slices

# How FiftyOne's backends call what a field holds.
TYPES: dict[type, str] = {
    fo.Classification: "classification",
    fo.Classifications: "classifications",
    fo.Detections: "detections",
    fo.Polylines: "polylines",
    fo.Keypoints: "keypoints",
}
# Objects with masks, which are Detections too.
INSTANCES = "instances"
DOCUMENTS = {name: document for document, name in TYPES.items()} | {INSTANCES: fo.Detections}


@dataclass(frozen=True)
class Kind:
    """The labels that a field takes.

    Attributes:
        field: the field.
        document: the class of its labels, such as ``fo.Detections``.
        classes: the names that labels may have.
        masks: whether masks of objects are drawn, and not boxes.
    """

    field: str
    document: Any
    classes: tuple[str, ...]
    masks: bool = False

    @property
    def type(self) -> str:
        """How FiftyOne's backends call it, such as "detections"."""
        return INSTANCES if self.masks else TYPES[self.document]

    @property
    def list_name(self) -> str | None:
        """The attribute that lists the labels, such as "detections"; None for a single label."""
        return LIST_OF.get(self.document)


def kind_of(
    dataset: Any,
    field: str,
    prelabels: str | None = None,
    label_type: str | None = None,
    classes: Sequence[str] | None = None,
) -> Kind:
    """Return the labels that a field takes.

    Args:
        dataset: the dataset.
        field: the field of the labels; it need not exist yet.
        prelabels: a field of predictions, whose kind a new field has too.
        label_type: the kind of a new field, such as "detections"; default: that of ``prelabels``. With
            "instances" the objects of ``fo.Detections`` are drawn as masks.
        classes: the names that labels may have. Default: those that the dataset declares, else those
            that occur in the field and in ``prelabels``.

    Raises:
        InvalidInput: if the field cannot hold such labels, if ``prelabels`` holds labels of another
            kind, or if no class is known.
    """
    if not field:
        raise InvalidInput("label_field: name the field of the labels")
    document = _document(dataset, field, prelabels, label_type)
    if prelabels:
        held = document_type(dataset.get_field(prelabels))
        if held is not document:
            raise InvalidInput(
                f"prelabels: {prelabels!r} holds {_name(dataset, prelabels)}, and {field!r} takes "
                f"{document.__name__}"
            )
    names = list(classes or []) or declared_classes(dataset, field)
    if not names:
        seen = [_seen(dataset, path, document) for path in (field, prelabels) if path]
        names = sorted(set().union(*seen))
    if not names:
        raise InvalidInput(
            f"classes: none is declared for {field!r}, and none occurs in it; name them in classes"
        )
    return Kind(field, document, tuple(dict.fromkeys(map(str, names))), label_type == INSTANCES)


def every_class(dataset: Any, field: str, classes: Sequence[str] | None = None) -> list[str]:
    """Return the classes that are given, or declared for a field, and all others that occur in it."""
    first = list(classes or declared_classes(dataset, field))
    seen = _seen(dataset, field, document_type(dataset.get_field(field)))
    return list(dict.fromkeys([*first, *sorted(seen)]))


def _document(dataset: Any, field: str, prelabels: str | None, label_type: str | None) -> Any:
    """Return the class of a field's labels, also of a field that does not exist yet."""
    if label_type and label_type not in DOCUMENTS:
        raise InvalidInput(f"label_type: {label_type!r} should be one of {', '.join(DOCUMENTS)}")
    stored = dataset.get_field(field)
    if "." in field:
        raise InvalidInput(f"label_field: {field!r} lies inside another field; name one of samples")
    if stored is not None:
        document = document_type(stored)
        if document not in TYPES:
            # FiftyOne reads one class alone of a Segmentation from Label Studio.
            masks = f"; for masks take Detections, with the label_type {INSTANCES!r}"
            raise InvalidInput(
                f"label_field: {field!r} holds {_name(dataset, field)}, which cannot be annotated; it "
                f"takes {', '.join(one.__name__ for one in TYPES)}"
                f"{masks if document is fo.Segmentation else ''}"
            )
        if label_type and DOCUMENTS[label_type] is not document:
            raise InvalidInput(f"label_type: {field!r} holds {document.__name__}, and not {label_type}")
        return document
    if not field.isidentifier():
        raise InvalidInput(f"label_field: {field!r} cannot be the name of a field")
    if label_type:
        return DOCUMENTS[label_type]
    document = document_type(dataset.get_field(prelabels)) if prelabels else None
    if document in TYPES:
        return document
    raise InvalidInput(
        f"label_field: {dataset.name!r} has no field {field!r}; say in label_type which kind of labels "
        f"it shall hold: {', '.join(DOCUMENTS)}"
    )


def _name(dataset: Any, field: str) -> str:
    stored = dataset.get_field(field)
    if stored is None:
        raise InvalidInput(f"prelabels: {dataset.name!r} has no field {field!r}")
    document = document_type(stored)
    return document.__name__ if document is not None else type(stored).__name__


def _seen(dataset: Any, field: str, document: Any) -> set[str]:
    if dataset.get_field(field) is None:
        return set()
    inside = f"{field}.{LIST_OF[document]}" if document in LIST_OF else field
    return {one for one in all_slices(dataset).distinct(f"{inside}.label") if one}
