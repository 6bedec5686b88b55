"""How the engine divides its work: sizes that affect speed and memory, but not what is chosen.

A size that is tuned for one computation is a constant beside that computation. ``chunk_size`` limits
all of them, so that a test on a small problem crosses the chunk boundaries of a large one.
"""

from __future__ import annotations

import sys
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any


@dataclass
class Settings:
    """The sizes in force.

    Attributes:
        float64_up_to: a matrix of up to this many numbers is computed in float64, pair by pair, so
            that duplicates and ties are exact. A larger one is computed by float32 matrix products.
        largest_chunk: the most rows in a chunk, tile or block.
        block_sizes: how many candidates the greedy optimizer evaluates together, by the objectives'
            ``update_cost``: many where values are cheap to update.
        kinds_a_block: how many groups of candidates of always equal value are evaluated together.
        coverage_few: the gains of fewer rows than this are recomputed together, because collecting
            what has changed would cost more.
        coverage_states: how many earlier states are kept to update gains from.
        coverage_changed_share: a gain is recomputed where more than this share has changed.
        coverage_kept_up_to: a kernel matrix of up to this many numbers is kept in memory.
        exact_neighbors_up_to: up to this many multiplications all pairs are compared, on any device,
            because the result must not depend on the device.
        read_whole_up_to: vectors of up to this many numbers, in a file, are read into memory.
        badge_picks_a_pass: how many picks are compared with all candidates at once.
        medoid_members: how many members of a larger cluster a possible medoid is compared with.
        medoid_choices: how many members of a larger cluster are tried as its medoid.
        most_spanning: the most labeled and chosen samples that a determinant is taken of.
    """

    float64_up_to: int = 1 << 16
    largest_chunk: int = sys.maxsize
    block_sizes: Mapping[int, int] = field(default_factory=lambda: {0: 64, 1: 512, 2: 128, 3: 16})
    kinds_a_block: int = 1024
    coverage_few: int = 64
    coverage_states: int = 128
    coverage_changed_share: float = 0.6
    coverage_kept_up_to: int = 1 << 25
    exact_neighbors_up_to: int = 1 << 37
    read_whole_up_to: int = 1 << 28
    badge_picks_a_pass: int = 256
    medoid_members: int = 4000
    medoid_choices: int = 1000
    most_spanning: int = 10_000


settings = Settings()


def chunk_size(size: int) -> int:
    """The size, or ``settings.largest_chunk`` where that is smaller."""
    return min(size, settings.largest_chunk)


def chunks(count: int, size: int) -> Iterator[slice]:
    """Consecutive slices of ``count`` rows, each of at most ``size`` rows."""
    step = chunk_size(size)
    return (slice(start, start + step) for start in range(0, count, step))


@contextmanager
def changed(**values: Any) -> Iterator[None]:
    """Change settings within a ``with`` block, for tests and measurements.

    Raises:
        AttributeError: there is no such setting.
    """
    before = {name: getattr(settings, name) for name in values}
    try:
        for name, value in values.items():
            setattr(settings, name, value)
        yield
    finally:
        for name, value in before.items():
            setattr(settings, name, value)
