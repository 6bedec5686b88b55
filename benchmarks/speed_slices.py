"""How fast weak slices are found, of single values and of pairs."""

from __future__ import annotations

from typing import Any

import numpy as np
from measuring import Rows, table, timed

from alcore import Pool, weak_slices

N = 100_000
SHAPES = {"categories": 8, "numbers": 8, "categories of 300 values": 2, "dates": 1, "booleans": 1}


def slices(shrink: int) -> None:
    """Weak slices: values of metadata, and pairs of them, where an outcome is worst."""
    head = ["outcome", "columns", "slices looked at", "seconds", "listed"]
    table(f"weak slices, of {N // shrink}", head, rows(N // shrink))


def rows(n: int) -> Rows:
    columns = make(n)
    rng = np.random.default_rng(1)
    bad = (columns["categories 0"] == "3") & (columns["numbers 1"] > 0.8)
    right = rng.random(n) < np.where(bad, 0.6, 0.8)
    for name, outcome in (("right or wrong", right), ("a number", (right + rng.random(n)) / 2)):
        pool = Pool(n, columns=columns | {"outcome": outcome})
        for pairs in (False, True):
            seconds, found = timed(
                lambda pool=pool, pairs=pairs: weak_slices(pool, "outcome", list(columns), pairs=pairs)
            )
            yield [name, f"{len(columns)}, pairs: {pairs}", found.tested, seconds, len(found.slices)]


def make(n: int) -> dict[str, Any]:
    rng = np.random.default_rng(0)
    kinds = {
        "categories": lambda: rng.integers(0, 8, n).astype(str).astype(object),
        "numbers": lambda: rng.normal(size=n),
        "categories of 300 values": lambda: rng.integers(0, 300, n).astype(str).astype(object),
        "dates": lambda: np.datetime64("2024-01-01", "s") + rng.integers(0, 730 * 86_400, n),
        "booleans": lambda: rng.random(n) < 0.3,
    }
    return {f"{kind} {one}": kinds[kind]() for kind, count in SHAPES.items() for one in range(count)}
