"""Strategies that count classes: balance."""

from typing import Any

import numpy as np
import torch

from ..data.device import to_tensor
from ..data.errors import InvalidInput
from ..objectives import Balance, Objective
from ..recipe import recipe as entries
from .class_rows import ClassRows, class_rows, labels_total
from .task import Task, listed


def balance(entry: entries.Balance, task: Task) -> Objective:
    counted = class_rows(entry, task)
    kinds, codes = counted.of(task.candidates)
    return Balance(
        to_tensor(kinds, torch.from_numpy(kinds).dtype, task.device),
        to_tensor(codes, torch.int64, task.device),
        to_tensor(target_of(entry, counted, task), torch.float64, task.device),
        to_tensor(labeled_counts(entry, counted, task), torch.float64, task.device),
        counted.names,
    )


def labeled_counts(entry: Any, counted: ClassRows, task: Task) -> np.ndarray:
    """(C,) float64, what the labeled samples count for, by their true classes where these are told."""
    pool, labeled = task.pool, np.flatnonzero(task.pool.labeled)
    if entry.labels is None:
        here = pool.present(entries.columns_of(entry))
        return counted.total(labeled[here[labeled]])
    pool.column(entry.labels, task.user)
    known = labeled[~pool.missing[entry.labels][labeled]]
    return labels_total(entry.labels, counted.names, known, task)


def target_of(entry: Any, counted: ClassRows, task: Task) -> np.ndarray:
    """(C,) float64 shares wanted, which sum to 1.

    Raises:
        InvalidInput: shares of unknown classes, or that do not make 1.
    """
    target, classes = entry.target, counted.names
    if target == "input":
        total = counted.total(np.flatnonzero(task.pool.present(entries.columns_of(entry))))
        return total / total.sum() if total.sum() > 0 else np.full(len(classes), 1 / len(classes))
    if target == "uniform":
        return np.full(len(classes), 1 / len(classes))
    unknown = [name for name in target if name not in classes]
    if unknown:
        raise InvalidInput(
            f"{task.user}: target names {unknown[0]!r}, which is no class; "
            f"the classes are {listed(classes)}"
        )
    total = sum(target.values())
    rest = [name for name in classes if name not in target]
    if total > 1 + 1e-6 or total <= 0 or (not rest and total < 1 - 1e-6):
        raise InvalidInput(f"{task.user}: the target's shares add up to {total:g}; they must make 1")
    left = max(0.0, 1 - total) / max(1, len(rest))
    return np.array([target.get(name, left) for name in classes], dtype=np.float64)
