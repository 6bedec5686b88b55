"""Strategies that take several predictions of each sample: disagreement, BatchBALD."""

import math
from collections.abc import Iterator
from typing import Any

import numpy as np
import torch

from .. import scores
from ..data.errors import InvalidInput
from ..data.objects import Objects
from ..data.pixel_maps import Maps
from ..data.probabilities import as_probabilities
from ..objectives import BatchBald, Objective
from ..recipe import recipe as entries
from ..scores.pixels import AGGREGATES as OVER_PIXELS
from .predictions import NUMBERS_A_CHUNK, naming, over_pixels
from .task import IdsOf, Task, score

# The highest value of each measure, of T members and C classes.
HIGHEST = {
    "bald": lambda t, c: math.log(t),
    "kl_to_consensus": lambda t, c: math.log(t),
    "max_disagreement": lambda t, c: math.log(t),
    "vote_entropy": lambda t, c: math.log(min(t, c)),
    "consensus_entropy": lambda t, c: math.log(c),
    "predictive_entropy": lambda t, c: math.log(c),
    "expected_entropy": lambda t, c: math.log(c),
    "variation_ratio": lambda t, c: 1 - 1 / t,
    "mean_std": lambda t, c: 0.5,
}


def disagreement(entry: entries.Disagreement, task: Task) -> Objective:
    columns = [task.pool.column(name, task.user) for name in _names(entry)]
    kinds = {_kind(column) for column in columns}
    if len(kinds) > 1:
        raise InvalidInput(f"{task.user}: column: one member holds {', another '.join(sorted(kinds))}")
    kind = kinds.pop()
    usual = {"objects": "detection", "numbers": "variance"}.get(kind, "bald")
    measure = entry.measure or usual
    if (measure if measure in ("detection", "variance") else "bald") != usual:
        raise InvalidInput(
            f"{task.user}: measure: {measure!r} is not for members that are {kind}; "
            f"they take {usual if usual != 'bald' else ', '.join(HIGHEST)}"
        )
    if entry.aggregate is not None and kind != "maps":
        raise InvalidInput(f"{task.user}: aggregate: is over pixels, and the members are {kind}")
    if kind == "objects":
        return _of_objects(entry, task, columns)
    if kind == "numbers":
        return _of_numbers(entry, task)
    if kind == "maps":
        return _of_maps(entry, task, columns, measure)
    members = _members(entry, task)
    parts = [getattr(scores, measure)(p) for p in _checked(entry, task, members, task.candidates)]
    values = np.concatenate(parts) if parts else np.zeros(0)
    told = {} if values.any() else {"note": "the members agree on every sample"}
    return score(values, task, HIGHEST[measure](len(members), members[0].shape[-1]), told)


def batch_bald(entry: entries.BatchBald, task: Task) -> Objective:
    members = _members(entry, task)
    for _ in _checked(entry, task, members, task.candidates):
        task.tick()
    return BatchBald(
        members,
        torch.from_numpy(task.candidates).to(task.device),
        entry.samples,
        task.seed,
        task.device,
        logits=entry.given == "logits",
    )


def _names(entry: entries.Disagreement | entries.BatchBald) -> list[str]:
    return [entry.column] if isinstance(entry.column, str) else entry.column


def _kind(column: Any) -> str:
    if isinstance(column, Objects):
        return "objects"
    if isinstance(column, Maps):
        return "maps"
    return "numbers" if column.ndim == 1 and column.dtype != object else "distributions"


def _members(entry: entries.Disagreement | entries.BatchBald, task: Task) -> list[np.ndarray]:
    """T arrays (N, C), of one column or of several."""
    members: list[np.ndarray] = []
    widths: dict[str, int] = {}
    for name in _names(entry):
        column = task.pool.column(name, task.user)
        if not isinstance(column, np.ndarray) or column.ndim == 1:
            raise InvalidInput(
                f"{task.user}: column {name!r} must hold predictions, (N, C), or members (T, N, C)"
            )
        members += list(column) if column.ndim == 3 else [column]
        widths[name] = column.shape[-1]
    if len(set(widths.values())) > 1:
        told = ", ".join(f"{width} in {name!r}" for name, width in widths.items())
        raise InvalidInput(
            f"{task.user}: the members are of unequal shape: classes {told}; give predictions of the "
            "same classes"
        )
    named = {name: task.pool.classes[name] for name in widths if name in task.pool.classes}
    if len({tuple(classes) for classes in named.values()}) > 1:
        raise InvalidInput(
            f"{task.user}: {', '.join(map(repr, named))} name their classes differently; give "
            "predictions of the same classes in the same order"
        )
    _need_two(len(members), entry, task)
    return members


def _need_two(count: int, entry: Any, task: Task) -> None:
    if count < 2:
        raise InvalidInput(
            f"{task.user}: column {entry.column!r} has {count} member; members cannot disagree unless "
            "there are 2 or more: give several columns, or (T, N, C)"
        )


def _checked(
    entry: entries.Disagreement | entries.BatchBald,
    task: Task,
    members: list[np.ndarray],
    rows: np.ndarray,
) -> Iterator[np.ndarray]:
    """(T, R, C) float64 probabilities, some rows at a time."""
    step = max(1, NUMBERS_A_CHUNK // (len(members) * members[0].shape[-1] or 1))
    for start in range(0, len(rows), step):
        task.tick()
        part = rows[start : start + step]
        yield as_probabilities(
            np.stack([member[part] for member in members]),
            given=entry.given,
            name=f"{task.user}: column {entry.column!r}",
            ids=IdsOf(task.pool.ids, part),
            average=False,
        )


def _of_numbers(entry: entries.Disagreement, task: Task) -> Objective:
    names = _names(entry)
    _need_two(len(names), entry, task)
    values = np.stack([task.pool.numbers(name, task.user)[task.candidates] for name in names])
    found = scores.variance(values)
    return score(found, task, float(found.max()) if len(found) else 1.0)


def _of_objects(entry: entries.Disagreement, task: Task, columns: list[Objects]) -> Objective:
    _need_two(len(columns), entry, task)
    for name, column in zip(_names(entry), columns, strict=True):
        if column.boxes is None:
            raise InvalidInput(f"{task.user}: column {name!r} has no boxes; give objects with boxes")
    few = [column.take(task.candidates) for column in columns]
    found = scores.detection_disagreement(few, iou=entry.iou, min_confidence=entry.min_confidence)
    return score(found, task)


def _of_maps(entry: entries.Disagreement, task: Task, columns: list[Maps], measure: str) -> Objective:
    _need_two(len(columns), entry, task)
    how = entry.aggregate or "mean"
    if how not in OVER_PIXELS:
        raise InvalidInput(f"{task.user}: aggregate: {how!r} is not over pixels")
    out = np.empty(len(task.candidates))
    classes = 1
    for place, row in enumerate(task.candidates.tolist()):
        task.tick()
        maps = [column[row] for column in columns]
        if len({one.shape for one in maps}) > 1:
            raise InvalidInput(
                f"{task.user}: the maps of sample {task.pool.ids[row]} are of unequal shape: "
                + ", ".join(str(one.shape) for one in maps)
            )
        classes = maps[0].shape[0] if maps[0].ndim == 3 else 2
        with naming(task, row):
            pixels = scores.member_pixel_scores(maps, getattr(scores, measure), entry.given)
            out[place] = over_pixels(entry, pixels, maps[0], how)
    scale = 1.0 if how == "share_above" else HIGHEST[measure](len(columns), classes)
    return score(out, task, scale)
