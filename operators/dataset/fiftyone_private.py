"""FiftyOne's private names that the plugin uses, each behind a function of its own.

FiftyOne may change them in any release. Nothing else in the plugin uses a private name of FiftyOne, and
``tests/operators/dataset/test_fiftyone_private.py`` says which of them broke.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from bson import ObjectId
from pymongo import UpdateOne


def dataset_of(collection: Any) -> Any:
    """The dataset that the user made, of a dataset or a view; also of a view of patches or frames.

    ``_dataset`` of a view of patches is a temporary dataset, to which nothing should be written.
    """
    return collection._root_dataset


def shows_parts(collection: Any) -> bool:
    """Whether a view shows parts of samples: patches, frames or clips."""
    return bool(collection._is_generated)


def shows_patches(collection: Any) -> bool:
    """Whether a view shows patches, of labels or of an evaluation."""
    return bool(collection._is_patches)


def has_dynamic_groups(collection: Any) -> bool:
    """Whether a view groups its samples by ``group_by``."""
    return bool(collection._is_dynamic_groups)


def stages_of(view: Any) -> list[Any]:
    """The stages of a view, in order, with those of the views it was made from."""
    return list(view._all_stages)


def plain_stages(stages: list[Any]) -> list[dict[str, Any]]:
    """Stages as plain values, equal for stages that show the same.

    Left out are a stage's own id, and the name of the collection that patches were drawn into.
    """
    plain = [stage._serialize(include_uuid=False) for stage in stages]
    return [{**one, "kwargs": [pair for pair in one["kwargs"] if pair[0] != "_state"]} for one in plain]


def plain_collection(collection: Any) -> Any:
    """A dataset or view as plain values, other ones for any other view of the dataset."""
    return collection._serialize()


def shows_the_same(view: Any, other: Any) -> bool:
    """Whether two views have the same stages, apart from the stages' own ids."""
    return bool(view._serialize(include_uuids=False) == other._serialize(include_uuids=False))


def label_path(collection: Any, objects: str, attribute: str) -> str:
    """Where an attribute of a field's labels is: ``predictions.detections.area``, or of patches
    ``predictions.area``.
    """
    return str(collection._get_label_field_path(objects, attribute)[1])


def every_slice(dataset: Any) -> Any:
    """The samples of all slices of a grouped dataset, whatever their media types."""
    return dataset.select_group_slices(_allow_mixed=True)


def raw_rows(view: Any, paths: list[str]) -> Iterator[Any]:
    """The values of several fields, sample by sample, as MongoDB holds them, in one query.

    Arrays are bytes, and ids are ObjectIds in the field ``_id``. A version of FiftyOne without this way
    gives the values by its public one, all at once.
    """
    try:
        rows = view._iter_values(paths, _raw=True, _allow_missing=True)
    except (AttributeError, TypeError):
        public = ["id" if path == "_id" else path for path in paths]
        return zip(*view.values(public), strict=True)
    # Of a single field FiftyOne gives the bare values.
    return ((value,) for value in rows) if len(paths) == 1 else iter(rows)


def set_label_attributes(
    dataset: Any, root: str, values: dict[str, dict[str, Any]], samples: dict[str, str], now: Any
) -> None:
    """Set several attributes of each label at once, for which FiftyOne has no public call.

    Args:
        root: the path of the list of labels, such as ``predictions.detections``.
        values: by label id, values by attribute.
        samples: by label id, the id of the sample it lies in.
        now: the time that becomes ``last_modified_at`` of the samples.
    """
    writes = []
    for label, attributes in values.items():
        changed = {f"{root}.$.{name}": value for name, value in attributes.items()}
        where = {"_id": ObjectId(samples[label]), f"{root}._id": ObjectId(label)}
        writes.append(UpdateOne(where, {"$set": {**changed, "last_modified_at": now}}))
    dataset._bulk_write(writes, ids=[samples[label] for label in values])
