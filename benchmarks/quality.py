"""How well each strategy chooses: replays on labeled sets, in pairs with a random choice.

    ALCORE_DATA=<folder> python benchmarks/quality.py [--seeds 20] [--sets NAME ...] [--only NAME ...]
        [--kept FILE] [--pictures FOLDER] [--cold]

takes the sets that ``<folder>`` holds: photos of waste with two pretrained networks' features
(``trashnet``), digits with unsupervised features (``mnist``), and any ``.npz`` file in the folder
itself with ``X`` (N, d) and ``y`` (N,). Of each, 2,000 samples to choose from and as many to test on,
at most; a linear classifier; 20 labels drawn by chance, then 14 rounds of 20 up to 300. With
``--cold``, every way chooses the first 20, too.

Beside ours stand LightlyOne's rule (margin as weights, times diversity, as it combines them) and
scikit-activeml's strategies, with the same learner, the same first labels and the same seeds. Runs are
kept in a file, so that a benchmark that was stopped goes on.

Prints for each set a Markdown table. *Area* is the mean accuracy over the rounds, less that of the
random choice, with the standard error of the difference in pairs. *Lowest round* is the least
difference of any round, in standard errors. *Labels* is how many it takes to the accuracy that the
random choice has with 300.
"""

from __future__ import annotations

import argparse
import json
import os
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import matplotlib

matplotlib.use("Agg")
import matplotlib.pyplot as plt
import numpy as np
from machine import machine

import alcore
from alcore.replaying import Comparison, replay, usual_recipes
from alcore.replaying.learners import INVERSE_REGULARIZATION
from alcore.replaying.one_run import TRUTH

MOST, FIRST, BATCH, ROUNDS = 2000, 20, 20, 14
V, P = "embeddings", "predictions"
MARGIN: dict[str, Any] = {"strategy": "uncertainty", "column": P}
COVERAGE: dict[str, Any] = {"strategy": "coverage", "column": V}
SHOWN = 8


def ours() -> dict[str, Any]:
    """Ours, and LightlyOne's rule by ours."""
    found: dict[str, Any] = dict(usual_recipes(V, P))
    found["coverage of labeled width, weighted"] = [
        {**COVERAGE, "bandwidth": "labeled", "weights": MARGIN}
    ]
    found["coverage, calibrated weights"] = [{**COVERAGE, "weights": {**MARGIN, "temperature": "fit"}}]
    found["typicality and margin"] = [MARGIN, {"strategy": "typicality", "column": V}]
    found["determinantal"] = [{"strategy": "determinantal", "column": V}]
    found["minority"] = [{"strategy": "minority", "column": P}]
    found["class_balanced"] = [{"strategy": "class_balanced", "column": P}]
    found["disagreement"] = [{"strategy": "disagreement", "column": "members"}]
    typiclust = {"strategy": "typiclust", "column": V}
    found["refine, then the default"] = {
        "stages": [
            {"refine": {"strategies": [MARGIN, typiclust], "rounds": 1}},
            {"budget": BATCH, "strategies": [{**COVERAGE, "weights": MARGIN}]},
        ]
    }
    config = {
        "n_samples": BATCH,
        "strategies": [
            {"input": {"type": "EMBEDDINGS"}, "strategy": {"type": "DIVERSITY"}},
            {
                "input": {"type": "SCORES", "task": P, "score": "uncertainty_margin"},
                "strategy": {"type": "WEIGHTS"},
            },
        ],
    }
    found["LightlyOne's rule"] = alcore.lightly.recipe_of(config)
    return found


def peers() -> dict[str, Any]:
    """scikit-activeml's strategies, each as a function of a pool."""
    try:
        from skactiveml import pool as theirs
        from skactiveml.classifier import SklearnClassifier
    except ImportError:
        print("scikit-activeml is not installed: pip install -r benchmarks/requirements.txt\n")
        return {}
    from sklearn.linear_model import LogisticRegression

    def choose(make: Callable[..., Any], learns: bool) -> Callable[[alcore.Pool, int, int], Any]:
        def rows(pool: alcore.Pool, count: int, seed: int) -> Any:
            names = pool.classes[P]
            X = np.asarray(pool.columns[V], dtype=np.float64)
            truth = pool.columns[TRUTH]
            y = np.array([np.nan if one is None else names.index(one) for one in truth])
            more: dict[str, Any] = {}
            if learns and not pool.labeled.any():
                return np.random.default_rng(seed).permutation(pool.n)[:count]
            if learns:
                model = LogisticRegression(C=INVERSE_REGULARIZATION, max_iter=1000)
                clf = SklearnClassifier(model, classes=range(len(names)), random_state=0)
                more = {"clf": clf.fit(X, y), "fit_clf": False}
            return make(random_state=seed).query(X, y, batch_size=count, **more)

        return rows

    return {
        "scikit-activeml: TypiClust": choose(theirs.TypiClust, False),
        "scikit-activeml: CoreSet": choose(theirs.CoreSet, False),
        "scikit-activeml: ProbCover": choose(theirs.ProbCover, False),
        "scikit-activeml: Badge": choose(theirs.Badge, True),
        "scikit-activeml: Falcun": choose(theirs.Falcun, True),
        "scikit-activeml: DropQuery": choose(theirs.DropQuery, True),
    }


def sets_in(folder: Path) -> Iterator[tuple[str, np.ndarray, np.ndarray]]:
    """Yield name, (N, d) vectors of length about 1, and (N,) classes of each set."""
    for name in ("trashnet_mbv2", "trashnet_mbv1_1024"):
        path = folder / "trashnet" / f"{name}.npz"
        if path.is_file():
            data = np.load(path)
            classes = np.array([str(one).split("/")[0] for one in data["files"]])
            yield name, data["emb"].astype(np.float32), classes
    path = folder / "mnist" / "embeddings_betatcvae_train.npy"
    if path.is_file():
        y = np.load(folder / "mnist" / "labels_betatcvae_train.npy")
        yield "mnist_vae", np.load(path).astype(np.float32), y.astype(str)
    for path in sorted(folder.glob("*.npz")):
        data = np.load(path)
        if {"X", "y"} <= set(data.files):
            yield path.stem, data["X"].astype(np.float32), data["y"].astype(str)


class Kept(dict[str, Any]):
    """Runs that were done, a line of JSON each; a run is written as soon as it is done."""

    def __init__(self, path: Path) -> None:
        lines = path.read_text().splitlines() if path.is_file() else []
        super().__init__(json.loads(line) for line in lines)
        self._path = path

    def __setitem__(self, key: str, value: Any) -> None:
        super().__setitem__(key, value)
        with self._path.open("a") as file:
            file.write(json.dumps([key, value]) + "\n")


def compared(
    X: np.ndarray, y: np.ndarray, recipes: dict[str, Any], options: argparse.Namespace
) -> Comparison:
    rows = np.sort(np.random.default_rng(0).permutation(len(X))[: 2 * MOST])
    X, y = X[rows], y[rows]
    classes = sorted(set(y.tolist()))
    even = np.full((len(X), len(classes)), 1 / len(classes))
    pool = alcore.Pool(
        len(X),
        columns={V: X, P: even, "members": np.stack([even, even])},
        classes={P: classes, "members": classes},
    )

    def tell(done: int, total: int) -> None:
        print(f"\r{done} of {total} runs", end="", file=sys.stderr, flush=True)

    return replay(
        pool,
        y,
        recipes,
        first=FIRST,
        batch=BATCH,
        rounds=ROUNDS,
        seeds=options.seeds,
        test=0.5 if len(X) > 1.5 * MOST else 0.3,
        chosen_first=options.cold,
        processes=options.processes,
        kept=Kept(options.kept),
        progress=tell,
    )


def table(found: Comparison) -> str:
    measure = "accuracy"
    lines = [
        "| way | area over random | lowest round | at 100 | at 300 | labels | p | seconds |",
        "| --- | --- | --- | --- | --- | --- | --- | --- |",
    ]
    base = found.scores["random"][:, :, 0]
    for row in found.table(measure):
        mine = found.scores[row.name][:, :, 0]
        apart = mine - base
        both = np.isfinite(apart).all(1)
        apart, count = apart[both], int(both.sum())
        areas = apart[:, 1:].mean(1)
        error = areas.std(ddof=1) / np.sqrt(count)
        errors = apart.std(0, ddof=1) / np.sqrt(count)
        lowest = (apart.mean(0) / np.maximum(errors, 1e-12))[1:].min() if row.name != "random" else 0.0
        means = np.nanmean(mine, axis=0)
        saved = "never" if row.saved is None else f"{found.labels[-1] - row.saved.value:.0f}"
        cells = [row.name, f"{row.difference.value:+.4f} ± {error:.4f}", f"{lowest:+.1f}"]
        cells += [f"{means[4]:.3f}", f"{means[-1]:.3f}", saved, f"{row.p:.3f}", f"{row.seconds:.1f}"]
        lines.append(f"| {' | '.join(cells)} |")
    return "\n".join(lines)


def draw(found: Comparison, title: str, path: Path) -> None:
    figure, axis = plt.subplots(figsize=(7, 4.5), layout="constrained")
    names = [row.name for row in found.table("accuracy")]
    shown = [*[one for one in names if one != "random"][: SHOWN - 1], "random"]
    for name in shown:
        mean, low, high = found.curve(name, "accuracy")
        (line,) = axis.plot(found.labels, mean, label=name, lw=2 if name == "random" else 1.2)
        axis.fill_between(found.labels, low, high, alpha=0.12, color=line.get_color(), lw=0)
    axis.set_xlabel("labels")
    axis.set_ylabel("accuracy")
    axis.set_title(title)
    axis.grid(alpha=0.3)
    axis.legend(fontsize=7)
    figure.savefig(path, dpi=110)
    plt.close(figure)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--seeds", type=int, default=20)
    parser.add_argument("--sets", nargs="*")
    parser.add_argument("--only", nargs="*", help="names, or beginnings of names, of ways to choose")
    parser.add_argument("--kept", type=Path, default=Path("benchmarks") / ".quality.jsonl")
    parser.add_argument("--pictures", type=Path)
    parser.add_argument("--processes", type=int, default=os.cpu_count())
    parser.add_argument("--cold", action="store_true")
    options = parser.parse_args()
    folder = Path(os.environ.get("ALCORE_DATA", ""))
    found_sets = [one for one in sets_in(folder) if not options.sets or one[0] in options.sets]
    if not found_sets:
        sys.exit("set ALCORE_DATA to a folder with trashnet/, mnist/, or .npz files of X and y")
    ways = {**ours(), **peers()}
    if options.only:
        ways = {name: one for name, one in ways.items() if name.startswith(tuple(options.only))}
    print(f"{machine()}; {options.seeds} seeds{', the first labels chosen' if options.cold else ''}\n")
    for name, X, y in found_sets:
        found = compared(X, y, ways, options)
        print(f"### {name}\n\n{table(found)}\n", flush=True)
        for failure in found.failures[:5]:
            print(f"failed: {failure}\n")
        if options.pictures:
            cold = "_cold" if options.cold else ""
            draw(found, name, options.pictures / f"quality_{name}{cold}.png")


if __name__ == "__main__":
    main()
