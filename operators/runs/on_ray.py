"""Choosing on a Ray cluster, by the engine that is installed where its actors run."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from ...alcore import InvalidInput, Recipe, Selection
from ...alcore.data.pool import Pool


def select_on_ray(pool: Pool, recipe: Recipe, progress: Callable[[int, int], None]) -> Selection:
    """As ``select`` with ``backend="ray"``.

    FiftyOne loads a plugin under a name of its own, which the actors do not know. They use the package
    ``alcore``, and so what is sent to them must be of that package.

    Raises:
        InvalidInput: as ``select``; the package is not installed, or a column holds objects or maps.
    """
    try:
        import alcore as installed
    except ImportError:
        raise InvalidInput(
            "device: 'ray' needs the package alcore on every machine of the cluster: pip install it "
            "from the plugin's folder"
        ) from None
    held: dict[str, Any] = pool.__getstate__()
    odd = [name for name, column in held["columns"].items() if not isinstance(column, np.ndarray)]
    if odd:
        raise InvalidInput(
            f"device: 'ray' is not possible with {odd[0]!r}, which holds objects or maps; use cpu"
        )
    written = recipe.model_dump(mode="json", by_alias=True, exclude_none=True)
    if recipe.stages is not None:  # what belongs inside the stages has its defaults here
        written = {name: written[name] for name in ("stages", "filters", "seed")}
    try:
        pool_there = installed.Pool(**held)
        chosen = installed.select(pool_there, written, progress=progress, backend="ray")
    except installed.InvalidInput as error:
        raise InvalidInput(str(error)) from None
    return Selection(chosen.indices, chosen.ids, chosen.gains, chosen.reasons, chosen.report)
