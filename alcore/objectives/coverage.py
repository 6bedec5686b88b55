"""Coverage: how much of the pool the labeled and chosen samples represent (facility location)."""

import math
from collections.abc import Callable
from typing import Any

import numpy as np
import torch

from ..data.settings import chunk_size, chunks, settings
from ..geometry.kernels import Kernel
from .divisible import Divisible, Traits

TILE_ROWS = 256
TILE_COLUMNS = 2048

# The relative error of sums and differences of float32 kernel values.
ROUNDED = 1e-5
ROUNDING = {torch.float64: 1e-14, torch.float32: 1e-9}
# With balls, whole weights are added and subtracted; this is the error that remains in float32.
BALL_ROUNDING = {torch.float64: 1e-14, torch.float32: 1e-7}


class CoverageBlock:
    """A block of B candidates that holds their kernel values to all m covered samples, (B, m)."""

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
        """Update ``values`` after the candidate at ``position`` is chosen."""
        row = self._kernel[position]
        raised = (row > self._best).nonzero().flatten()
        best, rise = self._best[raised], row[raised] - self._best[raised]
        lost = torch.minimum(self._kernel[:, raised].sub_(best).clamp_(min=0), rise)
        self.values = settled(
            self.values - weighted(lost, self._weights[raised]).cpu().numpy(), self._least
        )
        self._best = torch.maximum(self._best, row)


class Coverage(Divisible):
    """Weighted share of the pool that a candidate newly covers, in [0, 1]; higher = covers more.

    ``sum_n w_n max(0, k(n, i) - max_{j labeled or chosen} k(n, j)) / sum_n w_n``: the gain of
    facility location, which never rises as samples are added (Krause and Golovin 2014). With a Gaussian
    kernel it is MaxHerding (Bae et al. 2024); with uncertainty as weights UHerding (Bae et al. 2025).

    With a ball as kernel it is ProbCover (Yehuda et al. 2022). Once no candidate covers more, it
    continues as MaxHerding with the same radius.

    An earlier gain is updated by subtracting what it has lost since, at the samples that later picks
    cover better. Late in a selection these are few: a pick becomes the nearest center of about one
    sample in |chosen|.

    Args:
        vectors: (n, d) candidates, prepared for the kernel.
        covered: (m, d) the samples to cover, prepared likewise.
        weights: (m,) how much each of them counts, at least 0, not all 0.
        centers: (L, d) labeled samples, prepared likewise.
        kernel: the similarity of two vectors, in [0, 1].
        of: how many samples the covered ones were drawn from; m by default.
    """

    update_cost = 2

    def __init__(
        self,
        vectors: torch.Tensor,
        covered: torch.Tensor,
        weights: torch.Tensor,
        centers: torch.Tensor,
        kernel: Kernel,
        of: int | None = None,
    ) -> None:
        self._of = of or len(covered)
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
        # The number of states so far, the state at which each row's gain was computed, and the last
        # few states.
        self._now = 0
        self._level = torch.full_like(self._gains, -1, dtype=torch.int64)
        self._states: dict[int, torch.Tensor] = {}

    @property
    def rounding_error(self) -> float:
        """The largest relative error of ``values``; 0 where they are exact."""
        return ROUNDED if self._vectors.dtype != torch.float64 else 0.0

    @property
    def fallback(self) -> Callable[[], None] | None:
        """With balls, a function that switches to a Gaussian kernel; else None."""
        return self._go_on if self._kernel.kind == "ball" else None

    def _go_on(self) -> None:
        """Continue with a Gaussian kernel of the same radius once balls cover all they can."""
        self._full_after = sum(map(len, self._centers[1:]))
        self._begin(Kernel("gaussian", self._kernel.width, unit=self._kernel.unit))

    def values(self, rows: torch.Tensor | None) -> torch.Tensor:
        """(R,) float64, the present values of ``rows`` (all if None), higher = more worth labeling."""
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

    def traits(self, rows: torch.Tensor) -> dict[str, torch.Tensor]:
        """The vectors of candidates; see ``Divisible``."""
        return {"vectors": self._vectors[rows]}

    def block_of(self, traits: Traits, values: torch.Tensor) -> CoverageBlock:
        """A block of candidates with these vectors; see ``Divisible``."""
        kernel = self._kernel(traits["vectors"], self._covered)
        return CoverageBlock(kernel, self._best, self._weights, self._least)

    def add_traits(self, traits: Traits) -> None:
        """Record that candidates with these vectors are chosen; see ``Divisible``."""
        self._states[self._now] = self._best.clone()
        self._states.pop(self._now - settings.coverage_states, None)
        self._now += 1
        self._centers.append(traits["vectors"])
        self._raise_best(self._centers[-1])

    def report(self) -> dict[str, Any]:
        """The state reached so far, as plain values that JSON can hold."""
        report: dict[str, Any] = {
            "covered": float((self._best * self._weights).sum(dtype=torch.float64))
        }
        if self._of > len(self._covered):
            report |= {"drawn": len(self._covered), "of": self._of}
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
        """Subtract from the gains of ``rows``, computed at state ``earlier``, what they lost since.

        Returns False where that state is no longer kept, or so much has changed that recomputing is
        cheaper.
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
        """(rows,) float64: how much each row raises ``best``, at most ``most`` per covered sample."""
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
    """Set gains below ``least`` to 0, in place, so that gains of 0 are equal despite rounding."""
    gains[gains < least] = 0
    return gains


def weighted(more: torch.Tensor, weights: torch.Tensor) -> torch.Tensor:
    """(rows,) float64 weighted sums. float64 adds row by row, so that equal rows have equal sums.

    Args:
        more: (rows, m) values.
        weights: (m,) their weights.
    """
    if more.dtype == torch.float64:
        return (more * weights).sum(1)
    return (more @ weights).to(torch.float64)
