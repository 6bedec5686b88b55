"""How fast coverage chooses: the neighbor graph, the default recipe, other libraries."""

from __future__ import annotations

from typing import Any

import numpy as np
import torch
from choosing import KINDS, alike, make_data, ours, peak_memory
from measuring import Rows, peer, table, timed
from speed_by_embeddings import make_predictions

import alcore

DEFAULT = [(100_000, 512, 1000), (100_000, 512, 5000)]
GRAPHS = [(20_000, 512), (100_000, 128), (100_000, 512)]
COVERAGE = (20_000, 128, 1000)
APRICOT = (10_000, 128, 1000)
CLASSES = 10
BANDWIDTH = 0.7
PLAIN_PICKS = 30


def default_recipe(shrink: int) -> None:
    """The default recipe (coverage weighted by margin) on clustered vectors and 10 classes.

    *First* makes the neighbor graph; *again* is the same selection with what the first kept
    (`keeping=`; an earlier commit that keeps nothing makes everything anew).
    """

    def rows() -> Rows:
        for n, d, picks in DEFAULT:
            n, picks = n // shrink, picks // shrink
            columns = {
                "embeddings": make_data("clustered", n, d),
                "predictions": make_predictions(n, CLASSES),
            }
            pool = alcore.Pool(n, columns=columns)
            kept: dict[str, Any] = {"keeping": alcore.Keeping()} if hasattr(alcore, "Keeping") else {}

            def run(pool: Any = pool, picks: int = picks, kept: Any = kept) -> Any:
                return alcore.select(pool, {"budget": picks}, "cpu", **kept)

            yield [f"{n} x {d}, {picks} picks", timed(run)[0], timed(run)[0]]

    table("the default recipe", ["samples", "first", "again"], rows())


def graph(shrink: int) -> None:
    """The neighbor graph, which coverage and typicality of large pools share.

    *Half the product* is N x N x d / 2 float32 multiplications in the same torch, the least work for
    all pairs, each once. Up to 2^38 multiplications the graph is exact; beyond that its recall is
    measured on 1,000 vectors.
    """
    from alcore.geometry import neighbor_graph as graphs  # earlier commits have none

    def rows() -> Rows:
        for n, d in GRAPHS:
            n //= shrink
            for kind in KINDS:
                x = torch.nn.functional.normalize(torch.from_numpy(make_data(kind, n, d)), dim=1)
                drawn = np.random.default_rng(0).permutation(n)
                length = graphs.list_length(n)

                def make(x: torch.Tensor = x, drawn: np.ndarray = drawn, length: int = length) -> Any:
                    return graphs.neighbor_graph(lambda numbers: x[numbers], x.shape[1], drawn, length)

                seconds, made = timed(make)
                product, _ = timed(lambda x=x: half_product(x))
                told = f"{length}, {made.how}"
                yield [f"{kind}, {n} x {d}", seconds, product, seconds / product, told]

    head = ["vectors", "graph", "half the product", "graph / half", "neighbors listed"]
    table("the neighbor graph", head, rows())


def half_product(x: torch.Tensor) -> None:
    """N x N x d / 2 multiplications, in tiles."""
    half = len(x) // 2
    for start in range(0, len(x), 512):
        for first in range(0, half, 16_384):
            x[start : start + 512] @ x[first : min(half, first + 16_384)].T


def coverage(shrink: int) -> None:
    """Coverage beside a plain greedy and beside apricot-select.

    *Plain greedy* holds the kernel matrix in memory and evaluates every gain at every pick; 30 picks
    are made and the rest is extrapolated, for each costs the same. How much of the gain of such a
    greedy ours keeps on real vectors is in the part `coverage_kept`. With the cosine kernel it is
    facility location, for which apricot-select gets the whole float64 matrix (computing it is counted)
    and ours the vectors. Wanted: at least 10 times as fast as apricot-select.
    """
    n, d, picks = COVERAGE[0] // shrink, COVERAGE[1], COVERAGE[2] // shrink
    few = min(PLAIN_PICKS, picks)
    entry = {"strategy": "coverage", "kernel": "gaussian", "bandwidth": BANDWIDTH}

    def rows() -> Rows:
        for kind in KINDS:
            X = make_data(kind, n, d)
            seconds, chosen = timed(lambda X=X: ours(X, picks, entry))
            kernel, _ = timed(lambda X=X: kernel_matrix(X, "gaussian"))
            plain, theirs = timed(lambda X=X: plain_coverage(X, few))
            plain = kernel + (plain - kernel) * picks / few
            memory = f"{peak_memory(X, picks, entry):.1f}"
            yield [kind, seconds, plain, plain / seconds, alike(chosen[:few], theirs), memory]

    head = ["data", "ours", "plain greedy", "plain / ours", "same picks", "peak memory / embeddings"]
    table(f"coverage, {n} x {d}, {picks} picks, gaussian, bandwidth {BANDWIDTH}", head, rows())
    facility_location(shrink)


def facility_location(shrink: int) -> None:
    n, d, picks = APRICOT[0] // shrink, APRICOT[1], APRICOT[2] // shrink
    entry = {"strategy": "coverage", "kernel": "cosine"}
    threads = torch.get_num_threads()
    apricot(make_data("clustered", 200, d), 5)  # numba compiles at the first call

    def rows() -> Rows:
        for kind in KINDS:
            torch.set_num_threads(threads)  # which apricot's numba changes
            X = make_data(kind, n, d)
            seconds, chosen = timed(lambda X=X: ours(X, picks, entry))
            taken, theirs = timed(lambda X=X: apricot(X, picks))
            if theirs is None:
                yield [kind, seconds, "not installed", "", ""]
            else:
                yield [kind, seconds, taken, taken / seconds, alike(chosen, theirs)]

    head = ["data", "ours", "apricot-select, lazy, dense", "apricot / ours", "same picks"]
    table(f"coverage, {n} x {d}, {picks} picks, cosine kernel computed by each", head, rows())


def unit(X: np.ndarray) -> torch.Tensor:
    return torch.nn.functional.normalize(torch.as_tensor(X), dim=1)


def kernel_matrix(X: np.ndarray, kind: str) -> torch.Tensor:
    """(n, n) float32 similarities."""
    x = unit(X)
    similarity = x @ x.T
    if kind == "cosine":
        return similarity.clamp_(min=0)
    return similarity.sub_(1).mul_(2 / BANDWIDTH**2).exp_()


def plain_coverage(X: np.ndarray, picks: int) -> np.ndarray:
    """Every gain anew at every pick, from the whole kernel matrix in memory."""
    kernel = kernel_matrix(X, "gaussian")
    best = torch.zeros(len(X))
    chosen: list[int] = []
    gains = torch.empty(len(X))
    for _ in range(picks):
        for start in range(0, len(X), 256):
            rows = slice(start, start + 256)
            gains[rows] = (kernel[rows] - best).clamp_(min=0).sum(1)
        gains[chosen] = -1
        chosen.append(int(gains.argmax()))
        best = torch.maximum(best, kernel[chosen[-1]])
    return np.array(chosen)


def apricot(X: np.ndarray, picks: int) -> np.ndarray | None:
    library = peer("apricot")
    if library is None:
        return None
    kernel = kernel_matrix(X, "cosine").to(torch.float64).numpy()
    chooser = library.FacilityLocationSelection(picks, metric="precomputed", optimizer="lazy")
    return chooser.fit(kernel).ranking
