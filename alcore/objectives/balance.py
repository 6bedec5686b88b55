"""Class balance: how far each class is behind a target distribution."""

from collections.abc import Sequence
from typing import Any

import numpy as np
import torch

from ..data.settings import chunk_size
from .divisible import Divisible, Traits

# The divisor of the Sainte-Lague method. With hard classes the picks follow the order in which that
# method gives seats to parties, so that the counts end as near to the target as whole numbers can.
PRIOR = 0.5
KINDS_A_CHUNK = 1 << 16


class BalanceBlock:
    """The values of a few candidates, updated as some of them are chosen (see ``Block``)."""

    def __init__(
        self, kinds: np.ndarray, codes: np.ndarray, target: np.ndarray, counts: np.ndarray
    ) -> None:
        self._kinds = kinds
        self._codes = codes
        self._target = target
        self._counts = counts.copy()
        self.values = self._evaluate()

    def pick(self, position: int) -> None:
        """Update ``values`` after the candidate at ``position`` is chosen."""
        self._counts += self._kinds[self._codes[position]]
        self.values = self._evaluate()

    def _evaluate(self) -> np.ndarray:
        return (self._kinds @ (self._target / (self._counts + PRIOR)))[self._codes]


class Balance(Divisible):
    """The gain of ``sum_c t_c log(n_c + 1/2)``, to first order: ``sum_c p_c t_c / (n_c + 1/2)``.

    For counts n of a given total, that sum is greatest where n is in proportion to the target. The
    value is at least 0 and never rises as samples are added; it is highest for samples of the class
    that is furthest behind.

    Args:
        kinds: (U, C) distinct rows per class: probabilities, one-hot rows, or counts.
        codes: (n,) int64, the row of ``kinds`` of each candidate.
        target: (C,) target shares.
        counts: (C,) counts of the labeled samples, soft or hard.
        names: the C classes' names.
        available: (C,) what all candidates together have; by default what these have.
        weighed: (C,) what the values take for these counts; by default the counts themselves.
    """

    def __init__(
        self,
        kinds: torch.Tensor,
        codes: torch.Tensor,
        target: torch.Tensor,
        counts: torch.Tensor,
        names: Sequence[str],
        available: torch.Tensor | None = None,
        weighed: torch.Tensor | None = None,
    ) -> None:
        self._names = names
        self._kinds = kinds
        self._codes = codes
        self._target = target.to(torch.float64)
        self._counts = counts.to(torch.float64).clone()
        self._labeled = self._counts.clone()
        # What is added to the counts where they are weighed; reports tell the counts themselves.
        self._moved = torch.zeros_like(self._counts) if weighed is None else weighed - self._counts
        self._available = self._sum(codes) if available is None else available
        self.scale = float(self._worth().max())

    @property
    def group_ids(self) -> torch.Tensor | None:
        """(n,) int64, equal for candidates of equal counts; None where all differ."""
        return self._codes if len(self._kinds) < len(self._codes) else None

    def values(self, rows: torch.Tensor | None) -> torch.Tensor:
        """(R,) float64, the present values of ``rows`` (all if None), higher = more worth labeling."""
        worth = self._worth().to(self._kinds.dtype)
        codes = self._codes if rows is None else self._codes[rows]
        if len(codes) < len(self._kinds):
            return (self._kinds[codes] @ worth).to(torch.float64)
        return (self._kinds @ worth).to(torch.float64)[codes]

    def traits(self, rows: torch.Tensor) -> dict[str, torch.Tensor]:
        """The counts per class of candidates; see ``Divisible``."""
        return {"counts": self._kinds[self._codes[rows]]}

    def block(self, rows: torch.Tensor, values: torch.Tensor) -> BalanceBlock:
        """A block of the candidates at ``rows``, whose present values are ``values`` up to rounding."""
        present, codes = self._codes[rows].unique(return_inverse=True)
        return self._block(self._kinds[present], codes, values)

    def block_of(self, traits: Traits, values: torch.Tensor) -> BalanceBlock:
        """A block of candidates with these counts; see ``Divisible``."""
        kinds, codes = traits["counts"].unique(dim=0, return_inverse=True)
        return self._block(kinds, codes, values)

    def _block(self, kinds: torch.Tensor, codes: torch.Tensor, values: torch.Tensor) -> BalanceBlock:
        block = BalanceBlock(
            kinds.to(torch.float64).cpu().numpy(),
            codes.cpu().numpy(),
            self._target.cpu().numpy(),
            (self._counts + self._moved).cpu().numpy(),
        )
        block.values = values.cpu().numpy()
        return block

    def add(self, rows: torch.Tensor) -> None:
        """Record that the candidates at ``rows`` are chosen."""
        self._counts += self._sum(self._codes[rows])

    def add_traits(self, traits: Traits) -> None:
        """Record that candidates with these counts are chosen; see ``Divisible``."""
        self._counts += traits["counts"].sum(0, dtype=torch.float64)

    def report(self) -> dict[str, Any]:
        """For each class its count, its target share and how many candidates it has.

        ``short`` names the classes that are 1 or more below their share of the labeled and chosen
        samples: how many the share would be, how many were reached, and why.
        """
        shares = {
            "counts": self._counts,
            "target": self._target,
            "candidates": self._available,
        }
        report: dict[str, Any] = {
            name: dict(zip(self._names, values.tolist(), strict=True))
            for name, values in shares.items()
        }
        return report | {"short": self._short()}

    def _short(self) -> dict[str, dict[str, Any]]:
        wanted = self._target * self._counts.sum()
        chosen = float((self._counts - self._labeled).sum())
        catching_up = float((wanted - self._labeled).clamp(min=0).sum())
        out = {}
        for c in (wanted - self._counts >= 1).nonzero().flatten().tolist():
            there = float(self._available[c])
            if self._labeled[c] + there < wanted[c]:
                why = f"too few candidates: {there:.0f}"
            elif catching_up > chosen + 1:
                why = "the budget is too small to make up for what is labeled already"
            else:
                why = "other strategies counted too, or its candidates count for other classes as well"
            out[self._names[c]] = {
                "wanted": float(wanted[c]),
                "reached": float(self._counts[c]),
                "why": why,
            }
        return out

    def _worth(self) -> torch.Tensor:
        """(C,) float64, what one more sample of each class is worth."""
        return self._target / (self._counts + self._moved + PRIOR)

    def _sum(self, codes: torch.Tensor) -> torch.Tensor:
        """(C,) float64, the summed class rows of candidates with these codes."""
        often = torch.bincount(codes, minlength=len(self._kinds)).to(torch.float64)
        total = torch.zeros_like(self._target)
        for some in often.nonzero().flatten().split(chunk_size(KINDS_A_CHUNK)):
            total += often[some] @ self._kinds[some].to(torch.float64)
        return total
