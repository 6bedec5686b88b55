"""The interface between the optimizer and the strategies.

Rows number the candidates: row 0 is the first sample that may be chosen. An objective keeps its own
data, and receives the picks as rows; it never reads another objective.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, ClassVar, Protocol

import numpy as np
import torch


class Block(Protocol):
    """The values of a few candidates, updated as some of them are chosen."""

    values: np.ndarray
    """(B,) float64, each candidate's present value."""

    def pick(self, position: int) -> None:
        """Update ``values`` after the candidate at ``position`` is chosen."""
        ...


class Objective:
    """The value of each further sample, given the labeled and the chosen ones.

    Attributes:
        scale: its greatest value, by which combine: "sum" divides it.
        depends_on_picks: whether picks change its values. If so, a pick never raises a value (except
            the first pick, where ``needs_first_pick``).
        update_cost: how costly it is to update values. 0: cheap; all rows are updated in every round.
            1: only rows that may win are updated, in large batches. 2: likewise, in small batches,
            because one row costs a pass over the pool. 3: as 2, and updates within a block cost the
            same.
    """

    scale: float = 1.0
    depends_on_picks: ClassVar[bool] = True
    update_cost: ClassVar[int] = 0

    @property
    def needs_first_pick(self) -> bool:
        """Whether the first pick uses other values than the later ones, which may be higher."""
        return False

    @property
    def minimum(self) -> float | None:
        """The least value of a row that may be chosen; None without such a limit."""
        return None

    @property
    def rounding_error(self) -> float:
        """The largest relative difference between ``values`` and those of a block, which are exact."""
        return 0.0

    @property
    def fallback(self) -> Callable[[], None] | None:
        """A function that switches to other values once all are 0; None where there are no others."""
        return None

    @property
    def group_ids(self) -> torch.Tensor | None:
        """(n,) int64, equal for rows whose values are always equal; None if that is not known."""
        return None

    def values(self, rows: torch.Tensor | None) -> torch.Tensor:
        """(R,) float64, the present values of ``rows`` (all if None), higher = more worth labeling."""
        raise NotImplementedError

    def block(self, rows: torch.Tensor, values: torch.Tensor) -> Block:
        """A block of the candidates at ``rows``, whose present values are ``values`` up to rounding."""
        raise NotImplementedError

    def add(self, rows: torch.Tensor) -> None:
        """Record that the candidates at ``rows`` are chosen."""
        raise NotImplementedError

    def report(self) -> dict[str, Any]:
        """The state reached so far, as plain values that JSON can hold."""
        return {}
