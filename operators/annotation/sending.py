"""Sends what was chosen to where labels are made: whole, in the order of rank, or not at all."""

from __future__ import annotations

import os
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime, timezone
from typing import Any

from ...alcore import InvalidInput
from ..dataset.fiftyone_private import dataset_of
from ..runs.names import names_in_record
from ..runs.run import Progress
from . import label_studio
from .backends import APP, CVAT, FILES, LABEL_STUDIO, PRELABELED, check_place
from .files import check_files, write_files
from .in_app import check_in_app, offer_in_app
from .kinds import Kind, kind_of
from .queue import chosen_samples, note_sent


@dataclass(frozen=True)
class Request:
    """What is sent, and where.

    Attributes:
        to: "app", "files", or the name of a backend of FiftyOne.
        label_field: the field that gets the labels; it need not exist yet.
        prelabels: a field of predictions that are sent as first labels; None for none.
        label_type: the kind of a new field, such as "detections".
        classes: the names that labels may have; None for those declared or seen.
        anno_key: the key of the annotation run; None for the selection's.
        project: the name of the project in the tool; None for the names of dataset and run.
        folder: the folder of the files.
        form: the format of the files.
    """

    to: str
    label_field: str
    prelabels: str | None = None
    label_type: str | None = None
    classes: Sequence[str] | None = None
    anno_key: str | None = None
    project: str | None = None
    folder: str | None = None
    form: str = "csv"


def check_request(dataset: Any, run_key: str, request: Request) -> None:
    """Check all that can be checked before anything is sent.

    Raises:
        InvalidInput: if something is wrong.
    """
    names_in_record(dataset, run_key)
    check_place(request.to)
    as_list = request.to == FILES and request.form == "csv"
    if dataset.media_type == "video" and request.to != APP and not as_list:
        raise InvalidInput(
            "to: the samples are videos, and only images are sent; write the list alone, to 'files' "
            "with the format 'csv', or annotate in the 'app'"
        )
    if request.to == FILES:
        shown = request.prelabels or request.label_field
        check_files(dataset, request.form, request.folder, shown)
        return
    kind = _kind(dataset, request)
    if request.to == APP:
        check_in_app(kind)
        if request.prelabels:
            raise InvalidInput(
                "prelabels: the App shows predictions beside the labels; copied into "
                f"{kind.field!r} they would count as labels that someone made"
            )
        return
    if request.prelabels and request.to not in PRELABELED:
        raise InvalidInput(
            f"prelabels: FiftyOne sends no first labels to {request.to!r}, only to "
            f"{' and '.join(map(repr, PRELABELED))}"
        )
    key = request.anno_key or run_key
    if not key.isidentifier():
        raise InvalidInput(f"anno_key: {key!r} should be letters, digits and _, no digit first")
    if key in dataset.list_annotation_runs():
        raise InvalidInput(
            f"anno_key: {key!r} was sent already; import it, or name another anno_key to send again"
        )


def send(dataset: Any, run_key: str, request: Request, report: Progress) -> dict[str, Any]:
    """Send the samples of a selection, and note in its record where they were sent.

    Samples that have a label in the field already are not sent to a tool.

    Returns:
        The result of ``send_to_annotation``, as plain values.

    Raises:
        InvalidInput: if something cannot be used, or if a server does not take it. Then nothing is
            left of it on the dataset, nor in Label Studio.
    """
    check_request(dataset, run_key, request)
    view = chosen_samples(dataset, run_key)
    sent: dict[str, Any] = {
        "to": request.to,
        "label_field": request.label_field,
        "at": datetime.now(timezone.utc).isoformat(timespec="seconds"),
    }
    notes: list[str] = []
    if request.to == FILES:
        report(0.1, "Writing files")
        field = request.prelabels or request.label_field
        folder = request.folder or ""
        path = write_files(view, dataset, run_key, request.form, folder, field, request.classes)
        sent |= {"samples": len(view), "folder": str(path), "format": request.form}
        if request.prelabels:
            sent["prelabels"] = request.prelabels
    elif request.to == APP:
        kind = _kind(dataset, request)
        offer_in_app(dataset, kind)
        sent |= {"samples": len(view)}
        notes.append(
            f"open the first image and choose the tab Annotate: {kind.field!r} is offered there, and "
            "the arrows lead through the images in the order of rank"
        )
    else:
        sent |= _send_to_tool(view, run_key, request, report, notes)
    note_sent(dataset, run_key, sent)
    return {"run_key": run_key, **sent, "notes": notes}


def _kind(dataset: Any, request: Request) -> Kind:
    return kind_of(dataset, request.label_field, request.prelabels, request.label_type, request.classes)


def _send_to_tool(
    view: Any, run_key: str, request: Request, report: Progress, notes: list[str]
) -> dict[str, Any]:
    """Send samples to a backend of FiftyOne, and return what the record says of it."""
    dataset, kind = dataset_of(view), _kind(dataset_of(view), request)
    key = request.anno_key or run_key
    everyone = len(view)
    if dataset.get_field(kind.field) is not None:
        view = view.exists(kind.field, False)
    if not len(view):
        raise InvalidInput(f"all {everyone:,} samples of {run_key!r} have a label in {kind.field!r}")
    if len(view) < everyone:
        count = everyone - len(view)
        notes.append(f"{count:,} of {everyone:,} have a label in {kind.field!r}, and were not sent")
    title = request.project or f"{dataset.name} {key}"
    report(0.1, f"Sending {len(view):,} samples to {request.to}")
    if request.to == LABEL_STUDIO:
        count = _send_to_label_studio(view, key, title, kind, request.prelabels, report)
    else:
        count = _send_to_other(view, key, title, kind, request)
    told = {"anno_key": key, "samples": len(view), "project": title}
    if request.prelabels:
        told |= {"prelabels": request.prelabels, "prelabeled": count}
        if request.to == CVAT:
            notes.append(
                "CVAT does not tell which first labels someone has looked at: all come back as labels, "
                "so import once the jobs are done"
            )
    return told


def _send_to_label_studio(
    view: Any, key: str, title: str, kind: Kind, prelabels: str | None, report: Progress
) -> int:
    ids, media = view.values(["id", "filepath"])
    _check_files(media)
    with (
        label_studio.answering(),
        _run_or_none(dataset_of(view), key),
        label_studio.new_project(title, kind) as project,
    ):
        sample_of = label_studio.upload(project, ids, media, report)
        count = 0
        if prelabels:
            count = label_studio.add_prelabels(project, sample_of, view, prelabels, kind)
        label_studio.save_run(_as_new_field(view, kind), key, kind, project, sample_of)
        return count


def _send_to_other(view: Any, key: str, title: str, kind: Kind, request: Request) -> int:
    """Send samples to a backend in which the name of a field may be that of the first labels."""
    options = {"backend": request.to, "classes": list(kind.classes), "attributes": False}
    if request.to == CVAT:
        options["project_name"] = title
    if request.prelabels:
        sent, field = view, request.prelabels
    else:
        sent, field = _as_new_field(view, kind), kind.field
    with _run_or_none(dataset_of(view), key):
        sent.annotate(key, label_field=field, label_type=kind.type, **options)
    return len(view.exists(request.prelabels)) if request.prelabels else 0


def _as_new_field(view: Any, kind: Kind) -> Any:
    """Return a view without the field, so that FiftyOne neither sends nor later changes its labels."""
    there = dataset_of(view).get_field(kind.field) is not None
    return view.exclude_fields(kind.field) if there else view


def _check_files(media: Sequence[str]) -> None:
    absent = [one for one in media if not os.path.isfile(one)]
    if absent:
        raise InvalidInput(
            f"{len(absent):,} of {len(media):,} image files are missing; the first is {absent[0]!r}"
        )


@contextmanager
def _run_or_none(dataset: Any, key: str) -> Iterator[None]:
    """Remove the annotation run of an upload that fails; FiftyOne registers it first."""
    try:
        yield
    except BaseException:
        if key in dataset.list_annotation_runs():
            dataset.delete_annotation_run(key)
        raise
