"""The panel without a browser: it sends the events that the App sends, and keeps what comes back."""

from __future__ import annotations

import time
from typing import Any

URI = "@alcore/active_learning/active_learning"
PATIENCE = 60  # seconds


class HeadlessPanel:
    """The panel of a dataset, opened anew.

    Attributes:
        state: the state of the panel, as the App holds it.
        data: what the panel sent to be shown in plots and tables.
        shown: the properties that were drawn last, by name; those inside of others too.
    """

    def __init__(self, dataset: Any) -> None:
        self.dataset = dataset
        self.state: dict[str, Any] = {}
        self.data: dict[str, Any] = {}
        self.shown: dict[str, Any] = {}
        self.send("on_load")

    @property
    def error(self) -> str:
        return str(self.state.get("error") or "")

    def send(self, method: str, **params: Any) -> None:
        """Send an event, and take up what the panel answers."""
        import fiftyone.operators as foo

        sent = {"panel_id": "p", "__method__": method, "panel_state": self.state, **params}
        result = foo.execute_operator(URI, {"dataset": self.dataset}, params=sent)
        for request in result.executor.to_json()["requests"]:
            self._take(request["operator_uri"].rsplit("/", 1)[-1], request["params"])

    def set(self, name: str, values: dict[str, Any]) -> None:
        """Enter values into the inputs below a name."""
        self.state[name] = {**(self.state.get(name) or {}), **values}

    def finish(self) -> None:
        """Look at the jobs until none is awaited."""
        end = time.monotonic() + PATIENCE
        while self.state.get("awaited"):
            assert time.monotonic() < end, f"still awaited: {self.state['awaited']}"
            time.sleep(0.1)
            self.send("on_tick")

    def text(self, name: str) -> str:
        """Return the text that is shown under a name."""
        shown = self.shown[name]
        return str(shown.get("default") or shown["view"].get("label"))

    def _take(self, operator: str, params: dict[str, Any]) -> None:
        if operator == "patch_panel_state":
            _merge(self.state, params["state"])
        elif operator == "patch_panel_data":
            _merge(self.data, params["data"])
        elif operator == "show_panel_output":
            self.shown = dict(_flat(params["output"]["type"]["properties"]))


def _merge(into: dict[str, Any], changes: dict[str, Any]) -> None:
    for path, value in changes.items():
        *parents, name = path.split(".")
        place = into
        for parent in parents:
            place = place.setdefault(parent, {})
        place[name] = value


def _flat(properties: dict[str, Any]) -> Any:
    for name, shown in properties.items():
        yield name, shown
        yield from _flat(shown.get("type", {}).get("properties") or {})
