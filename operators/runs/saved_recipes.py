"""Recipes that are kept with a dataset under names."""

from __future__ import annotations

from typing import Any

from ..dataset.fiftyone_private import store_of

STORE = "alcore.recipes"


def saved_recipes(dataset: Any) -> dict[str, dict[str, Any]]:
    """Return the saved recipes by their names, in order of the names."""
    store = store_of(dataset, STORE)
    found = {key: store.get(key) for key in sorted(store.list_keys())}
    return {key: one for key, one in found.items() if isinstance(one, dict)}


def save_recipe(dataset: Any, name: str, recipe: dict[str, Any]) -> None:
    """Save a recipe under a name."""
    store_of(dataset, STORE).set(name, recipe)


def delete_recipe(dataset: Any, name: str) -> None:
    """Delete a saved recipe."""
    store_of(dataset, STORE).delete(name)
