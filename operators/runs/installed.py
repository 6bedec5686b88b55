"""The engine as other processes know it.

FiftyOne loads a plugin under a name of its own, which other processes do not know. They use the package
``alcore``, and so what is sent to them must be of that package.
"""

from __future__ import annotations

import importlib
from typing import Any

import numpy as np

from ...alcore import InvalidInput, Recipe
from ...alcore.data.pool import Pool


def installed_engine() -> Any:
    """Return the package ``alcore``; None if it is not installed."""
    try:
        return importlib.import_module("alcore")
    except ImportError:
        return None


def needed_engine(what: str) -> Any:
    """Return the package ``alcore``, for what cannot do without it.

    Raises:
        InvalidInput: it is not installed.
    """
    engine = installed_engine()
    if engine is None:
        raise InvalidInput(
            f"{what} needs the package alcore on every machine of the cluster: pip install it from the "
            "plugin's folder"
        )
    return engine


def sendable(pool: Pool) -> dict[str, Any]:
    """Return what makes the pool there: the arguments of the package's ``Pool``."""
    return pool.__getstate__()


def not_sendable(pool: Pool) -> list[str]:
    """Return the columns that cannot be sent: those of objects and maps."""
    return [name for name, column in pool.columns.items() if not isinstance(column, np.ndarray)]


def written(recipe: Recipe) -> dict[str, Any]:
    """Return a recipe as plain values."""
    found = recipe.model_dump(mode="json", by_alias=True, exclude_none=True)
    if recipe.stages is not None:  # what belongs inside the stages has its defaults here
        found = {name: found[name] for name in ("stages", "filters", "seed")}
    return found
