"""A stage made ready in every shard and in the coordinator, which run this same code."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import torch

from ..data.errors import InvalidInput
from ..data.parts import Parts
from ..data.pool import Pool
from ..data.settings import Settings, settings
from ..objectives import Divisible
from ..optimizers.combining import Term
from ..recipe import Recipe, Stage
from ..recipe.filters import passing
from ..recipe.ready import Ready, made_ready
from ..strategies import Task


@dataclass(frozen=True)
class Plan:
    """What is the same in all shards.

    Attributes:
        recipe: the recipe.
        stage: the stage to prepare, with its strategies.
        number: which stage it is.
        chosen: (k,) int64 rows of the whole pool that the stage before chose; None for the first.
        sizes: the settings in force, for all shards.
    """

    recipe: Recipe
    stage: Stage
    number: int
    chosen: np.ndarray | None
    sizes: Settings


@dataclass(frozen=True)
class Prepared:
    """A stage that is ready, as one part of the pool has it.

    Attributes:
        ready: its candidates; counts are of the whole pool.
        terms: its objectives, which hold the candidates of this part.
        names: the names of its strategies.
        report: what the report says about the pool.
    """

    ready: Ready
    terms: list[Term]
    names: list[str]
    report: dict[str, Any]

    @property
    def objectives(self) -> list[Divisible]:
        """The objectives."""
        found = [term.objective for term in self.terms]
        return [one for one in found if isinstance(one, Divisible)]


def prepared(pool: Pool, plan: Plan, parts: Parts) -> Prepared:
    """The stage, ready to choose among the samples of this part.

    Raises:
        InvalidInput: as ``select``; or what the stage needs is possible in one process alone.
    """
    vars(settings).update(vars(plan.sizes))
    recipe, stage = plan.recipe, plan.stage
    at = f"stages[{plan.number}]." if recipe.stages is not None else ""
    refuse_indivisible(recipe, stage, at)
    sizes = parts.gathered(pool.n)
    parts.first = sum(sizes[: parts.number])
    unlabeled = np.flatnonzero(~pool.labeled)
    task = Task(pool, unlabeled, 0, recipe.seed, torch.device("cpu"), parts=parts)
    report: dict[str, Any] = {}
    if plan.chosen is None:
        rows = unlabeled[passing(task, recipe.filters)[unlabeled]]
        counts = parts.total(np.array([len(unlabeled), len(rows), int(pool.labeled.sum())])).tolist()
        report = {"pool": counts[0], "labeled": counts[2], "filtered_out": counts[0] - counts[1]}
    else:
        rows = own_rows(plan.chosen, parts.first, pool.n)
    ready = made_ready(task.of(rows), stage, at, lambda budget: lambda: None)
    terms, names = ready.terms()
    for term, name in zip(terms, names, strict=True):
        if not isinstance(term.objective, Divisible) or term.objective.fallback is not None:
            parts.refuse(f"{at}strategies: {name} with these options")
    return Prepared(ready, terms, names, report)


def own_rows(rows: np.ndarray, first: int, n: int) -> np.ndarray:
    """(R,) int64, ascending: those of the ``rows`` of the whole pool that are of a part of it.

    Args:
        rows: (k,) int64 rows of the whole pool.
        first: the number of the first row of the part.
        n: how many rows it has.
    """
    return np.sort(rows[(rows >= first) & (rows < first + n)]) - first


def refuse_indivisible(recipe: Recipe, stage: Stage, at: str) -> None:
    """Refuse what can be done only where one process has the whole pool.

    Raises:
        InvalidInput: names the strategy or the option.
    """
    options = {
        "combine": stage.combine == "lightly",
        "batch": stage.batch != "top",
        "cost": stage.cost is not None,
        "groups": stage.groups is not None,
        "refine": stage.refine is not None,
    }
    found = [
        *(f"strategies: {one.strategy!r}" for one in stage.strategies or [] if not one.divisible),
        *(f"{name}: {getattr(stage, name)!r}" for name in ("combine", "batch") if options[name]),
        *(f"{name}:" for name in ("cost", "groups", "refine") if options[name]),
    ]
    for one in recipe.all_filters():
        if one.minimum_distance is not None:
            found.append("filters: minimum_distance")
        if one.similar_to is not None and not isinstance(one.similar_to[0], list):
            found.append("filters: similar_to, of ids instead of vectors,")
    if found:
        raise InvalidInput(
            f"recipe: {at}{found[0]} is not possible with backend: 'ray'; leave it out, or select in "
            "one process"
        )
