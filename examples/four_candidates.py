"""Why one strategy is not enough: four candidates, of which only the three together take the best.

Two classes in the plane, parted by a vertical line; a dense cloud lies to its right, and most of what
is labeled lies around one spot of the line. Four samples could be labeled next:

    A  far out on the line, where nothing else is
    B  on the line, next to labeled samples
    C  in the middle of the cloud, off the line
    D  near the line, at the edge of the cloud

Uncertainty cannot tell A, B and D apart. Diversity wants A, the outlier. Typicality wants C, of which
the model is sure. Even two of them together want A, B or C. The three together want D: the model is
unsure of it, nothing like it is labeled, and much is like it.

    python examples/four_candidates.py

prints what each way of choosing takes, in its order, and draws it into demo-output/.
"""

from __future__ import annotations

from itertools import combinations
from pathlib import Path
from typing import Any

import numpy as np

import alcore

FOUR = {"A": (0.0, 5.0), "B": (0.0, -3.0), "C": (1.3, 0.0), "D": (0.25, 0.0)}
PICTURE = Path(__file__).resolve().parent.parent / "demo-output" / "four_candidates.png"
STRATEGIES: dict[str, dict[str, Any]] = {
    "uncertainty": {"strategy": "uncertainty", "column": "predictions"},
    "diversity": {"strategy": "diversity", "column": "embeddings"},
    "typicality": {"strategy": "typicality", "column": "embeddings"},
}


def make_pool(seed: int = 0) -> alcore.Pool:
    """The four first, then the cloud, a crowd around B, and two labeled samples elsewhere."""
    rng = np.random.default_rng(seed)
    cloud = rng.normal((1.3, 0.0), 0.35, (300, 2))
    crowd = rng.normal((0.0, -3.0), (0.3, 0.3), (60, 2))
    # Right next to B nothing is; what is labeled of the crowd is at some distance from the line.
    crowd[:, 0] += np.where(crowd[:, 0] < 0, -0.2, 0.2)
    elsewhere = np.array([(2.2, 0.2), (-1.6, 0.5)])
    points = np.concatenate([list(FOUR.values()), cloud, crowd, elsewhere])
    labeled = np.zeros(len(points), dtype=bool)
    labeled[-2:] = True
    labeled[304:364:2] = True
    right = 1 / (1 + np.exp(-2.0 * points[:, 0]))
    return alcore.Pool(
        len(points),
        ids=[*FOUR, *(f"sample {row}" for row in range(len(points) - 4))],
        labeled=labeled,
        columns={"embeddings": points, "predictions": np.stack([1 - right, right], axis=1)},
    )


def order_of(pool: alcore.Pool, names: tuple[str, ...]) -> list[str]:
    """The four in the order in which the strategies of these names, multiplied, take them."""
    recipe = {
        "budget": len(FOUR),
        "strategies": [STRATEGIES[name] for name in names],
        "filters": [{"column": "id", "in": list(FOUR)}],
    }
    return alcore.select(pool, recipe, device="cpu").ids


def orders(pool: alcore.Pool) -> dict[str, list[str]]:
    """For each strategy, each two and all three, the order in which they take the four."""
    some = [names for size in (1, 2, 3) for names in combinations(STRATEGIES, size)]
    return {" x ".join(names): order_of(pool, names) for names in some}


def draw(pool: alcore.Pool, taken: dict[str, list[str]], path: Path) -> None:
    from matplotlib.figure import Figure

    points = pool.columns["embeddings"]
    figure = Figure(figsize=(13, 4.6), layout="constrained")
    alone_and_all = [name for name in taken if name.count(" x ") != 1]
    for axes, name in zip(figure.subplots(1, len(alone_and_all)), alone_and_all, strict=True):
        axes.axvline(0, color="black", lw=1, ls="--")
        axes.scatter(*points[4:][~pool.labeled[4:]].T, s=6, color="#bbbbbb", label="pool")
        axes.scatter(*points[pool.labeled].T, s=12, color="#1f77b4", label="labeled")
        for one, place in FOUR.items():
            first = one == taken[name][0]
            color = "#d62728" if first else "black"
            axes.scatter(*place, s=90 if first else 30, color=color, zorder=3)
            axes.annotate(
                one, place, (7, 5), textcoords="offset points", color=color, fontsize=13, zorder=4
            )
        axes.set_title(f"{name}\n{' '.join(taken[name])}", fontsize=10)
        axes.set(xticks=[], yticks=[], xlim=(-3, 4), ylim=(-4.5, 6))
    axes.legend(loc="upper right", frameon=False)
    path.parent.mkdir(parents=True, exist_ok=True)
    figure.savefig(path, dpi=90)


def main(picture: Path | None = PICTURE) -> dict[str, list[str]]:
    """Print the orders, and draw those of each strategy alone and of all three."""
    pool = make_pool()
    taken = orders(pool)
    for name, order in taken.items():
        print(f"{name:40} {' '.join(order)}")
    if picture is not None:
        draw(pool, taken, picture)
        print(f"drawn: {picture}")
    return taken


if __name__ == "__main__":
    main()
