"""LightlyOne's way to combine strategies: the product of their accumulated values."""

from __future__ import annotations

import numpy as np

from ..data.errors import InvalidInput
from ..objectives import Accumulated, Sum
from ..optimizers.greedy import Picks, Progress
from ..recipe import Stage

LARGEST_LOG = 700.0  # of a float64


def choose_accumulating(
    stage: Stage,
    names: list[str],
    parts: list[Accumulated],
    count: int,
    budget: int,
    progress: Progress | None,
) -> Picks:
    """Choose candidates one by one by the highest ``sum of strength * log P(chosen + candidate)``.

    P is the accumulated value of labeled and chosen samples together. For diversity it is the sum of
    squared distances to the nearest other sample; for weights (numbers, measures, typicality,
    similarity) their sum; for balance ``1 / (1 + KL(target || shares) / H(target))``. So early picks
    count more than late ones. Every candidate is evaluated at every pick; ties go to the lower row. The
    picks equal those of lightly-mundig 0.1.16, except where values differ by less than the precision of
    its float32.

    Args:
        stage: the stage of the recipe.
        names: of the stage's strategies.
        parts: the accumulated value of each strategy.
        count: how many candidates there are.
        budget: the most to choose.
        progress: called with (chosen, budget) after each pick; an exception that it raises stops the
            selection.
    """
    strategies = stage.strategies or []
    for name, part in zip(names, parts, strict=True):
        _stop_where_declared(stage, name, part)
    left = np.ones(count, dtype=bool)
    rows: list[int] = []
    gains: list[float] = []
    values: list[list[float]] = []
    while len(rows) < min(budget, count):
        total = np.zeros(count)
        found = [part.potentials() for part in parts]
        with np.errstate(divide="ignore", invalid="ignore"):
            for one, each in zip(strategies, found, strict=True):
                if each is not None and one.strength != 0:
                    total += one.strength * np.log(each)
        total[np.isnan(total) | ~left] = -np.inf
        best = int(total.argmax()) if total.max() > -np.inf else int(left.argmax())
        if any(part.stops(best) for part in parts):
            break
        rows.append(best)
        gains.append(float(np.exp(min(total[best], LARGEST_LOG))))
        values.append([1.0 if each is None else float(each[best]) for each in found])
        left[best] = False
        for part in parts:
            part.add(best)
        if progress is not None:
            progress(len(rows), budget)
    of_kept = [place for place, one in enumerate(strategies) if one.strength != 0]
    table = np.array(values).reshape(len(rows), len(parts))[:, of_kept]
    return Picks(np.array(rows, dtype=np.int64), np.array(gains), table)


def _stop_where_declared(stage: Stage, name: str, part: Accumulated) -> None:
    """Let a part end the selection where the recipe says so."""
    if name not in stage.stop:
        return
    stop = stage.stop[name]
    if not isinstance(part, Sum):
        raise InvalidInput(f"recipe: stop: {name!r} adds up no numbers; it has no minimum or max_sum")
    part.most = np.inf if stop.max_sum is None else stop.max_sum
    part.least = stop.minimum or 0.0
