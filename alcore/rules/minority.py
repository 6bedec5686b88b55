"""Minority class oriented active learning: the classes with fewest labels first."""

import numpy as np

from .. import scores
from ..recipe import recipe as entries
from ..strategies import Task
from ..strategies.choice import Choice
from ..strategies.class_rows import ClassRows
from ..strategies.classes import labeled_counts
from ..strategies.predictions import array_column, probabilities
from ..strategies.task import class_names


def choose(entry: entries.Minority, task: Task) -> Choice:
    """Candidates predicted to be of the classes that have fewer labels than the mean, up to a quota
    each, the rarest class first; the rest by the measure.

    After Aggarwal, Popescu and Hudelot, Minority Class Oriented Active Learning for Imbalanced Datasets
    (2020). A reconstruction: of the paper its abstract was at hand, and methods that follow it. From
    there: the quotas are in proportion to what classes lack to the mean; a class's candidates are those
    it is the most probable class of, those come first for which it leads the classes with enough labels
    by most ("certain"), or which are least probably of it ("uncertain").
    """
    width = array_column(entry.column, task).shape[-1]
    names = class_names(entry.column, width, task)

    def probable(rows: np.ndarray) -> np.ndarray:
        return np.concatenate([*probabilities(entry, task, rows), np.zeros((0, width))])

    counted = ClassRows(names, lambda rows: (np.eye(width), probable(rows).argmax(1)))
    labeled = labeled_counts(entry, counted, task)
    lacking = np.maximum(labeled.mean() - labeled, 0)
    minority = lacking > 0
    quotas = quotas_of(lacking, task.picks)
    p = probable(task.candidates)
    predicted = p.argmax(1)
    against = p[:, ~minority].max(1, initial=0.0)
    chosen: list[int] = []
    values: list[float] = []
    filled = np.zeros(width, dtype=np.int64)
    for c in np.lexsort((np.arange(width), labeled)).tolist():
        mine = np.flatnonzero(predicted == c)
        worth = p[mine, c] - against[mine] if entry.variant == "certain" else -p[mine, c]
        first = np.argsort(-worth, kind="stable")[: quotas[c]]
        chosen += mine[first].tolist()
        values += worth[first].tolist()
        filled[c] = len(first)
    left = np.setdiff1d(np.arange(len(p)), chosen)
    rest = task.picks - len(chosen)
    if rest:
        worth = getattr(scores, entry.measure)(p[left])
        first = np.argsort(-worth, kind="stable")[:rest]
        chosen += left[first].tolist()
        values += worth[first].tolist()
    rare = np.flatnonzero(minority).tolist()
    told = {
        "minority": {
            names[c]: {"labeled": labeled[c], "quota": int(quotas[c]), "chosen": int(filled[c])}
            for c in rare
        },
        f"by {entry.measure}": rest,
    }
    return Choice(np.array(chosen, dtype=np.int64), np.array(values), told)


def quotas_of(lacking: np.ndarray, budget: int) -> np.ndarray:
    """(C,) int64 parts of a budget in proportion, rounded to make it: the largest remainders up."""
    if lacking.sum() <= 0:
        return np.zeros(len(lacking), dtype=np.int64)
    exact = budget * lacking / lacking.sum()
    quotas = np.floor(exact + 1e-9).astype(np.int64)
    order = np.lexsort((np.arange(len(exact)), quotas - exact))
    quotas[order[: budget - int(quotas.sum())]] += 1
    return quotas
