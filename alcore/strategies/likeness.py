"""The strategy of likeness between predictions: representative_informative."""

import numpy as np
import torch

from ..data.device import to_tensor
from ..geometry.distances import squared_distances
from ..objectives import Objective, Representative
from ..objectives.representative import similar
from ..recipe import recipe as entries
from ..scores import margin
from .predictions import probabilities
from .task import Task

ROWS_A_CHUNK = 1 << 10


def representative_informative(entry: entries.RepresentativeInformative, task: Task) -> Objective:
    """Greedy form of the program of Du et al., Exploring Representativeness and Informativeness for
    Active Learning (2019): minimize ``a' M1 a + (M2 - M3 + beta C)' a`` over the chosen.

    ``M1 = k / 2``; ``M2_i`` the likeness to the labeled, ``M3_i`` to the unlabeled samples; ``C_i =
    exp(distance to the nearest labeled squared) (p1 - p2)``. "published" scales the likenesses as the
    authors' code does, by (labeled + budget) / 2 n and (unlabeled - budget) / 2 n;
    "mean_discrepancy" by (unlabeled - budget) / n and (labeled + budget) / n, as the maximum mean
    discrepancy between the two sides has it, so that both count alike in a large pool.
    """
    pool = task.pool
    here = ~pool.missing[entry.column]
    labeled, unlabeled = np.flatnonzero(here & pool.labeled), np.flatnonzero(here & ~pool.labeled)
    known = _predictions(entry, task, labeled)
    compared = unlabeled
    if len(unlabeled) > entry.max_compared:
        generator = np.random.default_rng(task.seed)
        compared = np.sort(generator.choice(unlabeled, entry.max_compared, replace=False))
    others = _predictions(entry, task, compared)
    stands_for = len(unlabeled) / max(1, len(compared))
    mine = _predictions(entry, task, task.candidates)
    n, side = len(labeled) + len(unlabeled), len(labeled) + task.picks
    if entry.scaling == "published":
        to_known, to_others = side / (2 * n), (n - side) / (2 * n)
    else:
        to_known, to_others = (n - side) / n, side / n
    fixed = torch.empty(len(mine), dtype=torch.float64, device=task.device)
    for start in range(0, len(mine), ROWS_A_CHUNK):
        chunk = slice(start, start + ROWS_A_CHUNK)
        part = mine[chunk]
        sure = 1 - to_tensor(margin(part.cpu().numpy()), torch.float64, task.device)
        if len(known):
            sure *= squared_distances(part, known).amin(1).exp_()
        fixed[chunk] = (
            to_others * stands_for * similar(part, others, entry.gamma).sum(1)
            - to_known * similar(part, known, entry.gamma).sum(1)
            - entry.beta * sure
        )
        task.tick()
    return Representative(mine, fixed, entry.gamma, task.picks)


def _predictions(
    entry: entries.RepresentativeInformative, task: Task, rows: np.ndarray
) -> torch.Tensor:
    parts = list(probabilities(entry, task, rows))
    width = task.pool.columns[entry.column].shape[-1]
    whole = np.concatenate(parts) if parts else np.zeros((0, width))
    return to_tensor(whole, torch.float64, task.device)
