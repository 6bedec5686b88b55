"""How much of the gain of the exact greedy coverage by the neighbor graph keeps, on real vectors.

    ALCORE_DATA=/path/to/data python benchmarks/coverage_kept.py [--quick]

needs the folders `trashnet` and `mnist` there and prints Markdown tables.
"""

from __future__ import annotations

import argparse
import os
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from unittest.mock import patch

import numpy as np
import torch
from machine import machine
from measuring import Rows, Seconds, explain, table, timed

import alcore
from alcore.data.settings import changed
from alcore.geometry.kernels import Kernel
from alcore.geometry.neighbor_graph import neighbor_graph
from alcore.strategies.common import task
from alcore.strategies.common.bandwidth import OTHERS, auto_bandwidth

DIGITS = (10_000, 20_000)
SHARES = (400, 100, 25, 8)  # the budget is the number of samples over these
LABELED = 0.02
KERNELS = ("gaussian", "cosine", "ball")
CHANCES = 5
ROWS_A_TILE = 512
# Of how many numbers a kernel matrix may be, so that the greedy is dense, or uses the graph.
DENSE, BY_GRAPH = 1 << 60, 0


def coverage_kept(shrink: int) -> None:
    """Coverage by the neighbor graph beside the exact greedy, on real vectors.

    *Dense* is the greedy that evaluates gains with the whole kernel matrix. Covered is the mean, over
    all samples that are not labeled, of the similarity to the most similar labeled or chosen sample,
    judged alike for both with the exact kernel over all samples. *Kept* is (graph - random) /
    (dense - random), where random is the mean of five random choices. Wanted: at least 0.97. *Graph*
    is how long the lists of neighbors take, *picks by graph* the rest of that selection. The
    widths of the Gaussian kernel and of the balls are the typical distance to the neighbor of
    rank n / budget. Where there are labeled samples, they are one in fifty. Where a center stands for
    many more samples than a list holds, drawn samples take the place of the graph, whose time is 0.
    """
    head = ["kernel", "labeled", "picks", "graph", "picks by graph", "dense"]
    head += ["covered at random", "by graph", "by dense", "kept"]
    for name, X in pools(shrink):
        least: list[float] = []
        table(f"coverage kept, {name}", head, compared(X, least))
        print(f"\nThe least that is kept: {min(least):.3f}.")


def pools(shrink: int) -> Iterator[tuple[str, np.ndarray]]:
    """Unit vectors, by the name of the data; what is not there is said."""
    folder = Path(os.environ.get("ALCORE_DATA", "/nowhere"))
    photos = folder / "trashnet" / "trashnet_mbv2.npz"
    if photos.is_file():
        X = np.load(photos)["emb"].astype(np.float32)
        X = X[:: min(shrink, 4)]
        yield f"trashnet, {len(X)} x {X.shape[1]}", _unit(X)
    else:
        print("\ntrashnet: left out, for ALCORE_DATA names no folder with trashnet/trashnet_mbv2.npz")
    digits = folder / "mnist" / "embeddings_betatcvae_train.npy"
    if digits.is_file():
        X = np.load(digits)
        for count in DIGITS:
            drawn = np.random.default_rng(0).permutation(len(X))[: count // shrink]
            yield f"MNIST, {len(drawn)} x {X.shape[1]}", _unit(X[drawn])
    else:
        print(
            "\nMNIST: left out, for ALCORE_DATA names no folder with mnist/embeddings_betatcvae_*.npy"
        )


def compared(X: np.ndarray, least: list[float]) -> Rows:
    """A row for each kernel and budget, with labels or none; what is kept goes to ``least``."""
    x = torch.from_numpy(X)
    n = len(X)
    drawn = np.random.default_rng(1).permutation(n)
    for count in (0, int(LABELED * n)):
        labeled = np.isin(np.arange(n), drawn[:count])
        for name in KERNELS:
            for share in SHARES:
                picks = max(1, n // share)
                width = auto_bandwidth(x[drawn[:OTHERS]], picks + count)
                told = [name, str(count), str(picks)]
                yield [*told, *comparison(X, labeled, picks, Kernel(name, width), least)]


def comparison(
    X: np.ndarray, labeled: np.ndarray, picks: int, kernel: Kernel, least: list[float]
) -> list[Any]:
    """The times of both ways, what each covers, and what is kept."""
    whole, (by_graph, graph) = timed(lambda: choose(X, labeled, picks, kernel, BY_GRAPH))
    dense, (by_dense, _) = timed(lambda: choose(X, labeled, picks, kernel, DENSE))
    rng = np.random.default_rng(2)
    chances = [rng.permutation(np.flatnonzero(~labeled))[:picks] for _ in range(CHANCES)]
    by_chance = float(np.mean([covered(X, labeled, one, kernel) for one in chances]))
    here, there = (covered(X, labeled, one, kernel) for one in (by_graph, by_dense))
    least.append((here - by_chance) / (there - by_chance) if there > by_chance else 1.0)
    told = [f"{one:.4f}" for one in (by_chance, here, there, least[-1])]
    return [graph, Seconds(whole - graph), dense, *told]


def choose(
    X: np.ndarray, labeled: np.ndarray, picks: int, kernel: Kernel, kept: int
) -> tuple[np.ndarray, Seconds]:
    """The picks where kernel matrices of up to ``kept`` numbers are held, and the graph's time."""
    strategy: dict[str, Any] = {"strategy": "coverage", "column": "embeddings", "kernel": kernel.kind}
    option = {"gaussian": "bandwidth", "ball": "radius"}.get(kernel.kind)
    if option is not None:
        strategy[option] = kernel.width
    pool = alcore.Pool(len(X), labeled=labeled, columns={"embeddings": X})
    spent: list[Seconds] = []

    def make(*given: Any) -> Any:
        seconds, graph = timed(lambda: neighbor_graph(*given))
        spent.append(seconds)
        return graph

    with changed(coverage_kept_up_to=kept), patch.object(task, "neighbor_graph", make):
        chosen = alcore.select(pool, {"budget": picks, "strategies": [strategy]}, device="cpu")
    reached = next(iter(chosen.report["stages"][0]["reached"].values()))["after"]
    by_drawn = kept == BY_GRAPH and "drawn" in reached
    assert len(spent) == (kept == BY_GRAPH and not by_drawn), "coverage chose in another way"
    return chosen.indices, Seconds(sum(spent))


def covered(X: np.ndarray, labeled: np.ndarray, chosen: np.ndarray, kernel: Kernel) -> float:
    """The mean similarity of samples that are not labeled to the most similar center, in [0, 1]."""
    x = torch.from_numpy(X)
    centers = x[np.concatenate([np.flatnonzero(labeled), chosen])]
    rows = torch.from_numpy(np.flatnonzero(~labeled))
    parts = [kernel.most(x[some], centers) for some in rows.split(ROWS_A_TILE)]
    return float(torch.cat(parts).to(torch.float64).mean())


def _unit(X: np.ndarray) -> np.ndarray:
    return X / np.linalg.norm(X, axis=1, keepdims=True)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--quick", action="store_true", help="a tenth of the samples")
    print(machine())
    explain(coverage_kept)
    coverage_kept(10 if parser.parse_args().quick else 1)


if __name__ == "__main__":
    main()
