"""What the optimizer asks of a strategy.

Rows count candidates: row 0 is the first sample that may be chosen. An objective keeps what it needs
of its rows, and learns of picks as rows; it never reads another objective.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, ClassVar, Protocol

import numpy as np
import torch


class Block(Protocol):
    """A few candidates, and what choosing one of them does to the others."""

    values: np.ndarray
    """(B,) float64, each candidate's value now."""

    def pick(self, position: int) -> None:
        """Bring ``values`` up to date after choosing the candidate at ``position``."""
        ...


class Objective:
    """A term of the selection: what a further sample is worth, given those chosen and labeled.

    Attributes:
        scale: its greatest value, by which "sum" divides it.
        depends_on_picks: whether picks change its values; where they do, they only fall (except after
            the first pick, where ``needs_first_pick``).
        update_cost: what values cost to bring up to date. 0: little, done for all rows in every
            round. 1: done for the rows that may win, in large batches. 2: as 1, for one row costs a
            pass over the pool. 3: as 2, within a block too.
    """

    scale: float = 1.0
    depends_on_picks: ClassVar[bool] = True
    update_cost: ClassVar[int] = 0

    @property
    def needs_first_pick(self) -> bool:
        """Whether the first pick goes by other values than the rest, which need not fall from them."""
        return False

    @property
    def minimum(self) -> float | None:
        """Rows whose value is below it cannot be chosen."""
        return None

    @property
    def rounding_error(self) -> float:
        """By what share of them values may differ from the block's, which are rounded better."""
        return 0.0

    @property
    def fallback(self) -> Callable[[], None] | None:
        """Makes it continue by other values once all are 0; None where it has no others."""
        return None

    @property
    def group_ids(self) -> torch.Tensor | None:
        """(n,) int64, equal for rows that have the same value whatever is chosen; None if not known."""
        return None

    def values(self, rows: torch.Tensor | None) -> torch.Tensor:
        """(R,) float64, the exact values of ``rows`` (all if None) after everything added."""
        raise NotImplementedError

    def block(self, rows: torch.Tensor, values: torch.Tensor) -> Block:
        """A block over ``rows``, whose values now are ``values``, up to rounding."""
        raise NotImplementedError

    def add(self, rows: torch.Tensor) -> None:
        """``rows`` are chosen."""
        raise NotImplementedError

    def report(self) -> dict[str, Any]:
        """What it has reached so far, in plain values."""
        return {}
