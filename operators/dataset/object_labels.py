"""A selection of objects in a dataset: the rank and tag of the chosen labels, and the view of them."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import fiftyone as fo
from fiftyone import ViewField

from .fields import document_type
from .fiftyone_private import dataset_of, stages_of
from .object_fields import list_path
from .views import all_slices, views_of

# Sample id and label id. A label id alone may be ambiguous, because a copied label keeps its id.
Pair = tuple[str, str]
PATCHES = (fo.Detections, fo.Polylines, fo.Keypoints)


def count_objects(view: Any, objects: str) -> int:
    """Return the number of labels in a field of label lists, over all samples of a view.

    Raises:
        InvalidInput: if the field does not hold a list of labels.
    """
    return int(view.sum(ViewField(list_path(dataset_of(view), objects)).length()) or 0)


def has_tag(dataset: Any, objects: str, tag: str, pairs: list[Pair]) -> set[Pair]:
    """Return those of the labels that have the tag."""
    return {pair for pair, tags in _tags(dataset, objects, pairs).items() if tag in tags}


def count_tag(dataset: Any, objects: str, tag: str) -> int:
    """Return the number of labels that have the tag."""
    counts = all_slices(dataset).count_values(f"{list_path(dataset, objects)}.tags")
    return int(counts.get(tag, 0))


def add_tag(dataset: Any, objects: str, tag: str, pairs: list[Pair]) -> None:
    """Add a tag to those labels that do not have it, given as pairs of sample id and label id."""
    found = _tags(dataset, objects, pairs)
    values = [(pair, [*tags, tag]) for pair, tags in found.items() if tag not in tags]
    _set(dataset, f"{list_path(dataset, objects)}.tags", values)


def set_ranks(dataset: Any, rank_field: str, pairs: list[Pair]) -> None:
    """Write the ranks of the labels, from 1, in the order of ``pairs``."""
    _set(dataset, rank_field, zip(pairs, range(1, len(pairs) + 1), strict=True))


def chosen_objects(dataset: Any, objects: str, rank_field: str) -> Any:
    """Return a view of the chosen labels as patches, in the order in which they were chosen.

    If FiftyOne cannot show them as patches, it is a view of the samples with only these labels.
    """
    view = all_slices(dataset)
    for stage in _stages(objects, rank_field, _has_patches(dataset, objects)):
        view = view.add_stage(stage)
    return view


def chosen_objects_stages(
    dataset: Any, objects: str, rank_field: str, as_patches: bool | None = None
) -> list[Any]:
    """Return the stages of ``chosen_objects``, without creating any patches.

    ``as_patches`` says whether FiftyOne could show them as patches when the field existed; None for
    whether it can now.
    """
    as_patches = _has_patches(dataset, objects) if as_patches is None else as_patches
    return [*stages_of(all_slices(dataset)), *_stages(objects, rank_field, as_patches)]


def _has_patches(dataset: Any, objects: str) -> bool:
    view = all_slices(dataset)
    return view.media_type == "image" and document_type(view.get_field(objects)) in PATCHES


def _stages(objects: str, rank_field: str, as_patches: bool) -> list[Any]:
    root, name = rank_field.rsplit(".", 1)
    # Not by ViewField, which writes another expression once the stage is part of a view.
    found = fo.FilterLabels(objects, {"$gt": [f"$$this.{name}", None]})
    if as_patches:
        return [found, fo.ToPatches(objects), fo.SortBy(f"{objects}.{name}")]
    # The samples are sorted by the lowest rank among their labels.
    return [found, fo.SortBy(ViewField(root).map(ViewField(name)).min())]


def _tags(dataset: Any, objects: str, pairs: list[Pair]) -> dict[Pair, list[str]]:
    """Return the tags of those labels that still exist."""
    root = list_path(dataset, objects)
    samples = list(dict.fromkeys(sample for sample, _ in pairs))
    wanted, found = set(pairs), {}
    for view in views_of(dataset, samples):
        rows = view.values(["id", f"{root}.id", f"{root}.tags"])
        for sample, labels, tags in zip(*rows, strict=True):
            for label, mine in zip(labels or [], tags or [], strict=True):
                if (sample, label) in wanted:
                    found[sample, label] = list(mine or [])
    return found


def _set(dataset: Any, path: str, values: Iterable[tuple[Pair, Any]]) -> None:
    # Sample ids are included because MongoDB would otherwise search all labels for each label id.
    listed = [
        {"sample_id": sample, "label_id": label, "value": value} for (sample, label), value in values
    ]
    if listed:
        dataset.set_label_values(path, listed)
