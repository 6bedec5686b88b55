"""What a selection by shards on Ray takes: rounds, bytes a round, seconds. The picks are the same.

Run it as ``python benchmarks/ray_rounds.py [samples] [shards]``; it starts a Ray of this machine.
"""

from __future__ import annotations

import sys
import time
from itertools import pairwise
from typing import Any

import numpy as np
import ray

import alcore
from alcore.cluster import ArraySource, ShardedPool, Workers

D = 64
DIVERSITY = {"strategy": "diversity", "column": "embeddings"}
UNCERTAINTY = {"strategy": "uncertainty", "column": "predictions"}
BALANCE = {"strategy": "balance", "column": "predictions", "count": "predicted"}
COVERAGE = {"strategy": "coverage", "column": "embeddings"}
RECIPES: dict[str, list[dict[str, Any]]] = {
    "uncertainty x balance": [UNCERTAINTY, BALANCE],
    "diversity": [DIVERSITY],
    "diversity x uncertainty": [DIVERSITY, UNCERTAINTY],
    "diversity x uncertainty x balance": [DIVERSITY, UNCERTAINTY, BALANCE],
    "coverage x uncertainty": [COVERAGE, UNCERTAINTY],
}


def main(n: int, count: int) -> None:
    """Print a row for each recipe."""
    rng = np.random.default_rng(0)
    centers = rng.normal(size=(50, D)).astype(np.float32)
    X = centers[rng.integers(0, 50, n)] + 0.5 * rng.normal(size=(n, D)).astype(np.float32)
    P = rng.dirichlet(np.ones(10) * 0.3, n).astype(np.float32)
    labeled = np.zeros(n, dtype=bool)
    labeled[:: n // 100] = True
    pool = alcore.Pool(n, labeled=labeled, columns={"embeddings": X, "predictions": P})
    edges = [n * k // count for k in range(count + 1)]
    sharded = ShardedPool([ArraySource(pool.part(low, high)) for low, high in pairwise(edges)])
    ray.init("local", num_cpus=2, include_dashboard=False, logging_level="error")
    print(
        "recipe, picks, rounds, KB a round, most, MB to prepare, seconds (prepare, choose), one process"
    )
    with Workers() as workers:
        for name, strategies in RECIPES.items():
            recipe = {"budget": n // 100, "strategies": strategies}
            started = time.perf_counter()
            alone = alcore.select(pool, recipe, device="cpu")
            one = time.perf_counter() - started
            chosen = alcore.select(sharded, recipe, backend=workers)
            shards, seconds = chosen.report["shards"], chosen.report["stages"][0]["seconds"]
            assert chosen.indices.tolist() == alone.indices.tolist(), name
            print(
                f"{name}, {len(chosen)}, {shards['rounds']}, {shards['bytes_a_round'] / 1e3:.0f}, "
                f"{shards['most_bytes_a_round'] / 1e3:.0f}, {shards['bytes_to_prepare'] / 1e6:.1f}, "
                f"{seconds['prepare']:.1f} {seconds['choose']:.1f}, {one:.1f}",
                flush=True,
            )


if __name__ == "__main__":
    main(*map(int, [*sys.argv[1:], "50000", "4"][:2]))
