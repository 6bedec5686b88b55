"""The private names of FiftyOne that the plugin uses, each wrapped in one function.

FiftyOne may change them in any release. No other module of the plugin uses a private name of FiftyOne.
``tests/operators/dataset/test_fiftyone_private.py`` shows which of them no longer work.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from bson import ObjectId
from pymongo import UpdateOne


def dataset_of(collection: Any) -> Any:
    """Return the user's dataset of a dataset or view, also of a view of patches or frames.

    The attribute ``_dataset`` of a view of patches is a temporary dataset. Nothing should be written to
    it.
    """
    return collection._root_dataset


def shows_parts(collection: Any) -> bool:
    """Return whether a view shows parts of samples: patches, frames or clips."""
    return bool(collection._is_generated)


def shows_patches(collection: Any) -> bool:
    """Return whether a view shows patches, either of labels or of an evaluation."""
    return bool(collection._is_patches)


def has_dynamic_groups(collection: Any) -> bool:
    """Return whether a view groups its samples by ``group_by``."""
    return bool(collection._is_dynamic_groups)


def stages_of(view: Any) -> list[Any]:
    """Return all stages of a view in order, including those of the views it was made from."""
    return list(view._all_stages)


def plain_stages(stages: list[Any]) -> list[dict[str, Any]]:
    """Return stages as plain values, which are equal for stages that show the same.

    The ids of the stages and the name of the temporary collection of patches are left out.
    """
    plain = [stage._serialize(include_uuid=False) for stage in stages]
    return [{**one, "kwargs": [pair for pair in one["kwargs"] if pair[0] != "_state"]} for one in plain]


def plain_collection(collection: Any) -> Any:
    """Return a dataset or view as plain values, which differ between different views of a dataset."""
    return collection._serialize()


def shows_the_same(view: Any, other: Any) -> bool:
    """Return whether two views have the same stages; the ids of the stages are ignored."""
    return bool(view._serialize(include_uuids=False) == other._serialize(include_uuids=False))


def label_path(collection: Any, objects: str, attribute: str) -> str:
    """Return the path of an attribute of a field's labels.

    In a view of samples it is like ``predictions.detections.area``; in a view of patches it is like
    ``predictions.area``.
    """
    return str(collection._get_label_field_path(objects, attribute)[1])


def every_slice(dataset: Any) -> Any:
    """Return the samples of all slices of a grouped dataset, of any media type."""
    return dataset.select_group_slices(_allow_mixed=True)


def raw_rows(view: Any, paths: list[str]) -> Iterator[Any]:
    """Iterate over the values of several fields, sample by sample, as stored, in one query.

    Arrays are bytes, and ids are ObjectIds in the field ``_id``. If this version of FiftyOne lacks the
    private method, the public method is used, which returns all values at once.
    """
    try:
        rows = view._iter_values(paths, _raw=True, _allow_missing=True)
    except (AttributeError, TypeError):
        public = ["id" if path == "_id" else path for path in paths]
        return zip(*view.values(public), strict=True)
    # For a single field FiftyOne returns plain values instead of tuples.
    return ((value,) for value in rows) if len(paths) == 1 else iter(rows)


def set_label_attributes(
    dataset: Any, root: str, values: dict[str, dict[str, Any]], samples: dict[str, str], now: Any
) -> None:
    """Set several attributes of each label at once. FiftyOne has no public method for this.

    Args:
        dataset: the dataset.
        root: the path of the list of labels, such as ``predictions.detections``.
        values: maps label ids to the values by attribute.
        samples: maps label ids to the ids of their samples.
        now: the time to store in ``last_modified_at`` of the samples.
    """
    writes = []
    for label, attributes in values.items():
        changed = {f"{root}.$.{name}": value for name, value in attributes.items()}
        where = {"_id": ObjectId(samples[label]), f"{root}._id": ObjectId(label)}
        writes.append(UpdateOne(where, {"$set": {**changed, "last_modified_at": now}}))
    dataset._bulk_write(writes, ids=[samples[label] for label in values])
