"""The squared distance of rows to their nearest center, brought up to date where it is asked for."""

from __future__ import annotations

import torch

from ..data.settings import chunks
from ..geometry.distances import ROUNDINGS, nearest_squared, squared_lengths
from ..geometry.groups import Groups
from ..geometry.leading_directions import LeadingDirections
from ..geometry.vectors import AnyVectors

# Fewer rows than this share a matrix product with others; in groups, which cost more to find, so many.
ENOUGH_ROWS, ENOUGH_GROUPED_ROWS = 1024, 1 << 14
ROWS_A_CHUNK = 1 << 16
# Leading directions help where there are so many centers to compare with.
ENOUGH_CENTERS = 64


class Centers:
    """Vectors to which others are added.

    Args:
        first: (L, d).
        more: the most vectors that will be added.
    """

    def __init__(self, first: torch.Tensor, more: int) -> None:
        self.count = len(first)
        self._vectors = first.new_empty((len(first) + more, first.shape[1]))
        self._vectors[: len(first)] = first
        self._lengths = squared_lengths(self._vectors)

    def __getitem__(self, which: slice | torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
        """(c, d) some of the centers, and (c,) their squared lengths."""
        return self._vectors[which], self._lengths[which]

    def add(self, vectors: torch.Tensor) -> None:
        """Add (c, d) vectors."""
        new = slice(self.count, self.count + len(vectors))
        self._vectors[new] = vectors
        self._lengths[new] = squared_lengths(vectors)
        self.count += len(vectors)


class RowDistances:
    """Squared distances to the nearest center, each row compared with new ones when it is asked for.

    Args:
        vectors: (n, d).
        centers: the centers, which will grow.
    """

    def __init__(self, vectors: AnyVectors, centers: Centers) -> None:
        self.vectors = vectors
        self.lengths = squared_lengths(vectors)
        self.nearest = torch.full_like(self.lengths, torch.inf)
        # Set where they help: rows are then compared only with centers that may be nearer.
        self.groups: Groups | None = None
        self.directions: LeadingDirections | None = None
        self._rounding = ROUNDINGS * torch.finfo(vectors.dtype).eps
        self._centers = centers
        self._seen = torch.zeros(len(vectors), dtype=torch.int32, device=vectors.device)

    def vectors_of(self, rows: torch.Tensor) -> torch.Tensor:
        """(R, d) the vectors of ``rows``."""
        return self.vectors.index_select(0, rows)

    def squared(self, rows: torch.Tensor | None) -> torch.Tensor:
        """(R,) the present squared distance of ``rows`` (all if None) to the nearest center."""
        self._catch_up(rows)
        return self.nearest if rows is None else self.nearest[rows]

    def largest(self) -> float:
        """The largest squared distance; only rows that may have it are brought up to date."""
        step = 1024
        while True:
            top = self.nearest.topk(min(step, len(self.nearest))).indices
            largest = self.squared(top).max()
            stale = self.nearest[self._seen < self._centers.count]
            if len(stale) == 0 or stale.max() <= largest:
                return float(largest)
            step *= 2

    def _catch_up(self, rows: torch.Tensor | None) -> None:
        seen = self._seen if rows is None else self._seen[rows]
        levels, counts = torch.unique(seen, return_counts=True)
        behind = levels < self._centers.count
        if rows is None and len(levels) == 1 and bool(behind):
            self._compare(None, int(levels[0]))
            return
        enough = ENOUGH_ROWS if self.groups is None else ENOUGH_GROUPED_ROWS
        low, together = -1, 0
        for level, count in zip(levels[behind].tolist(), counts[behind].tolist(), strict=True):
            # Rows that were last compared at similar times go together: comparing a row with a center
            # twice does no harm.
            low = level if together == 0 else low
            together += count
            if together >= enough or level == int(levels[behind][-1]):
                mine = (seen >= low) & (seen <= level)
                late = mine.nonzero().flatten() if rows is None else rows[mine]
                self._compare(late, low)
                together = 0

    def _compare(self, rows: torch.Tensor | None, level: int) -> None:
        """Compare ``rows`` (all if None) with the centers from number ``level`` on."""
        new = self._centers[level : self._centers.count]
        if rows is None:
            nearest_squared(self.vectors, self.lengths, *new, self.nearest)
            self._seen.fill_(self._centers.count)
            return
        for chunk in chunks(len(rows), ROWS_A_CHUNK):
            few = rows[chunk]
            nearest, lengths = self.nearest[few], self.lengths[few]
            if self.groups is not None:
                self._compare_groups(few, lengths, *new, nearest)
            elif self.directions is not None and self._centers.count - level >= ENOUGH_CENTERS:
                unsure = self.directions.lower(self.vectors, lengths, few, *new, nearest)
                rest = nearest[unsure]
                nearest_squared(self.vectors_of(few[unsure]), lengths[unsure], *new, rest)
                nearest[unsure] = rest
            else:
                nearest_squared(self.vectors_of(few), lengths, *new, nearest)
            self.nearest[few] = nearest
        self._seen[rows] = self._centers.count

    def _compare_groups(
        self,
        rows: torch.Tensor,
        lengths: torch.Tensor,
        centers: torch.Tensor,
        center_lengths: torch.Tensor,
        nearest: torch.Tensor,
    ) -> None:
        """As ``nearest_squared`` of the ``rows``, without the centers too far to be the nearest."""
        assert self.groups is not None
        below = (nearest + self._rounding * lengths).sqrt_()
        for part, near in self.groups.near(rows, below, centers):
            few = nearest[part]
            vectors = self.vectors_of(rows[part])
            nearest_squared(vectors, lengths[part], centers[near], center_lengths[near], few)
            nearest[part] = few
