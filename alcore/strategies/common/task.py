"""What a strategy judges."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np
import torch

from ...data.device import to_tensor
from ...data.pool import Pool
from ...geometry.vectors import Vectors, vectors_of
from ...objectives import Score


@dataclass(frozen=True)
class Task:
    """What a stage chooses from, as its strategies see it.

    Attributes:
        pool: the samples.
        candidates: (n,) int64, the rows of the pool that may be chosen, ascending.
        picks: how many will be chosen.
        seed: of all that is drawn.
        device: where the heavy arrays live.
        user: the strategy's place in the recipe, for errors.
        tick: called now and then in long work; what it raises ends it.
        cache: what is costly to find and may serve another strategy, or another stage.
    """

    pool: Pool
    candidates: np.ndarray
    picks: int
    seed: int
    device: torch.device
    user: str = ""
    tick: Callable[[], None] = lambda: None
    cache: dict[Any, Any] = field(default_factory=dict)

    def of(self, rows: np.ndarray) -> Task:
        """The same task with other candidates."""
        return replace(self, candidates=rows)

    def vectors(self, column: str, metric: str) -> Vectors:
        """A column of vectors as its metric compares them."""
        return vectors_of(self.pool, column, metric, self.user, self.device)

    def score(
        self, values: np.ndarray, scale: float = 1.0, report: dict[str, Any] | None = None
    ) -> Score:
        """An objective of values that no pick changes, (n,) one a candidate."""
        return Score(to_tensor(values, torch.float64, self.device), scale or 1.0, report or {})
