"""Objectives whose candidates may be divided among several processes."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import torch

from .objective import Block, Objective

Traits = Mapping[str, torch.Tensor]


class Divisible(Objective):
    """An objective that holds some of the candidates, and learns of picks from among others.

    What others need to know of a candidate are its *traits*: tensors with a row for each candidate.
    """

    def traits(self, rows: torch.Tensor) -> dict[str, torch.Tensor]:
        """What a block and the other processes need to know of the candidates at ``rows``."""
        raise NotImplementedError

    def exact(self, rows: torch.Tensor, values: torch.Tensor) -> torch.Tensor:
        """(R,) float64 values of ``rows`` without rounding errors; ``values`` are those with them."""
        return values

    def block_of(self, traits: Traits, values: torch.Tensor) -> Block:
        """A block of candidates that may be of other processes.

        Args:
            traits: what is known of them.
            values: (B,) their exact values.
        """
        raise NotImplementedError

    def add_traits(self, traits: Traits) -> None:
        """Record that candidates are chosen which may be of other processes."""
        raise NotImplementedError

    def merged(self, reports: Sequence[dict[str, Any]]) -> dict[str, Any]:
        """One report from those of the processes; by default they all say the same."""
        return dict(reports[0])

    def block(self, rows: torch.Tensor, values: torch.Tensor) -> Block:
        """A block of the candidates at ``rows``, whose present values are ``values`` up to rounding."""
        return self.block_of(self.traits(rows), self.exact(rows, values))

    def add(self, rows: torch.Tensor) -> None:
        """Record that the candidates at ``rows`` are chosen."""
        self.add_traits(self.traits(rows))


class Summed(Divisible):
    """An objective whose values are sums over all processes, of what each can tell of any candidate.

    The values of own candidates are what was last supplied; these are upper bounds, for values only
    fall. Candidates are known by numbers.
    """

    def supply(self, numbers: torch.Tensor, sums: torch.Tensor) -> torch.Tensor:
        """Set the values of those candidates that are here to sums of the summands of all processes.

        Args:
            numbers: (R,) int64, candidates of any process.
            sums: (R,) float64.

        Returns:
            the rows of those that are here.
        """
        raise NotImplementedError

    def numbers(self, rows: torch.Tensor) -> torch.Tensor:
        """(R,) int64, the numbers by which the processes know these candidates."""
        raise NotImplementedError

    def summands(self, numbers: torch.Tensor) -> torch.Tensor:
        """(R,) float64, what this process adds to the values of candidates of any process."""
        raise NotImplementedError

    def entries(self, traits: Traits) -> dict[str, torch.Tensor]:
        """What a block of candidates needs to know of this process."""
        raise NotImplementedError

    def block_from(self, count: int, found: Sequence[dict[str, Any]]) -> Block:
        """A block of ``count`` candidates, from the entries of all processes."""
        raise NotImplementedError
