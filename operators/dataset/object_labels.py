"""A selection of objects on a dataset: rank and tag of the chosen labels, and how these are shown."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Any

import fiftyone as fo
from fiftyone import ViewField

from .fields import document_type
from .fiftyone_private import dataset_of, every_slice, plain_stages, stages_of
from .object_fields import list_path

# Sample id and label id: a label that was copied keeps its id.
Pair = tuple[str, str]
PATCHES = (fo.Detections, fo.Polylines, fo.Keypoints)


def all_slices(dataset: Any) -> Any:
    """The samples of a dataset, those of every slice where it is grouped."""
    if dataset.media_type == "group":
        return every_slice(dataset)
    return dataset.view()


def count_objects(view: Any, objects: str) -> int:
    """How many labels a field of lists has in a view of samples.

    Raises:
        InvalidInput: the field holds no list of labels.
    """
    return int(view.sum(ViewField(list_path(dataset_of(view), objects)).length()) or 0)


def without_tag(dataset: Any, objects: str, tag: str, pairs: list[Pair]) -> list[Pair]:
    """Those of the labels that do not have the tag."""
    found = _tags(dataset, objects, pairs)
    return [pair for pair in pairs if tag not in found.get(pair, [])]


def count_tag(dataset: Any, objects: str, tag: str) -> int:
    """How many labels have the tag."""
    counts = all_slices(dataset).count_values(f"{list_path(dataset, objects)}.tags")
    return int(counts.get(tag, 0))


def add_tag(dataset: Any, objects: str, tag: str, pairs: list[Pair]) -> None:
    """Add a tag to labels, given as pairs of a sample's id and a label's id."""
    _change_tags(dataset, objects, pairs, lambda tags: [*tags, tag])


def remove_tag(dataset: Any, objects: str, tag: str, pairs: list[Pair]) -> None:
    """Labels that were deleted are passed over, and so is a whole field."""
    if dataset.get_field(objects) is None:
        return
    _change_tags(dataset, objects, pairs, lambda tags: [one for one in tags if one != tag])


def set_ranks(dataset: Any, rank_field: str, pairs: list[Pair]) -> None:
    """Number the labels from 1."""
    _set(dataset, rank_field, zip(pairs, range(1, len(pairs) + 1), strict=True))


def chosen_objects(dataset: Any, objects: str, rank_field: str) -> Any:
    """The chosen labels as patches, in the order chosen; as filtered samples where there are none."""
    found = _filtered(dataset, objects, rank_field)
    if not _has_patches(found, objects):
        return _in_order(found, rank_field)
    return found.to_patches(objects).sort_by(_rank_of_patch(objects, rank_field))


def shows_objects(view: Any, objects: str, rank_field: str) -> bool:
    """Whether a view is that of ``chosen_objects``; draws no patches to see that."""
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
    """Samples by the first rank among their labels."""
    root, name = rank_field.rsplit(".", 1)
    return view.sort_by(ViewField(root).map(ViewField(name)).min())


def _change_tags(
    dataset: Any, objects: str, pairs: list[Pair], change: Callable[[list[str]], list[str]]
) -> None:
    found = _tags(dataset, objects, pairs)
    values = [(pair, change(found[pair])) for pair in pairs if pair in found]
    _set(dataset, f"{list_path(dataset, objects)}.tags", values)


def _tags(dataset: Any, objects: str, pairs: list[Pair]) -> dict[Pair, list[str]]:
    """The tags of labels that there are still."""
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
    # With the samples' ids: by label ids alone MongoDB looks through all labels for each.
    listed = [
        {"sample_id": sample, "label_id": label, "value": value} for (sample, label), value in values
    ]
    if listed:
        dataset.set_label_values(path, listed)
