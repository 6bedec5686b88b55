"""What a set of samples reaches by each strategy of a recipe; nothing is chosen."""

from dataclasses import replace
from typing import Any

import numpy as np
import torch

from .data.device import run_on
from .data.errors import InvalidInput
from .data.keeping import Keeping
from .data.pool import Pool
from .optimizers.greedy import Progress
from .recipe import Recipe
from .recipe.default import completed_stages
from .recipe.ready import made_ready
from .strategies import Task


def reached(
    pool: Pool,
    recipe: Recipe | dict[str, Any] | str,
    rows: np.ndarray,
    device: str | torch.device = "auto",
    progress: Progress | None = None,
    keeping: Keeping | None = None,
) -> dict[str, dict[str, Any]]:
    """Tell what each strategy reports once ``rows`` are chosen, whoever chose them.

    Args:
        pool: the samples.
        recipe: of one stage; what it would choose makes no difference.
        rows: (k,) distinct rows of the pool, those chosen. Rows that are no candidates are ignored.
        device: as in ``select``.
        progress: as in ``select``.
        keeping: as in ``select``.

    Returns:
        for each strategy that reports anything the report of it, as in a selection's
        ``report["stages"][0]["reached"][name]["after"]``.

    Raises:
        InvalidInput: the recipe has several stages, a strategy that chooses by a rule of its own, or
            cannot be used with this pool.
    """
    checked = Recipe.of(recipe)
    stages = completed_stages(checked, pool)
    if len(stages) != 1 or any(one.alone for one in stages[0].strategies or []):
        raise InvalidInput("reached: needs a recipe of one stage, whose strategies combine with others")

    def report(where: torch.device) -> dict[str, dict[str, Any]]:
        def tick() -> None:
            if progress is not None:
                progress(0, 1)

        task = Task(
            pool, np.flatnonzero(~pool.labeled), 0, checked.seed, where, tick=tick, keeping=keeping
        )
        ready = made_ready(task, stages[0], "", lambda budget: tick)
        ready = replace(ready, tasks=[replace(one, picks=len(rows)) for one in ready.tasks])
        places = np.flatnonzero(np.isin(ready.task.candidates, rows))
        terms, names = ready.terms()
        found = {}
        for name, term in zip(names, terms, strict=True):
            if len(places):
                term.objective.add(torch.as_tensor(places, device=where))
            told = term.objective.report()
            if told:
                found[name] = told
        return found

    return run_on(device, report)
