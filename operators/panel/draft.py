"""What a user has entered in the panel, kept with the dataset: it survives a reload and a restart."""

from __future__ import annotations

from typing import Any

from ..dataset.fiftyone_private import store_of

DRAFTS, RECIPES = "alcore.panel", "alcore.recipes"
KEY = "draft"
# The parts of the panel's state that are kept.
KEPT = (
    *("step", "order", "next", "form", "open", "proposed", "start", "wanted", "rare"),
    *("jobs", "awaited", "shown", "previewed", "costs", "stop", "round"),
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


def recipes(dataset: Any) -> dict[str, dict[str, Any]]:
    """Return the saved recipes by their names, in order of the names."""
    store = store_of(dataset, RECIPES)
    found = {key: store.get(key) for key in sorted(store.list_keys())}
    return {key: one for key, one in found.items() if isinstance(one, dict)}


def save_recipe(dataset: Any, name: str, recipe: dict[str, Any]) -> None:
    """Save a recipe under a name."""
    store_of(dataset, RECIPES).set(name, recipe)


def delete_recipe(dataset: Any, name: str) -> None:
    """Delete a saved recipe."""
    store_of(dataset, RECIPES).delete(name)
