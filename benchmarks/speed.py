"""How fast the engine chooses, beside plain greedy and other libraries.

    python benchmarks/speed.py [--only PART] [--quick] [--cpu]

prints Markdown tables. Every time is of one run, in seconds of wall time; with --cpu, where others
share the machine, in seconds of processor time on one thread.
"""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

import measuring
import numpy as np
import torch
from machine import machine
from measuring import Rows, table, timed
from speed_balance import balance
from speed_by_embeddings import badge, by_embeddings, large
from speed_embed import embed
from speed_images import images
from speed_scores import boxes, scores
from speed_test_sets import test_sets

import alcore
from alcore.data.device import TILE_COLUMNS, TILE_ROWS

ROOT = Path(__file__).resolve().parent.parent
KINDS = ["clustered", "low-rank", "isotropic"]
KCENTER = [(100_000, 512, 1000), (100_000, 128, 5000)]
COVERAGE = (20_000, 128, 1000)
LARGEST = [("k-center", 1_000_000, 128, 10_000, {"strategy": "diversity"})]
IN_TURN = 5
JUDGED = (20_000, 128, 1000)  # where picks are compared with a greedy in float64
BANDWIDTH = 0.7
PLAIN_COVERAGE_PICKS = 30
SKACTIVEML_PICKS = 20
APRICOT = (10_000, 128, 1000)


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


def warm_up() -> None:
    """Have loaded what is loaded at the first use."""
    for strategy in ("diversity", "coverage"):
        ours(make_data("isotropic", 4000, 100), 10, {"strategy": strategy})


# k-center


def ours(X: np.ndarray, picks: int, entry: dict[str, Any]) -> np.ndarray:
    pool = alcore.Pool(len(X), columns={"embeddings": X})
    recipe = {"budget": picks, "strategies": [{"column": "embeddings", **entry}]}
    return alcore.select(pool, recipe, device="cpu").indices


def plain_kcenter(X: np.ndarray, picks: int, dtype: torch.dtype = torch.float32) -> np.ndarray:
    """Farthest-first from the sample nearest to the mean: one matrix-vector product a pick."""
    x = torch.as_tensor(X).to(dtype)
    x = x - x.mean(0)
    lengths = (x * x).sum(1)
    nearest = torch.full_like(lengths, torch.inf)
    distance = torch.empty_like(lengths)
    chosen = [int(lengths.argmin())]
    for _ in range(picks - 1):
        last = chosen[-1]
        torch.addmv(lengths, x, x[last], alpha=-2, out=distance)
        torch.minimum(nearest, distance.add_(lengths[last]), out=nearest)
        nearest[last] = -torch.inf
        chosen.append(int(nearest.argmax()))
    return np.array(chosen)


def bare_product(X: np.ndarray, picks: int) -> None:
    """The N x k x d multiplications alone, in the tiles that suit a core's cache."""
    x, centers = torch.as_tensor(X), torch.as_tensor(X[:picks])
    for start in range(0, len(x), TILE_ROWS):
        for first in range(0, picks, TILE_COLUMNS):
            x[start : start + TILE_ROWS] @ centers[first : first + TILE_COLUMNS].T


def radius(X: np.ndarray, chosen: np.ndarray) -> float:
    """The largest distance to the nearest chosen sample, in float64."""
    x = torch.as_tensor(X).to(torch.float64)
    centers = x[chosen]
    parts = [torch.cdist(x[i : i + TILE_ROWS], centers).amin(1) for i in range(0, len(x), TILE_ROWS)]
    return float(torch.cat(parts).max())


def mundig(X: np.ndarray, picks: int) -> np.ndarray | None:
    try:
        from lightly_mundig import Selection
    except ImportError:
        return None
    selection = Selection()
    selection.add_diversifying_strategy(embeddings=X, strength=1.0)
    return np.array(
        selection.run_selection(
            preselected_indices=[], n_total_samples=len(X), n_samples_to_select=picks
        )
    )


def skactiveml(X: np.ndarray, picks: int) -> np.ndarray | None:
    try:
        from skactiveml.pool import CoreSet
    except ImportError:
        return None
    labels = np.full(len(X), np.nan)
    return CoreSet(random_state=0).query(X, labels, batch_size=picks)


def alike(a: np.ndarray, b: np.ndarray) -> str:
    """How many picks are the same, and up to where all are."""
    same = a == b
    first = len(a) if same.all() else int(same.argmin())
    together = len(np.intersect1d(a, b))
    return f"{same.sum()}/{len(a)} (first {first}; as a set {together})"


def kcenter(shrink: int) -> None:
    head = ["data", "ours", "bare product", "ours / product", "plain greedy", "plain / ours"]
    head += ["same picks as plain", "cover radius", "peak memory / embeddings"]
    table("k-center", head, beside_plain(shrink))
    judge(shrink)
    head = ["clustered data", "ours", "lightly-mundig", "mundig / ours", "scikit-activeml CoreSet *"]
    table("k-center, other libraries", [*head, "CoreSet / ours"], beside_others(shrink))
    print(f"\n\\* {SKACTIVEML_PICKS} picks measured, the rest extrapolated: each costs the same.")


def kcenter_ratio(shrink: int) -> None:
    """The shorter way to the ratios alone: both in turn, several times."""
    n, d, picks = KCENTER[-1][0] // shrink, KCENTER[-1][1], KCENTER[-1][2] // shrink
    wanted = {"clustered": "1.2", "low-rank": "1.2", "tight clusters": "0.5", "isotropic": ""}

    def rows() -> Rows:
        for kind, most in wanted.items():
            X = make_data(kind, n, d)
            times = [
                [
                    timed(lambda X=X: ours(X, picks, {"strategy": "diversity"}))[0],
                    timed(lambda X=X: bare_product(X, picks))[0],
                ]
                for _ in range(IN_TURN)
            ]
            mine, product = np.median(times, axis=0).tolist()
            yield [kind, mine, product, mine / product, most]

    head = ["data", "ours", "bare product", "ours / product", "wanted at most"]
    table(f"k-center, {n} x {d}, {picks} picks, medians of {IN_TURN}", head, rows())
    head = ["what", "seconds", "peak memory, GB", "of that the embeddings, GB"]
    table("k-center of a large pool", head, large(shrink, LARGEST))


def beside_plain(shrink: int) -> Rows:
    entry = {"strategy": "diversity"}
    for n, d, picks in KCENTER:
        n, picks = n // shrink, picks // shrink
        for kind in KINDS:
            X = make_data(kind, n, d)
            seconds, chosen = timed(lambda X=X, k=picks: ours(X, k, entry))
            product, _ = timed(lambda X=X, k=picks: bare_product(X, k))
            plain, theirs = timed(lambda X=X, k=picks: plain_kcenter(X, k))
            yield [
                f"{kind}, {n} x {d}, {picks} picks",
                seconds,
                product,
                seconds / product,
                plain,
                plain / seconds,
                alike(chosen, theirs),
                f"{radius(X, chosen) / radius(X, theirs) - 1:+.0e}",
                f"{peak_memory(X, picks, entry):.1f}",
            ]


def beside_others(shrink: int) -> Rows:
    for n, d, picks in KCENTER:
        n, picks = n // shrink, picks // shrink
        X = make_data("clustered", n, d)
        seconds, _ = timed(lambda X=X, k=picks: ours(X, k, {"strategy": "diversity"}))
        row: list[Any] = [f"{n} x {d}, {picks} picks", seconds]
        for run, measured in ((mundig, picks), (skactiveml, min(SKACTIVEML_PICKS, picks))):
            taken, found = timed(lambda run=run, X=X, k=measured: run(X, k))
            taken *= picks / measured
            row += [taken, taken / seconds] if found is not None else ["not installed", ""]
        yield row


def judge(shrink: int) -> None:
    """Where float32 rounding decides between near-ties, float64 says who is right."""
    n, d, picks = JUDGED[0] // shrink, JUDGED[1], JUDGED[2] // shrink

    def rows() -> Rows:
        for kind in KINDS:
            X = make_data(kind, n, d)
            exact = plain_kcenter(X, picks, torch.float64)
            here, plain = ours(X, picks, {"strategy": "diversity"}), plain_kcenter(X, picks)
            yield [kind, alike(here, exact), alike(plain, exact), alike(here, plain)]

    head = ["data", "ours as float64", "plain float32 as float64", "ours as plain float32"]
    table(f"k-center, {n} x {d}, {picks} picks, beside plain greedy in float64", head, rows())


# Coverage


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
    try:
        from apricot import FacilityLocationSelection
    except ImportError:
        return None
    kernel = kernel_matrix(X, "cosine").to(torch.float64).numpy()
    return FacilityLocationSelection(picks, metric="precomputed", optimizer="lazy").fit(kernel).ranking


def coverage(shrink: int) -> None:
    n, d, picks = COVERAGE[0] // shrink, COVERAGE[1], COVERAGE[2] // shrink
    few = min(PLAIN_COVERAGE_PICKS, picks)
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

    head = ["data", "ours", "plain greedy *", "plain / ours", "same picks", "peak memory / embeddings"]
    table(f"coverage, {n} x {d}, {picks} picks, gaussian, bandwidth {BANDWIDTH}", head, rows())
    print(f"\n\\* {few} picks measured, the rest extrapolated: each costs the same.")
    facility_location(shrink)


def facility_location(shrink: int) -> None:
    n, d, picks = APRICOT[0] // shrink, APRICOT[1], APRICOT[2] // shrink
    entry = {"strategy": "coverage", "kernel": "cosine"}
    apricot(make_data("clustered", 200, d), 5)  # numba compiles at the first call

    def rows() -> Rows:
        for kind in KINDS:
            X = make_data(kind, n, d)
            seconds, chosen = timed(lambda X=X: ours(X, picks, entry))
            taken, theirs = timed(lambda X=X: apricot(X, picks))
            if theirs is None:
                yield [kind, seconds, "not installed", "", ""]
            else:
                yield [kind, seconds, taken, taken / seconds, alike(chosen, theirs)]

    head = ["data", "ours", "apricot-select, lazy, dense", "apricot / ours", "same picks"]
    table(f"coverage, {n} x {d}, {picks} picks, cosine kernel computed by each", head, rows())


# Memory


def peak_memory(X: np.ndarray, picks: int, entry: dict[str, Any]) -> float:
    """Peak memory of ours, the embeddings included, as a multiple of them; of a process of its own."""
    with tempfile.TemporaryDirectory() as folder:
        np.save(f"{folder}/x.npy", X)
        command = [sys.executable, __file__, "--child"]
        command += [f"{folder}/x.npy", str(picks), json.dumps(entry)]
        output = subprocess.run(command, check=True, capture_output=True, text=True).stdout
    return float(output.split()[-1])


def child(path: str, picks: str, entry: str) -> None:
    warm_up()
    before = measuring.status("VmRSS")
    X = np.load(path)
    ours(X, int(picks), json.loads(entry))
    print((measuring.status("VmHWM") - before) / X.nbytes)


PARTS: dict[str, Any] = {
    "scores": scores,
    "boxes": boxes,
    "embed": embed,
    "images": images,
    "kcenter": kcenter,
    "kcenter_ratio": kcenter_ratio,
    "coverage": coverage,
    "balance": balance,
    "by_embeddings": by_embeddings,
    "badge": badge,
    "test_sets": test_sets,
}

PARTS_OF_OTHERS = ("boxes", "badge")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--only", choices=PARTS, help="one part alone")
    parser.add_argument("--quick", action="store_true", help="a tenth of the samples and picks")
    parser.add_argument("--child", nargs=3, help=argparse.SUPPRESS)
    parser.add_argument("--cpu", action="store_true", help="processor time of one thread")
    options = parser.parse_args()
    if options.child:
        return child(*options.child)
    if options.cpu:
        measuring.CLOCK = time.process_time
        os.environ["NUMBA_NUM_THREADS"] = "1"
    print(f"{machine()}; {'processor time, one thread' if options.cpu else 'wall time'}")
    warm_up()
    for name, part in PARTS.items():
        if options.only == name or (options.only is None and name not in PARTS_OF_OTHERS):
            part(10 if options.quick else 1)


if __name__ == "__main__":
    main()
