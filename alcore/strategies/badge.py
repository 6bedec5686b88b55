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
from .common.vocabulary import (
    About,
    Basic,
    ClassProbabilities,
    Family,
    Given,
    Temperature,
    Vectors,
)

# After this many refused draws in a row the distances are out of date, and a new pass is made.
REFUSALS = 64


class Badge(Rule):
    """Samples drawn far apart in the gradients of the model's last layer (BADGE).

    The first pick is the candidate with the longest gradient, as in the authors' code. Each later pick
    is drawn with a probability in proportion to its squared distance to the nearest pick (Ash et al.
    2020, algorithm 1).

    As in the paper, labeled samples are not centers: their gradients are short. Where every candidate
    left is at distance 0 from a pick, all are equally probable.
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
    temperature: Temperature = 1.0

    def compared_by(self) -> tuple[str, str] | None:
        """The column of vectors that it compares, and the metric."""
        return self.embeddings, "euclidean"

    def choose(self, task: Task) -> Choice:
        """Choose ``task.picks`` candidates; see ``Strategy.choose``."""
        features = task.pool.vectors(self.embeddings, task.user)
        width = features.shape[1] + class_vectors(self.column, task).shape[-1]
        rows = task.shuffled(task.candidates)
        small = len(rows) * width <= settings.float64_up_to
        dtype = torch.float64 if small else torch.float32
        parts = probabilities(self, task, rows)
        gradients = GradientEmbeddings(
            torch.cat([to_tensor(part, dtype, task.device) for part in parts]),
            to_tensor(features[rows], dtype, task.device),
        )
        if not bool(gradients.squared_lengths.isfinite().all()):
            raise InvalidInput(
                f"{task.user}: column {self.embeddings!r} holds numbers too large to square; scale them"
            )
        drawn, values = draw(gradients, task.picks, np.random.default_rng(task.seed), task.tick)
        return Choice(np.searchsorted(task.candidates, rows[drawn]), values, {})


def draw(
    gradients: GradientEmbeddings,
    count: int,
    generator: np.random.Generator,
    tick: Callable[[], None] = lambda: None,
) -> tuple[np.ndarray, np.ndarray]:
    """(count,) rows drawn without replacement, and their squared distances when they were.

    The distribution is that of k-means++, at less cost (rejection sampling). A row is proposed in
    proportion to its distance at the last pass, which is an upper bound, and accepted with probability
    (distance now) / (distance then). Only the proposed row is compared with the picks since the last
    pass, and a pass is one matrix product.

    Args:
        gradients: the gradient embeddings of the candidates.
        count: how many rows to draw, at most as many as there are.
        generator: the source of random numbers.
        tick: called at each pass; an exception that it raises stops the work.
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
            # Rounding may put the point beyond the last row.
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
