"""How the engine divides its work: sizes that bear on speed and memory, and not on what is chosen.

Sizes that are tuned to one computation stand as constants beside it; ``chunk_size`` holds them below
one bound, so that a test sees the seams of a large problem in a small one.
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
        float64_up_to: up to so many numbers a matrix is worked on in float64, pair by pair, where
            duplicates and ties come out exactly; beyond it in float32 matrix products, exact up to
            float32 rounding.
        largest_chunk: no chunk, tile or block of rows is larger.
        block_sizes: how many candidates a round of the greedy evaluates together, by the objectives'
            ``update_cost``: many where values are cheap to bring up to date.
        kinds_a_block: of rows that are worth the same whatever is chosen, how many a round takes.
        coverage_few: fewer rows than this have their gains computed anew together, since gathering
            what changed costs more.
        coverage_states: how many earlier states are kept to update gains from.
        coverage_changed_share: a gain is computed anew where more than this share has changed.
        coverage_kept_up_to: a kernel matrix of up to so many numbers is kept.
        exact_neighbors_up_to: up to so many multiplications all pairs are compared, on any device:
            what is found must not depend on where.
        badge_picks_a_pass: how many picks are compared with all candidates at once.
        medoid_members: of a larger cluster so many are measured against.
        medoid_choices: of a larger cluster so many are tried as its medoid.
        most_spanning: how many labeled and chosen samples a determinant is taken of, at most.
    """

    float64_up_to: int = 1 << 16
    largest_chunk: int = sys.maxsize
    block_sizes: Mapping[int, int] = field(default_factory=lambda: {0: 128, 1: 256, 2: 128, 3: 16})
    kinds_a_block: int = 1024
    coverage_few: int = 64
    coverage_states: int = 128
    coverage_changed_share: float = 0.6
    coverage_kept_up_to: int = 1 << 27
    exact_neighbors_up_to: int = 1 << 43
    badge_picks_a_pass: int = 128
    medoid_members: int = 4000
    medoid_choices: int = 1000
    most_spanning: int = 10_000


settings = Settings()


def chunk_size(size: int) -> int:
    """A size within what the settings allow."""
    return min(size, settings.largest_chunk)


def chunks(count: int, size: int) -> Iterator[slice]:
    """The slices of ``count`` rows, each of ``size`` or less."""
    step = chunk_size(size)
    return (slice(start, start + step) for start in range(0, count, step))


@contextmanager
def changed(**values: Any) -> Iterator[None]:
    """Other settings for as long as the context lasts, for tests and measurements.

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
