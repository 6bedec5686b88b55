"""LightlyOne's way to combine: the product of what the chosen add up to, strategy by strategy."""

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
    """The candidate of the highest ``sum of strength * log P(chosen + candidate)``, again and again.

    P is of what is chosen and labeled together: of diversity the sum of squared distances to the
    nearest other, of weights (numbers, measures, typicality, similarity) their sum, of balance
    ``1 / (1 + KL(target || shares) / H(target))``. So early picks weigh more than late ones. Every
    candidate is evaluated at every pick; ties go to the lower row. The picks are those of
    lightly-mundig 0.1.16, except for candidates whose values differ by less than its float32 resolves.

    Args:
        names: of the stage's strategies.
        parts: what each adds up to.
        count: how many candidates there are.
        budget: how many to choose at most.
        progress: called with (chosen, budget) after each pick; what it raises ends the selection.
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
