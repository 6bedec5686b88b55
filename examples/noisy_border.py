"""A known failure of uncertainty, and what cures it.

Two classes in the plane, parted by a vertical line through the middle. In a strip around the line the
labels are noise: whoever labels there is as often wrong as right. A 10-nearest-neighbor classifier
learns them in rounds. Uncertainty alone asks ever again about the strip, where its doubt cannot be
settled, and ends below labeling by chance. Uncertainty times diversity asks where little is labeled
too, and loses about half as much.

The doubt in the strip is of the labels, not of the model: aleatoric. A committee whose members differ
by what the labels leave open agrees on it, once it has seen some of them: all of its members say one
half. So its disagreement (BALD), in place of uncertainty in the same product, spends no more there
than chance does: it is above chance over the rounds, and ends level with it. The committee must know
how many labels are near: one of bootstrapped classifiers differs in the noise too, and its disagreement
alone ends at 0.938. Nothing that only covers the plane, or asks what labels can settle, ends clearly
above chance, for that spends its labels evenly, too.

Where it is known that the noise lies at the border, certainty (uncertainty of strength -1) times
coverage asks mostly beside it, and ends above chance. That is a bet on the noise. With the same plane
and no noise (30 seeds; at the end, less chance): uncertainty times diversity gains .021, disagreement
times diversity .012, certainty times coverage .006. So the committee is the one to take where it is
not known whether labels are noisy.

    python examples/noisy_border.py

prints how each way of choosing does over 20 repetitions, and draws one into demo-output/.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from scipy.spatial.distance import cdist
from sklearn.neighbors import KNeighborsClassifier

import alcore

POOL, START, BATCH, ROUNDS = 2000, 20, 20, 9
CELLS = 60  # a side, of the grid on which accuracy is measured and regions are drawn
STRIP = 0.2  # half the width of the strip, in a square from -1 to 1
PICTURE = Path(__file__).resolve().parent.parent / "demo-output" / "noisy_border.png"

MEMBERS = 20  # of the committee
NEAR = 0.15  # how far a label tells the committee something, as a standard deviation

Strategies = list[dict[str, Any]]
UNCERTAINTY = {"strategy": "uncertainty", "column": "predictions", "measure": "margin"}
DIVERSITY = {"strategy": "diversity", "column": "embeddings"}
COVERAGE = {"strategy": "coverage", "column": "embeddings", "metric": "euclidean"}
DISAGREEMENT = {"strategy": "disagreement", "column": "members", "measure": "bald"}
ARMS: dict[str, Strategies] = {
    "random": [{"strategy": "random"}],
    "uncertainty": [UNCERTAINTY],
    "uncertainty x diversity": [UNCERTAINTY, DIVERSITY],
    "disagreement x diversity": [DISAGREEMENT, DIVERSITY],
    "certainty x coverage": [{**UNCERTAINTY, "strength": -1.0}, COVERAGE],
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


def committee(points: np.ndarray, labels: np.ndarray, labeled: np.ndarray, seed: int) -> np.ndarray:
    """(MEMBERS, N, 2) what the labels near a sample leave open: draws of its class probabilities.

    Each label counts by how near it is; with a uniform prior the probability has a beta distribution.
    Far from any label the draws differ; among many labels they agree, be it on one half.
    """
    weights = np.exp(-cdist(points, points[labeled], "sqeuclidean") / (2 * NEAR**2))
    counts = np.stack([weights @ (labels[labeled] == label) for label in (0, 1)])
    drawn = np.random.default_rng(seed).beta(1 + counts[1], 1 + counts[0], (MEMBERS, len(points)))
    return np.stack([1 - drawn, drawn], axis=-1)


def accuracy(classifier: KNeighborsClassifier) -> float:
    """How much of the square is on the right side of the true line, whatever the noise."""
    grid = square()
    return float(((classifier.predict(grid) == 1) == (grid[:, 0] > 0)).mean())


def square(steps: int = CELLS) -> np.ndarray:
    """(steps^2, 2) the middles of a grid's cells, none on the line."""
    axis = (np.arange(steps) + 0.5) / steps * 2 - 1
    return np.stack(np.meshgrid(axis, axis), axis=-1).reshape(-1, 2)


def run_arm(strategies: Strategies, seed: int) -> Outcome:
    """Label in rounds what the strategies choose; the same seed is the same data and start."""
    rng = np.random.default_rng(seed)
    points, labels = noisy_plane(rng)
    labeled = np.zeros(POOL, dtype=bool)
    labeled[rng.permutation(POOL)[:START]] = True
    accuracies = []
    for round_number in range(ROUNDS):
        round_seed = seed * ROUNDS + round_number
        columns = {
            "embeddings": points,
            "predictions": learned(points, labels, labeled).predict_proba(points),
            "members": committee(points, labels, labeled, round_seed),
        }
        pool = alcore.Pool(POOL, labeled=labeled, columns=columns)
        recipe = {"budget": BATCH, "strategies": strategies, "seed": round_seed}
        labeled[alcore.select(pool, recipe).indices] = True
        accuracies.append(accuracy(learned(points, labels, labeled)))
    chosen = np.flatnonzero(labeled)
    in_strip = float((np.abs(points[chosen, 0]) < STRIP).mean())
    return Outcome(np.array(accuracies), chosen, in_strip)


def draw(outcomes: dict[str, Outcome], seed: int, path: Path) -> None:
    """The decision regions and labeled samples of each arm."""
    from matplotlib.figure import Figure

    points, labels = noisy_plane(np.random.default_rng(seed))
    figure = Figure(figsize=(3.6 * len(outcomes), 4.3), layout="constrained")
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
    figure.savefig(path, dpi=70)


def main(seeds: int = 20, picture: Path | None = PICTURE) -> dict[str, list[Outcome]]:
    """Run every arm ``seeds`` times, print the comparison, and draw the first run."""
    outcomes = {name: [run_arm(arm, seed) for seed in range(seeds)] for name, arm in ARMS.items()}
    print(f"{POOL} samples, {START} labeled at the start, {ROUNDS} rounds of {BATCH}; {seeds} seeds")
    print(
        f"{'':24} accuracy, last (less random's)      mean of rounds (less random's)      in the strip"
    )
    chance = _last_and_mean(outcomes["random"])
    for name, runs in outcomes.items():
        last, whole = _last_and_mean(runs)
        strip = np.mean([run.share_in_strip for run in runs])
        less = [_mean(one - other) for one, other in zip((last, whole), chance, strict=True)]
        print(f"{name:24} {_mean(last)} ({less[0]})   {_mean(whole)} ({less[1]})   {strip:.0%}")
    print(f"{'':24} of the pool {STRIP:.0%} is in the strip")
    if picture is not None:
        draw({name: runs[0] for name, runs in outcomes.items()}, 0, picture)
        print(f"drawn: {picture}")
    return outcomes


def _last_and_mean(runs: list[Outcome]) -> tuple[np.ndarray, np.ndarray]:
    """(seeds,) accuracies after the last round, and means over the rounds."""
    accuracies = np.stack([run.accuracies for run in runs])
    return accuracies[:, -1], accuracies.mean(1)


def _mean(values: np.ndarray) -> str:
    error = values.std(ddof=1) / np.sqrt(len(values)) if len(values) > 1 else np.nan
    return f"{values.mean():.3f} ± {error:.3f}"


if __name__ == "__main__":
    main()
