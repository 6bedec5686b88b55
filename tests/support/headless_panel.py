"""The panel without a browser: events go to its code; its answers are kept as the App keeps them."""

from __future__ import annotations

import json
import time
from typing import Any

import pydash

URI = "@alcore/active_learning/active_learning"
PATIENCE = 60


class HeadlessPanel:
    """The panel on a dataset or view.

    Attributes:
        state: the state of the panel.
        drawn: its last drawing, as JSON.
        bytes_of_data: the length of the longest plot that it sent, as JSON.
        messages: the other things that it asked the App to do, as pairs of name and parameters.
    """

    def __init__(self, collection: Any) -> None:
        self.collection = collection
        self.state: dict[str, Any] = {}
        self.drawn: dict[str, Any] = {}
        self.messages: list[tuple[str, dict[str, Any]]] = []
        self.bytes_of_data = 0
        self.event("on_load")

    def event(self, method: str, **params: Any) -> None:
        """Send an event to the panel, and keep its answer."""
        import fiftyone as fo
        import fiftyone.operators as foo

        whole = isinstance(self.collection, fo.Dataset)
        where = {"dataset": self.collection} if whole else {"view": self.collection}
        result = foo.execute_operator(
            URI,
            where,
            params={
                "panel_id": "panel",
                "__method__": method,
                "panel_state": pydash.clone_deep(self.state),
                **params,
            },
        )
        for request in result.executor.to_json()["requests"]:
            name, given = request["operator_uri"].rsplit("/", 1)[-1], request["params"]
            if name == "patch_panel_state":
                for path, value in given["state"].items():
                    pydash.set_(self.state, path, value)
            elif name == "show_panel_output":
                self.drawn = given["output"]
            elif name == "patch_panel_data":
                self.bytes_of_data = max(self.bytes_of_data, len(json.dumps(given, default=str)))
            else:
                self.messages.append((name, given))

    def finish(self) -> None:
        """Let the time pass until no job runs."""
        end = time.monotonic() + PATIENCE
        while self.state.get("awaited"):
            assert time.monotonic() < end
            self.event("on_tick")
            time.sleep(0.05)

    def texts(self) -> str:
        """All texts that are drawn, below each other."""
        return "\n".join(_texts(self.drawn))

    def cards(self) -> list[dict[str, Any]]:
        return [self.state["form"][one] for one in self.state["order"]]


def _texts(part: Any) -> list[str]:
    if isinstance(part, list):
        return [text for one in part for text in _texts(one)]
    if not isinstance(part, dict):
        return []
    own = [
        part[name] for name in ("label", "default", "description") if isinstance(part.get(name), str)
    ]
    return own + [text for one in part.values() for text in _texts(one)]
