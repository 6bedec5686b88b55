"""Scores of uncertainty and disagreement, beside numpy's own work on the same arrays, and BatchBALD."""

from __future__ import annotations

import io
import math
from collections.abc import Callable
from contextlib import redirect_stderr
from typing import Any

import numpy as np
import torch
from measuring import Rows, peer, table, timed

import alcore
from alcore import scores as measures

ENTROPY = (1_000_000, 1000)  # samples, classes, float32
BALD = (20, 100_000, 100)  # members, samples, classes, float64
OBJECTS = (1_000_000, 10_000_000)  # images, boxes
BATCH_BALD = (100, 5000, 10)  # members, samples, classes
BATCH, OUTCOMES = 10, 10_000
REPEATS = 3


def scores(shrink: int) -> None:
    """Scores beside numpy's own work on the same array, the least of three runs each; and BatchBALD.

    The joint information of both batches is judged alike, by drawing anew. Wanted: at least 3 times as
    fast as batchbald_redux.
    """
    head = ["what", "ours", "numpy", "ours / numpy", "wanted at most"]
    table("scores, beside numpy on the same array", head, beside_numpy(shrink))
    boxes(shrink)
    batch_bald(shrink)


def boxes(shrink: int) -> None:
    """Scores of boxes made into one of each image, beside one sum over all boxes."""
    head = ["boxes to images", "ours", "sum over the boxes", "ours / sum", "wanted at most"]
    table("aggregation of boxes", head, aggregation(shrink))


def best(run: Callable[[], Any]) -> float:
    """The least of a few timings: what the machine does when nothing else is on it."""
    return min(timed(run)[0] for _ in range(REPEATS))


def random_rows(shape: tuple[int, ...], dtype: Any, seed: int = 0) -> np.ndarray:
    """Rows that sum to 1, made in place, for a second copy may not fit."""
    rng = np.random.default_rng(seed)
    rows = rng.random(shape, dtype=dtype)
    for start in range(0, len(rows), 1000):
        part = rows[start : start + 1000]
        part **= 4
        part /= part.sum(-1, keepdims=True)
    return rows


def beside_numpy(shrink: int) -> Rows:
    yield from single(random_rows((ENTROPY[0] // shrink, ENTROPY[1]), np.float32))
    yield members(random_rows((BALD[0], BALD[1] // shrink, BALD[2]), np.float64))


def single(P: np.ndarray) -> Rows:
    with np.errstate(divide="ignore"):
        log = best(lambda: np.log(P))
    ours = best(lambda: measures.entropy(P))
    yield [f"entropy, {len(P)} x {P.shape[1]} float32, beside log", ours, log, ours / log, 2.0]
    partition = timed(lambda: np.partition(P, (-2, -1), axis=1))[0]
    ours = best(lambda: measures.margin(P))
    yield ["margin of the same, beside partition", ours, partition, ours / partition, 1.5]


def members(M: np.ndarray) -> list[Any]:
    log = best(lambda: np.log(M))
    ours = best(lambda: measures.bald(M))
    shape = " x ".join(map(str, M.shape))
    return [f"BALD, {shape} float64, beside log", ours, log, ours / log, 2.0]


def aggregation(shrink: int) -> Rows:
    images, boxes = OBJECTS[0] // shrink, OBJECTS[1] // shrink
    rng = np.random.default_rng(0)
    counts = rng.multinomial(boxes, np.full(images, 1 / images))
    offsets = np.append(0, np.cumsum(counts))
    values = rng.random(boxes)
    plain = best(values.sum)
    for how in ("max", "mean", "sum", "count_normalized", "top_k"):
        ours = best(lambda how=how: measures.aggregate(values, offsets, how))
        yield [f"{how}, {boxes} boxes, {images} images", ours, plain, ours / plain, 20.0]
    keep = rng.random(boxes) > 0.3
    ours = best(lambda: measures.aggregate(values, offsets, "max", keep=keep))
    yield ["max of those above a confidence", ours, plain, ours / plain, 20.0]


def random_members(shrink: int) -> np.ndarray:
    """(T, N, C) float64: members that differ about as much as dropout passes do."""
    members, n, classes = BATCH_BALD[0], BATCH_BALD[1] // shrink, BATCH_BALD[2]
    rng = np.random.default_rng(0)
    logits = 2 * rng.normal(size=(1, n, classes)) + rng.normal(size=(members, n, classes))
    p = np.exp(logits)
    return p / p.sum(-1, keepdims=True)


def batch_bald(shrink: int) -> None:
    M = random_members(shrink)
    pool = alcore.Pool(M.shape[1], columns={"members": M})
    entry = {"strategy": "batch_bald", "column": "members", "samples": OUTCOMES}
    recipe = {"budget": BATCH, "strategies": [entry]}

    def rows() -> Rows:
        seconds, chosen = timed(lambda: alcore.select(pool, recipe, device="cpu"))
        yield ["ours", seconds, 1.0, float(chosen.gains.sum()), joint_information(M, chosen.indices)]
        taken, theirs = timed(lambda: redux(M))
        if theirs is None:
            yield ["batchbald_redux", "not installed", "", "", ""]
        else:
            told, picks = theirs
            yield ["batchbald_redux", taken, taken / seconds, told, joint_information(M, picks)]

    head = [
        "BatchBALD",
        "seconds",
        "times ours",
        "joint information told",
        "judged with 100,000 outcomes",
    ]
    members, n, classes = M.shape
    title = f"BatchBALD, {n} samples, {members} members, {classes} classes, a batch of {BATCH}"
    table(f"{title}, {OUTCOMES} outcomes", head, rows())
    print(f"\nThe most there is to know of {members} members: {math.log(members):.2f} nats.")


def redux(M: np.ndarray) -> tuple[float, np.ndarray] | None:
    """The joint information it tells, and its picks."""
    library = peer("batchbald_redux.batchbald")
    if library is None:
        return None
    logs = torch.from_numpy(M).permute(1, 0, 2).log().contiguous()
    with redirect_stderr(io.StringIO()):  # its progress bars
        batch = library.get_batchbald_batch(logs, BATCH, OUTCOMES, dtype=torch.double)
    return batch.scores[-1], np.array(batch.indices)


def joint_information(M: np.ndarray, picks: np.ndarray, outcomes: int = 100_000) -> float:
    """Both judged alike, by drawing from the members, with nothing of either's code."""
    rng = np.random.default_rng(1)
    p = M[:, picks]  # (T, b, C)
    members = len(p)
    drawn_by = rng.integers(members, size=outcomes)
    joint = np.ones((outcomes, members))
    for k in range(p.shape[1]):
        steps = p[drawn_by, k].cumsum(1)
        label = (rng.random((outcomes, 1)) * steps[:, -1:] > steps).sum(1)
        joint *= p[:, k, label].T
    joint_entropy = -np.log(joint.mean(1)).mean()
    each = -(p * np.log(np.maximum(p, 1e-300))).sum(-1).mean(0)
    return float(joint_entropy - each.sum())
