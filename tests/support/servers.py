"""The database and the App server that the tests run: their own, never the user's."""

from __future__ import annotations

import json
import os
import socket
import subprocess
import sys
import time
import uuid
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any
from urllib.request import Request, urlopen

from scripts.ensure_mongod import HOW_TO_HELP_YOURSELF, mongod_path, runs

ROOT = Path(__file__).resolve().parents[2]
OUTPUT = Path(os.environ.get("TEST_OUTPUT", ROOT / "test-output"))
PATIENCE = 120  # seconds until a server must answer; on a busy machine importing FiftyOne takes 20


def isolated(environment: Mapping[str, str], home: Path) -> dict[str, str]:
    """The environment without what the user set for FiftyOne, and with `home` for its files.

    FiftyOne reads it once, at import; servers started later inherit it. A database of the user's
    is used only where the tests cannot start one, and then under a name of their own.
    """
    theirs = environment.get("FIFTYONE_DATABASE_URI")
    ours = f"mongodb://127.0.0.1:{free_port()}"
    return {name: value for name, value in environment.items() if "FIFTYONE" not in name} | {
        "FIFTYONE_DATABASE_URI": theirs if theirs and not runs(mongod_path()) else ours,
        "FIFTYONE_DATABASE_NAME": f"alcore-tests-{uuid.uuid4().hex[:8]}",
        "FIFTYONE_DATABASE_DIR": str(home / "database"),
        "FIFTYONE_DATABASE_VALIDATION": "false",  # the packaged server is an old one, and will do
        "ALCORE_CACHE_DIR": str(home / "cache"),
        "FIFTYONE_DEFAULT_DATASET_DIR": str(home / "datasets"),
        "FIFTYONE_PLUGINS_DIR": str(ROOT),
        "FIFTYONE_ALLOW_LEGACY_ORCHESTRATORS": "true",  # else the App does not offer "Schedule"
        "FIFTYONE_DO_NOT_TRACK": "true",
        # None of these files exists, so that no setting of the user's reaches the tests.
        "FIFTYONE_CONFIG_PATH": str(home / "config.json"),
        "FIFTYONE_APP_CONFIG_PATH": str(home / "app_config.json"),
        "FIFTYONE_ANNOTATION_CONFIG_PATH": str(home / "annotation_config.json"),
        "FIFTYONE_EVALUATION_CONFIG_PATH": str(home / "evaluation_config.json"),
        "FIFTYONE_BRAIN_CONFIG_PATH": str(home / "brain_config.json"),
    }


@contextmanager
def database(environment: Mapping[str, str]) -> Iterator[str]:
    """The database that `isolated` chose, for as long as the block lasts; gives its address."""
    uri = environment["FIFTYONE_DATABASE_URI"]
    if runs(mongod_path()):
        files = environment["FIFTYONE_DATABASE_DIR"]
        Path(files).mkdir(parents=True)
        host, port = uri.removeprefix("mongodb://").split(":")
        command = [str(mongod_path()), "--dbpath", files, "--nounixsocket"]
        command += ["--bind_ip", host, "--port", port]
        command += ["--wiredTigerCacheSizeGB", "0.25"]  # by itself it takes half the memory
        address = (host, int(port))
        with running("mongod", command, lambda: socket.create_connection(address, 1).close()):
            yield uri
    else:
        import pymongo

        client: pymongo.MongoClient[Any] = pymongo.MongoClient(uri, serverSelectionTimeoutMS=5000)
        with client:
            try:
                client.admin.command("ping")
            except pymongo.errors.PyMongoError as error:
                raise RuntimeError(HOW_TO_HELP_YOURSELF) from error
            yield uri
            client.drop_database(environment["FIFTYONE_DATABASE_NAME"])


def free_address() -> str:
    """An address at which a server can be started."""
    return f"http://127.0.0.1:{free_port()}"


@contextmanager
def app(url: str, settings: Mapping[str, str] | None = None) -> Iterator[str]:
    """The App's server at an address, for as long as the block lasts; gives the address.

    Its environment is that of the tests, and `settings`.
    """
    host, port = url.removeprefix("http://").split(":")
    command = ["env", *(f"{name}={value}" for name, value in (settings or {}).items())]
    command += [sys.executable, "-m", "fiftyone.server.main", "--address", host, "--port", port]
    with running(f"app-{port}", command, lambda: urlopen(f"{url}/fiftyone", timeout=5).close()):
        yield url


def plugin_errors(app_url: str) -> list[str]:
    """Why plugins did not load; the App itself leaves such plugins out without a word."""
    request = Request(f"{app_url}/operators", b"{}", {"content-type": "application/json"})
    with urlopen(request, timeout=60) as answer:
        return json.load(answer)["errors"]


@contextmanager
def running(name: str, command: list[str], ask: Callable[[], None]) -> Iterator[None]:
    """Run a server from its first answer (`ask` raises OSError until then) to the block's end."""
    OUTPUT.mkdir(parents=True, exist_ok=True)
    log = OUTPUT / f"{name}.log"
    with log.open("wb") as stream:
        server = subprocess.Popen(command, stdout=stream, stderr=subprocess.STDOUT)
    try:
        wait_for(server, ask, log)
        yield
    finally:
        server.terminate()
        try:
            server.wait(20)
        except subprocess.TimeoutExpired:
            server.kill()
            server.wait()


def wait_for(server: subprocess.Popen[bytes], ask: Callable[[], None], log: Path) -> None:
    deadline = time.monotonic() + PATIENCE
    while server.poll() is None and time.monotonic() < deadline:
        try:
            return ask()
        except OSError:
            time.sleep(0.1)
    raise RuntimeError(f"{log.stem} did not start:\n{log.read_text(errors='replace')[-2000:]}")


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])
