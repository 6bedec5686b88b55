"""What the strategies of a recipe cost each other: how well each is served by the choice of all."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from ...alcore import Pool, Recipe, Selection, reached, score, select
from ...alcore.recipe.models import entry_names
from ...alcore.strategies import Strategy
from ..reading.kept import keeping
from ..reading.read import Reading
from ..runs.jobs import Progress

BY_SCORE = "mean place in the pool"
COVERED, NEAREST, SHARES = "how much is covered", "distance of the farthest", "off the wanted shares"


def costs_of(reading: Reading, chosen: Selection, report: Progress) -> list[list[str]]:
    """Compare for each strategy the chosen samples with those that it would choose alone.

    Args:
        reading: the pool and the recipe.
        chosen: what the recipe chose.
        report: takes the share that is done and a text.

    Returns:
        A row for each strategy: its name, what it is measured by, and three figures: of the chosen, of
        as many that it chooses alone, and of as many drawn by chance. No rows if the recipe has several
        stages or fewer than two strategies.
    """
    stages, pool = reading.recipe.in_stages(), reading.pool
    strategies = stages[-1].strategies or []
    if len(stages) > 1 or len(strategies) < 2 or len(chosen) == 0:
        return []
    candidates = np.flatnonzero(~pool.labeled)
    rng = np.random.default_rng(reading.recipe.seed)
    by_chance = rng.choice(candidates, min(len(chosen), len(candidates)), replace=False)
    rows = []
    for number, (name, entry) in enumerate(zip(entry_names(strategies), strategies, strict=True)):
        share = number / len(strategies)
        title = entry.about.title

        def tick(done: int, budget: int, share: float = share, title: str = title) -> None:
            report(share, f"Choosing by {title} alone")

        tick(0, 1)
        one = reading.recipe.model_copy(update={"strategies": [entry], "budget": len(chosen)})
        alone = select(pool, one, "auto", tick, keeping).indices
        measured, by = _measure(pool, one, entry)
        figures = [measured(some) for some in (chosen.indices, alone, by_chance)]
        if all(figures):
            rows.append([name, by, *map(str, figures)])
    return rows


def _measure(
    pool: Pool, recipe: Recipe, entry: Strategy
) -> tuple[Callable[[np.ndarray], str | None], str]:
    """Return what measures a set of rows by a strategy, as a text, and what it is called."""
    if not entry.depends_on_picks and entry.judged_by():
        values = score(pool, entry)
        candidates = np.sort(values[~pool.labeled & np.isfinite(values)])

        def mean_place(rows: np.ndarray) -> str | None:
            mine = values[rows]
            mine = mine[np.isfinite(mine)]
            below = np.searchsorted(candidates, mine, side="left") / max(1, len(candidates))
            return f"above {below.mean():.0%}" if len(mine) else None

        return mean_place, BY_SCORE

    def by_report(rows: np.ndarray) -> str | None:
        found = reached(pool, recipe, rows, keeping=keeping)
        return _told(next(iter(found.values()), {}))

    told = next(iter(reached(pool, recipe, np.zeros(0, dtype=np.int64), keeping=keeping).values()), {})
    return by_report, COVERED if "covered" in told else SHARES if "target" in told else NEAREST


def _told(found: dict[str, Any]) -> str | None:
    """Return the figure of a report as a text; None if it has none that can be compared."""
    if "covered" in found:
        return f"{found['covered']:.4g}"
    if "target" in found:
        counts = np.array(list(found["counts"].values()))
        target = np.array(list(found["target"].values()))
        shares = counts / counts.sum() if counts.sum() else counts
        return f"{np.abs(shares - target).sum() / 2:.1%}"
    radius = found.get("radius")
    return None if radius is None else f"{radius:.4g}"
