"""How fast choosing by embeddings is: typicality, BADGE, k-center and coverage of large pools."""

from __future__ import annotations

import json
import subprocess
import sys
from typing import Any

import numpy as np
from measuring import Rows, Seconds, in_own_process, peer, status, table, timed

import alcore

TYPICALITY = [(20_000, 512), (100_000, 512)]
BADGE = (50_000, 512, 100, 1000)
IN_TURN = 3
MUNDIG, PATIENCE = "lightly_mundig", 120  # seconds for it
LARGE = [
    ("k-center", 1_000_000, 128, 1000, {"strategy": "diversity"}),
    ("coverage, cosine", 100_000, 128, 1000, {"strategy": "coverage", "kernel": "cosine"}),
]


def make(n: int, d: int, seed: int = 0) -> np.ndarray:
    """(n, d) float32 in 50 clusters, a part at a time."""
    rng = np.random.default_rng(seed)
    centers = rng.standard_normal((50, d), dtype=np.float32)
    X = np.empty((n, d), dtype=np.float32)
    for start in range(0, n, 1 << 16):
        part = X[start : start + (1 << 16)]
        part[:] = 0.5 * rng.standard_normal(part.shape, dtype=np.float32)
        part += centers[rng.integers(0, 50, len(part))]
    return X


def make_predictions(n: int, classes: int, seed: int = 1) -> np.ndarray:
    logits = 2 * np.random.default_rng(seed).standard_normal((n, classes), dtype=np.float32)
    P = np.exp(logits - logits.max(1, keepdims=True))
    return P / P.sum(1, keepdims=True)


def by_embeddings(shrink: int) -> None:
    """Typicality, BADGE, and large pools.

    *Bare product* is the N x N x d multiplications alone. lightly-mundig's neighbors are approximate.
    BADGE's reference is the published k-means++ on the two factors of each gradient, one pass over the
    pool a pick; both are run in turn three times, and medians are shown. Ours draws by the same law.
    Wanted: typicality at least 5 times as fast as lightly-mundig, BADGE at least 10 times its reference
    and below 4 GB, k-center of a million below 2 GB.
    """
    head = ["data", "ours", "bare product", "ours / product", "lightly-mundig", "mundig / ours"]
    table("typicality, 20 neighbors", head, typicality(shrink))
    badge(shrink)
    head = ["what", "seconds", "peak memory, GB", "of that the embeddings, GB"]
    table("large pools", head, large(shrink, LARGE))


def badge(shrink: int) -> None:
    """BADGE beside its published k-means++; both in turn three times, and the medians."""
    head = ["data", "ours", "reference in numpy", "reference / ours", "peak memory, GB"]
    table("BADGE, wanted at least 10 times its reference", head, beside_reference(shrink))


def typicality(shrink: int) -> Rows:
    for n, d in [(n // shrink, d) for n, d in TYPICALITY]:
        X = make(n, d)
        seconds, _ = timed(lambda X=X: alcore.scores.typicality(X))
        product, _ = timed(lambda X=X: bare_product(X))
        row = [f"{n} x {d}", seconds, product, seconds / product]
        if peer(MUNDIG) is None:
            yield [*row, "not installed", ""]
            continue
        try:
            theirs = float(in_own_process(__file__, [MUNDIG, n, d], PATIENCE)[0])
            yield [*row, Seconds(theirs), theirs / seconds]
        except subprocess.TimeoutExpired:
            yield [*row, f"not done after {PATIENCE}", f"over {PATIENCE / seconds:.1f}"]


def bare_product(X: np.ndarray) -> None:
    import torch

    x = torch.from_numpy(X)
    for start in range(0, len(x), 512):
        for first in range(0, len(x), 16_384):
            x[start : start + 512] @ x[first : first + 16_384].T


def beside_reference(shrink: int) -> Rows:
    n, d, classes, picks = BADGE[0] // shrink, BADGE[1], BADGE[2], BADGE[3] // shrink
    X, P = make(n, d), make_predictions(n, classes)
    entry = {"strategy": "badge", "column": "predictions", "embeddings": "embeddings"}
    times = [
        [
            timed(lambda: choose(X, picks, entry, P))[0],
            timed(lambda: reference_badge(P, X, picks))[0],
        ]
        for _ in range(IN_TURN)
    ]
    seconds, theirs = map(Seconds, np.median(times, axis=0))
    memory = peak_memory("badge", n, d, classes, picks, entry)[0]
    told = f"{n} x {d}, {classes} classes, {picks} picks"
    yield [told, seconds, theirs, theirs / seconds, memory]


def reference_badge(P: np.ndarray, H: np.ndarray, picks: int) -> list[int]:
    """k-means++ as it is published, on the factors: all distances to each new center, in turn."""
    rng = np.random.default_rng(0)
    A = P.copy()
    A[np.arange(len(P)), P.argmax(1)] -= 1
    lengths = (A**2).sum(1) * (H**2).sum(1)
    chosen = [int(lengths.argmax())]
    nearest = np.full(len(P), np.inf, dtype=lengths.dtype)
    while len(chosen) < picks:
        last = chosen[-1]
        squared = lengths + lengths[last] - 2 * (A @ A[last]) * (H @ H[last])
        nearest = np.minimum(nearest, np.clip(squared, 0, None))
        nearest[chosen] = 0
        total = np.cumsum(nearest, dtype=np.float64)
        chosen.append(int(np.searchsorted(total, rng.random() * total[-1])))
    return chosen


def choose(X: np.ndarray, picks: int, entry: dict[str, Any], P: np.ndarray | None = None) -> Any:
    columns = {"embeddings": X} | ({} if P is None else {"predictions": P})
    pool = alcore.Pool(len(X), columns=columns)
    recipe = {"budget": picks, "strategies": [{"column": "embeddings", **entry}]}
    return alcore.select(pool, recipe, device="cpu")


def large(shrink: int, pools: list[Any]) -> Rows:
    for name, n, d, picks, entry in pools:
        n, picks = n // shrink, picks // shrink
        memory, seconds = peak_memory("plain", n, d, 0, picks, entry)
        yield [f"{name}, {n} x {d}, {picks} picks", Seconds(seconds), memory, n * d * 4 / 1e9]


def peak_memory(
    kind: str, n: int, d: int, classes: int, picks: int, entry: dict[str, Any]
) -> list[float]:
    """Peak memory in GB, the data included, and the seconds, of a process of its own."""
    return [float(one) for one in in_own_process(__file__, [kind, n, d, classes, picks, entry])]


def child(given: str) -> None:
    kind, n, d, *rest = json.loads(given)
    if kind == MUNDIG:
        library, X = peer(MUNDIG), make(n, d)
        assert library is not None
        print(timed(lambda: library.Typicality(X).calculate_typicality(num_nearest_neighbors=20))[0])
        return
    classes, picks, entry = rest
    choose(make(2000, 40), 5, {"strategy": "diversity"})
    before = status("VmRSS")
    X, P = make(n, d), make_predictions(n, classes) if kind == "badge" else None
    seconds, _ = timed(lambda: choose(X, picks, entry, P))
    print((status("VmHWM") - before) / 1e9, seconds)


if __name__ == "__main__":
    child(sys.argv[1])
