"""How fast classes are balanced, beside lightly-mundig, and how near each comes to the target."""

from __future__ import annotations

import subprocess
import sys
import tempfile
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
from measuring import Rows, peer, table, timed

import alcore

SIZES = (100_000, 100, 1000)
KINDS = ["hard classes", "distributions"]
PATIENCE = 600  # seconds for the others
PROGRAM = (50_000, 10, 2500)
THEIRS = """
import sys, time, numpy, lightly_mundig
P, picks = numpy.load(sys.argv[1]), int(sys.argv[2])
started = time.perf_counter()
s = lightly_mundig.Selection()
s.add_balancing_strategy(P, [1 / P.shape[1]] * P.shape[1], 1.0)
chosen = s.run_selection([], len(P), picks)
print(time.perf_counter() - started, *chosen)
"""


def balance(shrink: int) -> None:
    """Balance to equal shares of classes whose shares fall as 1 / rank, beside lightly-mundig.

    *Off* is how many of the chosen are too many or too few of each class, of all chosen. By the sums of
    predictions a target is met also with samples of which the model says nothing, every class a little;
    so it is also told how far off the true classes of the chosen are. Wanted: at least 10 times as fast
    as lightly-mundig. Class-balanced active learning: the published linear program and its rounding,
    beside the bound that no choice can surpass, and the greedy.
    """
    head = ["what", "ours", "lightly-mundig", "mundig / ours"]
    head += ["off by predictions, ours", "mundig", "off by true classes, ours", "mundig"]
    n, classes, picks = SIZES[0] // shrink, SIZES[1], SIZES[2] // shrink
    table(f"balance of {classes} classes, {picks} of {n}", head, rows(n, classes, picks))
    head = ["what", "program", "greedy", "value of the program", "bound", "value of greedy"]
    table("class_balanced", head, class_balanced(shrink))


def rows(n: int, classes: int, picks: int) -> Rows:
    for kind in KINDS:
        P, truth = make(kind, n, classes)
        entry = {"strategy": "balance", "column": "predictions"}
        seconds, chosen = timed(partial(choose, P, picks, entry))
        theirs, rivals = mundig(P, picks)
        ratio, told = f"{theirs / seconds:.0f}", f"{theirs:.1f}"
        if np.isnan(theirs):
            ratio, told = "", "not installed"
        if theirs >= PATIENCE:
            ratio, told = f"more than {ratio}", f"not done after {told}"
        off = [
            "" if some is None else f"{np.abs(of[some].mean(0) - 1 / classes).sum():.3f}"
            for of in (P, np.eye(classes)[truth])
            for some in (chosen.indices, rivals)
        ]
        yield [kind, seconds, told, ratio, *off]


def make(kind: str, n: int, classes: int) -> tuple[np.ndarray, np.ndarray]:
    """(n, C) float32 and the true classes, whose shares fall as 1 / rank."""
    rng = np.random.default_rng(0)
    shares = 1 / np.arange(1, classes + 1)
    truth = rng.choice(classes, n, p=shares / shares.sum())
    if kind == "hard classes":
        return np.eye(classes, dtype=np.float32)[truth], truth
    logits = rng.normal(size=(n, classes)) + 4 * np.eye(classes)[truth]
    p = np.exp(logits)
    return (p / p.sum(1, keepdims=True)).astype(np.float32), truth


def choose(P: np.ndarray, picks: int, entry: dict[str, Any]) -> Any:
    pool = alcore.Pool(len(P), columns={"predictions": P})
    return alcore.select(pool, {"budget": picks, "strategies": [entry]}, device="cpu")


def mundig(P: np.ndarray, picks: int) -> tuple[float, np.ndarray | None]:
    """Seconds, and what it chose; in a process that can be ended. NaN where it is left out."""
    if peer("lightly_mundig") is None:
        return float("nan"), None
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "p.npy"
        np.save(path, P)
        command = [sys.executable, "-c", THEIRS, str(path), str(picks)]
        try:
            answer = subprocess.run(
                command, check=True, capture_output=True, text=True, timeout=PATIENCE
            )
        except subprocess.TimeoutExpired:
            return PATIENCE, None
        except subprocess.CalledProcessError:
            return float("nan"), None
    seconds, *chosen = answer.stdout.split()
    return float(seconds), np.array(chosen, dtype=np.int64)


def class_balanced(shrink: int) -> Rows:
    n, classes, picks = PROGRAM[0] // shrink, PROGRAM[1], PROGRAM[2] // shrink
    P, _ = make("distributions", n, classes)
    entry = {"strategy": "class_balanced", "column": "predictions"}
    solvers = [entry | {"solver": solver} for solver in ("program", "greedy")]
    found = [timed(partial(choose, P, picks, one)) for one in solvers]
    told = [one.report["stages"][0]["reached"]["class_balanced"]["after"] for _, one in found]
    values = [f"{told[0]['value']:.2f}", f"{told[0]['bound']:.2f}", f"{told[1]['value']:.2f}"]
    yield [f"{n} x {classes}, {picks} picks", found[0][0], found[1][0], *values]
