"""A known failure of uncertainty, and what saves it.

Two classes in the plane, parted by a vertical line through the middle. In a strip around the line the
labels are noise: whoever labels there is as often wrong as right. A 10-nearest-neighbor classifier
learns them in rounds. Uncertainty alone asks ever again about the strip, where its doubt cannot be
settled, and ends below labeling by chance. Uncertainty times diversity asks where little is labeled
too, and loses about half as much. What chance has over both here is that it cannot be drawn to noise.

    python examples/noisy_border.py

prints how each way of choosing does over 20 repetitions, and draws one into demo-output/.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy as np
from sklearn.neighbors import KNeighborsClassifier

import alcore

POOL, START, BATCH, ROUNDS = 2000, 20, 20, 9
CELLS = 60  # a side, of the grid on which accuracy is measured and regions are drawn
STRIP = 0.2  # half the width of the strip, in a square from -1 to 1
PICTURE = Path(__file__).resolve().parent.parent / "demo-output" / "noisy_border.png"

UNCERTAINTY = {"strategy": "uncertainty", "column": "predictions", "measure": "margin"}
DIVERSITY = {"strategy": "diversity", "column": "embeddings"}
ARMS = {
    "random": [{"strategy": "random"}],
    "uncertainty": [UNCERTAINTY],
    "uncertainty x diversity": [UNCERTAINTY, DIVERSITY],
}


@dataclass(frozen=True)
class Outcome:
    """Where an arm ended: accuracy after each round, and what it had labeled at the end."""

    accuracies: np.ndarray
    labeled: np.ndarray
    share_in_strip: float


def noisy_plane(rng: np.random.Generator) -> tuple[np.ndarray, np.ndarray]:
    """(N, 2) points and (N,) labels, right outside the strip and by chance within it."""
    points = rng.uniform(-1, 1, (POOL, 2))
    labels = (points[:, 0] > 0).astype(int)
    noisy = np.abs(points[:, 0]) < STRIP
    labels[noisy] = rng.integers(0, 2, noisy.sum())
    return points, labels


def learned(points: np.ndarray, labels: np.ndarray, labeled: np.ndarray) -> KNeighborsClassifier:
    return KNeighborsClassifier(n_neighbors=10).fit(points[labeled], labels[labeled])


def accuracy(classifier: KNeighborsClassifier) -> float:
    """How much of the square is on the right side of the true line, whatever the noise."""
    grid = square()
    return float(((classifier.predict(grid) == 1) == (grid[:, 0] > 0)).mean())


def square(steps: int = CELLS) -> np.ndarray:
    """(steps^2, 2) the middles of a grid's cells, none on the line."""
    axis = (np.arange(steps) + 0.5) / steps * 2 - 1
    return np.stack(np.meshgrid(axis, axis), axis=-1).reshape(-1, 2)


def run_arm(strategies: list[dict[str, str]], seed: int) -> Outcome:
    """Label in rounds what the strategies choose; the same seed is the same data and start."""
    rng = np.random.default_rng(seed)
    points, labels = noisy_plane(rng)
    labeled = np.zeros(POOL, dtype=bool)
    labeled[rng.permutation(POOL)[:START]] = True
    accuracies = []
    for round_number in range(ROUNDS):
        pool = alcore.Pool(
            POOL,
            labeled=labeled,
            columns={
                "embeddings": points,
                "predictions": learned(points, labels, labeled).predict_proba(points),
            },
        )
        recipe = {"budget": BATCH, "strategies": strategies, "seed": seed * ROUNDS + round_number}
        labeled[alcore.select(pool, recipe).indices] = True
        accuracies.append(accuracy(learned(points, labels, labeled)))
    chosen = np.flatnonzero(labeled)
    in_strip = float((np.abs(points[chosen, 0]) < STRIP).mean())
    return Outcome(np.array(accuracies), chosen, in_strip)


def draw(outcomes: dict[str, Outcome], seed: int, path: Path) -> None:
    """The decision regions and labeled samples of each arm."""
    from matplotlib.figure import Figure

    points, labels = noisy_plane(np.random.default_rng(seed))
    figure = Figure(figsize=(5 * len(outcomes), 5.8), layout="constrained")
    figure.get_layout_engine().set(h_pad=0.15)
    for axes, (name, outcome) in zip(figure.subplots(1, len(outcomes)), outcomes.items(), strict=True):
        chosen = outcome.labeled
        regions = learned(points, labels, chosen).predict(square()).reshape(CELLS, CELLS)
        axes.imshow(regions, origin="lower", extent=(-1, 1, -1, 1), cmap="PRGn", vmin=-1, vmax=2)
        axes.axvspan(-STRIP, STRIP, color="black", alpha=0.08, lw=0)
        axes.axvline(0, color="black", lw=1, ls="--")
        for label, color in ((0, "#762a83"), (1, "#1b7837")):
            own = chosen[labels[chosen] == label]
            axes.scatter(*points[own].T, s=14, color=color, edgecolor="white", lw=0.4)
        axes.set_title(
            f"{name}\naccuracy {outcome.accuracies[-1]:.3f}, "
            f"{outcome.share_in_strip:.0%} of the labels in the noise"
        )
        axes.set(xticks=[], yticks=[], xlim=(-1, 1), ylim=(-1, 1))
    path.parent.mkdir(parents=True, exist_ok=True)
    figure.savefig(path, dpi=90)


def main(seeds: int = 20, picture: Path | None = PICTURE) -> dict[str, list[Outcome]]:
    """Run every arm ``seeds`` times, print the comparison, and draw the first run."""
    outcomes = {name: [run_arm(arm, seed) for seed in range(seeds)] for name, arm in ARMS.items()}
    print(f"{POOL} samples, {START} labeled at the start, {ROUNDS} rounds of {BATCH}; {seeds} seeds")
    print(f"{'':24} accuracy, last  mean of rounds  labels in the noisy strip")
    for name, runs in outcomes.items():
        last = np.array([run.accuracies[-1] for run in runs])
        whole = np.array([run.accuracies.mean() for run in runs])
        strip = np.mean([run.share_in_strip for run in runs])
        print(f"{name:24} {_mean(last)}   {_mean(whole)}   {strip:.0%}")
    print(f"{'':24} of the pool {STRIP:.0%} is in the strip")
    if picture is not None:
        draw({name: runs[0] for name, runs in outcomes.items()}, 0, picture)
        print(f"drawn: {picture}")
    return outcomes


def _mean(values: np.ndarray) -> str:
    error = values.std(ddof=1) / np.sqrt(len(values)) if len(values) > 1 else np.nan
    return f"{values.mean():.3f} ± {error:.3f}"


if __name__ == "__main__":
    main()
