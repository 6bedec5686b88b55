"""How much of a GPU the engine uses, and whether it chooses there what a CPU chooses.

    python benchmarks/gpu.py [--quick] [--only PART]

prints Markdown tables. First the card's own rates are measured: float32 matrix products in full
precision, and copies within its memory. For each run the table says which share of it the least work
would take at these rates. The picks are compared with a CPU's on smaller problems, which a CPU
finishes.

Without a GPU it says so, and runs tiny problems on the CPU, which only shows that it runs.
"""

from __future__ import annotations

import argparse
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from machine import machine
from measuring import Rows, explain, table, timed

import alcore
from alcore.data.precision import full_float32

GPU = torch.cuda.is_available()
DEVICE = "cuda" if GPU else "cpu"
# Samples, dimensions and picks: on a GPU; with --quick, or to compare picks; without a GPU.
FULL, SMALL, TINY = (1_000_000, 512, 10_000), (50_000, 512, 500), (2_000, 64, 20)
CLASSES, MEMBERS = 100, 20
SIDE, COPIED = (8192, 1 << 30) if GPU else (1024, 1 << 24)
SEED = 0


@dataclass(frozen=True)
class Rates:
    """What the device does: multiplications a second in products, and bytes a second in copies."""

    products: float
    bytes: float


@dataclass(frozen=True)
class Problem:
    """A recipe for one strategy on data of n samples, and the least work that it takes.

    Attributes:
        least: takes n, d and picks; returns multiplications in products, and bytes read or written.
        what: the work that ``least`` counts.
    """

    strategy: dict[str, Any]
    least: Callable[[int, int, int], tuple[float, float]]
    what: str


def _graph(n: int, d: int, picks: int) -> tuple[float, float]:
    return n * n * d / 2, 0


E = {"column": "embeddings"}
PROBLEMS = {
    "k-center": Problem(
        {"strategy": "diversity", **E},
        lambda n, d, picks: (n * d * picks, 0),
        "every sample with every pick",
    ),
    "coverage": Problem({"strategy": "coverage", **E}, _graph, "every pair of samples once"),
    "typicality": Problem({"strategy": "typicality", **E}, _graph, "every pair of samples once"),
    "BALD": Problem(
        {"strategy": "disagreement", "column": "members", "measure": "bald"},
        lambda n, d, picks: (0, 4 * n * CLASSES * MEMBERS),
        "the members read once",
    ),
    "BADGE": Problem(
        {"strategy": "badge", "column": "predictions", "embeddings": "embeddings"},
        lambda n, d, picks: (n * (d + CLASSES) * picks, 0),
        "every sample with every pick",
    ),
}


def synchronized(run: Callable[[], Any]) -> tuple[float, Any]:
    """Seconds until the device has finished, and the result."""

    def finished() -> Any:
        result = run()
        if GPU:
            torch.cuda.synchronize()
        return result

    return timed(finished)


def measured_rates() -> Rates:
    """The best of a few products of float32 in full precision, and of a few copies."""
    a = torch.randn(SIDE, SIDE, device=DEVICE)
    source = torch.empty(COPIED, dtype=torch.uint8, device=DEVICE)
    target = torch.empty_like(source)
    with full_float32():
        product = min(synchronized(lambda: torch.mm(a, a))[0] for _ in range(5))
    copy = min(synchronized(lambda: target.copy_(source))[0] for _ in range(5))
    return Rates(SIDE**3 / product, 2 * COPIED / copy)


def pool_of(n: int, d: int, columns: list[str]) -> alcore.Pool:
    """Samples in 50 clusters; of the columns only those that are named are made."""
    rng = np.random.default_rng(SEED)
    made: dict[str, Any] = {}
    if "embeddings" in columns:
        centers = rng.standard_normal((50, d), dtype=np.float32)
        X = rng.standard_normal((n, d), dtype=np.float32)
        X *= 0.5
        X += centers[rng.integers(0, 50, n)]
        made["embeddings"] = X
    for name, count in (("predictions", 1), ("members", MEMBERS)):
        if name in columns:
            P = rng.random((count, n, CLASSES), dtype=np.float32)
            P **= 4
            P /= P.sum(-1, keepdims=True)
            made[name] = P[0] if count == 1 else P
    return alcore.Pool(n, columns=made)


def columns_of(strategy: dict[str, Any]) -> list[str]:
    return [strategy[one] for one in ("column", "embeddings") if one in strategy]


def chosen(pool: alcore.Pool, strategy: dict[str, Any], picks: int, device: str) -> alcore.Selection:
    return alcore.select(pool, {"budget": picks, "strategies": [strategy]}, device)


def speeds(names: list[str], size: tuple[int, int, int], rates: Rates) -> Rows:
    """Each run's seconds, and the share of them that the least work would take at full rate.

    First the card's own rates are measured: float32 matrix products in full precision, and copies
    within its memory. Picks are compared with a CPU's on smaller problems, which a CPU finishes.
    """
    n, d, picks = size
    for name in names:
        problem = PROBLEMS[name]
        pool = pool_of(n, d, columns_of(problem.strategy))
        chosen(pool, problem.strategy, 2, DEVICE)  # what is loaded or compiled at the first use
        if GPU:
            torch.cuda.reset_peak_memory_stats()
        seconds, _ = synchronized(
            lambda pool=pool, of=problem.strategy: chosen(pool, of, picks, DEVICE)
        )
        multiplications, moved = problem.least(n, d, picks)
        ideal = multiplications / rates.products + moved / rates.bytes
        memory = torch.cuda.max_memory_allocated() / 2**30 if GPU else "-"
        yield [name, f"{n} x {d}, {picks} picks", problem.what, seconds, ideal, ideal / seconds, memory]


def agreement(names: list[str], size: tuple[int, int, int]) -> Rows:
    """How many picks are the CPU's, in the order chosen and as a set."""
    n, d, picks = size
    for name in names:
        strategy = PROBLEMS[name].strategy
        pool = pool_of(n, d, columns_of(strategy))
        on_cpu, on_device = (chosen(pool, strategy, picks, one).indices for one in ("cpu", DEVICE))
        same = int((on_cpu == on_device).sum())
        together = len(set(on_cpu.tolist()) & set(on_device.tolist()))
        yield [name, f"{n} x {d}", f"{same}/{picks}", f"{together}/{picks}"]


def about_the_card() -> Iterator[str]:
    yield machine()
    if GPU:
        card = torch.cuda.get_device_properties(0)
        yield f"{card.name}, {card.total_memory / 2**30:.0f} GiB, CUDA {torch.version.cuda}"
    else:
        yield "**There is no GPU on this machine.** Tiny problems run on the CPU; no figure is a GPU's."


def main() -> None:
    options = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawTextHelpFormatter
    )
    options.add_argument("--only", choices=list(PROBLEMS), help="one of the problems")
    options.add_argument("--quick", action="store_true", help="smaller problems")
    given = options.parse_args()
    names = [given.only] if given.only else list(PROBLEMS)
    print("\n\n".join(about_the_card()))
    rates = measured_rates()
    print(
        f"\nproducts {rates.products / 1e12:.3f} T multiplications a second, "
        f"copies {rates.bytes / 1e9:.1f} GB a second, read and written"
    )
    explain(speeds)
    size = TINY if not GPU else SMALL if given.quick else FULL
    head = ["what", "size", "the least work", "seconds", "at full rate", "share", "GiB at most"]
    table("speed", head, speeds(names, size, rates))
    if GPU:
        head = ["what", "size", "same picks", "as a set"]
        table("picks, beside a CPU's", head, agreement(names, SMALL))


if __name__ == "__main__":
    main()
