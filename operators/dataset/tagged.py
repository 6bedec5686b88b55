"""Finds samples or objects with a tag."""

from __future__ import annotations

from typing import Any

from fiftyone import ViewField

from ...alcore import InvalidInput
from .object_fields import list_path
from .views import all_slices


def tagged(dataset: Any, tag: str | None, objects: str | None = None) -> list[str]:
    """Return the ids of the samples with a tag, or of the objects of a field with it.

    Raises:
        InvalidInput: if no tag is given, or if nothing has the tag.
    """
    if not tag:
        raise InvalidInput("example_tag: name the tag of the examples")
    view = all_slices(dataset)
    if objects:
        view = view.filter_labels(objects, ViewField("tags").contains(tag))
        lists = view.values(f"{list_path(dataset, objects)}.id")
        ids = [one for labels in lists for one in labels or []]
    else:
        ids = view.match_tags(tag).values("id")
    if not ids:
        raise InvalidInput(f"example_tag: nothing has the tag {tag!r}")
    return ids
