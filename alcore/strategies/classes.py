"""Strategies that count classes: balance."""

from collections.abc import Callable
from typing import Any

import numpy as np
import torch

from .. import recipe as entries
from ..device import FLOAT64_UP_TO, to_tensor
from ..errors import InvalidInput, name_samples
from ..objectives import Balance, Objective
from ..pool import Pool
from .predictions import probabilities
from .task import Task, class_name, listed


def balance(entry: entries.Balance, task: Task) -> Objective:
    pool, labelled = task.pool, np.flatnonzero(task.pool.labelled)
    if pool.column(entry.column, task.user).ndim == 1:
        classes = _category_names(entry, pool)
        rows_of = _one_hot(pool.columns[entry.column], classes, entry.column, task)
    else:
        width = pool.columns[entry.column].shape[-1]
        classes = pool.classes.get(entry.column) or [str(c) for c in range(width)]

        def rows_of(rows: np.ndarray) -> np.ndarray:
            dtype = np.float64 if len(rows) * width <= FLOAT64_UP_TO else np.float32
            parts = [p.astype(dtype) for p in probabilities(entry, task, rows)]
            return np.concatenate(parts) if parts else np.zeros((0, width), dtype=dtype)

    here = ~pool.missing[entry.column]
    if entry.labels is None:
        counts = rows_of(labelled[here[labelled]]).sum(0, dtype=np.float64)
    else:
        truth = pool.column(entry.labels, task.user)
        known = labelled[~pool.missing[entry.labels][labelled]]
        counts = _one_hot(truth, classes, entry.labels, task)(known).sum(0, dtype=np.float64)
    if entry.target == "input":
        target = rows_of(np.flatnonzero(here)).mean(0, dtype=np.float64)
    else:
        target = _target_shares(entry.target, classes, task.user)
    mine = rows_of(task.candidates)
    return Balance(
        to_tensor(mine, torch.from_numpy(mine).dtype, task.device),
        to_tensor(target, torch.float64, task.device),
        to_tensor(counts, torch.float64, task.device),
        classes,
    )


def _target_shares(target: Any, classes: list[str], user: str) -> np.ndarray:
    if target == "uniform":
        return np.full(len(classes), 1 / len(classes))
    unknown = [name for name in target if name not in classes]
    if unknown:
        raise InvalidInput(
            f"{user}: target names {unknown[0]!r}, which is no class; the classes are {listed(classes)}"
        )
    total = sum(target.values())
    rest = [name for name in classes if name not in target]
    if total > 1 + 1e-6 or total <= 0 or (not rest and total < 1 - 1e-6):
        raise InvalidInput(f"{user}: the target's shares add up to {total:g}; they must make 1")
    left = max(0.0, 1 - total) / max(1, len(rest))
    return np.array([target.get(name, left) for name in classes], dtype=np.float64)


def _category_names(entry: entries.Balance, pool: Pool) -> list[str]:
    if entry.column in pool.classes:
        return pool.classes[entry.column]
    column = pool.columns[entry.column]
    names = set(map(class_name, column[~pool.missing[entry.column]].tolist()))
    if entry.labels in pool.columns:
        truth = pool.columns[entry.labels][pool.labelled & ~pool.missing[entry.labels]]
        names |= set(map(class_name, truth.tolist()))
    return sorted(names)


def _one_hot(
    column: np.ndarray, classes: list[str], name: str, task: Task
) -> Callable[[np.ndarray], np.ndarray]:
    if column.ndim != 1:
        raise InvalidInput(f"{task.user}: column {name!r} must hold one category a sample")
    position = {name: index for index, name in enumerate(classes)}
    codes = np.array([position.get(class_name(value), -1) for value in column.tolist()])

    def rows_of(rows: np.ndarray) -> np.ndarray:
        unknown = rows[codes[rows] < 0]
        if len(unknown):
            raise InvalidInput(
                f"{task.user}: column {name!r} holds {class_name(column[unknown[0]])!r} "
                f"({name_samples(task.pool.ids, unknown)}), which is no class; "
                f"the classes are {listed(classes)}"
            )
        out = np.zeros((len(rows), len(classes)), dtype=np.float32)
        out[np.arange(len(rows)), codes[rows]] = 1
        return out

    return rows_of
