"""Random numbers by id: a seed and an id decide what a sample draws, whatever the order of the rows."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from pandas.util import hash_array

# Constants of splitmix64 (Steele et al. 2014, Fast Splittable Pseudorandom Number Generators).
GOLDEN = np.uint64(0x9E3779B97F4A7C15)
FIRST, SECOND = np.uint64(0xBF58476D1CE4E5B9), np.uint64(0x94D049BB133111EB)


def id_hashes(ids: Sequence[Any]) -> np.ndarray:
    """(N,) uint64, a hash of each id as text."""
    texts = np.fromiter(map(str, ids), dtype=object, count=len(ids))
    return hash_array(texts, categorize=False)


def uniforms(hashes: np.ndarray, *key: int) -> np.ndarray:
    """(N,) float64 in (0, 1), uniformly distributed.

    Args:
        hashes: (N,) uint64, of the ids.
        key: the seed, and numbers that tell apart several draws with one seed.
    """
    with np.errstate(over="ignore"):
        state = np.uint64(0)
        for part in key:
            state = _mixed(state + np.uint64(part % (1 << 64)))
        mixed = _mixed(_mixed(hashes) + state)
    return ((mixed >> np.uint64(11)).astype(np.float64) + 0.5) * 2.0**-53


def _mixed(values: Any) -> Any:
    z = values + GOLDEN
    z = (z ^ (z >> np.uint64(30))) * FIRST
    z = (z ^ (z >> np.uint64(27))) * SECOND
    return z ^ (z >> np.uint64(31))
