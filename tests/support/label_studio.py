"""A Label Studio server of the tests' own, and what annotators do in it."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any
from urllib.request import urlopen

import requests

from scripts import ensure_label_studio
from support.servers import free_port, running

TOKEN = "0123456789abcdef" * 2 + "01234567"
SETTINGS = Path(__file__).parent / "label_studio_settings"


@contextmanager
def label_studio(folder: Path) -> Iterator[str]:
    """A server with an empty database in a folder, for as long as the block lasts; its address."""
    ensure_label_studio.main()
    shutil.copy(ensure_label_studio.empty_database(), folder / ensure_label_studio.DATABASE)
    port = free_port()
    command = ["env", f"--chdir={folder}"]
    settings = {
        **ensure_label_studio.offline(folder),
        "LABEL_STUDIO_USERNAME": "annotator@example.org",
        "LABEL_STUDIO_PASSWORD": "only-for-tests",
        "LABEL_STUDIO_USER_TOKEN": TOKEN,
        "LABEL_STUDIO_ENABLE_LEGACY_API_TOKEN": "true",
        "DJANGO_SETTINGS_MODULE": "label_studio_backwards",
        "PYTHONPATH": str(SETTINGS),
    }
    command += [f"{name}={value}" for name, value in settings.items()]
    command += [str(ensure_label_studio.program()), "start", "--no-browser"]
    command += ["--internal-host", "127.0.0.1", "--port", str(port)]
    address = f"http://127.0.0.1:{port}"
    with running("label-studio", command, lambda: urlopen(f"{address}/health", timeout=5).close()):
        yield address


class Annotator:
    """What people do in Label Studio, by its API."""

    def __init__(self, address: str) -> None:
        self.address = address

    def ask(self, method: str, path: str, **more: Any) -> Any:
        headers = {"Authorization": f"Token {TOKEN}"}
        answer = requests.request(method, self.address + path, headers=headers, timeout=60, **more)
        answer.raise_for_status()
        return answer

    def projects(self) -> list[dict[str, Any]]:
        return self.ask("GET", "/api/projects?page_size=1000").json()["results"]

    def project(self, title: str) -> int:
        return next(one["id"] for one in self.projects() if one["title"] == title)

    def tasks(self, project: int) -> list[dict[str, Any]]:
        """The tasks in the order in which annotators get them."""
        found = self.ask("GET", f"/api/tasks?project={project}&page_size=1000&fields=all").json()
        return sorted(found["tasks"], key=lambda task: task["id"])

    def picture(self, task: dict[str, Any]) -> bytes:
        """What an annotator sees."""
        return self.ask("GET", task["data"]["image"]).content

    def choose(self, task: dict[str, Any], field: str, label: str, seconds: float = 3.5) -> None:
        """Classify the image of a task."""
        value = {"choices": [label]}
        self.annotate(task, [{"type": "choices", "from_name": field, "value": value}], seconds)

    def annotate(
        self, task: dict[str, Any], result: list[dict[str, Any]], seconds: float = 3.5, **more: Any
    ) -> None:
        size = {"original_width": 32, "original_height": 24, "image_rotation": 0}
        rows = [{**size, "to_name": "image", "id": f"r{n}", **one} for n, one in enumerate(result)]
        made = {"result": rows, "lead_time": seconds, **more}
        self.ask("POST", f"/api/tasks/{task['id']}/annotations", json=made)
