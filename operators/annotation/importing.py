"""Brings labels back: on the samples that they were made for, and never over a label of the user's."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime, timezone
from statistics import median
from typing import Any

import fiftyone as fo
from bson import ObjectId

from ...alcore import InvalidInput
from ..dataset.fields import document_type
from ..dataset.fiftyone_private import in_parts
from ..dataset.selection_records import record_of_selection
from ..dataset.views import all_slices, views_of
from ..runs.names import Names
from ..runs.records import set_record
from ..runs.run import Progress
from ..runs.writing import check_there
from . import label_studio
from .backends import APP, FILES, LABEL_STUDIO, check_place
from .files import FORMATS
from .kinds import DOCUMENTS, INSTANCES, Kind
from .queue import all_sent, chosen_samples, count_labeled, selection_of_key
from .returned_files import labels_in_files

SECONDS_FIELD = "labeling_seconds"


def sent_record(
    dataset: Any, run_key: str | None, anno_key: str | None, folder: str | None = None
) -> tuple[str, dict[str, Any]]:
    """Return the selection that was sent, and what its record says of that.

    Args:
        dataset: the dataset.
        run_key: the selection; None for the one that was sent under ``anno_key``.
        anno_key: the key of the annotation run; None for what was sent last.
        folder: a folder of labels; None if they do not come back in another folder than they were
            written to.

    Raises:
        InvalidInput: if there is no such selection, or if it was not sent.
    """
    key = run_key or selection_of_key(dataset, anno_key or "")
    check_there(dataset, key)
    record = record_of_selection(dataset, key) or {}
    found = all_sent(record)
    if folder:
        written = [one for one in (record.get("sent_also"), *found) if one and one["to"] == FILES]
        if not written:
            raise InvalidInput(f"folder: {key!r} was not written to files")
        return key, written[0]
    if not found:
        raise InvalidInput(f"{key!r} was not sent to annotation yet: there is nothing to import")
    sent = next((one for one in found if anno_key in (None, one.get("anno_key"))), None)
    if sent is None:
        known = ", ".join(repr(one["anno_key"]) for one in found if one.get("anno_key")) or "none"
        raise InvalidInput(f"anno_key: {key!r} was not sent under {anno_key!r}; there are: {known}")
    if sent["to"] not in (APP, FILES):
        check_place(sent["to"])
        if sent["anno_key"] not in dataset.list_annotation_runs():
            raise InvalidInput(
                f"the annotation run {sent['anno_key']!r} was deleted: nothing tells its labels now"
            )
    return key, sent


def import_labels(
    dataset: Any,
    run_key: str | None,
    anno_key: str | None,
    report: Progress,
    folder: str | None = None,
    form: str | None = None,
    empty_is_done: bool = False,
) -> dict[str, Any]:
    """Write the labels that were made of a selection to its label field.

    Each is checked to be of the sample whose file it was made on before anything is written. Samples
    that have a label by now keep it.

    Args:
        dataset: the dataset.
        run_key: the selection; see ``sent_record``.
        anno_key: the key of the annotation run.
        report: called with the share that is done, and a text.
        folder: of a selection that was written to files, the folder of the labels; None for the one
            that was written.
        form: their format; None for the one that was written.
        empty_is_done: whether there is nothing on an image without an object in these files; if not,
            it is not labeled yet.

    Returns:
        The result of ``import_annotations``, as plain values.

    Raises:
        InvalidInput: if something cannot be used. Then nothing is written.
    """
    key, sent = sent_record(dataset, run_key, anno_key, folder)
    names = Names(**(record_of_selection(dataset, key) or {})["names"])
    result: dict[str, Any] = {"run_key": key, "sent": sent["samples"]}
    notes: list[str] = []
    if sent["to"] != APP:
        seconds: dict[str, float] = {}
        if sent["to"] == FILES:
            report(0.1, "Reading files")
            labels = _from_files(dataset, key, sent, folder, form, empty_is_done, notes)
        else:
            report(0.1, f"Asking {sent['to']}")
            labels, seconds = _returned(dataset, sent)
        report(0.7, "Writing labels")
        written, kept = _write(dataset, sent["label_field"], labels)
        result |= {"imported": written, "kept": kept}
        if kept:
            notes.append(f"{kept:,} had a label in {sent['label_field']!r} already, and keep it")
        timed = _write_seconds(dataset, seconds, notes)
        if timed:
            result["seconds_a_sample"] = round(median(seconds.values()), 1)
    total, labeled = count_labeled(dataset, names, sent["label_field"])
    left = total - labeled
    result |= {"labeled": labeled, "left": left}
    if left:
        notes.append(f"{left:,} have no label yet; import again once they have")
    returned = {
        "at": datetime.now(timezone.utc).isoformat(timespec="seconds"),
        "labeled": labeled,
        "left": left,
        "closed": not left,
    }
    set_record(dataset, key, returned=returned)
    return {**result, "closed": not left, "notes": notes}


def _returned(dataset: Any, sent: Mapping[str, Any]) -> tuple[dict[str, Any], dict[str, float]]:
    """Return the label of each sample that has one in the tool, and the seconds it took."""
    results = dataset.load_annotation_results(sent["anno_key"], cache=False)
    if results is None:
        raise InvalidInput(f"the annotation run {sent['anno_key']!r} has no results; send again")
    kind = _kind(results, sent["label_field"])
    if sent["to"] != LABEL_STUDIO:
        return _as_labels(kind, results.backend.download_annotations(results), ()), {}
    with label_studio.answering():
        sent_ids = list(results.uploaded_tasks.values())
        there = {one for view in views_of(dataset, sent_ids) for one in view.values("id")}
        tasks, seconds = label_studio.labeled_tasks(results, there)
        labels: dict[str, Any] = {}
        numbers = list(tasks)
        # FiftyOne puts the ids of all tasks it asks for into one address.
        for start in range(0, len(numbers), label_studio.TASKS_A_REQUEST):
            part = numbers[start : start + label_studio.TASKS_A_REQUEST]
            results.uploaded_tasks = {number: tasks[number] for number in part}
            found = results.backend.download_annotations(results)
            labels |= _as_labels(kind, found, list(results.uploaded_tasks.values()))
        return labels, seconds


def _from_files(
    dataset: Any,
    key: str,
    sent: Mapping[str, Any],
    folder: str | None,
    form: str | None,
    empty_is_done: bool,
    notes: list[str],
) -> dict[str, Any]:
    """Return the label of each sample of a selection that has one in the files."""
    form = form or sent["format"]
    fields = [dataset.get_field(one) for one in (sent["label_field"], sent.get("prelabels")) if one]
    usual = FORMATS[form].returns[:1] if form in FORMATS else ()
    document = next(iter([*filter(None, map(document_type, fields)), *usual]), None)
    written = sent["folder"]
    labels = labels_in_files(folder or written, written, form, document, empty_is_done, notes)
    chosen = set(chosen_samples(dataset, key).values("id"))
    return {one: label for one, label in labels.items() if one in chosen}


def _kind(results: Any, field: str) -> Kind:
    info = next(iter(results.config.label_schema.values()))
    classes = tuple(map(str, info.get("classes") or ()))
    return Kind(field, DOCUMENTS[info["type"]], classes, info["type"] == INSTANCES)


def _as_labels(kind: Kind, found: Mapping[str, Any], done: Sequence[str]) -> dict[str, Any]:
    """Return the label of each sample, from what a backend of FiftyOne downloaded.

    Args:
        kind: what the field takes.
        found: by field, by kind, by sample and by label: the labels.
        done: the samples that someone has finished. If these have no label, there is nothing on them.
    """
    of_samples = {
        one: [label for label in labels.values() if label is not None]  # None is an empty mask
        for by_kind in found.values()
        for samples in by_kind.values()
        for one, labels in samples.items()
    }
    made = {}
    for one in dict.fromkeys([*of_samples, *done]):
        labels = of_samples.get(one, [])
        for label in labels:
            label.id = str(ObjectId())  # a first label came with the id of the prediction
        if kind.list_name:
            made[one] = kind.document(**{kind.list_name: labels})
        elif labels:
            made[one] = labels[0]
    return made


def _write(dataset: Any, field: str, labels: Mapping[str, Any]) -> tuple[int, int]:
    """Write labels on samples without one; return how many were written, and how many kept theirs."""
    if not labels:
        return 0, 0
    if dataset.get_field(field) is None:
        document = type(next(iter(labels.values())))
        dataset.add_sample_field(field, fo.EmbeddedDocumentField, embedded_doc_type=document)
    free: list[str] = []
    there = 0
    for part in in_parts(list(labels)):
        view = all_slices(dataset).select(part)
        there += len(view)
        free += view.exists(field, False).values("id")
    all_slices(dataset).set_values(field, {one: labels[one] for one in free}, key_field="id")
    return len(free), there - len(free)


def _write_seconds(dataset: Any, seconds: Mapping[str, float], notes: list[str]) -> int:
    """Write how long each sample took to label, which recipes can use as its cost."""
    if not seconds:
        return 0
    stored = dataset.get_field(SECONDS_FIELD)
    if stored is None:
        about = "Seconds that it took to label the sample, as the annotation tool says"
        dataset.add_sample_field(SECONDS_FIELD, fo.FloatField, description=about)
    elif not isinstance(stored, fo.FloatField):
        notes.append(f"{SECONDS_FIELD!r} holds something else, so the time of labeling was not written")
        return 0
    all_slices(dataset).set_values(SECONDS_FIELD, dict(seconds), key_field="id")
    return len(seconds)
