"""Recipe + pool -> selection."""

import time
from collections.abc import Callable
from dataclasses import replace
from typing import Any

import numpy as np
import torch

from .data.device import resolve_device
from .data.errors import InvalidInput
from .data.pool import Pool
from .data.selection import Selection
from .lightly.greedy import choose as choose_as_lightly
from .objectives import Score
from .optimizers.budget import Limits
from .optimizers.greedy import Picks, Progress, Term, greedy
from .optimizers.group_greedy import choose_groups
from .optimizers.stochastic_batch import draw
from .recipe.default import default_strategies
from .recipe.filters import passing
from .recipe.limits import Bounded, bounded_by
from .recipe.recipe import Recipe, Stage, columns_of, entry_names
from .rules import RULES
from .strategies import Task, build
from .strategies.embeddings import outliers


def select(
    pool: Pool,
    recipe: Recipe | dict[str, Any] | str,
    device: str | torch.device = "auto",
    progress: Progress | None = None,
) -> Selection:
    """Choose the samples of ``pool`` to label next.

    Each pick is the candidate with the highest product of ``value ** strength`` over the strategies
    (or sum, see ``Recipe.combine``), given all that is labeled and chosen before it; ties go to the
    lower index. Values equal to 9 digits count as ties.

    Args:
        pool: the samples.
        recipe: a recipe, a dict or JSON; a budget alone takes the default strategies.
        device: "auto" (a GPU where there is one), "cpu", "cuda" or a torch device.
        progress: called with (chosen, budget) now and then; what it raises ends the selection.

    Raises:
        InvalidInput: what is wrong with the recipe or the data, in one sentence.
    """
    recipe = Recipe.of(recipe)
    where = resolve_device(device)
    started = time.perf_counter()
    stages = recipe.in_stages()
    task = Task(pool, np.flatnonzero(~pool.labeled), 0, recipe.seed, where, tick=_ticking(progress, 1))
    # Of near-duplicates the one that stays must be one that the only stage can choose.
    lone = stages[0].strategies or default_strategies(pool) if len(stages) == 1 else []
    needed = [column for entry in lone for column in columns_of(entry) if column in pool.columns]
    candidates = task.candidates[passing(task, recipe.filters, needed)[task.candidates]]
    report: dict[str, Any] = {
        "pool": int(pool.n - pool.labeled.sum()),
        "labeled": int(pool.labeled.sum()),
        "filtered_out": int((~pool.labeled).sum()) - len(candidates),
        "device": str(where),
        "seed": recipe.seed,
        "stages": [],
    }
    rows, picks = candidates, None
    names: list[str] = []
    for number, stage in enumerate(stages):
        at = f"stages[{number}]." if recipe.stages is not None else ""
        rows, names, picks, told = _run_stage(
            replace(task, candidates=rows), stage, number, at, progress
        )
        report["stages"].append(told)
        if len(rows) == 0 and number + 1 < len(stages):
            raise InvalidInput(f"{at[:-1]} has chosen nothing for the next stage: {told['stopped']}")
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
    started = time.perf_counter()
    pool = task.pool
    strategies = stage.strategies or default_strategies(pool)
    names = entry_names(strategies)
    places = [_place(at, position, entry) for position, entry in enumerate(strategies)]
    for place, entry in zip(places, strategies, strict=True):
        for column in columns_of(entry):
            pool.column(column, place)
    needed = [column for entry in strategies for column in columns_of(entry)]
    if stage.cost is not None:
        pool.column(stage.cost.column, f"{at}cost")
        needed.append(stage.cost.column)
    # Ascending, whatever order an earlier stage chose them in: ties go to the lower index.
    candidates = np.sort(task.candidates[passing(task, stage.filters, needed)[task.candidates]])
    with_values = candidates[pool.present(needed)[candidates]]
    if len(with_values) == 0:
        raise InvalidInput(_nothing_left(pool, len(task.candidates), candidates, needed))
    usual = _without_outliers(task, with_values, strategies, places)
    budget = _count(stage.budget, len(usual))
    task = replace(
        task, candidates=usual, picks=min(budget, len(usual)), tick=_ticking(progress, budget)
    )
    tasks = [replace(task, user=place) for place in places]
    built = time.perf_counter()
    rule = RULES.get(type(strategies[0]))
    bounded = Bounded()
    reached: dict[str, Any] = {}
    if stage.combine == "lightly":
        kept = [name for name, entry in zip(names, strategies, strict=True) if entry.strength != 0]
        picks = choose_as_lightly(stage, task, places, budget, progress)
    elif rule is not None:
        choice = rule(strategies[0], tasks[0])
        picks, kept = Picks(choice.rows, choice.values, choice.values[:, None]), names
        reached = {names[0]: {"before": choice.before, "after": choice.told}} if choice.told else {}
    else:
        terms, kept = _terms(strategies, names, tasks)
        bounded = bounded_by(stage, replace(task, user=at))
        before = [term.objective.report() for term in terms]
        built = time.perf_counter()
        picks = _picked(terms, kept, stage, task, number, at, budget, bounded, progress)
        reached = {
            name: {"before": earlier, "after": term.objective.report()}
            for name, earlier, term in zip(kept, before, terms, strict=True)
            if earlier
        }
    told = {
        "strategies": [entry.model_dump(exclude_none=True) for entry in strategies],
        "candidates": len(usual),
        "without_value": len(candidates) - len(with_values),
        "outliers": len(with_values) - len(usual),
        "budget": budget,
        "chosen": len(picks.rows),
        "without_gain": int((picks.gains <= 0).sum()) if _has_gains(stage, rule) else 0,
        "stopped": _why_stopped(len(picks.rows), budget, len(usual), stage),
        "reached": reached,
        **bounded.told(picks.rows),
        "seconds": {"prepare": built - started, "choose": time.perf_counter() - built},
    }
    return usual[picks.rows], kept, picks, told


def _ticking(progress: Progress | None, budget: int) -> Callable[[], None]:
    def tick() -> None:
        if progress is not None:
            progress(0, budget)

    return tick


def _without_outliers(
    task: Task, candidates: np.ndarray, strategies: list[Any], places: list[str]
) -> np.ndarray:
    """The candidates less those that a strategy ignores as outliers; all, if that leaves none."""
    kept = np.ones(task.pool.n, dtype=bool)
    for entry, place in zip(strategies, places, strict=True):
        if getattr(entry, "ignore_outliers", 0):
            kept[outliers(entry, replace(task, user=place))] = False
    return candidates[kept[candidates]] if kept[candidates].any() else candidates


def _terms(strategies: list[Any], names: list[str], tasks: list[Task]) -> tuple[list[Term], list[str]]:
    terms, kept = [], []
    for name, entry, task in zip(names, strategies, tasks, strict=True):
        objective = build(entry, task)
        if entry.strength != 0:
            terms.append(Term(objective, entry.strength))
            kept.append(name)
    if not terms:
        level = torch.ones(len(tasks[0].candidates), dtype=torch.float64, device=tasks[0].device)
        terms, kept = [Term(Score(level), 1.0)], ["none"]
    return terms, kept


def _picked(
    terms: list[Term],
    names: list[str],
    stage: Stage,
    task: Task,
    number: int,
    at: str,
    budget: int,
    bounded: Bounded,
    progress: Progress | None,
) -> Picks:
    count = len(task.candidates)
    if stage.groups is not None and stage.groups.whole:
        assert bounded.groups is not None
        return choose_groups(
            terms,
            bounded.groups,
            budget,
            value=stage.groups.value,
            combine=stage.combine,
            limits=Limits(bounded.costs, bounded.spend),
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
            limits=bounded.limits(),
        )
    _refuse_changing(terms, names, stage.batch, at)
    # Drawn for the whole pool, so that a filter does not change what the other samples drew.
    gumbel = np.random.default_rng([task.seed, 1, number]).gumbel(size=task.pool.n)[task.candidates]
    return draw(
        terms, task.picks, gumbel, batch=stage.batch, coldness=stage.coldness, combine=stage.combine
    )


def _has_gains(stage: Stage, rule: Any) -> bool:
    """Whether 0 means that a pick adds nothing."""
    return rule is None and stage.combine == "product"


def _refuse_changing(terms: list[Term], names: list[str], batch: str, at: str) -> None:
    changing = [n for n, term in zip(names, terms, strict=True) if term.objective.depends_on_picks]
    if changing:
        raise InvalidInput(
            f"recipe: {at}batch: {batch!r} draws by values that no pick changes, and those of "
            f"{changing[0]!r} do; use 'top', or leave it out"
        )


def _place(at: str, position: int, entry: Any) -> str:
    return f"{at}strategies[{position}] ({entry.strategy})"


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
    told = ", ".join(f"{count} have none in {name!r}" for name, count in lacking.items() if count)
    return f"none of the {after} samples that may be chosen has every value it takes: {told}"


def _why_stopped(chosen: int, budget: int, candidates: int, stage: Stage) -> str:
    if chosen == budget:
        return "budget reached"
    if chosen == candidates:
        return f"all {candidates} candidates are chosen; the budget was {budget}"
    if stage.combine == "lightly":
        ends = ("minimum_distance", "minimum", "max_sum")
        asked = [
            one for one in ends for e in stage.strategies or [] if getattr(e, one, None) is not None
        ]
        return f"{chosen} of {budget} chosen: {' or '.join(dict.fromkeys(asked))} is reached"
    near = any(getattr(entry, "minimum_distance", None) for entry in stage.strategies or [])
    why = ["is nearer than minimum_distance to one labeled or chosen"] if near else []
    if stage.cost is not None:
        why.append(f"costs more than is left of {stage.cost.budget:g}")
    if stage.groups is not None:
        whole = "is of a group that does not fit in what is left of the budget"
        most = f"is of a group of which {stage.groups.at_most} are chosen"
        why.append(whole if stage.groups.whole else most)
    so_many = f"{chosen} chosen" if stage.budget is None else f"{chosen} of {budget} chosen"
    return f"{so_many}: every other candidate {' or '.join(why)}"
