"""The panel without a browser: events go to its code; its answers are kept as the App keeps them."""

from __future__ import annotations

import copy
import json
import time
from collections.abc import Iterator
from typing import Any

import pydash

URI = "@alcore/active_learning/active_learning"
PATIENCE = 60  # seconds


class HeadlessPanel:
    """The panel on a dataset or view, opened anew.

    Attributes:
        collection: what the App shows: a dataset or a view.
        state: the state of the panel, as the App holds it.
        data: what the panel sent to be shown in plots and tables.
        shown: the properties that were drawn last, by name; those inside of others too.
        requests: what the App was asked to do by the last event.
    """

    def __init__(self, collection: Any) -> None:
        self.collection = collection
        self.state: dict[str, Any] = {}
        self.data: dict[str, Any] = {}
        self.shown: dict[str, Any] = {}
        self.requests: list[dict[str, Any]] = []
        self.event("on_load")

    def event(self, method: str, **params: Any) -> None:
        """Send an event, and take up what the panel answers."""
        import fiftyone as fo
        import fiftyone.operators as foo

        whole = isinstance(self.collection, fo.Dataset)
        where = {"dataset": self.collection} if whole else {"view": self.collection}
        state = copy.deepcopy(self.state)
        sent = {"panel_id": "p", "__method__": method, "panel_state": state, **params}
        result = foo.execute_operator(URI, where, params=sent)
        self.requests = result.executor.to_json()["requests"]
        for request in self.requests:
            name, given = _name(request), request["params"]
            if name == "patch_panel_state":
                _merge(self.state, given["state"])
            elif name == "patch_panel_data":
                _merge(self.data, given["data"])
            elif name == "show_panel_output":
                self.shown = dict(_flat(given["output"]["type"]["properties"]))
        # The panel works on an object of its own.
        self.collection._root_dataset.reload()

    def enter(self, below: str, /, **values: Any) -> None:
        """Enter values into the inputs below a name."""
        self.state[below] = {**(self.state.get(below) or {}), **values}

    def finish(self) -> None:
        """Look at the jobs until none is awaited."""
        end = time.monotonic() + PATIENCE
        while self.state.get("awaited"):
            assert time.monotonic() < end, f"still awaited: {self.state['awaited']}"
            self.event("on_tick")
            time.sleep(0.05)

    def asked(self, name: str) -> list[dict[str, Any]]:
        """The parameters of each request of this name of the last event, such as "set_view"."""
        return [one["params"] for one in self.requests if _name(one) == name]

    @property
    def error(self) -> str:
        return str(self.state.get("error") or "")

    def text(self, name: str) -> str:
        """The text that is shown under a name."""
        shown = self.shown[name]
        return str(shown.get("default") or shown["view"].get("label"))

    def texts(self) -> str:
        """All texts that are shown, below each other."""
        found = [self.text(name) for name, one in self.shown.items() if one.get("view")]
        return "\n".join(found)

    def cards(self) -> list[dict[str, Any]]:
        return [self.state["form"][one] for one in self.state["order"]]

    def size(self) -> int:
        """Bytes of the state and data, which the App sends with every event."""
        return len(json.dumps([self.state, self.data], default=str))


def _name(request: dict[str, Any]) -> str:
    return str(request["operator_uri"]).rsplit("/", 1)[-1]


def _merge(into: dict[str, Any], changes: dict[str, Any]) -> None:
    for path, value in changes.items():
        pydash.set_(into, path, value)


def _flat(properties: dict[str, Any]) -> Iterator[tuple[str, Any]]:
    for name, shown in properties.items():
        yield name, shown
        yield from _flat(shown.get("type", {}).get("properties") or {})
