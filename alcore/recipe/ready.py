"""A stage made ready: which samples it chooses from, how many, and by which objectives."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace

import numpy as np

from ..data.errors import InvalidInput
from ..optimizers.combining import Term
from ..strategies import Strategy, Task
from .filters import passing
from .models import Stage, entry_names


@dataclass(frozen=True)
class Ready:
    """What a stage chooses from; where a pool is in parts, counts are of all of them.

    Attributes:
        stage: the stage.
        names: the names of its strategies.
        task: the candidates of this part of the pool, and how many will be chosen.
        tasks: the same for each strategy, with its place in the recipe.
        budget: how many to choose; there may be fewer candidates.
        counts: the candidates, those without a value that a strategy needs, and the outliers.
    """

    stage: Stage
    names: list[str]
    task: Task
    tasks: list[Task]
    budget: int
    counts: dict[str, int]

    def terms(self) -> tuple[list[Term], list[str]]:
        """The objectives and their strengths, and the names of the strategies; without strengths of 0.

        Raises:
            InvalidInput: as ``Strategy.objective``.
        """
        found = [
            (Term(one.objective(task), one.strength), name)
            for one, task, name in zip(self.stage.strategies or [], self.tasks, self.names, strict=True)
        ]
        found = [(term, name) for term, name in found if term.strength != 0]
        if not found:
            found = [(Term(self.task.score(np.ones(len(self.task.candidates))), 1.0), "none")]
        return [term for term, _ in found], [name for _, name in found]


def made_ready(
    task: Task, stage: Stage, at: str, ticking: Callable[[int], Callable[[], None]]
) -> Ready:
    """The stage, ready to choose among a task's candidates.

    Args:
        task: the samples that pass the filters of the recipe, or were chosen by the stage before.
        stage: the stage, with its strategies.
        at: its place in the recipe; error messages start with it.
        ticking: takes the budget, and gives what is called from time to time in long work.

    Raises:
        InvalidInput: an unknown column, or no sample is left to choose from.
    """
    pool = task.pool
    strategies = stage.strategies or []
    places = [f"{at}strategies[{k}] ({one.strategy})" for k, one in enumerate(strategies)]
    for place, one in zip(places, strategies, strict=True):
        for column in one.judged_by():
            pool.column(column, place)
    if stage.cost is not None:
        pool.column(stage.cost.column, f"{at}cost")
    needed = needed_columns(stage)
    # Ascending, whatever order an earlier stage chose them in: ties go to the lower index.
    candidates = those(_ascending(task.candidates), passing(task, stage.filters, needed))
    with_values = those(candidates, pool.present(needed))
    counts = task.parts.total(np.array([len(candidates), len(with_values)])).tolist()
    if counts[1] == 0:
        raise InvalidInput(_nothing_left(task, candidates, needed))
    tasks = [replace(task, user=place) for place in places]
    usual = without_excluded(with_values, strategies, tasks)
    count = task.parts.total(len(usual))
    budget = _count(stage.budget, count)
    task = replace(task, candidates=usual, picks=min(budget, count), tick=ticking(budget))
    return Ready(
        stage,
        entry_names(strategies),
        task,
        [replace(task, user=place) for place in places],
        budget,
        {
            "candidates": count,
            "without_value": counts[0] - counts[1],
            "outliers": counts[1] - count,
        },
    )


def needed_columns(stage: Stage) -> list[str]:
    """The columns without which a sample cannot be chosen."""
    needed = [column for one in stage.strategies or [] for column in one.judged_by()]
    return needed if stage.cost is None else [*needed, stage.cost.column]


def has_gains(stage: Stage) -> bool:
    """Whether a gain of 0 means that the pick adds nothing."""
    alone = any(one.alone for one in stage.strategies or [])
    return not alone and stage.combine == "product"


def why_stopped(chosen: int, budget: int, candidates: int, stage: Stage) -> str:
    """Why a stage that chose so many of its candidates chose no more."""
    if chosen == budget:
        return "budget reached"
    if chosen == candidates:
        return f"all {candidates} candidates are chosen; the budget was {budget}"
    reasons = [one.why_refused() for one in stage.strategies or []]
    if stage.combine == "lightly":
        stops = [name for stop in stage.stop.values() for name in stop.model_dump(exclude_none=True)]
        ends = [*(["minimum_distance"] if any(reasons) else []), *stops]
        return f"{chosen} of {budget} chosen: {' or '.join(dict.fromkeys(ends))} is reached"
    why = list(dict.fromkeys(reason for reason in reasons if reason))
    if stage.cost is not None:
        why.append(f"costs more than is left of {stage.cost.budget:g}")
    if stage.groups is not None:
        whole = "is of a group that does not fit in what is left of the budget"
        most = f"is of a group of which {stage.groups.at_most} are chosen"
        why.append(whole if stage.groups.whole else most)
    so_many = f"{chosen} chosen" if stage.budget is None else f"{chosen} of {budget} chosen"
    return f"{so_many}: every other candidate {' or '.join(why)}"


def without_excluded(
    candidates: np.ndarray, strategies: list[Strategy], tasks: list[Task]
) -> np.ndarray:
    """The candidates without those that a strategy excludes; all of them, if none would be left."""
    kept = np.ones(tasks[0].pool.n, dtype=bool)
    for one, task in zip(strategies, tasks, strict=True):
        kept[one.excluded(task)] = False
    there = tasks[0].parts.total(int(kept[candidates].sum())) > 0
    return those(candidates, kept) if there else candidates


def those(rows: np.ndarray, wanted: np.ndarray) -> np.ndarray:
    """The rows that are wanted, (N,) bool; the same array where all are, for it may be large."""
    mask = wanted[rows]
    return rows if mask.all() else rows[mask]


def _ascending(rows: np.ndarray) -> np.ndarray:
    return rows if (np.diff(rows) > 0).all() else np.sort(rows)


def _count(budget: int | float | None, candidates: int) -> int:
    if budget is None:
        return candidates
    if isinstance(budget, float):
        return max(1, round(budget * candidates))
    return budget


def _nothing_left(task: Task, candidates: np.ndarray, needed: list[str]) -> str:
    lacking = np.array([int(task.pool.missing[name][candidates].sum()) for name in needed])
    parts = task.parts
    size, before, after = (
        parts.total(count) for count in (task.pool.n, len(task.candidates), len(candidates))
    )
    if size == 0:
        return "the pool is empty: there is nothing to choose from"
    if before == 0:
        return (
            f"none of the {size} samples may be chosen: "
            "all are labeled or removed by the filters; widen the filters or add samples"
        )
    if after == 0:
        return f"the filters remove all {before} samples that may be chosen; widen them"
    counts = dict(zip(needed, parts.total(lacking).tolist(), strict=True))
    each = ", ".join(f"{count} have none in {name!r}" for name, count in counts.items() if count)
    return f"none of the {after} samples that may be chosen has every value it takes: {each}"
