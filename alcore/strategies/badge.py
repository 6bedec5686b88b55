"""BADGE: k-means++ draws on gradient embeddings."""

from __future__ import annotations

from collections.abc import Callable
from typing import Annotated, ClassVar, Literal

import numpy as np
import torch
from pydantic import Field

from ..data.device import to_tensor
from ..data.errors import InvalidInput
from ..data.settings import settings
from ..geometry.gradients import GradientEmbeddings
from .base import Rule
from .common.choice import Choice
from .common.predictions import class_vectors, probabilities
from .common.task import Task
from .common.vocabulary import About, Basic, ClassProbabilities, Family, Given, Positive, Vectors

# A draw from the distances of the last pass that so many in a row refuse asks for another pass.
REFUSALS = 64


class Badge(Rule):
    """Samples drawn far apart in the gradients of the model's last layer (BADGE).

    The candidate with the longest gradient, then draws in proportion to the squared distance to the
    nearest chosen (Ash et al. 2020, algorithm 1, whose k-means++ starts so in the authors' code).

    The labeled samples are no centers there, nor are they here: their gradients are short. Where all
    candidates left lie on chosen ones, any is drawn.
    """

    about: ClassVar[About] = About(
        favors="uncertain and different at once, by the gradients of the model's last layer",
        misleads="drawn, so that another seed chooses others; needs the features that layer takes",
        title="BADGE",
        family=Family.DIVERSITY,
        paper="Ash et al. 2020, Deep Batch Active Learning by Diverse, Uncertain Gradient Lower "
        "Bounds, algorithm 1",
    )

    strategy: Literal["badge"] = "badge"
    column: Annotated[ClassProbabilities, Basic("Predictions")] = Field(
        description="probabilities or logits"
    )
    embeddings: Annotated[Vectors, Basic("Embeddings")] = Field(
        description="the features that the model's last layer takes"
    )
    given: Given = "probabilities"
    temperature: Positive = 1.0

    def compared_by(self) -> tuple[str, str] | None:
        return self.embeddings, "euclidean"

    def choose(self, task: Task) -> Choice:
        features = task.pool.vectors(self.embeddings, task.user)
        width = features.shape[1] + class_vectors(self.column, task).shape[-1]
        small = len(task.candidates) * width <= settings.float64_up_to
        dtype = torch.float64 if small else torch.float32
        parts = probabilities(self, task, task.candidates)
        gradients = GradientEmbeddings(
            torch.cat([to_tensor(part, dtype, task.device) for part in parts]),
            to_tensor(features[task.candidates], dtype, task.device),
        )
        if not bool(gradients.squared_lengths.isfinite().all()):
            raise InvalidInput(
                f"{task.user}: column {self.embeddings!r} holds numbers too large to square; scale them"
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
        since = gradients.few(min(settings.badge_picks_a_pass, count - passed))
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
