"""A lock on a dataset, so that only one process at a time writes or removes its selections."""

from __future__ import annotations

import os
import socket
import threading
import time
import uuid
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import psutil

from ...alcore import InvalidInput
from ..dataset.fiftyone_private import store_of

STORE, KEY = "alcore.active_learning", "lock"
# Seconds. The clocks of machines that share a database must agree to less than LEASE - RENEW.
LEASE, RENEW = 60.0, 15.0
PATIENCE = 30.0
PAUSE = 0.05


@contextmanager
def locked(dataset: Any) -> Iterator[Callable[[], None]]:
    """Context in which no other process or thread writes or removes selections of a dataset.

    The lock is lent for ``LEASE`` seconds and renewed by a thread, so a process that is killed cannot
    keep it. If that process ran on this machine, the lock is free as soon as the process has ended.

    Yields:
        A function to call before each step. It raises InvalidInput if the lock was lost.

    Raises:
        InvalidInput: if another process keeps the lock for longer than ``PATIENCE`` seconds.
    """
    store = store_of(dataset, STORE)
    mine = {"token": uuid.uuid4().hex, "process": _this_process()}
    deadline = time.monotonic() + PATIENCE
    while (held := _take(store, mine)) is None:
        if time.monotonic() > deadline:
            raise InvalidInput(
                f"{dataset.name!r}: another selection is being written or undone; try again when it is "
                "done"
            )
        time.sleep(PAUSE)
    lost, done = threading.Event(), threading.Event()

    def renew() -> None:
        nonlocal held
        while not done.wait(RENEW):
            later = {**mine, "expires": time.time() + LEASE}
            if not store.compare_and_set(KEY, held, later):
                lost.set()
                return
            held = later

    def check() -> None:
        if lost.is_set():
            raise InvalidInput(
                f"{dataset.name!r}: the connection to the database was interrupted for so long that "
                "another process may have gone on; try again"
            )

    renewal = threading.Thread(target=renew, name="alcore-lock", daemon=True)
    renewal.start()
    try:
        yield check
    finally:
        done.set()
        renewal.join()
        if (store.get(KEY) or {}).get("token") == mine["token"]:
            store.delete(KEY)


def is_locked(dataset: Any) -> bool:
    """Return whether a running process writes or removes selections of a dataset."""
    held = store_of(dataset, STORE).get(KEY)
    return held is not None and not _is_free(held)


def _take(store: Any, mine: dict[str, Any]) -> dict[str, Any] | None:
    """Take the lock if it is free, and return the value that is stored for it; else None."""
    wanted = {**mine, "expires": time.time() + LEASE}
    if store.set_if_absent(KEY, wanted):
        return wanted
    held = store.get(KEY)
    if held is not None and _is_free(held) and store.compare_and_set(KEY, held, wanted):
        return wanted
    return None


def _is_free(held: dict[str, Any]) -> bool:
    return bool(held["expires"] < time.time()) or _has_ended(held["process"])


def _this_process() -> dict[str, Any]:
    pid = os.getpid()
    return {"pid": pid, "started": psutil.Process(pid).create_time(), "where": _where()}


def _has_ended(process: dict[str, Any]) -> bool:
    """Return whether a process of this machine has ended; False for those of other machines."""
    if process["where"] != _where():
        return False
    try:
        started = psutil.Process(process["pid"]).create_time()
    except psutil.NoSuchProcess:
        return True
    return bool(abs(started - process["started"]) > 1)


def _where() -> str:
    """Return what tells apart the machines and containers whose processes share their numbers."""
    try:
        namespace = os.readlink("/proc/self/ns/pid")
    except OSError:  # not Linux
        namespace = ""
    return f"{socket.gethostname()} {namespace}"
