"""Choosing on a Ray cluster, by the engine that is installed where its actors run."""

from __future__ import annotations

from collections.abc import Callable

from ...alcore import InvalidInput, Recipe, Selection
from ...alcore.data.pool import Pool
from .installed import needed_engine, not_sendable, sendable, written


def select_on_ray(pool: Pool, recipe: Recipe, progress: Callable[[int, int], None]) -> Selection:
    """As ``select`` with ``backend="ray"``.

    Raises:
        InvalidInput: as ``select``; the package is not installed, or a column holds objects or maps.
    """
    engine = needed_engine("device: 'ray'")
    odd = not_sendable(pool)
    if odd:
        raise InvalidInput(
            f"device: 'ray' is not possible with {odd[0]!r}, which holds objects or maps; use cpu"
        )
    try:
        pool_there = engine.Pool(**sendable(pool))
        chosen = engine.select(pool_there, written(recipe), progress=progress, backend="ray")
    except engine.InvalidInput as error:
        raise InvalidInput(str(error)) from None
    return Selection(chosen.indices, chosen.ids, chosen.gains, chosen.reasons, chosen.report)
