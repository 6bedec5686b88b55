"""Replay active learning on samples whose labels are known: which recipe would have chosen best."""

from __future__ import annotations

import hashlib
import time
from collections.abc import Callable, Iterator, Mapping, MutableMapping, Sequence
from dataclasses import asdict
from typing import Any

import joblib
import numpy as np

from ..data.categories import codes_of
from ..data.errors import InvalidInput, name_samples
from ..data.pool import Pool
from ..recipe import Recipe
from ..scores.cost import cost_matrix
from .comparison import Comparison, refuse_failed
from .learners import Name, Own, learner_of, scaled
from .one_run import Choose, Run, Setting, named_recipe, prepared, run
from .usual import RANDOM

Progress = Callable[[int, int], None]
WORTH_PROCESSES = 20.0  # seconds of work; starting processes takes some


def replay(
    pool: Pool,
    truth: Sequence[str] | np.ndarray,
    recipes: Mapping[str, Any],
    *,
    vectors: str = "embeddings",
    learner: Name | Own = "logistic",
    first: int = 20,
    batch: int = 20,
    rounds: int = 5,
    seeds: int = 10,
    test: float = 0.3,
    gain: Any = None,
    chosen_first: bool = False,
    processes: int = 1,
    kept: MutableMapping[str, Any] | None = None,
    progress: Progress | None = None,
) -> Comparison:
    """Hide the labels, let each recipe choose which to show, train, measure, and compare.

    For each seed, a share of every class is set aside for testing and some labels are drawn as the
    first; both are the same for all recipes, so that differences are taken in pairs. A random choice is
    always run beside them.

    Predictions that a recipe reads are those of the model of the round, and labels those that are shown
    so far. All other columns are used as they are stored; so a stored score of a model that was trained
    on these labels makes a recipe look better than it is.

    Args:
        pool: N samples, with the columns that the recipes read; which are labeled makes no difference.
        truth: (N,) the class of each sample; a sample with None is left out.
        recipes: by name, each a ``Recipe``, a dict, JSON, or a list of strategies, whose budget and
            seed are replaced; or a function of a pool (with the column "predictions"), a number and a
            seed, which returns so many rows.
        vectors: the column of vectors on which the models learn.
        learner: "logistic" (regression), "neighbors" (the nearest five), "head" (a network of one
            hidden layer), or a pair of functions: fit(X, y) -> model, with y codes of the sorted
            classes, and predict(model, X) -> (N, C) probabilities.
        first: the number of labels, drawn by chance, before the first round.
        batch: the number of labels of each round.
        rounds: the number of rounds.
        seeds: how often it is repeated; below about 10, differences are mostly chance.
        test: the share of each class that is for testing.
        gain: (C, C) ``gain[truth][decision]``, or a dict by class names, for the measure "gain an
            image".
        chosen_first: whether each recipe chooses the first labels too, by what needs no predictions;
            else they are drawn by chance, the same for all.
        processes: in how many processes to run, once the first runs have shown that it is worth it.
        kept: what earlier calls found, so that an interrupted replay goes on; plain values by key, and
            each run adds its own as soon as it is done.
        progress: called with (runs done, runs in all); an exception that it raises stops the replay.

    Returns:
        the scores of all runs; see ``Comparison``.

    Raises:
        InvalidInput: too few labels, one class only, or a recipe or column that cannot be used. If only
            some runs fail, they are listed in ``failures`` instead.
    """
    if min(first, batch, rounds, seeds) < 1 or not 0 < test < 1:
        raise InvalidInput(
            "replay: first, batch, rounds and seeds must be 1 or more, and test between 0 and 1"
        )
    known = np.flatnonzero([one is not None and one == one for one in truth])
    names = np.array([str(truth[row]) for row in known.tolist()], dtype=object)
    classes = sorted(set(names.tolist()))
    if len(classes) < 2:
        what = f"all are {classes[0]!r}" if classes else "there are none"
        raise InvalidInput(f"replay: it takes labels of at least two classes; {what}")
    used = pool.take(known)
    here = used.present([vectors]) if vectors in used.columns else np.ones(used.n, dtype=bool)
    notes = []
    if not here.all():
        lacking = name_samples(used.ids, np.flatnonzero(~here))
        notes.append(f"without a vector in {vectors!r}, and left out: {lacking}")
        used, names = used.take(np.flatnonzero(here)), names[here]
    labels = Pool(used.n, used.ids, columns={"truth": names})
    checked = {name: _recipe(given, name, batch) for name, given in recipes.items()}
    checked = {RANDOM: _recipe([{"strategy": "random"}], RANDOM, batch)} | checked
    setting = Setting(
        pool=used,
        vectors=scaled(used.vectors(vectors, "replay")),
        truth=codes_of(labels, "truth", classes, "replay"),
        classes=classes,
        learn=learner_of(learner),
        first=first,
        batch=batch,
        rounds=rounds,
        test=test,
        gain=None if gain is None else cost_matrix(gain, classes, "gain"),
        chosen_first=chosen_first,
    )
    ready = {
        name: prepared(one, used, name) if isinstance(one, Recipe) else one
        for name, one in checked.items()
    }
    _refuse_too_few(setting)
    done = _all_runs(setting, ready, seeds, processes, {} if kept is None else kept, progress)
    return _compared(setting, ready, seeds, done, notes)


def _recipe(given: Any, name: str, batch: int) -> Recipe | Choose:
    """The recipe, or the user's own function."""
    if callable(given) and not isinstance(given, Recipe):
        return given
    return named_recipe(given, name, batch, "replay")


def _refuse_too_few(setting: Setting) -> None:
    if min(setting.first, setting.batch, setting.rounds) < 1 or not 0 < setting.test < 1:
        raise InvalidInput(
            "replay: first, batch and rounds must be 1 or more, and test between 0 and 1"
        )
    wanted = setting.first + setting.batch * setting.rounds
    here = len(setting.truth)
    counts = np.bincount(setting.truth)
    for_test = int(sum(round(setting.test * count) for count in counts.tolist()))
    if for_test == 0:
        raise InvalidInput(
            f"replay: {here} labeled samples of {len(counts)} classes leave none to test on; label "
            "more, or raise test"
        )
    if here - for_test <= wanted:
        needed = int(np.ceil((wanted + 1) / (1 - setting.test)))
        raise InvalidInput(
            f"replay: {here} labeled samples are too few: {setting.first} at first and "
            f"{setting.rounds} rounds of {setting.batch}, beside {setting.test:.0%} to test on, take "
            f"about {needed}; take fewer or smaller rounds, or label more and let the advisor propose "
            "a recipe meanwhile"
        )


def _keys(
    setting: Setting, recipes: dict[str, Recipe | Choose], tasks: list[tuple[str, int]]
) -> dict[tuple[str, int], str]:
    """By recipe and seed, a text that changes with all that decides what the run finds."""
    gain = None if setting.gain is None else setting.gain.tolist()
    learn = getattr(setting.learn, "__qualname__", "the user's own")
    ids = list(map(str, setting.pool.ids))
    of_all = joblib.hash(
        (
            *(setting.vectors, setting.truth, ids, setting.classes, learn, gain),
            *(setting.first, setting.batch, setting.rounds, setting.test, setting.chosen_first),
        )
    )
    written = {
        name: one.model_dump_json(by_alias=True, exclude_none=True) if isinstance(one, Recipe) else name
        for name, one in recipes.items()
    }
    return {
        (name, seed): hashlib.sha256(f"{of_all} {seed} {written[name]}".encode()).hexdigest()
        for name, seed in tasks
    }


def _all_runs(
    setting: Setting,
    recipes: dict[str, Recipe | Choose],
    seeds: int,
    processes: int,
    kept: MutableMapping[str, Any],
    progress: Progress | None,
) -> dict[tuple[str, int], Run | str]:
    """By recipe and seed, what each run found, or why it failed."""
    tasks = [(name, seed) for seed in range(seeds) for name in recipes]
    keys = _keys(setting, recipes, tasks)
    done: dict[tuple[str, int], Run | str] = {
        task: Run(**kept[keys[task]]) for task in tasks if keys[task] in kept
    }
    left = [task for task in tasks if task not in done]
    for task, found in _in_turn(setting, recipes, left, processes):
        done[task] = found
        if isinstance(found, Run):
            kept[keys[task]] = asdict(found)
        if progress is not None:
            progress(len(done), len(tasks))
    return done


def _in_turn(
    setting: Setting, recipes: dict[str, Recipe | Choose], tasks: list[tuple[str, int]], processes: int
) -> Iterator[tuple[tuple[str, int], Run | str]]:
    """What each run found, in any order; in several processes where that is worth it."""
    started = time.perf_counter()
    for number, task in enumerate(tasks):
        passed = time.perf_counter() - started
        left = tasks[number:]
        if processes > 1 and number and passed / number * len(left) > WORTH_PROCESSES:
            parallel = joblib.Parallel(n_jobs=processes, return_as="generator_unordered")
            yield from parallel(joblib.delayed(_try)(setting, recipes[one[0]], one) for one in left)
            return
        yield _try(setting, recipes[task[0]], task)


def _try(
    setting: Setting, recipe: Recipe | Choose, task: tuple[str, int]
) -> tuple[tuple[str, int], Run | str]:
    """Run; where the recipe cannot be used, or the user's own learner fails, say why."""
    try:
        return task, run(setting, recipe, task[1])
    except InvalidInput as error:
        return task, str(error)
    except Exception as error:
        return task, f"{type(error).__name__}: {error}"


def _compared(
    setting: Setting,
    recipes: dict[str, Recipe | Choose],
    seeds: int,
    done: dict[tuple[str, int], Run | str],
    notes: list[str],
) -> Comparison:
    """The scores of all runs.

    Raises:
        InvalidInput: every run of a recipe failed.
    """
    shape = (seeds, setting.rounds + 1, len(setting.measures))
    scores = {name: np.full(shape, np.nan) for name in recipes}
    seconds = {name: np.full(seeds, np.nan) for name in recipes}
    failures, filled = [], dict.fromkeys(recipes, 0)
    for (name, seed), found in sorted(done.items()):
        if isinstance(found, str):
            failures.append(f"{name!r}, seed {seed}: {found}")
            continue
        scores[name][seed] = found.scores
        seconds[name][seed] = found.seconds
        filled[name] += found.filled
    refuse_failed(scores, failures, "replay")
    for name in recipes:
        if filled[name]:
            notes.append(
                f"{name!r} chose fewer than its budget; {filled[name]} samples over all runs were "
                "drawn by chance instead"
            )
    return Comparison(setting.labels, setting.measures, scores, seconds, failures, notes)
