"""A score: values that do not depend on the picks."""

from typing import Any

import numpy as np
import torch

from .divisible import Divisible, Traits


class ScoreBlock:
    """The values of a few candidates, updated as some of them are chosen (see ``Block``)."""

    def __init__(self, values: np.ndarray) -> None:
        self.values = values

    def pick(self, position: int) -> None:
        """Update ``values`` after the candidate at ``position`` is chosen."""


class Score(Divisible):
    """Values computed beforehand.

    Args:
        values: (n,) float64, higher = more worth labeling.
        scale: the highest possible value, by which combine: "sum" divides them.
        report: what the report says about them.
    """

    depends_on_picks = False

    def __init__(
        self, values: torch.Tensor, scale: float = 1.0, report: dict[str, Any] | None = None
    ) -> None:
        self._values = values
        self.scale = scale
        self._report = report or {}

    def values(self, rows: torch.Tensor | None) -> torch.Tensor:
        """(R,) float64, the present values of ``rows`` (all if None), higher = more worth labeling."""
        return self._values if rows is None else self._values[rows]

    def traits(self, rows: torch.Tensor) -> dict[str, torch.Tensor]:
        """What others need to know of candidates: nothing; see ``Divisible``."""
        return {}

    def block_of(self, traits: Traits, values: torch.Tensor) -> ScoreBlock:
        """A block of candidates with these values; see ``Divisible``."""
        return ScoreBlock(values.cpu().numpy())

    def add_traits(self, traits: Traits) -> None:
        """Record that candidates are chosen; see ``Divisible``."""

    def report(self) -> dict[str, Any]:
        """The state reached so far, as plain values that JSON can hold."""
        return self._report
