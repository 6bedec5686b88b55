"""Recipe + pool -> selection."""

import time
from dataclasses import replace
from typing import Any

import numpy as np
import torch

from .defaults import default_strategies
from .device import resolve_device
from .errors import InvalidInput
from .filters import passing
from .greedy import Picks, Progress, Term, greedy
from .objectives import Score
from .pool import Pool
from .recipe import Recipe, Stage, columns_of, entry_names
from .selection import Selection
from .stochastic import draw
from .strategies import Task, build


def select(
    pool: Pool,
    recipe: Recipe | dict[str, Any] | str,
    device: str | torch.device = "auto",
    progress: Progress | None = None,
) -> Selection:
    """Choose the samples of ``pool`` to label next.

    Each pick is the candidate with the highest product of ``value ** strength`` over the strategies
    (or sum, see ``Recipe.combine``), given all that is labelled and chosen before it; ties go to the
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
    candidates = np.flatnonzero(~pool.labelled & passing(pool, recipe.filters))
    report: dict[str, Any] = {
        "pool": int(pool.n - pool.labelled.sum()),
        "labelled": int(pool.labelled.sum()),
        "filtered_out": int((~pool.labelled).sum()) - len(candidates),
        "device": str(where),
        "seed": recipe.seed,
        "stages": [],
    }
    rows, picks = candidates, None
    names: list[str] = []
    for number, stage in enumerate(stages):
        at = f"stages[{number}]." if recipe.stages is not None else ""
        rows, names, picks, told = _run_stage(
            pool, rows, stage, number, recipe.seed, where, at, progress
        )
        report["stages"].append(told)
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
    pool: Pool,
    rows: np.ndarray,
    stage: Stage,
    number: int,
    seed: int,
    device: torch.device,
    at: str,
    progress: Progress | None,
) -> tuple[np.ndarray, list[str], Picks, dict[str, Any]]:
    started = time.perf_counter()
    strategies = stage.strategies or default_strategies(pool)
    names = entry_names(strategies)
    for position, entry in enumerate(strategies):
        for column in columns_of(entry):
            pool.column(column, _place(at, position, entry))
    needed = [column for entry in strategies for column in columns_of(entry)]
    # Ascending, whatever order an earlier stage chose them in: ties go to the lower index.
    candidates = np.sort(rows[passing(pool, stage.filters)[rows]])
    with_values = candidates[pool.present(needed)[candidates]]
    if len(with_values) == 0:
        raise InvalidInput(_nothing_left(pool, len(rows), candidates, needed))
    budget = _count(stage.budget, len(with_values))

    def tick() -> None:
        if progress is not None:
            progress(0, budget)

    task = Task(pool, with_values, min(budget, len(with_values)), seed, device, tick=tick)
    terms, kept = [], []
    for position, (name, entry) in enumerate(zip(names, strategies, strict=True)):
        objective = build(entry, replace(task, user=_place(at, position, entry)))
        if entry.strength != 0:
            terms.append(Term(objective, entry.strength))
            kept.append(name)
    if not terms:
        level = torch.ones(len(with_values), dtype=torch.float64, device=device)
        terms, kept = [Term(Score(level), 1.0)], ["none"]
    before = [term.objective.report() for term in terms]
    built = time.perf_counter()
    if stage.batch == "top":
        picks = greedy(
            terms,
            len(with_values),
            budget,
            combine=stage.combine,
            device=device,
            progress=progress,
        )
    else:
        _refuse_changing(terms, kept, stage.batch, at)
        # Drawn for the whole pool, so that a filter does not change what the other samples drew.
        gumbel = np.random.default_rng([seed, 1, number]).gumbel(size=pool.n)[with_values]
        picks = draw(
            terms,
            min(budget, len(with_values)),
            gumbel,
            batch=stage.batch,
            coldness=stage.coldness,
            combine=stage.combine,
        )
    told = {
        "strategies": [entry.model_dump(exclude_none=True) for entry in strategies],
        "candidates": len(with_values),
        "without_value": len(candidates) - len(with_values),
        "budget": budget,
        "chosen": len(picks.rows),
        "without_gain": int((picks.gains <= 0).sum()) if stage.combine == "product" else 0,
        "stopped": _why_stopped(len(picks.rows), budget, len(with_values)),
        "reached": {
            name: {"before": earlier, "after": term.objective.report()}
            for name, earlier, term in zip(kept, before, terms, strict=True)
            if earlier
        },
        "seconds": {"prepare": built - started, "choose": time.perf_counter() - built},
    }
    return with_values[picks.rows], kept, picks, told


def _refuse_changing(terms: list[Term], names: list[str], batch: str, at: str) -> None:
    changing = [n for n, term in zip(names, terms, strict=True) if term.objective.changes]
    if changing:
        raise InvalidInput(
            f"recipe: {at}batch: {batch!r} draws by values that no pick changes, and those of "
            f"{changing[0]!r} do; use 'top', or leave it out"
        )


def _place(at: str, position: int, entry: Any) -> str:
    return f"{at}strategies[{position}] ({entry.strategy})"


def _count(budget: int | float | None, candidates: int) -> int:
    if isinstance(budget, float):
        return max(1, round(budget * candidates))
    assert budget is not None
    return budget


def _nothing_left(pool: Pool, before: int, candidates: np.ndarray, needed: list[str]) -> str:
    after = len(candidates)
    if pool.n == 0:
        return "the pool is empty: there is nothing to choose from"
    if before == 0:
        return (
            f"none of the {pool.n} samples may be chosen: "
            "all are labelled or removed by the filters; widen the filters or add samples"
        )
    if after == 0:
        return f"the filters remove all {before} samples that may be chosen; widen them"
    lacking = {name: int(pool.missing[name][candidates].sum()) for name in needed}
    told = ", ".join(f"{count} have none in {name!r}" for name, count in lacking.items() if count)
    return f"none of the {after} samples that may be chosen has every value it takes: {told}"


def _why_stopped(chosen: int, budget: int, candidates: int) -> str:
    if chosen == budget:
        return "budget reached"
    if chosen == candidates:
        return f"all {candidates} candidates are chosen; the budget was {budget}"
    return (
        f"{chosen} of {budget} chosen: every other candidate is nearer than minimum_distance "
        "to one labelled or chosen"
    )
