"""Class balance: what the labeled and chosen samples lack to a target distribution."""

from collections.abc import Sequence
from typing import Any

import numpy as np
import torch

from ..data.settings import chunk_size
from .objective import Objective

# Sainte-Lague's divisor. With hard classes the picks are those by which that method gives out seats
# to parties, and the counts end as near to the target as whole numbers can.
PRIOR = 0.5
KINDS_A_CHUNK = 1 << 16


class BalanceBlock:
    """Gains of a block's kinds of samples; each pick adds its classes to the counts."""

    def __init__(
        self, kinds: np.ndarray, codes: np.ndarray, target: np.ndarray, counts: np.ndarray
    ) -> None:
        self._kinds = kinds
        self._codes = codes
        self._target = target
        self._counts = counts.copy()
        self.values = self._evaluate()

    def pick(self, position: int) -> None:
        self._counts += self._kinds[self._codes[position]]
        self.values = self._evaluate()

    def _evaluate(self) -> np.ndarray:
        return (self._kinds @ (self._target / (self._counts + PRIOR)))[self._codes]


class Balance(Objective):
    """The gain of ``sum_c t_c log(n_c + 1/2)``, to first order: ``sum_c p_c t_c / (n_c + 1/2)``.

    That sum is greatest, over counts n of a given total, where n is in the target's proportions. The
    value is at least 0 and only falls; it is highest for samples of the class furthest behind.

    Args:
        kinds: (U, C) the class rows that there are: probabilities, one-hot rows, or counts.
        codes: (n,) int64, which of them each candidate has.
        target: (C,) shares wanted.
        counts: (C,) counts of the labeled samples, soft or hard.
        names: the C classes' names.
    """

    def __init__(
        self,
        kinds: torch.Tensor,
        codes: torch.Tensor,
        target: torch.Tensor,
        counts: torch.Tensor,
        names: Sequence[str],
    ) -> None:
        self._names = names
        self._kinds = kinds
        self._codes = codes
        self._target = target.to(torch.float64)
        self._counts = counts.to(torch.float64).clone()
        self._labeled = self._counts.clone()
        self._available = self._sum(codes)
        self.scale = float((self._target / (self._counts + PRIOR)).max())

    @property
    def group_ids(self) -> torch.Tensor | None:
        return self._codes if len(self._kinds) < len(self._codes) else None

    def values(self, rows: torch.Tensor | None) -> torch.Tensor:
        worth = (self._target / (self._counts + PRIOR)).to(self._kinds.dtype)
        codes = self._codes if rows is None else self._codes[rows]
        if len(codes) < len(self._kinds):
            return (self._kinds[codes] @ worth).to(torch.float64)
        return (self._kinds @ worth).to(torch.float64)[codes]

    def block(self, rows: torch.Tensor, values: torch.Tensor) -> BalanceBlock:
        present, codes = self._codes[rows].unique(return_inverse=True)
        block = BalanceBlock(
            self._kinds[present].to(torch.float64).cpu().numpy(),
            codes.cpu().numpy(),
            self._target.cpu().numpy(),
            self._counts.cpu().numpy(),
        )
        block.values = values.cpu().numpy()
        return block

    def add(self, rows: torch.Tensor) -> None:
        self._counts += self._sum(self._codes[rows])

    def report(self) -> dict[str, Any]:
        """Counts, the target's shares, how many candidates are of each class, and why it lacks any.

        ``short`` names the classes that lack 1 or more to their share of what is labeled or chosen:
        how many would be their share, how many there are, and why.
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

    def _sum(self, codes: torch.Tensor) -> torch.Tensor:
        """(C,) float64, the class rows of some candidates together."""
        often = torch.bincount(codes, minlength=len(self._kinds)).to(torch.float64)
        total = torch.zeros_like(self._target)
        for some in often.nonzero().flatten().split(chunk_size(KINDS_A_CHUNK)):
            total += often[some] @ self._kinds[some].to(torch.float64)
        return total
