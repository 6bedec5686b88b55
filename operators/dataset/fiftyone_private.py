"""The private names of FiftyOne that the plugin uses, each wrapped in one function.

FiftyOne may change them in any release. No other module of the plugin uses a private name of FiftyOne.
``tests/operators/dataset/test_fiftyone_private.py`` shows which of them no longer work.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from datetime import datetime, timezone
from typing import Any

from bson import DBRef, ObjectId, json_util
from fiftyone.core.dataset import _handle_delete_generated_saved_view
from fiftyone.core.odm import get_db_conn
from fiftyone.core.utils import to_slug
from fiftyone.core.view import DatasetView
from fiftyone.operators.store import ExecutionStore
from pymongo import UpdateMany, UpdateOne
from pymongo.errors import ExecutionTimeout

SEARCH_MS = 200
IDS_A_COMMAND = 100_000  # about 2 MB; a command to MongoDB must stay below 16 MB


def in_parts(ids: Sequence[Any]) -> Iterator[Sequence[Any]]:
    """Iterate over parts of at most ``IDS_A_COMMAND`` ids."""
    for start in range(0, len(ids), IDS_A_COMMAND):
        yield ids[start : start + IDS_A_COMMAND]


def dataset_of(collection: Any) -> Any:
    """Return the user's dataset of a dataset or view, also of a view of patches or frames.

    The attribute ``_dataset`` of a view of patches is a temporary dataset. Nothing should be written to
    it.
    """
    return collection._root_dataset


def use_own_dataset(ctx: Any) -> None:
    """Give a context of the App a dataset object that no other thread of the server has.

    FiftyOne has one object for each dataset and reads its document anew at every event of the App.
    While a job adds fields on another thread, such a reading can undo in memory what was just declared,
    or leave references to a document that is gone: "Dataset has no field ...", ``ReferenceError``.
    """
    shared = ctx.dataset
    if shared is None:
        return
    own = type(shared)._make_instance(shared.name, False, _virtual=True)
    if shared.media_type == "group":
        own.group_slice = shared.group_slice
    ctx._dataset, ctx._view = own, None


def id_of(dataset: Any) -> str:
    """Return the id of a dataset, which no other dataset of its database ever has."""
    return str(dataset._doc.id)


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
    return _without_state([json.loads(json_util.dumps(one)) for one in plain])


def view_of_stages(dataset: Any, stages: list[dict[str, Any]]) -> Any:
    """Return the view of a dataset with these stages, as ``plain_stages`` returns them."""
    return DatasetView._build(dataset, stages)


def _without_state(stages: list[dict[str, Any]]) -> list[dict[str, Any]]:
    return [
        {**one, "kwargs": [pair for pair in one["kwargs"] if pair[0] != "_state"]} for one in stages
    ]


def saved_view_like(dataset: Any, name: str) -> tuple[str, list[dict[str, Any]]] | None:
    """Return the saved view that FiftyOne regards as having this name; None if there is none.

    FiftyOne compares the names of views by their slugs: "Next Batch" and "next-batch" are the same.

    Returns:
        Its name, and its stages as ``plain_stages`` returns them.
    """
    slug = to_slug(name)
    for view in dataset._doc.get_saved_views():
        if name == view.name or slug == view.slug:
            return view.name, _without_state([json.loads(one) for one in view.view_stages])
    return None


def delete_saved_view(dataset: Any, name: str) -> None:
    """Delete a saved view.

    FiftyOne deletes the view before the dataset's reference to it. If a process is killed between, no
    saved view of the dataset can be loaded. Here the reference is deleted first.
    """
    dataset._doc.reload("saved_views")
    view = next(one for one in dataset._doc.get_saved_views() if one.name == name)
    dataset._doc.saved_views.remove(view)
    dataset.save()
    _handle_delete_generated_saved_view(dataset, view)
    view.delete()


def refresh(dataset: Any) -> None:
    """Read the schema, runs and saved views of a dataset again; the samples in memory stay.

    References to views and runs that a killed process left without a document are removed.
    """
    dataset._reload(hard=True)
    # Not by FiftyOne's patch_saved_views and patch_runs: these also bring back what was deleted.
    views, runs = dataset._doc.saved_views, dataset._doc.runs
    dangling = [key for key, run in runs.items() if isinstance(run, DBRef)]
    for key in dangling:
        del runs[key]
    kept = [view for view in views if not isinstance(view, DBRef)]
    if len(kept) < len(views):
        dataset._doc.saved_views = kept
    if dangling or len(kept) < len(views):
        dataset.save()


def has_results(dataset: Any, run_key: str) -> bool:
    """Return whether the results of a run are stored, and not only a reference to deleted ones."""
    stored = dataset._doc.runs[run_key].results
    return bool(stored) and stored.get() is not None


def store_of(dataset: Any, name: str) -> Any:
    """Return FiftyOne's store of this name for a dataset, which is deleted with the dataset."""
    return ExecutionStore.create(name, dataset_id=dataset._doc.id)


def pull_tag(dataset: Any, tag: str, ids: Sequence[str]) -> None:
    """Remove a tag from samples, also if the field of the tags is read-only."""
    now = datetime.now(timezone.utc)
    change = {"$pull": {"tags": tag}, "$set": {"last_modified_at": now}}
    writes = [
        UpdateMany({"_id": {"$in": [ObjectId(one) for one in part]}, "tags": tag}, change)
        for part in in_parts(ids)
    ]
    if writes:
        dataset._bulk_write(writes, ids=list(ids))


def make_writable(field: Any) -> None:
    """Allow to change a read-only field, also if the field around it is read-only."""
    field.read_only = False
    field.save(_enforce_read_only=False)


def stored_labels(dataset: Any, fields: Sequence[str], limit: int) -> dict[str, list[Any]]:
    """Return some labels of each field as they are stored, with all their attributes.

    The first samples of the dataset are read. For fields without a value in these, MongoDB looks for
    other samples for at most ``SEARCH_MS``.
    """
    collection, wanted = dataset._sample_collection, dict.fromkeys(fields, 1)
    found: dict[str, list[Any]] = {field: [] for field in fields}
    for sample in collection.find({}, wanted).limit(limit):
        for field in fields:
            found[field] += _values_at(sample, field)
    for field in fields:
        if not found[field]:
            here = {field: {"$type": "object"}}
            try:
                samples = list(collection.find(here, {field: 1}).limit(limit).max_time_ms(SEARCH_MS))
            except ExecutionTimeout:
                continue
            found[field] = [value for sample in samples for value in _values_at(sample, field)]
    return found


def _values_at(sample: dict[str, Any], path: str) -> list[Any]:
    value: Any = sample
    for name in path.split("."):
        value = value.get(name) if isinstance(value, dict) else None
    return [value] if isinstance(value, dict) else []


def unset(dataset: Any, path: str) -> None:
    """Remove the values of a field that the dataset does not declare."""
    if dataset.get_field(path) is not None:
        return
    parent, _, name = path.rpartition(".")
    inside = f"{parent}.$[].{name}" if parent else path
    dataset._sample_collection.update_many({path: {"$exists": True}}, {"$unset": {inside: ""}})


def pull_label_tag(dataset: Any, root: str, tag: str, pairs: Sequence[tuple[str, str]]) -> None:
    """Remove a tag from labels, also if the field of the labels is read-only.

    Args:
        dataset: the dataset.
        root: the path of the list of labels, such as ``predictions.detections``.
        tag: the tag.
        pairs: the ids of sample and label of each.
    """
    labels: dict[str, list[ObjectId]] = {}
    for sample, label in pairs:
        labels.setdefault(sample, []).append(ObjectId(label))
    now = datetime.now(timezone.utc)
    writes = [
        UpdateOne(
            {"_id": ObjectId(sample), f"{root}._id": {"$in": ids}},
            {"$pull": {f"{root}.$[one].tags": tag}, "$set": {"last_modified_at": now}},
            array_filters=[{"one._id": {"$in": ids}}],
        )
        for sample, ids in labels.items()
    ]
    if writes:
        dataset._bulk_write(writes, ids=list(labels))


def label_studio_client(api: Any) -> Any:
    """Return the client of Label Studio's SDK by which FiftyOne's API talks to the server."""
    return api._client


def plain_collection(collection: Any) -> Any:
    """Return a dataset or view as plain values, which differ between different views of a dataset."""
    return collection._serialize()


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


def id_ranges(view: Any, parts: int) -> list[tuple[str, str]]:
    """Return the first and last id of each of at most ``parts`` parts, nearly equal and in order."""
    buckets = view._aggregate(
        post_pipeline=[
            {"$project": {"_id": True}},
            {
                "$bucketAuto": {
                    "groupBy": "$_id",
                    "buckets": parts,
                    "output": {"last": {"$max": "$_id"}},
                }
            },
        ]
    )
    return [(str(one["_id"]["min"]), str(one["last"])) for one in buckets]


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


def state_of(collection: Any) -> tuple[Any, ...]:
    """Return what changes whenever FiftyOne changes a sample of a collection, or its dataset.

    FiftyOne notes in every sample when it was last changed. Their sum changes with each of them, also
    where the clocks of two machines differ. MongoDB computes it from its index. A change that another
    program makes in the database, past FiftyOne, is not seen.
    """
    dataset = dataset_of(collection)
    samples = dataset._sample_collection
    indexed = "last_modified_at_1" in samples.index_information()
    changed = {"$ifNull": [{"$toLong": "$last_modified_at"}, 0]}
    rows = samples.aggregate(
        [
            {"$sort": {"last_modified_at": 1}},
            {"$project": {"_id": 0, "last_modified_at": 1}},
            {"$group": {"_id": None, "count": {"$sum": 1}, "sum": {"$sum": changed}}},
        ]
        if indexed
        else [{"$group": {"_id": None, "count": {"$sum": 1}, "sum": {"$sum": changed}}}],
        hint="last_modified_at_1" if indexed else None,
    )
    found = next(iter(rows), {"count": 0, "sum": 0})
    database = get_db_conn()
    stored = database.datasets.find_one({"_id": dataset._doc.id}, {"last_modified_at": 1})
    return (
        sorted(database.client.nodes),
        database.name,
        str(dataset._doc.id),
        str((stored or {}).get("last_modified_at")),
        found["count"],
        found["sum"],
        json_util.dumps(collection._pipeline()),
    )


def count_each(dataset: Any, paths: dict[str, list[str]]) -> dict[str, int]:
    """Return how many samples have a value at all paths of a list, for several lists in one query.

    A path through a list of labels has a value if any label has one. The samples of all slices count.

    Args:
        dataset: the dataset.
        paths: maps names to lists of paths.
    """

    def has(path: str) -> dict[str, Any]:
        # The greatest of a list; of anything else, the value itself.
        return {"$gt": [{"$max": f"${path}"}, None]}

    counts = {
        name: {"$sum": {"$cond": [{"$and": [has(path) for path in listed]}, 1, 0]}}
        for name, listed in paths.items()
    }
    rows = dataset._sample_collection.aggregate([{"$group": {"_id": None, **counts}}])
    found: dict[str, int] = next(iter(rows), {})
    return {name: int(found.get(name, 0)) for name in paths}
