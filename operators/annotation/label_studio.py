"""Label Studio: which task shows which sample. It is told by the task's file, never by its position.

FiftyOne uploads files, asks for the ids of the tasks, and takes the first id for that of the first
file. Label Studio promises no such order: it reads the uploaded files from its database without one
(FiftyOne's issue 3269). Here each task is paired with the sample whose file it shows. The tasks are
then made again in the order of rank, in which annotators get them.
"""

from __future__ import annotations

import hashlib
import logging
import os
import re
import uuid
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, unquote, urlsplit

from fiftyone.utils.annotations import connect_to_api
from fiftyone.utils.labelstudio import export_label_to_label_studio
from requests.exceptions import HTTPError, RequestException

from ...alcore import InvalidInput
from ..dataset.fiftyone_private import label_studio_client
from .backends import LABEL_STUDIO, address_of

# What Label Studio puts before the name of an uploaded file.
UPLOAD_PREFIX = re.compile(r"^[0-9a-f]{8}-")
LEFT_OUT = re.compile(r"[^\w.-]")
TASKS_A_REQUEST = 200
SAMPLE, RANK, IMAGE = "sample_id", "rank", "image"
MODEL = "predictions"
SHORTEST_TITLE, LONGEST_TITLE = 3, 40  # Label Studio takes up to 50 characters

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
def new_project(title: str) -> Iterator[str]:
    """Give the name under which to make a project. If the block fails, the project is removed.

    The name is like no other, so that no other project is ever removed; at the end it is the title.
    """
    client = _client()
    name = f"{title[:LONGEST_TITLE]} {uuid.uuid4().hex[:8]}"

    def made() -> list[Any]:
        return [one for one in client.list_projects() if one.params["title"] == name]

    try:
        yield name
    except BaseException:
        try:
            for project in made():
                client.delete_project(project.id)
        except RequestException:
            logger.warning("The project %r of an upload that failed may be left in Label Studio", name)
        raise
    for project in made():
        project.set_params(title=title[:LONGEST_TITLE].ljust(SHORTEST_TITLE, "_"))


def arrange(results: Any, ids: Sequence[str], media: Sequence[str]) -> None:
    """Make the tasks of a new project again in the order of rank, each with its sample and rank.

    The mapping of ``results`` is set to what the tasks show; it must be saved afterwards.

    Args:
        results: FiftyOne's results of the upload.
        ids: the ids of the samples, in the order of rank.
        media: the path of the file of each sample.

    Raises:
        InvalidInput: if a task's file is that of no sample, or a sample has no task.
    """
    project = _project_of(results)
    uploaded = project.get_tasks()
    paired = pair(project, uploaded, ids, media)
    _check_complete(paired, ids)
    tasks = {paired[task["id"]]: task for task in uploaded}
    rows = [
        {IMAGE: tasks[one]["data"][IMAGE], SAMPLE: one, RANK: rank}
        for rank, one in enumerate(ids, start=1)
    ]
    project.make_request("POST", f"/api/projects/{project.id}/import", json=rows)
    project.delete_tasks([task["id"] for task in uploaded])
    made = sorted(project.get_tasks(), key=lambda task: task["data"][RANK])
    paired = pair(project, made, ids, media)
    _check_complete(paired, ids)
    results.uploaded_tasks = {task["id"]: paired[task["id"]] for task in made}


def add_prelabels(results: Any, view: Any, field: str, as_field: str) -> int:
    """Give each task the prediction of its sample as a first label, and return how many have one.

    Args:
        results: FiftyOne's results of the upload, with the right mapping.
        view: the samples.
        field: the predictions.
        as_field: the field that is annotated.
    """
    task_of = {sample: task for task, sample in results.uploaded_tasks.items()}
    kind = results.config.label_schema[as_field]["type"]
    project = _project_of(results)
    rows = []
    for sample in view.select_fields(["metadata", field]):
        label = sample[field]
        if label is None:
            continue
        frame = {
            "from_name": as_field,
            "to_name": IMAGE,
            "original_width": sample.metadata.width,
            "original_height": sample.metadata.height,
            "image_rotation": 0,
        }
        result = export_label_to_label_studio(label, label_type=kind, full_result=frame)
        rows.append({"task": task_of[sample.id], "result": result, "model_version": MODEL})
    for start in range(0, len(rows), TASKS_A_REQUEST):
        project.create_predictions(rows[start : start + TASKS_A_REQUEST])
    return len(rows)


def labeled_tasks(results: Any, media: Mapping[str, str]) -> tuple[dict[int, str], dict[str, float]]:
    """Return the tasks that someone has labeled, with their samples, and the seconds that each took.

    Predictions that nobody has looked at, and tasks that were skipped, are not among them.

    Args:
        results: FiftyOne's results of the upload.
        media: the file of each sample by its id.

    Raises:
        InvalidInput: if a task shows the file of no sample.
    """
    project = _project_of(results)
    known = results.uploaded_tasks
    tasks = [task for task in project.get_tasks() if task["id"] in known]
    ids = [one for one in dict.fromkeys(known.values()) if one in media]
    tasks = [task for task in tasks if known[task["id"]] in media]
    paired = pair(project, tasks, ids, [media[one] for one in ids])
    found, seconds = {}, {}
    for task in tasks:
        made = sorted(task.get("annotations") or [], key=lambda one: one["updated_at"])
        if not task["is_labeled"] or not made or made[-1].get("was_cancelled"):
            continue
        sample = paired[task["id"]]
        found[task["id"]] = sample
        if made[-1].get("lead_time"):
            seconds[sample] = float(made[-1]["lead_time"])
    return found, seconds


def pair(
    project: Any, tasks: Sequence[dict[str, Any]], ids: Sequence[str], media: Sequence[str]
) -> dict[int, str]:
    """Return the sample of each task, by the file that the task shows.

    Files are compared by their names, and where several have one name by their contents.

    Args:
        project: the project of Label Studio's SDK.
        tasks: the tasks.
        ids: the ids of the samples.
        media: the path of the file of each sample.

    Raises:
        InvalidInput: if a task shows the file of no sample.
    """
    names = [_plain(os.path.basename(path)) for path in media]
    times = Counter(names)
    by_name = {name: one for name, one in zip(names, ids, strict=True) if times[name] == 1}
    shown = {task["id"]: _shown(task) for task in tasks}
    shows = Counter(shown.values())
    paired, unclear = {}, []
    for task in sorted(tasks, key=lambda task: task["id"]):
        name = shown[task["id"]]
        if name in by_name and shows[name] == 1:
            paired[task["id"]] = by_name[name]
        else:
            unclear.append(task)
    if unclear:
        taken = set(paired.values())
        left = [(one, path) for one, path in zip(ids, media, strict=True) if one not in taken]
        paired |= _by_content(project, unclear, left)
    return paired


def _by_content(
    project: Any, tasks: list[dict[str, Any]], left: list[tuple[str, str]]
) -> dict[int, str]:
    """Return the sample of each task, by the contents of files. Of equal files, any will do."""
    samples: dict[str, list[str]] = {}
    for one, path in left:
        if os.path.isfile(path):
            digest = hashlib.sha256(Path(path).read_bytes()).hexdigest()
            samples.setdefault(digest, []).append(one)
    paired = {}
    for task in tasks:
        found = samples.get(_digest_of(project, task["data"].get(IMAGE)))
        if not found:
            raise InvalidInput(
                f"task {task['id']} of Label Studio shows {_shown(task)!r}, which is the file of no "
                "sample that was sent; nothing was written"
            )
        stamped = task["data"].get(SAMPLE)
        paired[task["id"]] = found.pop(found.index(stamped) if stamped in found else 0)
    return paired


def _digest_of(project: Any, address: Any) -> str:
    """Return the digest of a file on the server; "" for one that is elsewhere, or not there."""
    if not _is_own(address):
        return ""
    answer = project.make_request("GET", address, raise_exceptions=False)
    return hashlib.sha256(answer.content).hexdigest() if answer.ok else ""


def _client() -> Any:
    """Return a client of Label Studio's SDK, connected as FiftyOne's annotation config says."""
    return label_studio_client(connect_to_api(LABEL_STUDIO))


def _project_of(results: Any) -> Any:
    """Return the project of an upload, as Label Studio's SDK has it."""
    return label_studio_client(results.backend.connect_to_api()).get_project(results.project_id)


def _check_complete(paired: Mapping[int, str], ids: Sequence[str]) -> None:
    if sorted(paired.values()) != sorted(ids):
        raise InvalidInput(
            f"Label Studio has {len(paired):,} tasks for {len(ids):,} samples, or two for one of them; "
            "nothing was sent"
        )


def _shown(task: dict[str, Any]) -> str:
    """Return the name of the file that a task shows, as plain as Label Studio stores it."""
    address = urlsplit(str(task["data"].get(IMAGE) or ""))
    local = parse_qs(address.query).get("d")
    name = os.path.basename(local[0] if local else unquote(address.path))
    return _plain(name if local else UPLOAD_PREFIX.sub("", name))


def _plain(name: str) -> str:
    return LEFT_OUT.sub("", name.replace(" ", "_"))


def _is_own(address: Any) -> bool:
    """Return whether an address is a path on the server itself, to which its key may be sent."""
    return isinstance(address, str) and address.startswith("/") and not address.startswith("//")
