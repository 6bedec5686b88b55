"""Long work on threads of this process: with progress, a way to stop it, and a result that stays.

The record of a job is in the execution store of its dataset, so that it outlives the panel and the
page. FiftyOne's coordinator keeps these records; a lease tells whether the process of a job lives.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from fiftyone.operators.store import TransientJobCoordinator

from ..dataset.fiftyone_private import id_of, store_of
from .errors import sentence_of

Progress = Callable[[float, str], None]
Work = Callable[[Progress], dict[str, Any]]

STORE, RESULTS = "alcore.jobs", "alcore.job_results"
LEASE, SECONDS_KEPT = 60, 14 * 24 * 60 * 60
SECONDS_BETWEEN_WRITES = 0.5

RUNNING, DONE, FAILED, STOPPED = "running", "completed", "failed", "canceled"
INTERRUPTED = "the App's server was stopped before this was done; run it again"


class Stopped(Exception):
    """Ends the work of a job that the user stopped."""


@dataclass(frozen=True)
class Job:
    """The state of a job.

    Attributes:
        id: names the job among those of its dataset.
        kind: what it does, such as "preview"; one job of a kind runs at a time on a dataset.
        title: what it does, for people.
        made: when it was started.
        state: "running", "completed", "failed" or "canceled".
        share: how much is done, from 0 to 1.
        label: what it does now.
        stopping: whether it was asked to stop, and has not yet.
        error: a sentence, if it failed.
    """

    id: str
    kind: str
    title: str
    made: datetime
    state: str
    share: float = 0.0
    label: str = ""
    stopping: bool = False
    error: str | None = None

    @property
    def runs(self) -> bool:
        return self.state == RUNNING


@dataclass
class _Running:
    """A job of this process while it runs."""

    id: str
    share: float = 0.0
    label: str = "Starting"
    stop: threading.Event = field(default_factory=threading.Event)
    ended: threading.Event = field(default_factory=threading.Event)

    def report(self, share: float, label: str) -> None:
        """Note the progress; called by the work, as often as it likes.

        Raises:
            Stopped: if the user stopped the job.
        """
        if self.stop.is_set():
            raise Stopped
        self.share, self.label = float(share), label


_running: dict[tuple[str, str], _Running] = {}
_starting = threading.Lock()


def start(dataset: Any, kind: str, title: str, work: Work) -> str:
    """Start work on a thread of its own, and return the id of its job.

    If a job of this kind runs already on the dataset, nothing is started, and its id is returned.

    Args:
        dataset: the dataset.
        kind: what the job does, such as "preview".
        title: the same for people.
        work: does it. It gets a function that takes the share that is done and what is done now, and
            that ends the work where the user stops it. Returns plain values, less than 16 MB of them.
    """
    coordinator = _coordinator(dataset)
    with _starting:
        key = (id_of(dataset), kind)
        if key in _running:
            return _running[key].id
        job = coordinator.create(
            owner={"kind": kind}, scope={"dataset": dataset.name}, payload={"title": title}
        )
        claimed = coordinator.claim(job["id"])
        running = _running[key] = _Running(job["id"])

    def run() -> None:
        try:
            _do(dataset, coordinator, work, running, claimed["fencing_token"])
        finally:
            running.ended.set()
            with _starting:
                _running.pop(key, None)

    def watch() -> None:
        _watch(coordinator, running, claimed["fencing_token"])

    threading.Thread(target=watch, name=f"alcore-watch-{kind}", daemon=True).start()
    threading.Thread(target=run, name=f"alcore-{kind}", daemon=True).start()
    return running.id


def _do(
    dataset: Any,
    coordinator: TransientJobCoordinator,
    work: Work,
    running: _Running,
    token: int,
) -> None:
    """Do the work, and write its end."""
    try:
        result = work(running.report)
    except Stopped:
        coordinator.cancel(running.id, token)
    except Exception as error:
        coordinator.fail(running.id, token, sentence_of(error, running.label))
    else:
        # Apart from the record, which is read again and again.
        store_of(dataset, RESULTS).set(running.id, result, ttl=SECONDS_KEPT)
        coordinator.complete(running.id, token)


def _watch(coordinator: TransientJobCoordinator, running: _Running, token: int) -> None:
    """Write the progress of a job and renew its lease, and see whether anyone wants it to stop."""
    while not running.ended.wait(SECONDS_BETWEEN_WRITES):
        progress = {"share": running.share, "label": running.label}
        stored = coordinator.set_progress(running.id, token, progress)
        if stored is None or stored["cancel_requested"]:
            running.stop.set()


def stop(dataset: Any, job_id: str) -> None:
    """Ask a job to stop; it does so at its next report of progress. Nothing happens if it has ended."""
    _coordinator(dataset).request_cancel(job_id)
    for running in list(_running.values()):
        if running.id == job_id:
            running.stop.set()  # a job of this process need not wait until it reads of it


def job_of(dataset: Any, job_id: str | None) -> Job | None:
    """Return a job as it is now; None if there is none with this id any more."""
    if not job_id:
        return None
    coordinator = _coordinator(dataset)
    coordinator.fail_expired(job_id, INTERRUPTED)
    stored = coordinator.get(job_id)
    return None if stored is None else _as_job(stored)


def result_of(dataset: Any, job: Job | None) -> dict[str, Any] | None:
    """Return what the work of a job returned; None if it has not ended well."""
    if job is None or job.state != DONE:
        return None
    found = store_of(dataset, RESULTS).get(job.id)
    return found if isinstance(found, dict) else None


def jobs_of(dataset: Any) -> list[Job]:
    """Return the jobs of a dataset, the newest first."""
    found = (job_of(dataset, key) for key in store_of(dataset, STORE).list_keys())
    return sorted((one for one in found if one), key=lambda one: one.made, reverse=True)


def forget(dataset: Any, job_id: str) -> None:
    """Delete the record of a job that has ended."""
    job = job_of(dataset, job_id)
    if job is not None and not job.runs:
        store_of(dataset, STORE).delete(job_id)
        store_of(dataset, RESULTS).delete(job_id)


def wait(dataset: Any, job_id: str, seconds: float) -> Job | None:
    """Return a job when it has ended, or as it is after so many seconds."""
    end = time.monotonic() + seconds
    job = job_of(dataset, job_id)
    while job is not None and job.runs and time.monotonic() < end:
        time.sleep(0.05)
        job = job_of(dataset, job_id)
    return job


def _as_job(stored: dict[str, Any]) -> Job:
    progress = stored["progress"] or {}
    return Job(
        id=stored["id"],
        kind=stored["owner"]["kind"],
        title=stored["payload"]["title"],
        made=stored["created_at"],
        state=RUNNING if stored["state"] == "requested" else stored["state"],
        share=progress.get("share", 0.0),
        label=progress.get("label", "Starting"),
        stopping=stored["cancel_requested"] and stored["state"] == RUNNING,
        error=stored["error"],
    )


def _coordinator(dataset: Any) -> TransientJobCoordinator:
    return TransientJobCoordinator(store_of(dataset, STORE), SECONDS_KEPT, LEASE)
