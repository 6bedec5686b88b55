"""Choose samples from a pool by a recipe."""

import time
from collections.abc import Callable
from dataclasses import replace
from typing import Any

import numpy as np
import torch

from .data.device import described, run_on
from .data.errors import InvalidInput
from .data.keeping import Keeping
from .data.pool import Pool
from .data.selection import Selection
from .lightly.greedy import choose_accumulating
from .optimizers.budget import Limits
from .optimizers.greedy import Picks, Progress, Term, greedy
from .optimizers.group_greedy import choose_groups
from .optimizers.stochastic_batch import draw
from .recipe import Recipe, Stage, entry_names
from .recipe.default import completed_stages
from .recipe.filters import passing
from .recipe.limits import Bounds, bounds_of
from .strategies import Strategy, Task

# Tells the draws of a batch apart from those of the strategy ``random``.
DRAWN = 2


def select(
    pool: Pool,
    recipe: Recipe | dict[str, Any] | str,
    device: str | torch.device = "auto",
    progress: Progress | None = None,
    keeping: Keeping | None = None,
) -> Selection:
    """Choose the samples of ``pool`` to label next.

    Each pick is the candidate with the highest product of ``value ** strength`` over the strategies
    (or sum, see ``Recipe.combine``), given the labeled samples and the picks before it. Ties go to
    the lower index; values that agree to 9 digits are ties.

    Args:
        pool: the samples.
        recipe: a ``Recipe``, a dict or JSON. With a budget alone the default strategies are used.
        device: of the work on large arrays: "auto" (a GPU where there is one, and the CPU where its
            memory does not suffice), "cpu", "cuda" or a torch device. Some work is always done on the
            CPU: k-means, approximate neighbors, drawing, and combine: "lightly".
        progress: called with (chosen, budget) from time to time; an exception that it raises stops
            the selection.
        keeping: keeps the neighbor graph of large pools for later selections; None keeps nothing. It
            makes no difference to what is chosen.

    Returns:
        the chosen samples in the order chosen, with their gains, reasons and a report.

    Raises:
        InvalidInput: the recipe or the data cannot be used; one sentence says why.
    """
    checked = Recipe.of(recipe)
    return run_on(
        device,
        lambda where: _selected(pool, checked, where, described(device, where), progress, keeping),
    )


def _selected(
    pool: Pool,
    recipe: Recipe,
    where: torch.device,
    device: str,
    progress: Progress | None,
    keeping: Keeping | None,
) -> Selection:
    started = time.perf_counter()
    stages = completed_stages(recipe, pool)
    task = Task(
        pool,
        np.flatnonzero(~pool.labeled),
        0,
        recipe.seed,
        where,
        tick=_ticking(progress, 1),
        keeping=keeping,
    )
    # The near-duplicate filter keeps one sample of each group. With a single stage, it must be a
    # sample that this stage can choose.
    needed = _needed(stages[0]) if len(stages) == 1 else []
    needed = [column for column in needed if column in pool.columns]
    candidates = _those(task.candidates, passing(task, recipe.filters, needed))
    report: dict[str, Any] = {
        "pool": int(pool.n - pool.labeled.sum()),
        "labeled": int(pool.labeled.sum()),
        "filtered_out": int((~pool.labeled).sum()) - len(candidates),
        "device": device,
        "seed": recipe.seed,
        "stages": [],
    }
    rows, picks = candidates, None
    names: list[str] = []
    for number, stage in enumerate(stages):
        at = f"stages[{number}]." if recipe.stages is not None else ""
        rows, names, picks, of_stage = _run_stage(task.of(rows), stage, number, at, progress)
        report["stages"].append(of_stage)
        if len(rows) == 0 and number + 1 < len(stages):
            raise InvalidInput(
                f"{at[:-1]} has chosen nothing for the next stage: {of_stage['stopped']}"
            )
    assert picks is not None
    report["chosen"] = len(rows)
    report["stopped"] = report["stages"][-1]["stopped"]
    report["seconds"] = time.perf_counter() - started
    return Selection(
        indices=rows,
        ids=[pool.ids[row] for row in rows.tolist()],
        gains=picks.gains,
        reasons=[dict(zip(names, map(float, values), strict=True)) for values in picks.values],
        report=report,
    )


def _run_stage(
    task: Task, stage: Stage, number: int, at: str, progress: Progress | None
) -> tuple[np.ndarray, list[str], Picks, dict[str, Any]]:
    """The chosen rows, the names of the strategies, the picks, and the stage's part of the report."""
    started = time.perf_counter()
    pool = task.pool
    strategies = stage.strategies or []
    names = entry_names(strategies)
    places = [f"{at}strategies[{k}] ({one.strategy})" for k, one in enumerate(strategies)]
    for place, one in zip(places, strategies, strict=True):
        for column in one.judged_by():
            pool.column(column, place)
    if stage.cost is not None:
        pool.column(stage.cost.column, f"{at}cost")
    needed = _needed(stage)
    # Ascending, whatever order an earlier stage chose them in: ties go to the lower index.
    candidates = _those(_ascending(task.candidates), passing(task, stage.filters, needed))
    with_values = _those(candidates, pool.present(needed))
    if len(with_values) == 0:
        raise InvalidInput(_nothing_left(pool, len(task.candidates), candidates, needed))
    tasks = [replace(task, user=place) for place in places]
    usual = _without_excluded(with_values, strategies, tasks)
    budget = _count(stage.budget, len(usual))
    task = replace(
        task, candidates=usual, picks=min(budget, len(usual)), tick=_ticking(progress, budget)
    )
    tasks = [replace(task, user=place) for place in places]
    built = time.perf_counter()
    bounds = Bounds()
    reached: dict[str, Any] = {}
    kept = [name for name, one in zip(names, strategies, strict=True) if one.strength != 0]
    if stage.combine == "lightly":
        parts = [one.accumulated(at_place) for one, at_place in zip(strategies, tasks, strict=True)]
        picks = choose_accumulating(stage, names, parts, len(usual), budget, progress)
    elif strategies[0].alone:
        choice = strategies[0].choose(tasks[0])
        picks = Picks(choice.rows, choice.values, choice.values[:, None])
        if choice.report:
            reached = {names[0]: {"before": choice.before, "after": choice.report}}
    else:
        terms = [
            Term(one.objective(at_place), one.strength)
            for one, at_place in zip(strategies, tasks, strict=True)
        ]
        terms = [term for term in terms if term.strength != 0]
        if not terms:
            terms, kept = [Term(task.score(np.ones(len(usual))), 1.0)], ["none"]
        bounds = bounds_of(stage, replace(task, user=at))
        before = [term.objective.report() for term in terms]
        built = time.perf_counter()
        picks = _picked(terms, kept, stage, task, number, at, budget, bounds, progress)
        reached = {
            name: {"before": earlier, "after": term.objective.report()}
            for name, earlier, term in zip(kept, before, terms, strict=True)
            if earlier
        }
    report = {
        "strategies": [one.model_dump(exclude_none=True) for one in strategies],
        "candidates": len(usual),
        "without_value": len(candidates) - len(with_values),
        "outliers": len(with_values) - len(usual),
        "budget": budget,
        "chosen": len(picks.rows),
        "without_gain": int((picks.gains <= 0).sum()) if _has_gains(stage) else 0,
        "stopped": _why_stopped(len(picks.rows), budget, len(usual), stage),
        "reached": reached,
        **bounds.report(picks.rows),
        "seconds": {"prepare": built - started, "choose": time.perf_counter() - built},
    }
    return usual[picks.rows], kept, picks, report


def _needed(stage: Stage) -> list[str]:
    """The columns without which a sample cannot be chosen."""
    needed = [column for one in stage.strategies or [] for column in one.judged_by()]
    return needed if stage.cost is None else [*needed, stage.cost.column]


def _ticking(progress: Progress | None, budget: int) -> Callable[[], None]:
    def tick() -> None:
        if progress is not None:
            progress(0, budget)

    return tick


def _without_excluded(
    candidates: np.ndarray, strategies: list[Strategy], tasks: list[Task]
) -> np.ndarray:
    """The candidates without those that a strategy excludes; all of them, if none would be left."""
    kept = np.ones(tasks[0].pool.n, dtype=bool)
    for one, task in zip(strategies, tasks, strict=True):
        kept[one.excluded(task)] = False
    return _those(candidates, kept) if kept[candidates].any() else candidates


def _those(rows: np.ndarray, wanted: np.ndarray) -> np.ndarray:
    """The rows that are wanted, (N,) bool; the same array where all are, for it may be large."""
    mask = wanted[rows]
    return rows if mask.all() else rows[mask]


def _ascending(rows: np.ndarray) -> np.ndarray:
    return rows if (np.diff(rows) > 0).all() else np.sort(rows)


def _picked(
    terms: list[Term],
    names: list[str],
    stage: Stage,
    task: Task,
    number: int,
    at: str,
    budget: int,
    bounds: Bounds,
    progress: Progress | None,
) -> Picks:
    count = len(task.candidates)
    if stage.groups is not None and stage.groups.whole:
        assert bounds.groups is not None
        return choose_groups(
            terms,
            bounds.groups,
            budget,
            value=stage.groups.value,
            combine=stage.combine,
            limits=Limits(bounds.costs, bounds.spend),
            progress=progress,
        )
    if stage.batch == "top":
        return greedy(
            terms,
            count,
            budget,
            combine=stage.combine,
            device=task.device,
            progress=progress,
            limits=bounds.limits(),
        )
    _refuse_changing(terms, names, stage.batch, at)
    gumbel = -np.log(-np.log(task.pool.drawn(task.seed, DRAWN, number)[task.candidates]))
    return draw(
        terms, task.picks, gumbel, batch=stage.batch, coldness=stage.coldness, combine=stage.combine
    )


def _has_gains(stage: Stage) -> bool:
    """Whether a gain of 0 means that the pick adds nothing."""
    alone = any(one.alone for one in stage.strategies or [])
    return not alone and stage.combine == "product"


def _refuse_changing(terms: list[Term], names: list[str], batch: str, at: str) -> None:
    changing = [n for n, term in zip(names, terms, strict=True) if term.objective.depends_on_picks]
    if changing:
        raise InvalidInput(
            f"recipe: {at}batch: {batch!r} draws by values that no pick changes, and those of "
            f"{changing[0]!r} do; use 'top', or leave it out"
        )


def _count(budget: int | float | None, candidates: int) -> int:
    if budget is None:
        return candidates
    if isinstance(budget, float):
        return max(1, round(budget * candidates))
    return budget


def _nothing_left(pool: Pool, before: int, candidates: np.ndarray, needed: list[str]) -> str:
    after = len(candidates)
    if pool.n == 0:
        return "the pool is empty: there is nothing to choose from"
    if before == 0:
        return (
            f"none of the {pool.n} samples may be chosen: "
            "all are labeled or removed by the filters; widen the filters or add samples"
        )
    if after == 0:
        return f"the filters remove all {before} samples that may be chosen; widen them"
    lacking = {name: int(pool.missing[name][candidates].sum()) for name in needed}
    each = ", ".join(f"{count} have none in {name!r}" for name, count in lacking.items() if count)
    return f"none of the {after} samples that may be chosen has every value it takes: {each}"


def _why_stopped(chosen: int, budget: int, candidates: int, stage: Stage) -> str:
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
