"""Coverage of a large pool: gains are summed over the lists of a neighbor graph."""

from collections.abc import Callable
from typing import Any

import numpy as np
import torch

from ..data.settings import chunks
from ..geometry.kernels import Kernel
from ..geometry.neighbor_graph import NeighborGraph
from .coverage import settled
from .objective import Objective

# How many entries of lists are processed at once.
ENTRIES_AT_ONCE = 1 << 21
ROWS_A_TILE, CENTERS_A_TILE = 4096, 256
LEAST = 1e-13
# The error of gains that are kept up to date, relative to those that a block sums anew.
ROUNDED = 1e-9
# The vectors of rows that are not certain yet are copied together once these are so much fewer.
SHRUNK = 0.6


class Listed:
    """The similarities of the entries of lists, computed when needed: kept, they take as much memory.

    Args:
        squared: (n, t) squared distances of each vector to those in its list.
        kernel: the similarity of two vectors, in [0, 1].
    """

    def __init__(self, squared: torch.Tensor, kernel: Kernel) -> None:
        self._squared = squared
        self._kernel = kernel
        self.length = squared.shape[1]

    def least(self) -> torch.Tensor:
        """(n,) the least similarity in each list."""
        return self._kernel.of_squared(self._squared.amax(1))

    def at(self, positions: torch.Tensor) -> torch.Tensor:
        """(e,) the similarities at positions in the flattened lists."""
        return self._kernel.of_squared(self._squared.view(-1)[positions])

    def add_between(
        self,
        sums: torch.Tensor,
        names: torch.Tensor,
        weights: torch.Tensor,
        rows: torch.Tensor,
        low: torch.Tensor,
        high: torch.Tensor,
    ) -> None:
        """Add to the sums of what some rows list how much of its similarity is between two bounds.

        Args:
            sums: float64, one for each name.
            names: (n, t) the name of each entry.
            weights: (n,) float64, how much each row counts.
            rows: (R,) rows.
            low: (R,) their lower bounds.
            high: (R,) their upper bounds.
        """
        for part in chunks(len(rows), max(1, ENTRIES_AT_ONCE // self.length)):
            some = rows[part]
            similar = self._kernel.of_squared(self._squared[some]).to(torch.float64)
            more = torch.minimum(similar, high[part, None]).sub_(low[part, None]).clamp_(min=0)
            more.mul_(weights[some, None])
            sums.index_add_(0, names[some].view(-1), more.view(-1))


class GraphCoverage(Objective):
    """Weighted share of the pool that a candidate newly covers, in [0, 1]; higher = covers more.

    The objective is that of ``Coverage``. How well the picks cover a sample is computed exactly, for
    every sample: ``best(n) = max_{j labeled or chosen} k(n, j)``. The gain of a candidate counts only
    the samples that list it, those of which it is one of the t nearest:
    ``sum_{n lists i} w_n max(0, k(n, i) - best(n)) / sum_n w_n``. This neglects what a candidate would
    add to samples farther away, which is nothing once these are covered better by others. On real
    vectors the picks then cover as much as those of the plain greedy; see
    ``benchmarks/coverage_kept.py``. Where the lists hold all samples, it is the plain greedy.

    A sample is certain once ``best(n)`` is at least the kernel of the last of its neighbors: no vector
    outside its list can cover it better. Only samples that are not yet certain are compared with new
    picks; for the others the lists suffice. Soon these are nearly all, so that the k picks cost
    about k t^2 additions and a small part of k n d multiplications.

    Args:
        graph: the neighbor graph of n vectors.
        vectors: (n, d) these vectors, prepared for the kernel.
        weights: (n,) how much each of them counts, at least 0, not all 0; 0 for what is not covered.
        candidates: (c,) int64 numbers of the vectors that may be chosen.
        centers: (L,) int64 numbers of those labeled.
        kernel: the similarity of two vectors, in [0, 1].
    """

    update_cost = 0

    def __init__(
        self,
        graph: NeighborGraph,
        vectors: torch.Tensor,
        weights: torch.Tensor,
        candidates: torch.Tensor,
        centers: torch.Tensor,
        kernel: Kernel,
    ) -> None:
        self._graph = graph
        self._vectors = vectors
        self._weights = (weights / weights.sum()).to(torch.float64)
        self._candidates = candidates
        self._centers = [centers]
        self._full_after: int | None = None
        self.scale = 1.0
        self._begin(kernel)

    def _begin(self, kernel: Kernel) -> None:
        self._kernel = kernel
        # A vector outside the list is at most as similar as the last within.
        self._listed = Listed(self._graph.squared, kernel)
        self._outside = self._listed.least()
        if self._graph.complete:
            self._outside.zero_()
        self._best = torch.zeros_like(self._outside)
        self._best[self._weights == 0] = 1
        self._open = (self._best < self._outside).nonzero().flatten()
        # At first these are usually all, which need no copy.
        every = len(self._open) == len(self._vectors)
        self._gathered = (self._open, self._vectors if every else self._vectors[self._open])
        self._gains: torch.Tensor | None = None
        for centers in self._centers:
            for some in centers.split(CENTERS_A_TILE):
                self._cover(some)
        self._gains = torch.zeros_like(self._weights)
        everyone = torch.arange(len(self._best), device=self._best.device)
        self._add_gains(everyone, self._best, torch.ones_like(self._best), 1)
        settled(self._gains, LEAST)

    @property
    def rounding_error(self) -> float:
        """The largest relative error of ``values``."""
        return ROUNDED

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
        assert self._gains is not None
        return self._gains[self._candidates if rows is None else self._candidates[rows]]

    def block(self, rows: torch.Tensor, values: torch.Tensor) -> "GraphBlock":
        """A block of the candidates at ``rows``, whose present values are ``values`` up to rounding."""
        numbers = self._candidates[rows]
        positions, which = self.entries_of(numbers)
        listing, row_of = (positions // self._listed.length).unique(return_inverse=True)
        best = self._best[listing]
        # Rows that are not yet certain may be covered by picks that they do not list.
        uncertain = (best < self._outside[listing]).nonzero().flatten()
        kernel = self._kernel(self._vectors[listing[uncertain]], self._vectors[numbers])
        return GraphBlock(
            len(numbers),
            which.cpu().numpy(),
            row_of.cpu().numpy(),
            self._listed.at(positions).to(torch.float64).cpu().numpy(),
            best.to(torch.float64).cpu().numpy(),
            self._weights[listing].cpu().numpy(),
            uncertain.cpu().numpy(),
            kernel.to(torch.float64).cpu().numpy(),
        )

    def add(self, rows: torch.Tensor) -> None:
        """Record that the candidates at ``rows`` are chosen."""
        self._centers.append(self._candidates[rows])
        for some in self._centers[-1].split(CENTERS_A_TILE):
            self._cover(some)
        assert self._gains is not None
        settled(self._gains, LEAST)

    def report(self) -> dict[str, Any]:
        """The state reached so far, as plain values that JSON can hold."""
        counted = self._weights > 0
        certain = (self._best >= self._outside) & counted
        report: dict[str, Any] = {
            "covered": float((self._best * self._weights).sum(dtype=torch.float64)),
            "neighbors": self._graph.how,
            "listed": self._graph.neighbors.shape[1],
            "certain": float(certain.sum() / counted.sum()),
        }
        if self._kernel.kind != "cosine":
            report["width"] = self._kernel.width
        if self._full_after is not None:
            report["covered_by_balls_after"] = self._full_after
        return report

    def entries_of(self, numbers: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
        """The entries that name some vectors.

        Returns:
            (e,) positions in the flattened lists, and (e,) which of ``numbers`` each names.
        """
        starts, positions = self._graph.listing
        counts = starts[numbers + 1] - starts[numbers]
        which = torch.repeat_interleave(torch.arange(len(numbers), device=counts.device), counts)
        first = starts[numbers] - (counts.cumsum(0) - counts)
        within = torch.arange(len(which), device=counts.device)
        return positions[first[which] + within].to(torch.int64), which

    def _cover(self, numbers: torch.Tensor) -> None:
        """Raise ``best`` to the similarities of these vectors, and lower the gains accordingly."""
        if len(numbers) == 0:
            return
        before = self._best
        best = before.clone()
        positions, _ = self.entries_of(numbers)
        rows = positions // self._listed.length
        best.scatter_reduce_(0, rows, self._listed.at(positions), "amax")
        if len(self._open):
            open_rows, vectors = self._gathered
            centers = self._vectors[numbers]
            for part in chunks(len(open_rows), ROWS_A_TILE):
                reached = self._kernel.most(vectors[part], centers)
                best[open_rows[part]] = torch.maximum(best[open_rows[part]], reached)
            self._open = self._open[best[self._open] < self._outside[self._open]]
            if len(self._open) < SHRUNK * len(open_rows):
                self._gathered = (self._open, self._vectors[self._open])
        self._best = best
        if self._gains is not None:
            raised = (best > before).nonzero().flatten()
            self._add_gains(raised, before[raised], best[raised], -1)

    def _add_gains(self, rows: torch.Tensor, low: torch.Tensor, high: torch.Tensor, sign: int) -> None:
        """Add to the gains, or subtract, what these rows' entries have between ``low`` and ``high``."""
        assert self._gains is not None
        weights = sign * self._weights
        self._listed.add_between(self._gains, self._graph.neighbors, weights, rows, low, high)


class GraphBlock:
    """A block of B candidates, with the s rows that list any of them.

    Args:
        count: B.
        which: (e,) for each entry of their lists the candidate that it names.
        row_of: (e,) the row it is of, below s.
        similar: (e,) float64, how similar these are.
        best: (s,) float64, how well each row is covered.
        weights: (s,) float64, how much each row counts.
        uncertain: (u,) the rows that picks may cover that they do not list.
        kernel: (u, B) float64, how similar the candidates are to these.
    """

    def __init__(
        self,
        count: int,
        which: np.ndarray,
        row_of: np.ndarray,
        similar: np.ndarray,
        best: np.ndarray,
        weights: np.ndarray,
        uncertain: np.ndarray,
        kernel: np.ndarray,
    ) -> None:
        self._count, self._which, self._row_of = count, which, row_of
        self._similar, self._best, self._uncertain = similar, best, uncertain
        self._weights = weights[row_of]
        self._kernel = np.ascontiguousarray(kernel.T)
        more = np.maximum(similar - best[row_of], 0) * self._weights
        gains = np.bincount(which, weights=more, minlength=count)
        self.values: np.ndarray = settled(gains, LEAST)

    def pick(self, position: int) -> None:
        """Update ``values`` after the candidate at ``position`` is chosen."""
        before, best = self._best, self._best.copy()
        best[self._uncertain] = np.maximum(best[self._uncertain], self._kernel[position])
        own = self._which == position
        rows = self._row_of[own]
        best[rows] = np.maximum(best[rows], self._similar[own])
        self._best = best
        entries = np.flatnonzero((best > before)[self._row_of])
        similar, row_of = self._similar[entries], self._row_of[entries]
        lost = np.maximum(np.minimum(similar, best[row_of]) - before[row_of], 0)
        lost *= self._weights[entries]
        self.values = settled(
            self.values - np.bincount(self._which[entries], weights=lost, minlength=self._count), LEAST
        )
