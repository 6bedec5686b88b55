"""What the benchmarks of choosing by vectors share: made-up data, one call of ours, its peak memory."""

from __future__ import annotations

import json
import sys
import tempfile
from typing import Any

import numpy as np
from measuring import in_own_process, status

import alcore

KINDS = ["clustered", "low-rank", "isotropic"]


def make_data(kind: str, n: int, d: int, seed: int = 0) -> np.ndarray:
    """(n, d) float32: 50 or 200 clusters, 16 directions with a little noise, or no structure at all."""
    rng = np.random.default_rng(seed)
    if kind == "tight clusters":
        centers = rng.standard_normal((200, d), dtype=np.float32)
        return centers[rng.integers(0, 200, n)] + 0.05 * rng.standard_normal((n, d), dtype=np.float32)
    if kind == "clustered":
        centers = rng.standard_normal((50, d), dtype=np.float32)
        return centers[rng.integers(0, 50, n)] + 0.5 * rng.standard_normal((n, d), dtype=np.float32)
    if kind == "low-rank":
        latent = rng.standard_normal((n, 16), dtype=np.float32)
        mixed = latent @ rng.standard_normal((16, d), dtype=np.float32)
        return mixed + 0.1 * rng.standard_normal((n, d), dtype=np.float32)
    return rng.standard_normal((n, d), dtype=np.float32)


def ours(X: np.ndarray, picks: int, entry: dict[str, Any]) -> np.ndarray:
    pool = alcore.Pool(len(X), columns={"embeddings": X})
    recipe = {"budget": picks, "strategies": [{"column": "embeddings", **entry}]}
    return alcore.select(pool, recipe, device="cpu").indices


def warm_up() -> None:
    """Have loaded what is loaded at the first use."""
    for strategy in ("diversity", "coverage"):
        ours(make_data("isotropic", 4000, 100), 10, {"strategy": strategy})


def alike(a: np.ndarray, b: np.ndarray) -> str:
    """How many picks are the same, and up to where all are."""
    same = a == b
    first = len(a) if same.all() else int(same.argmin())
    together = len(np.intersect1d(a, b))
    return f"{same.sum()}/{len(a)} (first {first}; as a set {together})"


def peak_memory(X: np.ndarray, picks: int, entry: dict[str, Any]) -> float:
    """Peak memory of ours, the embeddings included, as a multiple of them; of a process of its own."""
    with tempfile.TemporaryDirectory() as folder:
        np.save(f"{folder}/x.npy", X)
        return float(in_own_process(__file__, [f"{folder}/x.npy", picks, entry])[0])


def child(given: str) -> None:
    path, picks, entry = json.loads(given)
    warm_up()
    before = status("VmRSS")
    X = np.load(path)
    ours(X, picks, entry)
    print((status("VmHWM") - before) / X.nbytes)


if __name__ == "__main__":
    child(sys.argv[1])
