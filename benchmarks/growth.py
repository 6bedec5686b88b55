"""How time and memory of every strategy grow with the pool, the vectors and the budget.

    python benchmarks/growth.py [--only STRATEGY] [--quick] [--limit 600]

prints a Markdown table for each of the three, and draws benchmarks/pictures/growth.png.
"""

from __future__ import annotations

import argparse
import json
import subprocess
import sys
import tempfile
from collections.abc import Iterable
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
from choosing import make_data
from machine import machine
from measuring import Rows, Seconds, explain, in_own_process, status, table, timed
from speed_by_embeddings import make_predictions

import alcore

PICTURE = Path(__file__).resolve().parent / "pictures" / "growth.png"
PICTURE_INCHES, DOTS_AN_INCH, FONT_SIZE = (14.4, 10), 100, 12
COLORS = 10  # of matplotlib, after which they begin anew
CLASSES, MEMBERS, OBJECTS = 10, 5, 5
DEFAULT = "default recipe"
E, P, M = {"column": "embeddings"}, {"column": "predictions"}, {"column": "members"}
# What each strategy is given; an empty list is the default recipe.
BY_EMBEDDINGS: dict[str, list[dict[str, Any]]] = {
    DEFAULT: [],
    "coverage": [{"strategy": "coverage", **E}],
    "diversity": [{"strategy": "diversity", **E}],
    "typicality": [{"strategy": "typicality", **E}],
    "typiclust": [{"strategy": "typiclust", **E}],
    "representatives": [{"strategy": "representatives", **E}],
    "determinantal": [{"strategy": "determinantal", **E}],
    "badge": [{"strategy": "badge", **P, "embeddings": "embeddings"}],
    "similarity": [{"strategy": "similarity", **E, "to": [0, 1, 2]}],
    "like_failures": [{"strategy": "like_failures", **E, "to": [0, 1, 2]}],
}
BY_OTHERS: dict[str, list[dict[str, Any]]] = {
    "uncertainty": [{"strategy": "uncertainty", **P}],
    "disagreement": [{"strategy": "disagreement", **M}],
    "batch_bald": [{"strategy": "batch_bald", **M}],
    "expected_cost": [{"strategy": "expected_cost", **P, "cost": (1 - np.eye(CLASSES)).tolist()}],
    "balance": [{"strategy": "balance", **P}],
    "class_balanced": [{"strategy": "class_balanced", **P}],
    "minority": [{"strategy": "minority", **P}],
    "pal": [{"strategy": "pal", "column": "objects"}],
    "clasp": [{"strategy": "clasp", "column": "maps"}],
    "representative_informative": [{"strategy": "representative_informative", **P}],
    "weight": [{"strategy": "weight", "column": "number"}],
    "random": [{"strategy": "random"}],
}
STRATEGIES = BY_EMBEDDINGS | BY_OTHERS


@dataclass(frozen=True)
class Size:
    """N samples, vectors of d numbers, a budget of k."""

    n: int
    d: int
    k: int


@dataclass(frozen=True)
class Axis:
    """A middle size, and which of its numbers takes which values."""

    name: str
    told: str
    values: tuple[int, ...]
    middle: Size

    def sizes(self) -> list[Size]:
        return [replace(self.middle, **{self.name: value}) for value in self.values]


@dataclass(frozen=True)
class Cost:
    """What a selection took: seconds and GB, or in words why there is no figure."""

    seconds: float = float("nan")
    memory: float = float("nan")
    words: str = ""


MIDDLE, QUICK_MIDDLE = Size(100_000, 128, 1000), Size(2000, 16, 20)
AXES = [
    Axis("n", "samples", (10_000, 100_000, 1_000_000), MIDDLE),
    Axis("d", "numbers a vector", (32, 128, 512), MIDDLE),
    Axis("k", "picks", (100, 1000, 10_000), MIDDLE),
]
QUICK_AXES = [
    Axis("n", "samples", (1000, 2000), QUICK_MIDDLE),
    Axis("d", "numbers a vector", (8, 16), QUICK_MIDDLE),
    Axis("k", "picks", (10, 20), QUICK_MIDDLE),
]
Measured = dict[tuple[str, Size], Cost]


def growth(axes: list[Axis], names: Iterable[str], limit: float) -> Measured:
    """Seconds of one selection, and the peak memory with the data, in a process of its own.

    Samples are in 50 clusters; there are 10 classes and 5 members. What takes longer than the limit is
    ended, and a larger pool is not tried where by growth in proportion it would. The budget of 1,000,
    100,000 samples and 128 numbers a vector are the middle, of which one changes at a time. What reads
    no vectors does not depend on their length.
    """
    found: Measured = {}
    for axis in axes:
        head = ["strategy", *(f"{value:,} {axis.told}" for value in axis.values)]
        rest = [f"{getattr(axis.middle, one)} {one}" for one in ("n", "d", "k") if one != axis.name]
        table(f"growth with {axis.told}: {', '.join(rest)}", head, _rows(axis, names, limit, found))
    return found


def _rows(axis: Axis, names: Iterable[str], limit: float, found: Measured) -> Rows:
    for name in names:
        if axis.name == "d" and name in BY_OTHERS:
            continue
        row: list[Any] = [name]
        for size in axis.sizes():
            if (name, size) not in found:
                found[name, size] = _expected_too_long(found, name, size, limit) or cost(
                    name, size, limit
                )
            one = found[name, size]
            row.append(one.words or f"{one.seconds:.3g} s, {one.memory:.2g} GB")
        yield row


def _expected_too_long(found: Measured, name: str, size: Size, limit: float) -> Cost | None:
    """A cost in words where a smaller pool says that the limit would be passed, else None."""
    for (other, smaller), known in found.items():
        if other != name or smaller.n >= size.n or (smaller.d, smaller.k) != (size.d, size.k):
            continue
        if known.words:
            return Cost(words="not tried")
        if known.seconds * size.n / smaller.n > limit:
            return Cost(words=f"not tried, over {known.seconds * size.n / smaller.n / 60:.0f} min")
    return None


def cost(name: str, size: Size, limit: float) -> Cost:
    """One selection, in a process of its own."""
    try:
        seconds, memory = map(float, in_own_process(__file__, [name, asdict(size)], limit))
    except subprocess.TimeoutExpired:
        return Cost(words=f"ended after {limit / 60:.0f} min")
    except subprocess.CalledProcessError as failed:
        lines = failed.stderr.strip().splitlines()
        return Cost(words=f"failed: {lines[-1] if lines else failed.returncode}")
    return Cost(seconds, memory)


def make_pool(name: str, size: Size) -> alcore.Pool:
    """A pool with the columns that the strategy reads."""
    rng = np.random.default_rng(0)
    n = size.n
    shown = rng.dirichlet(np.ones(CLASSES), (16, 16)).transpose(2, 0, 1)  # (C, 16, 16)
    makers = {
        "embeddings": lambda: make_data("clustered", n, size.d),
        "predictions": lambda: make_predictions(n, CLASSES),
        "members": lambda: np.stack([make_predictions(n, CLASSES, seed) for seed in range(MEMBERS)]),
        "number": lambda: rng.random(n),
        "objects": lambda: alcore.Objects(
            np.arange(n + 1) * OBJECTS,
            confidences=rng.uniform(0.1, 1, n * OBJECTS),
            labels=rng.integers(0, CLASSES, n * OBJECTS),
            classes=list(map(str, range(CLASSES))),
        ),
        "maps": lambda: alcore.Maps(lambda row: shown, n),
    }
    entries = STRATEGIES[name] or [E, P]
    read = {one for entry in entries for one in entry.values() if isinstance(one, str)}
    return alcore.Pool(n, columns={one: make() for one, make in makers.items() if one in read})


def choose(name: str, size: Size) -> Seconds:
    """The seconds of one selection."""
    pool = make_pool(name, size)
    recipe = (
        {"budget": size.k, "strategies": STRATEGIES[name]} if STRATEGIES[name] else {"budget": size.k}
    )
    return timed(lambda: alcore.select(pool, recipe, device="cpu"))[0]


def child(given: str) -> None:
    name, size = json.loads(given)
    choose(name, Size(500, 8, 5))  # what is loaded at the first use
    before = status("VmRSS")
    seconds = choose(name, Size(**size))
    print(float(seconds), (status("VmHWM") - before) / 1e9)


def draw(found: Measured, axes: list[Axis], path: Path) -> None:
    """Seconds by each axis: above, what goes by embeddings; below, the others."""
    import matplotlib

    matplotlib.use("agg")
    import matplotlib.pyplot as plt

    plt.rcParams["font.size"] = FONT_SIZE
    figure, panels = plt.subplots(2, len(axes), figsize=PICTURE_INCHES, sharey=True, squeeze=False)
    for row, names in zip(panels, (BY_EMBEDDINGS, BY_OTHERS), strict=True):
        for panel, axis in zip(row, axes, strict=True):
            if axis.name == "d" and names is BY_OTHERS:
                panel.axis("off")
                continue
            for number, name in enumerate(names):
                seconds = [found.get((name, size), Cost()).seconds for size in axis.sizes()]
                style = "o-" if number < COLORS else "s--"
                panel.plot(axis.values, seconds, style, color=f"C{number}", label=name)
            panel.set(xscale="log", yscale="log", xlabel=axis.told)
            panel.set_xticks(axis.values, [f"{value:,}" for value in axis.values])
            panel.minorticks_off()
            panel.grid(alpha=0.3)
        row[0].set_ylabel("seconds")
        row[-1].legend(loc="center left", bbox_to_anchor=(1, 0.5), frameon=False)
    middle = axes[0].middle
    figure.suptitle(
        f"Seconds of one selection; {middle.n:,} samples, {middle.d} numbers a vector and "
        f"{middle.k:,} picks where nothing else is said"
    )
    figure.tight_layout()
    path.parent.mkdir(exist_ok=True)
    figure.savefig(path, dpi=DOTS_AN_INCH)
    plt.close(figure)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--only", choices=STRATEGIES, help="one strategy alone, without a picture")
    parser.add_argument("--quick", action="store_true", help="small pools, and a picture in /tmp")
    parser.add_argument("--limit", type=float, default=600, help="seconds for one selection")
    options = parser.parse_args()
    print(machine())
    explain(growth)
    axes = QUICK_AXES if options.quick else AXES
    found = growth(axes, [options.only] if options.only else STRATEGIES, options.limit)
    if not options.only:
        path = Path(tempfile.gettempdir()) / PICTURE.name if options.quick else PICTURE
        draw(found, axes, path)
        print(f"\n![seconds by samples, numbers a vector and picks](pictures/{path.name})")


if __name__ == "__main__":
    if sys.argv[1:] and sys.argv[1].startswith("["):
        child(sys.argv[1])
    else:
        main()
