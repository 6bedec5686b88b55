"""One run of a replay: labels are hidden, and a recipe chooses which to show, round after round.

N samples, d dimensions, C classes, T rounds, M measures.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from ..data.errors import InvalidInput
from ..data.objects import Objects
from ..data.pixel_maps import Maps
from ..data.pool import Pool
from ..recipe import Recipe
from ..scores.cost import best_decisions, business_value
from ..select import select
from ..strategies import Reads, Strategy
from ..strategies.random import Random
from .learners import Learn, committee, fitted

Choose = Callable[[Pool, int, int], Any]
"""The user's own way to choose: of a pool, a number of unlabeled rows, drawing by a seed."""

PREDICTIONS = "predictions"
TRUTH = "replay: truth"
"""The column of the labels that are shown, for strategies that count or fit by them."""
MEMBERS = 5
ACCURACY, MACRO, RAREST, VALUE = "accuracy", "macro recall", "recall of the rarest", "gain an image"
MOST = 5_000  # samples to choose from, and to test on; more would only take longer
# Tell apart what is drawn with the seed of a run, and from what strategies draw.
SPLIT, FIRST, FILL = 101, 102, 103


@dataclass(frozen=True)
class Setting:
    """What all runs of a replay have in common.

    Attributes:
        pool: N labeled samples, with the columns that the recipes read.
        vectors: (N, d) float64, on which the models learn.
        truth: (N,) int64, the codes of the true classes.
        classes: their names.
        learn: what trains a model.
        first: the number of labels before the first round.
        batch: the number of labels of each round.
        rounds: the number of rounds.
        test: the share of each class that is for testing.
        gain: (C, C) ``gain[truth][decision]``; None leaves out its measure.
        chosen_first: whether the recipe chooses the first labels too, without predictions.
    """

    pool: Pool
    vectors: np.ndarray
    truth: np.ndarray
    classes: list[str]
    learn: Learn
    first: int
    batch: int
    rounds: int
    test: float
    gain: np.ndarray | None = None
    chosen_first: bool = False

    @property
    def measures(self) -> list[str]:
        """The names of the M measures; higher is better for each."""
        return [ACCURACY, MACRO, RAREST] + [VALUE] * (self.gain is not None)

    @property
    def labels(self) -> np.ndarray:
        """(T + 1,) int64, the number of labels at each measurement."""
        return self.first + self.batch * np.arange(self.rounds + 1)


@dataclass
class Run:
    """What a run found.

    Attributes:
        scores: (T + 1, M) nested lists.
        seconds: the time of all choices together.
        filled: how many samples were drawn by chance because the recipe chose too few.
    """

    scores: list[list[float]] = field(default_factory=list)
    seconds: float = 0.0
    filled: int = 0


def run(setting: Setting, recipe: Recipe | Choose, seed: int) -> Run:
    """Choose, train and measure, round after round.

    Args:
        setting: what all runs have in common.
        recipe: as ``prepared`` returns it, or a function.
        seed: decides what is tested on, the first labels, and what is drawn in choosing. It is the same
            for all recipes, so that they can be compared in pairs.

    Raises:
        InvalidInput: the recipe cannot be used, or a model cannot be trained.
    """
    candidates, test = split(setting, seed)
    pool, X, y = setting.pool.take(candidates), setting.vectors[candidates], setting.truth[candidates]
    labeled = np.zeros(len(candidates), dtype=bool)
    found = Run()
    if setting.chosen_first:
        even = np.full((len(y), len(setting.classes)), 1 / len(setting.classes))
        shown = _shown(setting, pool, labeled, {PREDICTIONS: even}, y)
        cold = without_predictions(recipe) if isinstance(recipe, Recipe) else recipe
        labeled[_rows(cold, shown, setting.first, seed * (setting.rounds + 1) - 1)] = True
    _fill(labeled, pool, setting.first - int(labeled.sum()), seed, FIRST)
    for number in range(setting.rounds + 1):
        predict = fitted(setting.learn, X[labeled], y[labeled], len(setting.classes), seed)
        p = predict(setting.vectors[test])
        found.scores.append(_measured(setting, p, setting.truth[test]))
        if number == setting.rounds:
            break
        started = time.perf_counter()
        columns = _predicted(setting, recipe, pool, predict(X), X, labeled, y, seed)
        shown = _shown(setting, pool, labeled, columns, y)
        rows = _rows(recipe, shown, setting.batch, seed * (setting.rounds + 1) + number)
        found.seconds += time.perf_counter() - started
        labeled[rows] = True
        found.filled += setting.batch - len(rows)
        _fill(labeled, pool, setting.batch - len(rows), seed, FILL, number)
    return found


def _rows(recipe: Recipe | Choose, pool: Pool, count: int, seed: int) -> np.ndarray:
    """(k,) the rows that are chosen, at most ``count``."""
    if isinstance(recipe, Recipe):
        return select(pool, of_round(recipe, count, abs(seed)), device="cpu").indices
    rows = np.asarray(recipe(pool, count, abs(seed)), dtype=np.int64)
    if len(np.unique(rows)) < len(rows) or pool.labeled[rows].any() or len(rows) > count:
        raise InvalidInput(
            f"replay: a function must choose at most {count} distinct rows that are not labeled"
        )
    return rows


def _fill(labeled: np.ndarray, pool: Pool, count: int, *key: int) -> None:
    """Label ``count`` more samples, drawn by chance."""
    if count > 0:
        order = np.argsort(pool.drawn(*key), kind="stable")
        labeled[order[~labeled[order]][:count]] = True


def without_predictions(recipe: Recipe) -> Recipe:
    """What is left of a recipe before there is a model: without what judges by predictions.

    It is the recipe's first stage that still has a strategy; without any, a random choice.
    """
    for stage in recipe.in_stages():
        kept = []
        for one in stage.strategies or []:
            nested = [
                name for name in type(one).model_fields if isinstance(getattr(one, name), Strategy)
            ]
            bare = one.model_copy(update=dict.fromkeys(nested)) if nested else one
            reads = set(bare.columns().values())
            if not reads & {*OF_MEMBERS, *OF_SAMPLES, Reads.CLASSES} and reads:
                kept.append(bare)
        if kept:
            return Recipe(budget=1, strategies=kept)
    return Recipe(budget=1, strategies=[Random()])


def split(setting: Setting, seed: int) -> tuple[np.ndarray, np.ndarray]:
    """Ascending rows to choose from, and to test on: a share of each class is for testing.

    They are drawn by the samples' ids, so that another order of the rows gives the same samples.
    """
    drawn = setting.pool.drawn(seed, SPLIT)
    order = np.argsort(drawn, kind="stable")
    is_test = np.zeros(len(order), dtype=bool)
    for c in range(len(setting.classes)):
        rows = order[setting.truth[order] == c]
        is_test[rows[: round(setting.test * len(rows))]] = True
    candidates, test = order[~is_test[order]], order[is_test[order]]
    return np.sort(candidates[:MOST]), np.sort(test[:MOST])


def named_recipe(given: Any, name: str, budget: int, user: str) -> Recipe:
    """The recipe of a name; a list holds strategies, and a missing budget is filled in.

    Raises:
        InvalidInput: the recipe cannot be used; the message begins with ``user`` and the name.
    """
    if isinstance(given, list):
        given = {"strategies": given}
    if isinstance(given, dict) and "stages" not in given:
        given = {"budget": budget, **given}
    try:
        return Recipe.of(given)
    except InvalidInput as error:
        raise InvalidInput(f"{user}: {name!r}: {error}") from None


def prepared(recipe: Recipe, pool: Pool, name: str) -> Recipe:
    """The recipe, where strategies that count or fit by labels read those that a replay shows.

    Raises:
        InvalidInput: the recipe chooses by cost, or reads predictions of objects or pixels.
    """

    def changed(one: Strategy) -> Strategy:
        one = one.with_nested(changed)
        known = set(one.of_labeled())
        one = one.with_columns(lambda column, _: TRUTH if column in known else column)
        return one.with_labels(TRUTH) if one.labels_use() is not None else one

    for stage in recipe.in_stages():
        if stage.cost is not None:
            raise InvalidInput(
                f"replay: {name!r} chooses for an amount of money; recipes are compared at equal "
                "numbers of labels, so leave out cost"
            )
    for column, _, user in recipe.reads():
        if isinstance(pool.columns.get(column), Objects | Maps):
            raise InvalidInput(
                f"replay: {name!r} ({user}) reads {column!r}, predictions of objects or pixels, which "
                "the models of a replay do not make; compare what is chosen by replay_outcomes"
            )
    return recipe.mapped(changed)


def of_round(recipe: Recipe, batch: int, seed: int) -> Recipe:
    """The recipe with the budget of a round; earlier stages keep their proportion to the last."""
    if recipe.stages is None:
        return recipe.model_copy(update={"budget": batch, "seed": seed})
    last = recipe.stages[-1].budget

    def budget(of: int | float | None) -> int | float | None:
        if isinstance(of, int) and isinstance(last, int):
            return max(batch, round(batch * of / last))
        return of

    stages = [one.model_copy(update={"budget": budget(one.budget)}) for one in recipe.stages]
    stages[-1] = stages[-1].model_copy(update={"budget": batch})
    return recipe.model_copy(update={"stages": stages, "seed": seed})


def _predicted(
    setting: Setting,
    recipe: Recipe | Choose,
    pool: Pool,
    p: np.ndarray,
    X: np.ndarray,
    labeled: np.ndarray,
    y: np.ndarray,
    seed: int,
) -> dict[str, np.ndarray]:
    """The columns of predictions that the recipe reads, as the model of this round predicts them.

    Stored predictions are of a model that knows the labels that are hidden here.
    """
    if not isinstance(recipe, Recipe):
        return {PREDICTIONS: p}
    found: dict[str, np.ndarray] = {}
    members = [column for column, reads, _ in recipe.reads() if reads in OF_MEMBERS]
    if members:
        learned = committee(setting.learn, X[labeled], y[labeled], len(setting.classes), seed, MEMBERS)
        several = np.stack([predict(X) for predict in learned])  # (MEMBERS, N, C)
    for column, reads, _ in recipe.reads():
        if column == TRUTH:
            continue
        if reads is Reads.MEMBERS:
            found[column] = several
        elif reads in OF_MEMBERS:
            found[column] = several[len([one for one in found if one in members]) % MEMBERS]
        elif reads in OF_SAMPLES or (reads is Reads.CLASSES and _are_classes(setting, pool, column)):
            found[column] = p
    return found


OF_MEMBERS = (Reads.MEMBERS, Reads.MEMBER, Reads.CLASS_MEMBER)
OF_SAMPLES = (Reads.CLASS_PROBABILITIES, Reads.PREDICTIONS)


def _are_classes(setting: Setting, pool: Pool, column: str) -> bool:
    """Whether a column holds predictions or true classes, and not some other category."""
    values = pool.columns.get(column)
    if not isinstance(values, np.ndarray) or values.ndim > 1:
        return True
    here = ~pool.missing[column]
    return values.dtype == object and set(values[here].tolist()) <= set(setting.classes)


def _shown(
    setting: Setting, pool: Pool, labeled: np.ndarray, columns: dict[str, np.ndarray], y: np.ndarray
) -> Pool:
    """The pool of a round: with its predictions, and the labels that are shown."""
    truth = np.where(labeled, np.array(setting.classes, dtype=object)[y], None)
    return Pool(
        pool.n,
        pool.ids,
        labeled,
        {**pool.columns, **columns, TRUTH: truth},
        {**pool.classes, **dict.fromkeys(columns, setting.classes)},
        {name: mask for name, mask in pool.missing.items() if name not in columns},
        {**pool.given, **dict.fromkeys(columns, "probabilities")},
        pool.independent - columns.keys(),
        pool.elsewhere,
    )


def _measured(setting: Setting, p: np.ndarray, truth: np.ndarray) -> list[float]:
    """(M,) the measures of predictions (N, C)."""
    right = p.argmax(1) == truth
    counts = np.bincount(truth, minlength=len(setting.classes))
    recalls = np.bincount(truth, right, len(setting.classes))[counts > 0] / counts[counts > 0]
    everyone = np.bincount(setting.truth, minlength=len(setting.classes)).astype(np.float64)
    everyone[counts == 0] = np.inf
    rarest = int(everyone.argmin())
    found = [right.mean(), recalls.mean(), right[truth == rarest].mean()]
    if setting.gain is not None:
        found.append(business_value(truth, best_decisions(p, setting.gain), setting.gain).mean())
    return [float(one) for one in found]
