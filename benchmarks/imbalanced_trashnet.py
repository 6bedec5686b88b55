"""A rare class: which way to choose finds it, and what the model is worth after each round.

    ALCORE_DATA=<folder> python benchmarks/imbalanced_trashnet.py [--seeds 5] [--picture FILE]

takes pretrained features of photos of waste from ``<folder>/trashnet``. A third of each class is for
testing; of the rest all but 20 of the class trash are left out: about 1 in 80 is trash. A linear
classifier begins with 60 labels drawn at random, and 5 rounds choose 60 more each. Beside accuracy:
recall of trash, and gain an image when each is sorted by the greatest expected gain: 1 for the right
bin; -1 for other waste that is thrown away as trash; -2 for a wrong bin; -10 for trash in any bin,
which spoils what is in it. Prints a Markdown table of the means over rounds and seeds, each with the
standard error over seeds; draws the curves.
"""

from __future__ import annotations

import argparse
import os
import sys
from pathlib import Path
from typing import Any

import matplotlib

matplotlib.use("Agg")
import matplotlib.pyplot as plt
import numpy as np
from machine import machine
from sklearn.linear_model import LogisticRegression

import alcore

CLASSES = ["cardboard", "glass", "metal", "paper", "plastic", "trash"]
TRASH = CLASSES.index("trash")
RARE, FIRST, ROUNDS, PICKS = 20, 60, 5, 60
GAIN = np.full((6, 6), -2.0)
GAIN[:, TRASH], GAIN[TRASH] = -1, -10
np.fill_diagonal(GAIN, 1)
PREDICTED = {"column": "predictions"}
CLASS_BALANCED = {"strategy": "class_balanced", "labels": "truth", **PREDICTED}
MINORITY = {"strategy": "minority", "labels": "truth", **PREDICTED}
BALANCE = {"strategy": "balance", "labels": "truth", **PREDICTED}
WAYS: dict[str, list[dict[str, Any]]] = {
    "random": [{"strategy": "random"}],
    "entropy": [{"strategy": "uncertainty", "measure": "entropy", **PREDICTED}],
    "entropy-CB": [CLASS_BALANCED],
    "entropy-CB, regularization 2": [CLASS_BALANCED | {"regularization": 2.0}],
    "minority, certain": [MINORITY],
    "minority, uncertain": [MINORITY | {"variant": "uncertain"}],
    "margin": [{"strategy": "uncertainty", **PREDICTED}],
    "margin + balance": [{"strategy": "uncertainty", **PREDICTED}, BALANCE],
    "expected cost": [
        {
            "strategy": "expected_cost",
            "gain": {
                t: dict(zip(CLASSES, map(float, row), strict=True))
                for t, row in zip(CLASSES, GAIN, strict=True)
            },
            **PREDICTED,
        }
    ],
}
MEASURES = ("recall of trash", "gain an image", "accuracy", "trash found")


def splits(y: np.ndarray, rng: np.random.Generator) -> tuple[np.ndarray, np.ndarray]:
    """Rows to choose from, and to test on."""
    pool, test = [], []
    for c in range(len(CLASSES)):
        rows = rng.permutation(np.flatnonzero(y == c))
        third = len(rows) // 3
        test.append(rows[:third])
        pool.append(rows[third : third + RARE] if c == TRASH else rows[third:])
    return np.concatenate(pool), np.concatenate(test)


def learner_of(X: np.ndarray, y: np.ndarray) -> Any:
    return LogisticRegression(C=30.0, max_iter=2000).fit(X, y)


def probabilities(learner: Any, X: np.ndarray) -> np.ndarray:
    """(N, 6), also of classes that the learner has not met."""
    p = np.full((len(X), len(CLASSES)), 1e-6)
    p[:, learner.classes_] = learner.predict_proba(X)
    return p / p.sum(1, keepdims=True)


def curve(X: np.ndarray, y: np.ndarray, way: list[dict[str, Any]], seed: int) -> np.ndarray:
    """(rounds + 1, measures)."""
    rng = np.random.default_rng(seed)
    pool, test = splits(y, rng)
    labeled = np.zeros(len(pool), dtype=bool)
    labeled[rng.permutation(len(pool))[:FIRST]] = True
    found = []
    for number in range(ROUNDS + 1):
        learner = learner_of(X[pool[labeled]], y[pool[labeled]])
        p = probabilities(learner, X[test])
        decision, truth = (p @ GAIN).argmax(1), y[test]
        right = p.argmax(1) == truth
        found.append(
            [
                right[truth == TRASH].mean(),
                GAIN[truth, decision].mean(),
                right.mean(),
                (y[pool[labeled]] == TRASH).sum(),
            ]
        )
        if number == ROUNDS:
            return np.array(found)
        names = np.where(labeled, np.array(CLASSES, dtype=object)[y[pool]], None)
        columns = {"predictions": probabilities(learner, X[pool]), "truth": names}
        samples = alcore.Pool(
            len(pool), labeled=labeled, columns=columns, classes={"predictions": CLASSES}
        )
        recipe = {"budget": PICKS, "strategies": way, "seed": seed + number}
        labeled[alcore.select(samples, recipe, device="cpu").indices] = True
    raise AssertionError


def draw(curves: dict[str, np.ndarray], path: Path) -> None:
    labels = FIRST + PICKS * np.arange(ROUNDS + 1)
    figure, axes = plt.subplots(1, 2, figsize=(12, 4.5), layout="constrained")
    for axis, measure in zip(axes, MEASURES, strict=False):
        for name, values in curves.items():
            axis.plot(labels, values.mean(0)[:, MEASURES.index(measure)], marker="o", ms=3, label=name)
        axis.set_xlabel("labels")
        axis.set_title(measure)
        axis.grid(alpha=0.3)
    axes[0].legend(fontsize=8)
    figure.savefig(path, dpi=110)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--seeds", type=int, default=5)
    parser.add_argument("--picture", type=Path)
    asked = parser.parse_args()
    path = Path(os.environ.get("ALCORE_DATA", "")) / "trashnet" / "trashnet_mbv2.npz"
    if not path.is_file():
        sys.exit("set ALCORE_DATA to the folder that holds trashnet/trashnet_mbv2.npz")
    data = np.load(path)
    y = np.array([CLASSES.index(str(name).split("/")[0]) for name in data["files"]])
    X = data["emb"].astype(np.float64)
    X /= np.linalg.norm(X, axis=1, keepdims=True)
    print(f"{machine()}; {asked.seeds} seeds\n")
    print(f"| way | {' | '.join(MEASURES[:3])} | trash found in the end |")
    print("| --- | --- | --- | --- | --- |")
    curves = {}
    for name, way in WAYS.items():
        curves[name] = np.stack([curve(X, y, way, seed) for seed in range(asked.seeds)])
        chosen = curves[name][:, 1:]
        of_seeds = np.c_[chosen[:, :, :3].mean(1), chosen[:, -1, 3]]
        errors = of_seeds.std(0, ddof=1) / np.sqrt(asked.seeds)
        cells = [f"{m:.3f} ± {e:.3f}" for m, e in zip(of_seeds.mean(0), errors, strict=True)]
        print(f"| {name} | {' | '.join(cells)} |", flush=True)
    if asked.picture:
        draw(curves, asked.picture)


if __name__ == "__main__":
    main()
