"""Choose samples from a pool in shards on a Ray cluster."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import replace
from typing import Any

import numpy as np

from ..data.errors import InvalidInput
from ..data.pool import Pool
from ..data.selection import Selection
from ..data.settings import settings
from ..optimizers.greedy import Picks, Progress, choose_from
from ..recipe import Recipe
from ..recipe.ready import has_gains, why_stopped
from .coordinator import ShardedCandidates, Shards
from .gathering import Listening
from .messages import Traffic
from .preparing import Plan, Prepared, prepared, refuse_indivisible
from .sources import ShardedPool
from .workers import Workers

# A pool in memory is split into about so many shards for each processor of the cluster.
SHARDS_A_PROCESSOR = 1


def select_on_ray(
    pool: Pool | ShardedPool,
    recipe: Recipe,
    progress: Progress | None = None,
    workers: Workers | None = None,
) -> Selection:
    """As ``alcore.select``, by the actors of a Ray cluster.

    Args:
        pool: a pool in memory, which is split, or one in shards.
        recipe: what to choose by.
        progress: as in ``alcore.select``.
        workers: the actors; by default they are started, and end with the selection.

    Raises:
        InvalidInput: as ``alcore.select``; Ray is not installed, or there is no cluster; the recipe
            needs what only one process can do; a shard cannot be read.
    """
    for number, stage in enumerate(recipe.in_stages()):
        refuse_indivisible(recipe, stage, f"stages[{number}]." if recipe.stages is not None else "")
    if workers is None:
        with Workers() as started:
            return select_on_ray(pool, recipe, progress, started)
    if isinstance(pool, Pool):
        pool = ShardedPool.split(pool, max(2, SHARDS_A_PROCESSOR * workers.processors), _put)
    shards = Shards(workers, pool.sources)
    try:
        return _Selecting(recipe, shards, progress).run()
    finally:
        shards.forget()


def _put(part: Pool) -> Callable[[], Pool]:
    """A function that gives the part of the pool wherever it is called."""
    import ray

    ref = ray.put(part)

    def get() -> Pool:
        found: Pool = ray.get(ref)
        return found

    return get


class _Selecting:
    """One selection by the shards; the coordinator takes part as one that has no samples."""

    def __init__(self, recipe: Recipe, shards: Shards, progress: Progress | None) -> None:
        self.recipe = recipe
        self.shards = shards
        self.progress = progress
        self.to_prepare = 0
        self.traffic = Traffic()

    def run(self) -> Selection:
        started = time.perf_counter()
        outlines = self.shards.ask("outline", self.recipe)
        sizes = [size for size, _, _ in outlines]
        # A default recipe depends on the columns, and on a few rows: those of the first shard with any.
        first = max(range(len(sizes)), key=lambda number: (sizes[number] > 0, -number))
        _, empty, stages = outlines[first]
        report: dict[str, Any] = {"device": "cpu", "seed": self.recipe.seed, "stages": []}
        rows: np.ndarray | None = None
        picks: Picks | None = None
        names: list[str] = []
        for number, stage in enumerate(stages or self.recipe.in_stages()):
            picks, names, one, of_pool = self._run_stage(
                empty, Plan(self.recipe, stage, number, rows, replace(settings))
            )
            report = of_pool | report
            report["stages"].append(one)
            rows = picks.rows
            if len(rows) == 0 and number + 1 < len(stages):
                raise InvalidInput(
                    f"stages[{number}] has chosen nothing for the next stage: {one['stopped']}"
                )
        assert picks is not None and rows is not None
        report |= {
            "chosen": len(rows),
            "stopped": report["stages"][-1]["stopped"],
            "seconds": time.perf_counter() - started,
            "shards": {
                "sizes": sizes,
                "replaced": self.shards.replaced,
                "rounds": self.traffic.rounds,
                "bytes_to_prepare": self.to_prepare,
                "bytes_a_round": self.traffic.bytes / max(1, self.traffic.rounds),
                "most_bytes_a_round": self.traffic.most,
            },
        }
        return Selection(
            indices=rows,
            ids=self._ids(rows),
            gains=picks.gains,
            reasons=[dict(zip(names, map(float, values), strict=True)) for values in picks.values],
            report=report,
        )

    def _run_stage(
        self, empty: Pool, plan: Plan
    ) -> tuple[Picks, list[str], dict[str, Any], dict[str, Any]]:
        """The picks, the names of the strategies, and what the report says of stage and pool."""
        started = time.perf_counter()
        own = self._prepare(empty, plan)
        stage, ready = plan.stage, own.ready
        before = self._reports(own)
        candidates = ShardedCandidates(self.shards, own.terms, plan.stage.combine)
        candidates.sum_up_all()
        self.to_prepare += self.shards.traffic.bytes
        built = time.perf_counter()
        self.shards.traffic = self.traffic
        picks = choose_from(
            candidates,
            own.terms,
            ready.task.picks,
            stage.combine,
            self.progress,
        )
        self.shards.traffic = Traffic()
        after = self._reports(own)
        report = {
            "strategies": [one.model_dump(exclude_none=True) for one in stage.strategies or []],
            **ready.counts,
            "budget": ready.budget,
            "chosen": len(picks.rows),
            "without_gain": int((picks.gains <= 0).sum()) if has_gains(stage) else 0,
            "stopped": why_stopped(len(picks.rows), ready.budget, ready.counts["candidates"], stage),
            "reached": {
                name: {"before": earlier, "after": later}
                for name, earlier, later in zip(own.names, before, after, strict=True)
                if earlier
            },
            "seconds": {"prepare": built - started, "choose": time.perf_counter() - built},
        }
        return picks, own.names, report, own.report

    def _prepare(self, empty: Pool, plan: Plan) -> Prepared:
        shards = self.shards
        shards.tell("begin", plan)
        parts = Listening(
            shards.sources, lambda: shards.ask("found"), lambda found: shards.tell("learn", found)
        )
        own = prepared(empty, plan, parts)
        shards.ask("ready")
        return own

    def _reports(self, own: Prepared) -> list[dict[str, Any]]:
        """What the objectives report of the whole pool."""
        of_shards = zip(*self.shards.ask("reports"), strict=True)
        return [
            objective.merged(reports)
            for objective, reports in zip(own.objectives, of_shards, strict=True)
        ]

    def _ids(self, rows: np.ndarray) -> list[Any]:
        ascending = [one for ids in self.shards.ask("ids", rows) for one in ids]
        place = np.empty(len(rows), dtype=np.int64)
        place[np.argsort(rows)] = np.arange(len(rows))
        return [ascending[one] for one in place.tolist()]
