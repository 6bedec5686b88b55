"""What a user has entered in the panel, kept with the dataset: it survives a reload and a restart."""

from __future__ import annotations

from typing import Any

from ..dataset.fiftyone_private import store_of

DRAFTS = "alcore.panel"
KEY = "draft"
# The parts of the panel's state that are kept.
KEPT = (
    *("step", "order", "next", "form", "open", "proposed", "start", "wanted", "rare"),
    *("jobs", "awaited", "shown", "previewed", "costs", "stop", "round", "advice"),
    "finished",
)


def load(dataset: Any) -> dict[str, Any] | None:
    """Return what was entered last; None if nothing was, or if it cannot be used any more."""
    stored = store_of(dataset, DRAFTS).get(KEY)
    return stored if isinstance(stored, dict) and isinstance(stored.get("order"), list) else None


def save(dataset: Any, state: dict[str, Any]) -> None:
    """Keep the parts of a panel's state that are kept, if they have changed."""
    draft = {name: state[name] for name in KEPT if name in state}
    store = store_of(dataset, DRAFTS)
    if draft and store.get(KEY) != draft:
        store.set(KEY, draft)
