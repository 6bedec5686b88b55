"""BADGE: k-means++ draws on gradient embeddings."""

import numpy as np
import torch

from .. import recipe as entries
from ..device import FLOAT64_UP_TO, to_tensor
from ..embed.gradient import GradientEmbeddings
from ..strategies import Task
from ..strategies.predictions import array_column, probabilities
from .choice import Choice

# So many picks are compared with all candidates at once.
PICKS_A_PASS = 128
# A draw from the distances of the last pass that so many in a row refuse asks for another pass.
REFUSALS = 64


def choose(entry: entries.Badge, task: Task) -> Choice:
    """The candidate with the longest gradient, then draws in proportion to the squared distance to
    the nearest chosen (Ash et al. 2020, algorithm 1, whose k-means++ starts so in the authors' code).

    The labelled samples are no centres there, nor are they here: their gradients are short. Where all
    candidates left lie on chosen ones, any is drawn.
    """
    features = task.pool.vectors(entry.embeddings, task.user)
    width = features.shape[1] + array_column(entry.column, task).shape[-1]
    small = len(task.candidates) * width <= FLOAT64_UP_TO
    dtype = torch.float64 if small else torch.float32
    parts = probabilities(entry, task, task.candidates)
    gradients = GradientEmbeddings(
        torch.cat([to_tensor(part, dtype, task.device) for part in parts]),
        to_tensor(features[task.candidates], dtype, task.device),
    )
    rows, values = draw(gradients, task.picks, np.random.default_rng(task.seed), task)
    return Choice(rows, values, {})


def draw(
    gradients: GradientEmbeddings, count: int, generator: np.random.Generator, task: Task
) -> tuple[np.ndarray, np.ndarray]:
    """(count,) rows drawn without replacement, and their squared distances when they were.

    The law is that of k-means++, the work less: a row is proposed by its distance at the last pass,
    which is an upper bound, and taken with the chance by which it has fallen since. Only the proposed
    row is compared with the picks since then, and a pass is a matrix product.
    """
    chosen: list[int] = []
    values: list[float] = []
    nearest = gradients.squared_lengths.clone()  # the distance to the origin, for the first
    free = np.ones(len(gradients), dtype=bool)

    def take(row: int, value: float) -> None:
        chosen.append(row)
        values.append(value)
        free[row] = False

    first = int((nearest == nearest.max()).nonzero()[0])
    take(first, float(nearest[first]))
    nearest.fill_(torch.inf)
    passed = 0
    while len(chosen) < count:
        others = torch.tensor(chosen[passed:], device=nearest.device)
        gradients.lower(nearest, others)
        passed = len(chosen)
        weights = np.where(free, nearest.cpu().numpy(), 0.0)
        total = np.cumsum(weights)
        task.tick()
        if total[-1] <= 0:
            left = generator.permutation(np.flatnonzero(free))[: count - len(chosen)]
            for row in left.tolist():
                take(row, 0.0)
            break
        refused = 0
        while len(chosen) < count and len(chosen) - passed < PICKS_A_PASS and refused < REFUSALS:
            point, chance = generator.random(2)
            row = int(np.searchsorted(total, point * total[-1], side="right"))
            row = min(row, len(total) - 1)
            now = weights[row] if free[row] else 0.0
            if now and len(chosen) > passed:
                mine = torch.tensor([row], device=nearest.device)
                since = torch.tensor(chosen[passed:], device=nearest.device)
                now = min(now, float(gradients.squared_distances(mine, since).min()))
            if chance * weights[row] < now:
                take(row, float(now))
                refused = 0
            else:
                refused += 1
    return np.array(chosen, dtype=np.int64), np.array(values)
