"""Refine: the candidates of a stage, drawn by several strategies from random subsets of the pool."""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from ..optimizers.combining import Term
from ..optimizers.greedy import greedy
from ..strategies import Strategy, Task
from .models import Refine
from .ready import Ready, without_excluded

# Tells these draws apart from the others of one seed.
REFINE = 3


def refined(ready: Ready, refine: Refine, number: int) -> tuple[np.ndarray, list[int]]:
    """The candidates that the strategies of ``refine`` leave to the next stage.

    Each subset and each strategy's own draws are decided by the seed, the place of the draw and the
    samples' ids, so that the order of the rows makes no difference. For a draw the pool is the labeled
    samples and the subset.

    Args:
        ready: the candidates, and for each strategy a task whose ``picks`` is the batch of a draw.
        refine: the options.
        number: the number of the stage.

    Returns:
        (R,) int64 rows of the pool, ascending, and how many were left after each round.

    Raises:
        InvalidInput: as ``Strategy.objective`` and ``Strategy.choose``.
    """
    pool, seed = ready.task.pool, ready.task.seed
    rows, size, left = ready.task.candidates, refine.first, []

    def some(most: int, *key: int) -> np.ndarray:
        drawn = pool.drawn(seed, REFINE, number, *key, rows=rows)
        return np.sort(rows[np.argsort(drawn, kind="stable")[:most]])

    for turn in range(refine.rounds):
        found = [
            _drawn(one, task, some(size, turn, k, draw), (seed, REFINE, number, turn, k, draw))
            for k, (one, task) in enumerate(zip(refine.strategies, ready.tasks, strict=True))
            for draw in range(refine.draws)
        ]
        rows = np.unique(np.concatenate(found))
        rows = some(refine.at_most, turn)
        left.append(len(rows))
        size = max(ready.budget, int(refine.share * len(rows)))
    return rows, left


def _drawn(one: Strategy, task: Task, subset: np.ndarray, key: tuple[int, ...]) -> np.ndarray:
    """The rows of the pool that a strategy chooses from a subset."""
    task.tick()
    pool = task.pool
    named = {known for _, ids in one.examples() for known in ids if not isinstance(known, list)}
    examples = np.array([known in named for known in pool.ids]) if named else pool.labeled
    here = np.union1d(np.flatnonzero(pool.labeled | examples), subset)
    task = replace(
        task,
        pool=pool.take(here, one.columns()),
        candidates=np.searchsorted(here, subset),
        seed=int(np.random.SeedSequence(key).generate_state(1)[0]),
        cache={},
        keeping=None,
    )
    usual = without_excluded(task.candidates, [one], [task])
    task = replace(task, candidates=usual, picks=min(task.picks, len(usual)))
    if one.alone:
        chosen = one.choose(task).rows
    else:
        terms = [Term(one.objective(task), one.strength)]
        chosen = greedy(terms, len(usual), task.picks, combine="product", device=task.device).rows
    return here[usual[chosen]]
