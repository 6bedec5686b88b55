"""Class-balanced active learning: informative samples whose classes make up what is lacking."""

import math
from typing import Any

import numpy as np
import torch

from .. import scores
from ..data.device import to_tensor
from ..data.errors import InvalidInput
from ..objectives import Balance, ClassDeficit, Score
from ..optimizers.greedy import Picks, Term, greedy
from ..optimizers.linear_program import solve
from ..recipe import recipe as entries
from ..strategies import Task
from ..strategies.choice import Choice
from ..strategies.class_rows import ClassRows
from ..strategies.classes import labeled_counts, target_of
from ..strategies.embeddings import diversity
from ..strategies.predictions import array_column, probabilities
from ..strategies.task import class_names

# Published for CIFAR-10 and CIFAR-100: for measures of one sample, and for k-center.
FEW_CLASSES = 10
PUBLISHED = {"measure": (0.6, 2.0), "diversity": (5.0, 50.0)}


def choose(entry: entries.ClassBalanced, task: Task) -> Choice:
    """The samples that maximize ``sum of U - lambda ||omega - sum of p||_1`` (Bengar et al., Class-
    Balanced Active Learning for Image Classification, WACV 2022, equation 4): U the measure (entropy in
    nats, as published; the others in [0, 1]), p the class probabilities, ``omega_c`` what class c lacks
    to its share of the labeled and chosen.

    "program" relaxes the choice to shares, which at most C + 1 samples then have, solves that
    exactly, and rounds; the report has the value reached and the bound that none can surpass. "greedy"
    takes the best next sample, as the paper does for k-center, whose lambda is over C.
    """
    width = array_column(entry.column, task).shape[-1]
    names = class_names(entry.column, width, task)

    def rows_of(rows: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        parts = list(probabilities(entry, task, rows))
        return np.concatenate([*parts, np.zeros((0, width))]), np.arange(len(rows))

    counted = ClassRows(names, rows_of)
    target = target_of(entry, counted, task)
    labeled = labeled_counts(entry, counted, task)
    p = rows_of(task.candidates)[0]
    lacking = np.maximum(target * (task.picks + labeled.sum()) - labeled, 0)
    strength = _strength(entry, width)
    deficit = ClassDeficit(_tensor(p, task), _tensor(lacking, task))
    told: dict[str, Any] = {"regularization": strength}
    if entry.measure == "diversity":
        assert entry.embeddings is not None
        apart = entries.Diversity(column=entry.embeddings, metric=entry.metric)
        terms = [Term(diversity(apart, task), 1.0), Term(deficit, strength / width)]
        picks = _greedily(terms, task, task.picks)
    else:
        worth = getattr(scores, entry.measure)(p) if len(p) else np.zeros(0)
        worth = worth * (math.log(width) if entry.measure == "entropy" else 1.0)
        few = np.arange(len(p))
        if entry.solver == "program":
            few, bound = solve(worth, p, lacking, task.picks, strength, task.tick)
            told["bound"] = bound
        # The greedy order also of what the program chose: the first few are balanced by themselves.
        of_few = ClassDeficit(_tensor(p[few], task), _tensor(lacking, task))
        terms = [Term(Score(_tensor(worth[few], task)), 1.0), Term(of_few, strength)]
        picks = _greedily(terms, task, task.picks)
        picks = Picks(few[picks.rows], picks.gains, picks.values)
        off = np.abs(lacking - p[picks.rows].sum(0)).sum()
        told["value"] = float(worth[picks.rows].sum() - strength * off)
    reached = Balance(
        _tensor(p, task),
        torch.arange(len(p), device=task.device),
        _tensor(target, task),
        _tensor(labeled, task),
        names,
    )
    before = reached.report()
    reached.add(torch.from_numpy(picks.rows).to(task.device))
    return Choice(picks.rows, picks.gains, reached.report() | told, before)


def _strength(entry: entries.ClassBalanced, width: int) -> float:
    if entry.regularization != "auto":
        return entry.regularization
    few, many = PUBLISHED["diversity" if entry.measure == "diversity" else "measure"]
    return few if width <= FEW_CLASSES else many


def _greedily(terms: list[Term], task: Task, budget: int) -> Picks:
    count = len(terms[0].objective.values(None))
    picks = greedy(terms, count, budget, combine="plain_sum", device=task.device)
    if len(picks.rows) < min(budget, count):
        raise InvalidInput(f"{task.user}: some candidates have a value that is no number")
    return picks


def _tensor(values: np.ndarray, task: Task) -> torch.Tensor:
    return to_tensor(values, torch.float64, task.device)
