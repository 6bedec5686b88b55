"""BADGE: k-means++ draws on gradient embeddings."""

from collections.abc import Callable

import numpy as np
import torch

from ..data.device import FLOAT64_UP_TO, to_tensor
from ..data.errors import InvalidInput
from ..geometry.gradients import GradientEmbeddings
from ..recipe import recipe as entries
from ..strategies import Task
from ..strategies.choice import Choice
from ..strategies.predictions import array_column, probabilities

# So many picks are compared with all candidates at once.
PICKS_A_PASS = 128
# A draw from the distances of the last pass that so many in a row refuse asks for another pass.
REFUSALS = 64


def choose(entry: entries.Badge, task: Task) -> Choice:
    """The candidate with the longest gradient, then draws in proportion to the squared distance to
    the nearest chosen (Ash et al. 2020, algorithm 1, whose k-means++ starts so in the authors' code).

    The labeled samples are no centers there, nor are they here: their gradients are short. Where all
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
    if not bool(gradients.squared_lengths.isfinite().all()):
        raise InvalidInput(
            f"{task.user}: column {entry.embeddings!r} holds numbers too large to square; scale them"
        )
    rows, values = draw(gradients, task.picks, np.random.default_rng(task.seed), task.tick)
    return Choice(rows, values, {})


def draw(
    gradients: GradientEmbeddings,
    count: int,
    generator: np.random.Generator,
    tick: Callable[[], None] = lambda: None,
) -> tuple[np.ndarray, np.ndarray]:
    """(count,) rows drawn without replacement, and their squared distances when they were.

    The law is that of k-means++, the work less: a row is proposed by its distance at the last pass,
    which is an upper bound, and taken with the chance by which it has fallen since. Only the proposed
    row is compared with the picks since then, and a pass is a matrix product.
    """
    nearest = gradients.squared_lengths.clone()  # the distance to the origin, for the first
    first = int((nearest == nearest.max()).nonzero()[0])
    chosen, values = [first], [float(nearest[first])]
    nearest.fill_(torch.inf)
    passed = 0
    while len(chosen) < count:
        gradients.lower(nearest, torch.tensor(chosen[passed:], device=nearest.device))
        passed = len(chosen)
        weights = nearest.cpu().numpy().copy()
        weights[chosen] = 0
        total = np.cumsum(weights)
        tick()
        if total[-1] <= 0:
            free = np.setdiff1d(np.arange(len(gradients)), chosen)
            chosen += generator.permutation(free)[: count - len(chosen)].tolist()
            values += [0.0] * (len(chosen) - len(values))
            break
        since = gradients.few(min(PICKS_A_PASS, count - passed))
        refused = 0
        while len(since) < since.most and refused < REFUSALS:
            point, chance = generator.random(2)
            # A row without weight is not met but by rounding, at the very end.
            row = min(int(np.searchsorted(total, point * total[-1], side="right")), len(total) - 1)
            now = min(float(weights[row]), since.nearest(row))
            if chance * weights[row] < now:
                chosen.append(row)
                values.append(now)
                since.add(row)
                refused = 0
            else:
                refused += 1
    return np.array(chosen, dtype=np.int64), np.array(values)
