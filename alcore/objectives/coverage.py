"""Coverage: how much of the pool the labeled and chosen samples stand for (facility location)."""

import math
from collections.abc import Callable
from typing import Any

import numpy as np
import torch

from ..data.settings import chunk_size, chunks, settings
from ..geometry.kernels import Kernel
from .objective import Objective

TILE_ROWS = 256
TILE_COLUMNS = 2048

# What sums and differences of float32 kernels may be off by, of a value.
ROUNDED = 1e-5
ROUNDING = {torch.float64: 1e-14, torch.float32: 1e-9}
# What balls cover is added and taken away in whole weights; float32 leaves this behind.
BALL_ROUNDING = {torch.float64: 1e-14, torch.float32: 1e-7}


class CoverageBlock:
    """Holds the candidates' whole kernel rows: B times the covered samples."""

    def __init__(
        self, kernel: torch.Tensor, best: torch.Tensor, weights: torch.Tensor, least: float
    ) -> None:
        self._kernel = kernel
        self._least = least
        self._best = best
        self._weights = weights
        gains = weighted(torch.sub(kernel, best).clamp_(min=0), weights)
        self.values: np.ndarray = settled(gains, least).cpu().numpy()

    def pick(self, position: int) -> None:
        row = self._kernel[position]
        raised = (row > self._best).nonzero().flatten()
        best, rise = self._best[raised], row[raised] - self._best[raised]
        lost = torch.minimum(self._kernel[:, raised].sub_(best).clamp_(min=0), rise)
        self.values = settled(
            self.values - weighted(lost, self._weights[raised]).cpu().numpy(), self._least
        )
        self._best = torch.maximum(self._best, row)


class Coverage(Objective):
    """Weighted share of the pool that a candidate newly covers, in [0, 1]; higher = stands for more.

    ``sum_n w_n max(0, k(n, i) - max_{j labeled or chosen} k(n, j)) / sum_n w_n``: the gain of
    facility location, which only falls (Krause and Golovin 2014; with a gaussian kernel MaxHerding,
    Bae et al. 2024; with uncertainty as weights UHerding, Bae et al. 2025).

    With a ball as kernel it is ProbCover (Yehuda et al. 2022), which goes on as MaxHerding of the same
    radius once all that can be covered is.

    A gain is brought up to date by what it lost to the samples that picks since then cover better,
    which late in a selection are few: a pick is the new nearest of about one sample in |chosen|.

    Args:
        vectors: (n, d) candidates, as the kernel takes them.
        covered: (m, d) the samples to cover, likewise.
        weights: (m,) how much each counts, at least 0, not all 0.
        centers: (L, d) labeled samples, likewise.
    """

    update_cost = 2

    def __init__(
        self,
        vectors: torch.Tensor,
        covered: torch.Tensor,
        weights: torch.Tensor,
        centers: torch.Tensor,
        kernel: Kernel,
    ) -> None:
        self._vectors = vectors
        self._covered = covered
        self._weights = weights / weights.sum()
        self._centers = [centers]
        self._full_after: int | None = None
        self.scale = 1.0
        self._begin(kernel)

    def _begin(self, kernel: Kernel) -> None:
        self._kernel = kernel
        self._least = (BALL_ROUNDING if kernel.kind == "ball" else ROUNDING)[self._vectors.dtype]
        self._best = torch.zeros_like(self._weights)
        for centers in self._centers:
            self._raise_best(centers)
        self._start()

    def _start(self) -> None:
        self._gains = self._weights.new_full((len(self._vectors),), math.inf, dtype=torch.float64)
        # The number of states so far; what each row's gain was computed at; the last few states.
        self._now = 0
        self._level = torch.full_like(self._gains, -1, dtype=torch.int64)
        self._states: dict[int, torch.Tensor] = {}

    @property
    def rounding_error(self) -> float:
        return ROUNDED if self._vectors.dtype != torch.float64 else 0.0

    @property
    def fallback(self) -> Callable[[], None] | None:
        return self._go_on if self._kernel.kind == "ball" else None

    def _go_on(self) -> None:
        """Once nothing is left to cover by a ball, a gaussian of its radius tells the rest apart."""
        self._full_after = sum(map(len, self._centers[1:]))
        self._begin(Kernel("gaussian", self._kernel.width, unit=self._kernel.unit))

    def values(self, rows: torch.Tensor | None) -> torch.Tensor:
        if rows is None:
            rows = torch.arange(len(self._vectors), device=self._vectors.device)
        level = self._level[rows]
        levels, counts = torch.unique(level, return_counts=True)
        anew = torch.zeros_like(level, dtype=torch.bool)
        for earlier, count in zip(levels.tolist(), counts.tolist(), strict=True):
            if earlier == self._now:
                continue
            if count < settings.coverage_few or not self._update(rows[level == earlier], earlier):
                anew |= level == earlier
        late = rows[anew]
        anew_gains = self._newly_covered(late, self._covered, self._weights, self._best, None)
        self._gains[late] = settled(anew_gains, self._least)
        self._level[late] = self._now
        return self._gains[rows]

    def block(self, rows: torch.Tensor, values: torch.Tensor) -> CoverageBlock:
        kernel = self._kernel(self._vectors[rows], self._covered)
        return CoverageBlock(kernel, self._best, self._weights, self._least)

    def add(self, rows: torch.Tensor) -> None:
        self._states[self._now] = self._best.clone()
        self._states.pop(self._now - settings.coverage_states, None)
        self._now += 1
        self._centers.append(self._vectors[rows])
        self._raise_best(self._centers[-1])

    def report(self) -> dict[str, Any]:
        report = {"covered": float((self._best * self._weights).sum(dtype=torch.float64))}
        if self._kernel.kind != "cosine":
            report["width"] = self._kernel.width
        if self._full_after is not None:
            report["covered_by_balls_after"] = self._full_after
        return report

    def _raise_best(self, centers: torch.Tensor) -> None:
        for tile in chunks(len(self._covered), TILE_COLUMNS):
            best = self._best[tile]
            for start in range(0, len(centers), chunk_size(TILE_ROWS)):
                kernel = self._kernel(
                    centers[start : start + chunk_size(TILE_ROWS)], self._covered[tile]
                )
                torch.maximum(best, kernel.amax(0), out=best)

    def _update(self, rows: torch.Tensor, earlier: int) -> bool:
        """Take from the gains of ``rows``, computed at state ``earlier``, what they lost since.

        False where that state is no longer kept, or so much has changed that it would not pay.
        """
        before = self._states.get(earlier)
        if before is None:
            return False
        changed = (self._best > before).nonzero().flatten()
        if len(changed) > settings.coverage_changed_share * len(self._best):
            return False
        lost = self._newly_covered(
            rows,
            self._covered[changed],
            self._weights[changed],
            before[changed],
            self._best[changed] - before[changed],
        )
        self._gains[rows] = settled(self._gains[rows] - lost, self._least)
        self._level[rows] = self._now
        return True

    def _newly_covered(
        self,
        rows: torch.Tensor,
        covered: torch.Tensor,
        weights: torch.Tensor,
        best: torch.Tensor,
        most: torch.Tensor | None,
    ) -> torch.Tensor:
        """(rows,) float64: how far each row raises ``best``, counting at most ``most`` a sample."""
        out = torch.zeros(len(rows), dtype=torch.float64, device=rows.device)
        wide = max(1, len(covered)) if covered.dtype == torch.float64 else chunk_size(TILE_COLUMNS)
        for chunk in chunks(len(rows), TILE_ROWS):
            vectors = self._vectors[rows[chunk]]
            for first in range(0, len(covered), wide):
                tile = slice(first, first + wide)
                more = self._kernel(vectors, covered[tile]).sub_(best[tile]).clamp_(min=0)
                if most is not None:
                    torch.minimum(more, most[tile], out=more)
                out[chunk] += weighted(more, weights[tile])
        return out


def settled(gains: Any, least: float) -> Any:
    """A gain is 0 where it is within rounding of it, so that those without any come out equal."""
    gains[gains < least] = 0
    return gains


def weighted(more: torch.Tensor, weights: torch.Tensor) -> torch.Tensor:
    """(rows,) float64 sums. Small problems add row by row, so that equal rows come out equal."""
    if more.dtype == torch.float64:
        return (more * weights).sum(1)
    return (more @ weights).to(torch.float64)
