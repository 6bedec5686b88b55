"""How fast a test set is chosen of a large pool, and how near its target it lies."""

from __future__ import annotations

import json
import sys
from typing import Any

import numpy as np
from measuring import Rows, Seconds, in_own_process, status, table, timed
from speed_by_embeddings import make

import alcore

N, D, SIZE = 100_000, 512, 1000
LABELED = 0.05
KINDS = ["herding, within strata", "herding, in groups of 20", "stratified", "active"]


def test_sets(shrink: int) -> None:
    """A test set, a twentieth of the pool labeled, 8 strata.

    Distances are maximum mean discrepancies from the pool; of 100 random sets those from the 5th to
    the 95th percentile. The strata here have nothing to do with the embeddings, nor have the expected
    losses. Suggesting a distance, holding out and measuring are in these times.
    """
    head = ["what", "seconds", "peak memory, GB", "distance to the target", "of sets by chance"]
    table(f"test sets, {SIZE // shrink} of {N // shrink} x {D}", head, rows(shrink))


def rows(shrink: int) -> Rows:
    for kind in KINDS:
        output = in_own_process(__file__, [kind, N // shrink, SIZE // shrink])
        seconds, memory, chosen, low, high = map(float, output)
        yield [kind, Seconds(seconds), memory, f"{chosen:.4f}", f"{low:.4f} to {high:.4f}"]


def choose(kind: str, n: int, size: int, d: int = D) -> tuple[float, dict[str, Any]]:
    rng = np.random.default_rng(0)
    columns = {
        "embeddings": make(n, d),
        "kind": rng.integers(0, 8, n).astype(float),
        "video": np.arange(n) // 20,
        "loss": rng.random(n) ** 3,
    }
    pool = alcore.Pool(n, labeled=np.arange(n) < LABELED * n, columns=columns)
    spec: dict[str, Any] = {"size": size, "embeddings": "embeddings", "strata": ["kind"]}
    more: dict[str, Any] = {
        KINDS[0]: {"method": "both"},
        KINDS[1]: {"method": "herding", "groups": "video"},
        KINDS[2]: {"method": "stratified"},
        KINDS[3]: {"method": "active", "expected_loss": "loss"},
    }[kind]
    seconds, found = timed(lambda: alcore.select_test_set(pool, {**spec, **more}, device="cpu"))
    return seconds, found.report["distance"]["embeddings"]


def child(given: str) -> None:
    kind, n, size = json.loads(given)
    choose(kind, 500, 20, 4)
    before = status("VmRSS")
    seconds, told = choose(kind, n, size)
    memory = (status("VmHWM") - before) / 1e9
    print(seconds, memory, told["chosen"], told["random"]["low"], told["random"]["high"])


if __name__ == "__main__":
    child(sys.argv[1])
