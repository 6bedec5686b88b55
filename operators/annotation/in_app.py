"""Annotation in the App itself: the field, and the schema by which the App offers it."""

from __future__ import annotations

from typing import Any

import fiftyone as fo

from ...alcore import InvalidInput
from .kinds import Kind

# The labels that the App can make of images; it draws no keypoints.
IN_APP = (fo.Classification, fo.Classifications, fo.Detections, fo.Polylines)
AS_BUTTONS = 5  # with more classes than these, the App shows a list


def check_in_app(kind: Kind) -> None:
    """Check that the App can make such labels.

    Raises:
        InvalidInput: if it cannot.
    """
    if kind.masks:
        raise InvalidInput(
            f"to: the App makes no masks; send {kind.field!r} to Label Studio or CVAT, or take the "
            "label_type 'detections'"
        )
    if kind.document not in IN_APP:
        takes = ", ".join(one.__name__ for one in IN_APP)
        raise InvalidInput(
            f"to: the App makes {takes}, and {kind.field!r} takes {kind.document.__name__}"
        )


def offer_in_app(dataset: Any, kind: Kind) -> None:
    """Have the App offer a field for annotation, with its classes. A schema that is there stays."""
    if dataset.get_field(kind.field) is None:
        dataset.add_sample_field(kind.field, fo.EmbeddedDocumentField, embedded_doc_type=kind.document)
    if kind.field not in dataset.label_schemas:
        schema = dataset.generate_label_schemas(kind.field, scan_samples=False)
        schema["classes"] = list(kind.classes)
        schema["component"] = "radio" if len(kind.classes) <= AS_BUTTONS else "dropdown"
        dataset.update_label_schema(kind.field, schema)
    if kind.field not in dataset.active_label_schemas:
        dataset.activate_label_schemas(kind.field)
