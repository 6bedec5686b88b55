"""Examples that a recipe compares with: samples, or objects, that the view may lack."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from ...alcore import Pool, Recipe
from .recipe_columns import filters_of, judges_of, map_entries, map_filters

# Reads the vectors of some samples, or objects, of the whole dataset, by their ids.
ReadVectors = Callable[[str, list[str]], list[list[float]]]


def with_examples(recipe: Recipe, pool: Pool, read_vectors: ReadVectors) -> Recipe:
    """The recipe with the vectors of examples in place of their ids, where the pool lacks one."""

    def known(column: str, given: list[Any] | None) -> list[Any] | None:
        if given is None or any(isinstance(one, list) for one in given) or ids.issuperset(given):
            return given
        return read_vectors(column, list(map(str, given)))

    def of_entry(entry: Any) -> Any:
        if not hasattr(entry, "to"):
            return entry
        return entry.model_copy(update={"to": known(entry.column, entry.to)})

    def of_filter(one: Any) -> Any:
        return one.model_copy(update={"similar_to": known(one.column, one.similar_to)})

    compared = [*judges_of(recipe), *filters_of(recipe)]
    if not any(getattr(one, "to", None) or getattr(one, "similar_to", None) for one in compared):
        return recipe
    ids = set(pool.ids)
    return map_filters(map_entries(recipe, of_entry), of_filter)
