"""Choose samples from a pool by a recipe."""

import time
from collections.abc import Callable
from dataclasses import replace
from typing import Any, Literal

import numpy as np
import torch

from .cluster.select import select_on_ray
from .cluster.sources import ShardedPool
from .cluster.workers import Workers
from .data.device import described, run_on
from .data.errors import InvalidInput
from .data.keeping import Keeping
from .data.pool import Pool
from .data.selection import Selection
from .lightly.greedy import choose_accumulating
from .optimizers.budget import Limits
from .optimizers.combining import Term
from .optimizers.greedy import Picks, Progress, greedy
from .optimizers.group_greedy import choose_groups
from .optimizers.stochastic_batch import draw
from .recipe import Recipe, Stage
from .recipe.default import completed_stages
from .recipe.filters import passing
from .recipe.limits import Bounds, bounds_of
from .recipe.ready import has_gains, made_ready, needed_columns, those, why_stopped
from .recipe.refining import refined
from .strategies import Task

# Tells the draws of a batch apart from those of the strategy ``random``.
DRAWN = 2


def select(
    pool: Pool | ShardedPool,
    recipe: Recipe | dict[str, Any] | str,
    device: str | torch.device = "auto",
    progress: Progress | None = None,
    keeping: Keeping | None = None,
    backend: Literal["ray"] | Workers | None = None,
) -> Selection:
    """Choose the samples of ``pool`` to label next.

    Each pick is the candidate with the highest product of ``value ** strength`` over the strategies
    (or sum, see ``Recipe.combine``), given the labeled samples and the picks before it. Ties go to
    the lower index; values that agree to 9 digits are ties.

    Args:
        pool: the samples; a ``cluster.ShardedPool`` only with ``backend``.
        recipe: a ``Recipe``, a dict or JSON. With a budget alone the default strategies are used.
        device: of the work on large arrays: "auto" (a GPU where there is one, and the CPU where its
            memory does not suffice), "cpu", "cuda" or a torch device. Some work is always done on the
            CPU: k-means, approximate neighbors, drawing, and combine: "lightly".
        progress: called with (chosen, budget) from time to time; an exception that it raises stops
            the selection.
        keeping: keeps the neighbor graph of large pools for later selections; None keeps nothing. It
            makes no difference to what is chosen.
        backend: "ray" divides the pool among actors of a Ray cluster (see ``docs/ray.md``), which end
            with the selection; ``cluster.Workers`` are actors that serve several. None works in this
            process. It makes no difference to what is chosen, but not every strategy
            can be divided. The actors work on the CPU, and ``keeping`` is not used.

    Returns:
        the chosen samples in the order chosen, with their gains, reasons and a report.

    Raises:
        InvalidInput: the recipe or the data cannot be used; one sentence says why.
    """
    checked = Recipe.of(recipe)
    if backend == "ray" or isinstance(backend, Workers):
        return select_on_ray(pool, checked, progress, None if backend == "ray" else backend)
    if backend is not None:
        raise InvalidInput(f"backend: there is no {backend!r}; give 'ray', or leave it out")
    if not isinstance(pool, Pool):
        raise InvalidInput("pool: is in shards; select from it with backend: 'ray'")
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
    needed = needed_columns(stages[0]) if len(stages) == 1 else []
    needed = [column for column in needed if column in pool.columns]
    candidates = those(task.candidates, passing(task, recipe.filters, needed))
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
        if stage.refine is not None:
            rows, of_stage = _refined(task.of(rows), stage, stages[number + 1].budget, number, at)
        else:
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


def _refined(
    task: Task, stage: Stage, budget: Any, number: int, at: str
) -> tuple[np.ndarray, dict[str, Any]]:
    """The candidates of the next stage, of its budget, and this stage's part of the report."""
    assert stage.refine is not None
    started = time.perf_counter()
    # Each strategy draws alone, so that they need not go together.
    drawing = stage.model_copy(update={"budget": budget, "strategies": stage.refine.strategies})
    ready = made_ready(task, drawing, f"{at}refine.", lambda _: task.tick)
    rows, left = refined(ready, stage.refine, number)
    return rows, {
        "strategies": [one.model_dump(exclude_none=True) for one in stage.refine.strategies],
        **ready.counts,
        "budget": budget,
        "left_by_round": left,
        "chosen": len(rows),
        "without_gain": 0,
        "stopped": f"{len(rows)} candidates are left after {len(left)} rounds",
        "reached": {},
        "seconds": {"prepare": 0.0, "choose": time.perf_counter() - started},
    }


def _run_stage(
    task: Task, stage: Stage, number: int, at: str, progress: Progress | None
) -> tuple[np.ndarray, list[str], Picks, dict[str, Any]]:
    """The chosen rows, the names of the strategies, the picks, and the stage's part of the report."""
    started = time.perf_counter()
    ready = made_ready(task, stage, at, lambda budget: _ticking(progress, budget))
    strategies, names, tasks = stage.strategies or [], ready.names, ready.tasks
    task, budget = ready.task, ready.budget
    usual = task.candidates
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
        terms, kept = ready.terms()
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
        **ready.counts,
        "budget": budget,
        "chosen": len(picks.rows),
        "without_gain": int((picks.gains <= 0).sum()) if has_gains(stage) else 0,
        "stopped": why_stopped(len(picks.rows), budget, len(usual), stage),
        "reached": reached,
        **bounds.report(picks.rows),
        "seconds": {"prepare": built - started, "choose": time.perf_counter() - built},
    }
    return usual[picks.rows], kept, picks, report


def _ticking(progress: Progress | None, budget: int) -> Callable[[], None]:
    def tick() -> None:
        if progress is not None:
            progress(0, budget)

    return tick


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


def _refuse_changing(terms: list[Term], names: list[str], batch: str, at: str) -> None:
    changing = [n for n, term in zip(names, terms, strict=True) if term.objective.depends_on_picks]
    if changing:
        raise InvalidInput(
            f"recipe: {at}batch: {batch!r} draws by values that no pick changes, and those of "
            f"{changing[0]!r} do; use 'top', or leave it out"
        )
