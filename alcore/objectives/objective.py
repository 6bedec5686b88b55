"""What the optimizer asks of a strategy.

Rows count candidates: row 0 is the first sample that may be chosen. An objective keeps what it needs
of its rows, and learns of picks as rows; it never reads another objective.
"""

from collections.abc import Callable
from typing import Any, Protocol

import numpy as np
import torch


class Block(Protocol):
    """A few candidates, and what choosing one of them does to the others."""

    values: np.ndarray
    """(B,) float64, each candidate's value now."""

    def pick(self, position: int) -> None:
        """Bring ``values`` up to date after choosing the candidate at ``position``."""
        ...


class Objective(Protocol):
    """A term of the selection: what a further sample is worth, given those chosen and labeled."""

    scale: float
    """Its greatest value, by which "sum" divides it."""

    @property
    def depends_on_picks(self) -> bool:
        """Whether picks change its values; where they do, they only fall (while not ``cold``)."""
        ...

    @property
    def update_cost(self) -> int:
        """What values cost to bring up to date.

        0: little, done for all rows in every round. 1: done for the rows that may win, in large
        batches. 2: as 1, for one row costs a pass over the pool. 3: as 2, within a block too.
        """
        ...

    @property
    def needs_first_pick(self) -> bool:
        """Whether the first pick goes by other values than the rest, which need not fall from them."""
        ...

    @property
    def minimum(self) -> float | None:
        """Rows whose value is below it cannot be chosen."""
        ...

    @property
    def rounding_error(self) -> float:
        """By what share of them values may be off the block's, which are the better rounded."""
        ...

    @property
    def fallback(self) -> Callable[[], None] | None:
        """Makes it go on by other values, for when all are 0; None where it has no others."""
        ...

    @property
    def group_ids(self) -> torch.Tensor | None:
        """(n,) int64, equal for rows that have the same value whatever is chosen; None if not told."""
        ...

    def values(self, rows: torch.Tensor | None) -> torch.Tensor:
        """(R,) float64, the exact values of ``rows`` (all if None) after everything added."""
        ...

    def block(self, rows: torch.Tensor, values: torch.Tensor) -> Block:
        """A block over ``rows``, whose values now are ``values``, but for rounding."""
        ...

    def add(self, rows: torch.Tensor) -> None:
        """``rows`` are chosen."""
        ...

    def report(self) -> dict[str, Any]:
        """What it has reached so far, in plain values."""
        ...
