"""Coverage by a neighbor graph whose lists are divided among several processes."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import torch

from ..data.settings import chunks
from ..geometry.graph_part import GraphPart
from ..geometry.kernels import Kernel
from ..geometry.neighbor_graph import listing_of
from .coverage import settled
from .divisible import Summed, Traits
from .graph_coverage import (
    CENTERS_A_TILE,
    LEAST,
    ROUNDED,
    ROWS_A_TILE,
    GraphBlock,
    Listed,
)


class PartCoverage(Summed):
    """Weighted share of the pool that a candidate newly covers, in [0, 1]; higher = covers more.

    It is ``GraphCoverage``. Each process holds the lists of its own samples, and how well these are
    covered. The gain of a candidate is the sum of what it adds in every process.

    Args:
        graph: the lists of r own samples.
        vectors: (r, d) these samples, prepared for the kernel.
        weights: (r,) float64, how much each counts; those of all processes sum to 1.
        candidates: (c,) int64 numbers of own samples that may be chosen.
        centers: the numbers and the vectors of all labeled samples.
        kernel: the similarity of two vectors, in [0, 1]; not "ball".
    """

    update_cost = 2

    def __init__(
        self,
        graph: GraphPart,
        vectors: torch.Tensor,
        weights: torch.Tensor,
        candidates: torch.Tensor,
        centers: tuple[torch.Tensor, torch.Tensor],
        kernel: Kernel,
    ) -> None:
        self._graph = graph
        self._vectors = vectors
        self._weights = weights
        self._candidates = candidates
        self._kernel = kernel
        # A gain is at most the sum of all weights.
        self._gains = torch.ones(len(candidates), dtype=torch.float64)
        # A vector outside the list is at most as similar as the last within.
        self._listed = Listed(graph.squared, kernel)
        self._outside = self._listed.least()
        if graph.complete:
            self._outside.zero_()
        self._best = torch.zeros_like(self._outside)
        self._best[weights == 0] = 1
        names, codes = graph.neighbors.unique(return_inverse=True)
        self._names = names
        self._codes = codes.view(graph.neighbors.shape)
        self._starts, self._positions = listing_of(self._codes, len(names))
        self._parts = torch.zeros(len(names), dtype=torch.float64)
        self._add(torch.arange(len(self._best)), self._best, torch.ones_like(self._best), 1)
        for numbers, some in zip(
            centers[0].split(CENTERS_A_TILE), centers[1].split(CENTERS_A_TILE), strict=True
        ):
            self._cover(numbers, some)

    @property
    def rounding_error(self) -> float:
        """The largest relative error of ``values``."""
        return ROUNDED

    def values(self, rows: torch.Tensor | None) -> torch.Tensor:
        """(R,) float64, the gains of ``rows`` (all if None) as they were last supplied."""
        return self._gains if rows is None else self._gains[rows]

    def supply(self, numbers: torch.Tensor, sums: torch.Tensor) -> torch.Tensor:
        """Set the values of those candidates that are here; see ``Summed``."""
        if len(self._candidates) == 0:
            return numbers[:0]
        rows = torch.searchsorted(self._candidates, numbers).clamp(max=len(self._candidates) - 1)
        here = self._candidates[rows] == numbers
        self._gains[rows[here]] = settled(sums[here], LEAST)
        return rows[here]

    def numbers(self, rows: torch.Tensor) -> torch.Tensor:
        """(R,) int64, the numbers by which the processes know these candidates."""
        return self._candidates[rows]

    def summands(self, numbers: torch.Tensor) -> torch.Tensor:
        """(R,) float64, what candidates, here or elsewhere, add to the coverage of own samples."""
        places, known = self._places(numbers)
        return torch.where(known, self._parts[places], 0.0) if len(self._names) else known.double()

    def traits(self, rows: torch.Tensor) -> dict[str, torch.Tensor]:
        """The numbers and the vectors of candidates; see ``Divisible``."""
        numbers = self._candidates[rows]
        return {"numbers": numbers, "vectors": self._vectors[numbers - self._graph.first]}

    def entries(self, traits: Traits) -> dict[str, torch.Tensor]:
        """What a block of these candidates needs to know of own samples: those that list any of them.

        Returns:
            for each of e entries ``which`` candidate it names, of which of s samples it is a ``row``,
            and how ``similar`` they are; for each sample how well it is covered, ``best``, and its
            ``weights``; and the ``kernel`` of the candidates, (u, B), to those samples that are
            ``uncertain``, which picks may cover that they do not list.
        """
        positions, which = self._entries_of(traits["numbers"])
        rows, row_of = (positions // self._listed.length).unique(return_inverse=True)
        best = self._best[rows]
        uncertain = (best < self._outside[rows]).nonzero().flatten()
        return {
            "which": which,
            "row": row_of,
            "similar": self._listed.at(positions),
            "best": best,
            "weights": self._weights[rows],
            "uncertain": uncertain,
            "kernel": self._kernel(self._vectors[rows[uncertain]], traits["vectors"]),
        }

    def block_from(self, count: int, found: Sequence[dict[str, np.ndarray]]) -> GraphBlock:
        """A block of ``count`` candidates, from the entries of all processes."""
        starts = np.cumsum([0, *(len(one["best"]) for one in found)])
        similar, best, weights, kernel = (
            np.concatenate([one[name] for one in found]).astype(np.float64)
            for name in ("similar", "best", "weights", "kernel")
        )
        return GraphBlock(
            count,
            np.concatenate([one["which"] for one in found]),
            _shifted(found, "row", starts),
            similar,
            best,
            weights,
            _shifted(found, "uncertain", starts),
            kernel,
        )

    def add_traits(self, traits: Traits) -> None:
        """Record that candidates with these numbers and vectors are chosen; see ``Divisible``."""
        for numbers, vectors in zip(
            traits["numbers"].split(CENTERS_A_TILE),
            traits["vectors"].split(CENTERS_A_TILE),
            strict=True,
        ):
            self._cover(numbers, vectors)
        settled(self._parts, LEAST)

    def report(self) -> dict[str, Any]:
        """The state reached so far for own samples, as plain values that JSON can hold."""
        counted = self._weights > 0
        certain = (self._best >= self._outside) & counted
        report: dict[str, Any] = {
            "covered": float((self._best * self._weights).sum(dtype=torch.float64)),
            "neighbors": "exact",
            "listed": self._graph.neighbors.shape[1],
            "certain": [int(certain.sum()), int(counted.sum())],
        }
        if self._kernel.kind != "cosine":
            report["width"] = self._kernel.width
        return report

    def merged(self, reports: Sequence[dict[str, Any]]) -> dict[str, Any]:
        """One report from those of the processes; see ``Divisible``."""
        certain, counted = np.sum([one["certain"] for one in reports], axis=0).tolist()
        covered = sum(one["covered"] for one in reports)
        return dict(reports[0]) | {"covered": covered, "certain": certain / counted}

    def _places(self, numbers: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
        """(R,) the places of numbers among the names in own lists, and (R,) bool, which are there."""
        places = torch.searchsorted(self._names, numbers).clamp(max=max(0, len(self._names) - 1))
        known = self._names[places] == numbers if len(self._names) else torch.zeros(len(numbers)) > 0
        return places, known

    def _entries_of(self, numbers: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
        """(e,) positions in the flattened lists that name ``numbers``, and (e,) which each names."""
        places, known = self._places(numbers)
        which = known.nonzero().flatten()
        places = places[which]
        counts = self._starts[places + 1] - self._starts[places]
        first = self._starts[places] - (counts.cumsum(0) - counts)
        entry = torch.repeat_interleave(torch.arange(len(places)), counts)
        within = torch.arange(len(entry))
        return self._positions[first[entry] + within].to(torch.int64), which[entry]

    def _cover(self, numbers: torch.Tensor, vectors: torch.Tensor) -> None:
        """Raise ``best`` to the similarities of these vectors, and lower the gains accordingly."""
        if len(numbers) == 0 or len(self._best) == 0:
            return
        before = self._best
        best = before.clone()
        positions, _ = self._entries_of(numbers)
        rows = positions // self._listed.length
        best.scatter_reduce_(0, rows, self._listed.at(positions), "amax")
        uncertain = (before < self._outside).nonzero().flatten()
        for part in chunks(len(uncertain), ROWS_A_TILE):
            some = uncertain[part]
            reached = self._kernel.most(self._vectors[some], vectors)
            best[some] = torch.maximum(best[some], reached)
        self._best = best
        raised = (best > before).nonzero().flatten()
        self._add(raised, before[raised], best[raised], -1)

    def _add(self, rows: torch.Tensor, low: torch.Tensor, high: torch.Tensor, sign: int) -> None:
        """Add to the summands, or subtract, what these rows' entries have between low and high."""
        self._listed.add_between(self._parts, self._codes, sign * self._weights, rows, low, high)


def _shifted(found: Sequence[dict[str, np.ndarray]], name: str, starts: np.ndarray) -> np.ndarray:
    return np.concatenate([one[name] + at for one, at in zip(found, starts, strict=False)])
