"""Label Studio: which task shows which sample. It is told by the task's file, never by its position.

FiftyOne uploads files, asks for the ids of the tasks, and takes the first id for that of the first
file. Label Studio promises no such order: it reads the uploaded files from its database without one
(FiftyOne's issue 3269). Here each file is uploaded under the id of its sample, so that every task
shows whose it is, on the way out and on the way back. All else is FiftyOne's: the labeling config, the
run, and the conversion of labels.
"""

from __future__ import annotations

import logging
import os
import re
from collections.abc import Collection, Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from typing import Any
from urllib.parse import unquote, urlsplit

import fiftyone as fo
from fiftyone.utils.annotations import connect_to_api
from fiftyone.utils.labelstudio import (
    LabelStudioAnnotationResults,
    LabelStudioBackendConfig,
    export_label_to_label_studio,
    generate_labeling_config,
)
from requests.exceptions import HTTPError, RequestException

from ...alcore import InvalidInput
from ..dataset.fiftyone_private import label_studio_client
from ..runs.run import Progress
from .backends import LABEL_STUDIO, address_of
from .kinds import Kind

# A server takes at most 100 files and 250 MB in a request, if it is not told otherwise.
FILES_A_REQUEST, BYTES_A_REQUEST = 50, 100 * 2**20
TASKS_A_REQUEST = 200
SHORTEST_TITLE, LONGEST_TITLE = 3, 50
SAMPLE, RANK, NAME, IMAGE = "sample_id", "rank", "name", "image"
MODEL = "predictions"
# Label Studio puts something of its own before the name of a file.
SAMPLE_IN_NAME = re.compile(r"(?:^|-)([0-9a-f]{24})\.\w+$")

logger = logging.getLogger(__name__)


@contextmanager
def answering() -> Iterator[None]:
    """Turn what goes wrong between here and the server into sentences, without any credential.

    Raises:
        InvalidInput: if Label Studio does not answer, or refuses.
    """
    server = f"Label Studio at {address_of(LABEL_STUDIO)}"
    try:
        yield
    except HTTPError as error:
        status = error.response.status_code if error.response is not None else 0
        if status in (401, 403):
            raise InvalidInput(
                f"{server} refuses the key in FIFTYONE_LABELSTUDIO_API_KEY; it takes the legacy token "
                "of a user"
            ) from None
        if status == 404:
            raise InvalidInput(f"{server} has no such project or task any more") from None
        raise InvalidInput(f"{server} answers with error {status}; its log says more") from None
    except RequestException as error:
        raise InvalidInput(f"{server} does not answer ({type(error).__name__})") from None


@contextmanager
def new_project(title: str, kind: Kind) -> Iterator[Any]:
    """Make a project for labels of a kind, and give it. If the block fails, it is removed."""
    client = label_studio_client(connect_to_api(LABEL_STUDIO))
    project = client.start_project(
        title=title[:LONGEST_TITLE].ljust(SHORTEST_TITLE, "_"),
        label_config=generate_labeling_config(_schema(kind), "image"),
    )
    try:
        yield project
    except BaseException:
        try:
            client.delete_project(project.id)
        except RequestException:
            logger.warning("Project %d of an upload that failed is left in Label Studio", project.id)
        raise


def upload(project: Any, ids: Sequence[str], media: Sequence[str], report: Progress) -> dict[int, str]:
    """Make a task for each sample, in the given order, and return the sample of each task.

    Args:
        project: a new project of Label Studio's SDK.
        ids: the ids of the samples, in the order of rank.
        media: the path of the file of each sample.
        report: called with the share that is done, and a text.

    Raises:
        InvalidInput: if the server does not have each file once.
    """
    done = 0
    for part in _parts(list(zip(ids, media, strict=True))):
        _upload_files(project, part)
        done += len(part)
        report(0.1 + 0.6 * done / len(ids), f"Sent {done:,} of {len(ids):,} images")
    # The server's tasks are in an order of its own: they are made again in that of rank.
    unordered = project.get_tasks()
    shown = samples_shown(unordered, ids)
    _check_complete(shown, ids)
    address = {shown[task["id"]]: task["data"][IMAGE] for task in unordered}
    rows = [
        {IMAGE: address[one], SAMPLE: one, RANK: rank, NAME: os.path.basename(path)}
        for rank, (one, path) in enumerate(zip(ids, media, strict=True), start=1)
    ]
    project.make_request("POST", f"/api/projects/{project.id}/import", json=rows)
    project.delete_tasks([task["id"] for task in unordered])
    report(0.8, "Comparing each task's file with its sample")
    tasks = sorted(project.get_tasks(), key=lambda task: task["data"][RANK])
    shown = samples_shown(tasks, ids)
    _check_complete(shown, ids)
    return {task["id"]: shown[task["id"]] for task in tasks}


def add_prelabels(project: Any, sample_of: Mapping[int, str], view: Any, field: str, kind: Kind) -> int:
    """Give tasks the predictions of their samples as first labels, and return how many have one.

    Labels of other classes than those of the project are left out.

    Args:
        project: the project.
        sample_of: the sample of each task.
        view: the samples.
        field: the predictions.
        kind: the labels that are made.
    """
    task_of = {sample: task for task, sample in sample_of.items()}
    view.compute_metadata(progress=False)
    rows = []
    for sample in view.select_fields(["metadata", field]):
        label = _within(sample[field], kind)
        if label is None:
            continue
        frame = {
            "from_name": kind.field,
            "to_name": IMAGE,
            "original_width": sample.metadata.width,
            "original_height": sample.metadata.height,
            "image_rotation": 0,
        }
        result = export_label_to_label_studio(label, label_type=kind.type, full_result=frame)
        rows.append({"task": task_of[sample.id], "result": result, "model_version": MODEL})
    for start in range(0, len(rows), TASKS_A_REQUEST):
        project.create_predictions(rows[start : start + TASKS_A_REQUEST])
    return len(rows)


def save_run(view: Any, key: str, kind: Kind, project: Any, sample_of: Mapping[int, str]) -> None:
    """Write FiftyOne's annotation run of a project; FiftyOne itself can load labels by it, too.

    Args:
        view: the samples that were sent.
        key: the annotation key.
        kind: the labels that are made.
        project: the project.
        sample_of: the sample of each task.
    """
    known = fo.annotation_config.backends[LABEL_STUDIO]
    config = LabelStudioBackendConfig(
        LABEL_STUDIO,
        _schema(kind),
        url=known["url"],
        api_key=known["api_key"],
        project_name=project.params["title"],
    )
    backend = config.build()
    backend.register_run(view, key, overwrite=False)
    results = LabelStudioAnnotationResults(
        view, config, key, {}, project.id, dict(sample_of), backend=backend
    )
    backend.save_run_results(view, key, results)


def labeled_tasks(results: Any, ids: Collection[str]) -> tuple[dict[int, str], dict[str, float]]:
    """Return the tasks that someone has labeled, with their samples, and the seconds that each took.

    Predictions that nobody has looked at, and tasks that were skipped, are not among them.

    Args:
        results: FiftyOne's results of the upload.
        ids: the samples that there are still.

    Raises:
        InvalidInput: if a task shows the file of another sample than those.
    """
    client = label_studio_client(results.backend.connect_to_api())
    sent = results.uploaded_tasks
    tasks = [
        task
        for task in client.get_project(results.project_id).get_tasks()
        if task["id"] in sent and sent[task["id"]] in ids
    ]
    shown = samples_shown(tasks, ids)
    found, seconds = {}, {}
    for task in tasks:
        made = sorted(task.get("annotations") or [], key=lambda one: one["updated_at"])
        if not task["is_labeled"] or not made or made[-1].get("was_cancelled"):
            continue
        sample = shown[task["id"]]
        found[task["id"]] = sample
        if made[-1].get("lead_time"):
            seconds[sample] = float(made[-1]["lead_time"])
    return found, seconds


def samples_shown(tasks: Sequence[Mapping[str, Any]], ids: Collection[str]) -> dict[int, str]:
    """Return the sample whose file each task shows.

    Raises:
        InvalidInput: if a task shows the file of none of these samples, or two show the same.
    """
    shown: dict[int, str] = {}
    left = set(ids)
    known = frozenset(left)
    for task in tasks:
        name = os.path.basename(unquote(urlsplit(str(task["data"].get(IMAGE) or "")).path))
        found = SAMPLE_IN_NAME.search(name)
        if found is None or found[1] not in known:
            raise InvalidInput(
                f"task {task['id']} of Label Studio shows {name!r}, which is the file of no sample "
                "that was sent; nothing was written"
            )
        if found[1] not in left:
            raise InvalidInput(
                f"two tasks of Label Studio show {name!r}, the second is {task['id']}; nothing was "
                "written"
            )
        left.remove(found[1])
        shown[task["id"]] = found[1]
    return shown


def _schema(kind: Kind) -> dict[str, Any]:
    """Return the label schema of an annotation run, as FiftyOne makes it for a new field."""
    info = {
        "type": kind.type,
        "classes": list(kind.classes),
        "attributes": {},
        "existing_field": False,
    }
    return {kind.field: info}


def _parts(files: list[tuple[str, str]]) -> Iterator[list[tuple[str, str]]]:
    """Iterate over parts of ids and paths that a server takes in one request."""
    part: list[tuple[str, str]] = []
    size = 0
    for one, path in files:
        bytes_here = os.path.getsize(path)
        if part and (len(part) == FILES_A_REQUEST or size + bytes_here > BYTES_A_REQUEST):
            yield part
            part, size = [], 0
        part.append((one, path))
        size += bytes_here
    if part:
        yield part


def _upload_files(project: Any, part: list[tuple[str, str]]) -> None:
    """Upload files, each under the id of its sample; the server makes a task of each."""
    with ExitStack() as opened:
        files = [
            (one, (one + os.path.splitext(path)[1], opened.enter_context(open(path, "rb"))))
            for one, path in part
        ]
        project.make_request(
            "POST",
            f"/api/projects/{project.id}/import",
            params={"commit_to_project": True},
            files=files,
        )


def _within(label: Any, kind: Kind) -> Any:
    """Return a label, of several those whose class can be chosen, with masks where these are drawn.

    None if there is none.
    """
    if label is None or not kind.list_name:
        return label if label is not None and label.label in kind.classes else None
    kept = [one for one in label[kind.list_name] if one.label in kind.classes]
    if kind.masks:
        kept = [one for one in kept if one.has_mask]
    return kind.document(**{kind.list_name: kept}) if kept else None


def _check_complete(shown: Mapping[int, str], ids: Sequence[str]) -> None:
    if sorted(shown.values()) != sorted(ids):
        raise InvalidInput(
            f"Label Studio took {len(shown):,} of {len(ids):,} files, so nothing was sent"
        )
