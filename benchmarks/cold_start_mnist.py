"""Cold start: no label, no model, and a first 10 to 100 samples chosen by embeddings alone.

    ALCORE_DATA=<folder> python benchmarks/cold_start_mnist.py [--seeds 10]

takes unsupervised features of MNIST (a beta-TCVAE's, 10 numbers an image) from ``<folder>/mnist``. For
each seed 4,000 training images are drawn as the pool; each way chooses 10, 20, 50 and 100 of them at
once, and a 1-nearest-neighbor classifier on those is tested on the 10,000 test images. ProbCover's
radius is 0.3 times the median distance, MaxHerding's kernel exp(-d^2 / 10), one over the number of
features; features are taken as they are. k-center begins at the sample nearest the mean, or at one
drawn. Prints a Markdown table, the mean of the seeds with its standard error, beside the figures of an
earlier study of the same protocol.
"""

from __future__ import annotations

import argparse
import os
import sys
from pathlib import Path
from typing import Any

import numpy as np
from machine import machine
from sklearn.neighbors import KNeighborsClassifier

import alcore

POOL = 4000
DRAWN = "k-center, from a drawn sample"
BUDGETS = [10, 20, 50, 100]
EARLIER = {
    "random": [0.335, 0.456, 0.616, 0.705],
    DRAWN: [0.204, 0.296, 0.464, 0.557],
    "TypiClust": [0.548, 0.653, 0.760, 0.816],
    "MaxHerding": [0.572, 0.681, 0.774, 0.823],
    "ProbCover": [0.418, 0.569, 0.700, 0.773],
}


def strategies(X: np.ndarray) -> dict[str, dict[str, Any]]:
    few = X[:1000]
    median = float(np.median(np.linalg.norm(few[:, None] - few[None], axis=-1)))
    plain = {"column": "embeddings", "metric": "euclidean"}
    herding = {"strategy": "coverage", **plain}
    balls = {"strategy": "coverage", "kernel": "ball", **plain}
    return {
        "random": {"strategy": "random"},
        "k-center": {"strategy": "diversity", **plain},
        DRAWN: {"strategy": "diversity", **plain},
        "TypiClust": {"strategy": "typiclust", **plain},
        "MaxHerding": herding | {"bandwidth": X.shape[1] ** 0.5},
        "MaxHerding, bandwidth auto": herding,
        "ProbCover": balls | {"radius": 0.3 * median},
        "ProbCover, radius auto": balls | {"clusters": 10},
    }


def accuracies(folder: Path, seeds: int) -> dict[str, np.ndarray]:
    """By name of a way to choose, (seeds, budgets)."""
    X, y, X_test, y_test = (
        np.load(folder / f"{what}_betatcvae_{part}.npy")
        for part in ("train", "test")
        for what in ("embeddings", "labels")
    )
    found: dict[str, list[list[float]]] = {}
    for seed in range(seeds):
        rows = np.random.default_rng(seed).permutation(len(X))[:POOL]
        columns = {"embeddings": X[rows]}
        pool = alcore.Pool(POOL, columns=columns)
        begun = alcore.Pool(POOL, labeled=np.arange(POOL) == 0, columns=columns)
        for name, entry in strategies(X[rows]).items():
            found.setdefault(name, []).append([])
            for budget in BUDGETS:
                drawn = name == DRAWN
                recipe = {"budget": budget - drawn, "strategies": [entry], "seed": seed}
                picked = alcore.select(begun if drawn else pool, recipe, device="cpu").indices
                chosen = rows[[*[0] * drawn, *picked]]
                learner = KNeighborsClassifier(1).fit(X[chosen], y[chosen])
                found[name][-1].append(learner.score(X_test, y_test))
    return {name: np.array(values) for name, values in found.items()}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--seeds", type=int, default=10)
    seeds = parser.parse_args().seeds
    folder = Path(os.environ.get("ALCORE_DATA", "")) / "mnist"
    if not (folder / "embeddings_betatcvae_train.npy").is_file():
        sys.exit("set ALCORE_DATA to the folder that holds mnist/embeddings_betatcvae_train.npy")
    print(f"{machine()}; {seeds} seeds, pool of {POOL}\n")
    print(f"| way | {' | '.join(f'{budget} labels' for budget in BUDGETS)} |")
    print("| --- |" + " --- |" * len(BUDGETS))
    for name, values in accuracies(folder, seeds).items():
        errors = values.std(0, ddof=1) / np.sqrt(seeds)
        cells = [f"{m:.3f} ± {e:.3f}" for m, e in zip(values.mean(0), errors, strict=True)]
        if name in EARLIER:
            cells = [f"{cell} ({was:.3f})" for cell, was in zip(cells, EARLIER[name], strict=True)]
        print(f"| {name} | {' | '.join(cells)} |", flush=True)


if __name__ == "__main__":
    main()
