"""What a strategy is asked to judge."""

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import torch

from ..data.device import to_tensor
from ..data.pool import Pool
from ..objectives import Score


@dataclass(frozen=True)
class Task:
    """What a stage chooses from, as its strategies see it.

    ``candidates`` are rows of the pool, ``picks`` how many will be chosen, ``user`` the entry's place
    in the recipe, for errors. ``tick`` is called now and then in long work; what it raises ends it.
    ``found`` keeps what is dear to find and may serve another strategy, or another stage.
    """

    pool: Pool
    candidates: np.ndarray
    picks: int
    seed: int
    device: torch.device
    user: str = ""
    tick: Callable[[], None] = lambda: None
    found: dict[Any, Any] = field(default_factory=dict)


def score(
    values: np.ndarray, task: Task, scale: float = 1.0, told: dict[str, Any] | None = None
) -> Score:
    """Values that no pick changes, one a candidate; ``told`` is what the report says of them."""
    return Score(to_tensor(values, torch.float64, task.device), scale or 1.0, told or {})


def listed(names: list[str]) -> str:
    """The first names of a list, for an error."""
    return ", ".join(map(repr, names[:10])) + (", ..." if len(names) > 10 else "")


def class_name(value: Any) -> str:
    """A label as the name of a class: numbers become floats where some are missing."""
    whole = isinstance(value, float | np.floating) and float(value).is_integer()
    return str(int(value)) if whole else str(value)


def class_names(column: str, width: int, task: Task) -> list[str]:
    """The names of a prediction column's classes, their numbers where they have none."""
    return task.pool.classes.get(column) or [str(c) for c in range(width)]


class IdsOf:
    """The ids of some rows, looked up only for an error."""

    def __init__(self, ids: Any, rows: np.ndarray) -> None:
        self._ids = ids
        self._rows = rows

    def __getitem__(self, index: int) -> Any:
        return self._ids[self._rows[index]]
