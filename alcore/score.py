"""One strategy's score for every sample; nothing is chosen."""

from typing import Any

import numpy as np
import torch

from .data.device import run_on
from .data.errors import InvalidInput
from .data.pool import Pool
from .optimizers.greedy import Progress
from .recipe import Recipe
from .strategies import Strategy, Task


def score(
    pool: Pool,
    entry: dict[str, Any] | Any,
    device: str | torch.device = "auto",
    progress: Progress | None = None,
    seed: int = 0,
) -> np.ndarray:
    """Score every sample, labeled ones too, by one entry of a recipe.

    Args:
        pool: the samples.
        entry: one strategy, written as in a recipe. Its values must not depend on what is chosen:
            uncertainty, expected_cost, disagreement, typicality, similarity, weight or random. Its
            strength is ignored.
        device: as in ``select``.
        progress: called with (0, 1) from time to time; an exception that it raises stops the work.
        seed: the seed of random draws.

    Returns:
        (N,) float64, higher = more worth labeling; NaN where a sample lacks a value that the
        strategy needs.

    Raises:
        InvalidInput: the entry or the data cannot be used; one sentence says why.
    """
    strategies = Recipe.of({"budget": 1, "strategies": [entry]}).strategies
    assert strategies is not None
    judge = strategies[0]
    return run_on(device, lambda where: _scored(pool, judge, where, progress, seed))


def _scored(
    pool: Pool, judge: Strategy, where: torch.device, progress: Progress | None, seed: int
) -> np.ndarray:
    if judge.alone:
        raise InvalidInput(
            f"{judge.strategy}: chooses by a rule of its own, so that there is no score to compute; "
            "select by it instead"
        )
    columns = judge.judged_by()
    for column in columns:
        pool.column(column, judge.strategy)
    rows = np.flatnonzero(pool.present(columns))
    out = np.full(pool.n, np.nan)
    if len(rows) == 0:
        return out

    def tick() -> None:
        if progress is not None:
            progress(0, 1)

    task = Task(pool, rows, 1, seed, where, user=judge.strategy, tick=tick)
    objective = judge.objective(task)
    if objective.depends_on_picks:
        raise InvalidInput(
            f"{judge.strategy}: its values change with every sample chosen, so that there is no score "
            "to compute; select by it instead"
        )
    out[rows] = objective.values(None).cpu().numpy()
    return out
