"""A selection of objects in a dataset: the rank and tag of the chosen labels, and the view of them."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Any

import fiftyone as fo
from fiftyone import ViewField

from .fields import document_type
from .fiftyone_private import dataset_of, every_slice, plain_stages, stages_of
from .object_fields import list_path

# Sample id and label id. A label id alone may be ambiguous, because a copied label keeps its id.
Pair = tuple[str, str]
PATCHES = (fo.Detections, fo.Polylines, fo.Keypoints)


def all_slices(dataset: Any) -> Any:
    """Return the samples of a dataset; for a grouped dataset, those of all slices."""
    if dataset.media_type == "group":
        return every_slice(dataset)
    return dataset.view()


def count_objects(view: Any, objects: str) -> int:
    """Return the number of labels in a field of label lists, over all samples of a view.

    Raises:
        InvalidInput: if the field does not hold a list of labels.
    """
    return int(view.sum(ViewField(list_path(dataset_of(view), objects)).length()) or 0)


def without_tag(dataset: Any, objects: str, tag: str, pairs: list[Pair]) -> list[Pair]:
    """Return the labels that do not have the tag."""
    found = _tags(dataset, objects, pairs)
    return [pair for pair in pairs if tag not in found.get(pair, [])]


def count_tag(dataset: Any, objects: str, tag: str) -> int:
    """Return the number of labels that have the tag."""
    counts = all_slices(dataset).count_values(f"{list_path(dataset, objects)}.tags")
    return int(counts.get(tag, 0))


def add_tag(dataset: Any, objects: str, tag: str, pairs: list[Pair]) -> None:
    """Add a tag to labels, given as pairs of a sample's id and a label's id."""
    _change_tags(dataset, objects, pairs, lambda tags: [*tags, tag])


def remove_tag(dataset: Any, objects: str, tag: str, pairs: list[Pair]) -> None:
    """Remove a tag from labels. A label, or the whole field, that no longer exists is ignored."""
    if dataset.get_field(objects) is None:
        return
    _change_tags(dataset, objects, pairs, lambda tags: [one for one in tags if one != tag])


def set_ranks(dataset: Any, rank_field: str, pairs: list[Pair]) -> None:
    """Write the ranks of the labels, from 1, in the order of ``pairs``."""
    _set(dataset, rank_field, zip(pairs, range(1, len(pairs) + 1), strict=True))


def chosen_objects(dataset: Any, objects: str, rank_field: str) -> Any:
    """Return a view of the chosen labels as patches, in the order in which they were chosen.

    If FiftyOne cannot show them as patches, it is a view of the samples with only these labels.
    """
    found = _filtered(dataset, objects, rank_field)
    if not _has_patches(found, objects):
        return _in_order(found, rank_field)
    return found.to_patches(objects).sort_by(_rank_of_patch(objects, rank_field))


def shows_objects(view: Any, objects: str, rank_field: str) -> bool:
    """Return whether a view equals that of ``chosen_objects``, without creating any patches."""
    dataset = dataset_of(view)
    if dataset.get_field(objects) is None:
        return False
    found = _filtered(dataset, objects, rank_field)
    if _has_patches(found, objects):
        order = fo.SortBy(_rank_of_patch(objects, rank_field))
        stages = [*stages_of(found), fo.ToPatches(objects), order]
    else:
        stages = stages_of(_in_order(found, rank_field))
    return plain_stages(stages_of(view)) == plain_stages(stages)


def _filtered(dataset: Any, objects: str, rank_field: str) -> Any:
    name = rank_field.rsplit(".", 1)[1]
    return all_slices(dataset).filter_labels(objects, ViewField(name).exists())


def _has_patches(view: Any, objects: str) -> bool:
    return view.media_type == "image" and document_type(view.get_field(objects)) in PATCHES


def _rank_of_patch(objects: str, rank_field: str) -> str:
    return f"{objects}.{rank_field.rsplit('.', 1)[1]}"


def _in_order(view: Any, rank_field: str) -> Any:
    """Sort the samples by the lowest rank among their labels."""
    root, name = rank_field.rsplit(".", 1)
    return view.sort_by(ViewField(root).map(ViewField(name)).min())


def _change_tags(
    dataset: Any, objects: str, pairs: list[Pair], change: Callable[[list[str]], list[str]]
) -> None:
    found = _tags(dataset, objects, pairs)
    values = [(pair, change(found[pair])) for pair in pairs if pair in found]
    _set(dataset, f"{list_path(dataset, objects)}.tags", values)


def _tags(dataset: Any, objects: str, pairs: list[Pair]) -> dict[Pair, list[str]]:
    """Return the tags of those labels that still exist."""
    root = list_path(dataset, objects)
    samples = list(dict.fromkeys(sample for sample, _ in pairs))
    view = all_slices(dataset).select(samples)
    wanted, found = set(pairs), {}
    for sample, labels, tags in zip(*view.values(["id", f"{root}.id", f"{root}.tags"]), strict=True):
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
