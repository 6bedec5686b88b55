"""Replay without training: what is in the images that each recipe chooses."""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any

import numpy as np

from ..data.errors import InvalidInput
from ..data.pool import Pool
from ..recipe import Recipe
from ..select import select
from .comparison import Comparison, refuse_failed
from .one_run import SPLIT, named_recipe, of_round
from .usual import RANDOM

Progress = Callable[[int, int], None]
BOXES = "boxes"
DRAWN = 0.8  # of the images; each seed has other ones
STEPS = 10
RARE = 0.1  # of all objects


def replay_outcomes(
    pool: Pool,
    outcomes: Mapping[str, np.ndarray],
    recipes: Mapping[str, Any],
    *,
    budget: int,
    seeds: int = 10,
    progress: Progress | None = None,
) -> Comparison:
    """Choose by each recipe, and count what the chosen images hold: nothing is trained.

    It answers, for a detector whose errors are known: how many of its errors would be found, how many
    rare objects, and how many boxes there are to draw. For each seed 80% of the images are drawn, the
    same for all recipes, and as many are chosen from them. A random choice is always made beside.

    Args:
        pool: N images, with the columns that the recipes read; which are labeled makes no difference.
        outcomes: by name, (N,) counts of each image, such as errors and rare objects. "boxes" is how
            many there are to draw; where it is given, the others are also counted per box.
        recipes: by name, as for ``replay``; their budget and seed are replaced.
        budget: how many images to choose.
        seeds: how often it is repeated.
        progress: as for ``replay``.

    Returns:
        the means an image (and a box) of the first images chosen, at ten points up to the budget;
        "boxes an image" is better where it is lower, all others where they are higher.

    Raises:
        InvalidInput: too few images, counts of the wrong length, or a recipe that cannot be used.
    """
    most = int(DRAWN * pool.n)
    if not 0 < budget < most:
        raise InvalidInput(
            f"replay_outcomes: {pool.n} images are too few to choose {budget} of: the budget must be "
            f"below {DRAWN:.0%} of the images, {most}"
        )
    counts = {name: np.asarray(values, dtype=np.float64) for name, values in outcomes.items()}
    for name, values in counts.items():
        if values.shape != (pool.n,):
            raise InvalidInput(
                f"replay_outcomes: {name!r} has {len(values)} counts for {pool.n} images"
            )
    points = np.unique(np.ceil(np.linspace(0, budget, STEPS + 1)[1:]).astype(np.int64))
    points = np.concatenate([[points[0]], points])  # the first is not counted in an area
    checked = {RANDOM: Recipe.of({"budget": budget, "strategies": [{"strategy": "random"}]})}
    checked |= {
        name: named_recipe(given, name, budget, "replay_outcomes") for name, given in recipes.items()
    }
    per_box = [name for name in counts if name != BOXES] if BOXES in counts else []
    measures = [f"{name} an image" for name in counts] + [f"{name} a box" for name in per_box]
    scores = {name: np.full((seeds, len(points), len(measures)), np.nan) for name in checked}
    seconds = {name: np.full(seeds, np.nan) for name in checked}
    failures = []
    for seed in range(seeds):
        rows = np.sort(np.argsort(pool.drawn(seed, SPLIT), kind="stable")[:most])
        taken = pool.take(rows).with_labeled(np.zeros(most, dtype=bool))
        for number, (name, recipe) in enumerate(checked.items()):
            if progress is not None:
                progress(seed * len(checked) + number, seeds * len(checked))
            started = time.perf_counter()
            try:
                picked = rows[select(taken, of_round(recipe, budget, seed), device="cpu").indices]
            except InvalidInput as error:
                failures.append(f"{name!r}, seed {seed}: {error}")
                continue
            seconds[name][seed] = time.perf_counter() - started
            if len(picked) < budget:
                failures.append(f"{name!r}, seed {seed}: chose {len(picked)} of {budget}")
                continue
            scores[name][seed] = _counted(counts, per_box, picked, points)
    refuse_failed(scores, failures, "replay_outcomes")
    return Comparison(
        points, measures, scores, seconds, failures, [], "images", frozenset({f"{BOXES} an image"})
    )


def rarest(classes: Iterable[Sequence[str] | None]) -> set[str]:
    """The rarest classes that together have at most a tenth of the objects.

    Args:
        classes: of each image, the classes of its objects; None for none.
    """
    counts = Counter(one for each in classes for one in each or [])
    left, found = RARE * counts.total(), set()
    for name, count in sorted(counts.items(), key=lambda one: (one[1], one[0])):
        left -= count
        if left < 0:
            break
        found.add(name)
    return found


def _counted(
    counts: dict[str, np.ndarray], per_box: list[str], picked: np.ndarray, points: np.ndarray
) -> np.ndarray:
    """(P, M) the means an image and a box of the first picks, for each number of them in ``points``."""
    sums = {name: values[picked].cumsum()[points - 1] for name, values in counts.items()}
    an_image = [one / points for one in sums.values()]
    a_box = [sums[name] / np.maximum(sums[BOXES], 1) for name in per_box]
    return np.stack([*an_image, *a_box], axis=1)
