"""Coverage with the whole kernel matrix in memory, so that every gain is always up to date."""

import torch

from ..data.settings import chunk_size
from .coverage import Coverage, CoverageBlock, settled

# How many numbers are processed at once: they fit in a core's cache, and torch does not split so few
# among threads, which would spend more time waiting than working.
NUMBERS_AT_ONCE = 1 << 15


class KeptCoverage(Coverage):
    """Coverage where the candidates are also the samples to cover, in float32.

    A pick subtracts from every candidate's gain the part at the samples that are now covered better.
    This reads one row of the matrix for each such sample; in a whole selection that is only a few
    times the number of samples in the pool.
    """

    update_cost = 0

    def values(self, rows: torch.Tensor | None) -> torch.Tensor:
        """(R,) float64, the present values of ``rows`` (all if None), higher = more worth labeling."""
        return self._gains if rows is None else self._gains[rows]

    def block(self, rows: torch.Tensor, values: torch.Tensor) -> CoverageBlock:
        """A block of the candidates at ``rows``, whose present values are ``values`` up to rounding."""
        return CoverageBlock(self._matrix[rows], self._best, self._weights, self._least)

    def add(self, rows: torch.Tensor) -> None:
        """Record that the candidates at ``rows`` are chosen."""
        before = self._best
        self._centers.append(self._vectors[rows])
        self._best = torch.maximum(before, self._matrix[rows].amax(0))
        self._gains -= self._between(before, self._best)
        settled(self._gains, self._least)

    def _start(self) -> None:
        self._matrix = self._kernel(self._vectors, self._covered)
        # A gain is at most what lies between the present state and full coverage.
        self._gains = self._between(self._best, torch.ones_like(self._best))
        settled(self._gains, self._least)

    def _between(self, low: torch.Tensor, high: torch.Tensor) -> torch.Tensor:
        """(n,) float64: how much each candidate raises ``low``, at most up to ``high``."""
        changed = (high > low).nonzero().flatten()
        start_at, rise = low[changed, None], (high - low)[changed, None]
        weights = self._weights[changed]
        total = torch.zeros(len(self._vectors), dtype=torch.float64, device=low.device)
        step = max(1, chunk_size(NUMBERS_AT_ONCE) // len(self._vectors))
        room = self._matrix.new_empty((step, len(self._vectors)))
        parts = (changed, start_at, rise, weights)
        for rows, at, most, counts in zip(*(one.split(step) for one in parts), strict=True):
            part = room[: len(rows)]
            torch.index_select(self._matrix, 0, rows, out=part)
            part.sub_(at).clamp_(min=0)
            torch.minimum(part, most, out=part)
            total += torch.mv(part.T, counts)
        return total
