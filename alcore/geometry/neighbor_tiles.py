"""The nearest neighbors of every vector, where each pair is compared once."""

from collections.abc import Callable

import torch

from ..data.settings import chunk_size
from .distances import squared_lengths

ROWS_A_TILE = 4096


class _Shortlist:
    """The nearest neighbors found so far for some rows, and new ones that may be nearer."""

    def __init__(self, values: torch.Tensor, columns: torch.Tensor) -> None:
        self.values = values
        self.columns = columns
        self.worst = values.amax(1)
        self._waiting: list[tuple[torch.Tensor, torch.Tensor, torch.Tensor]] = []
        self._count = 0

    def take(self, rows: torch.Tensor, columns: torch.Tensor, values: torch.Tensor) -> None:
        self._waiting.append((rows, columns, values))
        self._count += len(rows)
        # Sorting is delayed until enough new neighbors have come, because it costs as much for few.
        if self._count > 2 * self.values.numel():
            self.settle()

    def settle(self) -> None:
        """Merge the new neighbors, and keep the nearest."""
        if not self._waiting:
            return
        count, k = self.values.shape
        numbers = torch.arange(count, device=self.values.device)
        rows, columns, values = map(torch.cat, zip(*self._waiting, strict=True))
        rows = torch.cat([numbers.repeat_interleave(k), rows])
        columns = torch.cat([self.columns.flatten(), columns])
        values = torch.cat([self.values.flatten(), values])
        order = values.argsort()
        order = order[rows[order].argsort(stable=True)]
        first = torch.searchsorted(rows[order], numbers)
        kept = order[first[:, None] + torch.arange(k, device=order.device)]
        self.values, self.columns = values[kept], columns[kept]
        self.worst = self.values[:, -1].contiguous()
        self._waiting, self._count = [], 0


def nearest_rows(vectors: torch.Tensor, k: int, tick: Callable[[], None]) -> torch.Tensor:
    """(n, k) int64 rows of the nearest neighbors, nearest first up to the rounding of float32 products.

    Each tile of distances serves both its rows and its columns. Only distances below the k-th smallest
    so far are processed; after a row's own tile these are few.

    Args:
        vectors: (n, d) float32, n above k.
        k: how many neighbors.
        tick: called after each tile; an exception that it raises stops the work.
    """
    n = len(vectors)
    lengths = squared_lengths(vectors)
    starts = range(0, n, chunk_size(ROWS_A_TILE))
    room = vectors.new_empty((chunk_size(ROWS_A_TILE), chunk_size(ROWS_A_TILE)))
    marks = vectors.new_empty((2, chunk_size(ROWS_A_TILE), chunk_size(ROWS_A_TILE)), dtype=torch.bool)

    def tile(first: int, second: int) -> torch.Tensor:
        a, b = (slice(start, start + chunk_size(ROWS_A_TILE)) for start in (first, second))
        x, y = vectors[a], vectors[b]
        out = (
            room[: len(x), : len(y)]
            if len(y) == chunk_size(ROWS_A_TILE)
            else vectors.new_empty((len(x), len(y)))
        )
        torch.addmm(lengths[b], x, y.T, alpha=-2, out=out)
        return out.add_(lengths[a][:, None])

    lists = []
    for start in starts:
        apart = tile(start, start)
        apart.fill_diagonal_(torch.inf)
        near = apart.topk(min(k, len(apart)), dim=1, largest=False)
        missing = k - near.values.shape[1]
        values = torch.nn.functional.pad(near.values, (0, missing), value=torch.inf)
        columns = torch.nn.functional.pad(near.indices + start, (0, missing))
        lists.append(_Shortlist(values, columns))
        tick()
    for i, first in enumerate(starts):
        for j in range(i + 1, len(starts)):
            apart = tile(first, starts[j])
            # Searching a tile costs more than computing it, so both sides are searched at once.
            mine, theirs = (marks[side, : apart.shape[0], : apart.shape[1]] for side in (0, 1))
            torch.lt(apart, lists[i].worst[:, None], out=mine)
            torch.lt(apart, lists[j].worst, out=theirs)
            rows, columns = mine.logical_or_(theirs).nonzero(as_tuple=True)
            values = apart[rows, columns]
            here = values < lists[i].worst[rows]
            lists[i].take(rows[here], columns[here] + starts[j], values[here])
            there = values < lists[j].worst[columns]
            lists[j].take(columns[there], rows[there] + first, values[there])
            tick()
    for one in lists:
        one.settle()
    return torch.cat([one.columns for one in lists])
