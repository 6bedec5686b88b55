"""Minority: samples that are predicted to be of the classes with fewest labels, up to quotas."""

from __future__ import annotations

from typing import Annotated, ClassVar, Literal

import numpy as np
from pydantic import Field

from .. import scores
from ..data.categories import class_names
from .base import LabelsUse, Rule
from .common.choice import Choice
from .common.class_counts import ClassCounts, Target, labeled_counts
from .common.predictions import all_probabilities, class_vectors
from .common.task import Task
from .common.vocabulary import (
    About,
    Basic,
    ClassProbabilities,
    Family,
    Given,
    Temperature,
    TrueClasses,
    Words,
)
from .uncertainty import Measure

VARIANTS = {
    "certain": Words("those the model is surest of: finds more of a rare class", "easy samples"),
    "uncertain": Words("those it is least sure of: finds a rare class's border", "many are of others"),
}


class Minority(Rule):
    """Samples that are predicted to be of the classes with fewest labels, up to a quota per class.

    A minority class has fewer labels than the mean. The quotas are in proportion to how many labels
    each class lacks to the mean, and the rarest class comes first. A class's candidates are the samples
    for which it is the most probable class. With "certain", those come first in which it leads the
    majority classes by most; with "uncertain", those in which it is least probable. The rest of the
    budget is filled by the measure.

    After Aggarwal, Popescu and Hudelot, Minority Class Oriented Active Learning for Imbalanced Datasets
    (2020). This is a reconstruction from the paper's abstract and from methods that build on it,
    because the full paper was not available.
    """

    about: ClassVar[About] = About(
        favors="what the model takes for one of the classes with fewest labels",
        misleads="nothing of a class that the model never predicts",
        title="Minority",
        family=Family.BALANCE,
        paper="Aggarwal et al. 2020, Minority Class Oriented Active Learning (reconstructed)",
    )

    strategy: Literal["minority"] = "minority"
    column: Annotated[ClassProbabilities, Basic("Predictions")] = Field(
        description="probabilities or logits"
    )
    labels: TrueClasses | None = Field(
        None, description="a column with the labeled samples' true classes"
    )
    variant: Annotated[Literal["certain", "uncertain"], Basic("Variant", VARIANTS)] = Field(
        "certain", description="which of a rare class's candidates come first"
    )
    measure: Measure = Field("margin", description="by what the rest of the budget is filled")
    given: Given = "probabilities"
    temperature: Temperature = 1.0

    @property
    def target(self) -> Target:
        """The target of the counts: equal numbers of each class."""
        return "uniform"

    def labels_use(self) -> LabelsUse | None:
        """Whether true classes are needed or helpful; see ``Strategy.labels_use``."""
        return "helpful" if self.labels is None else None

    def choose(self, task: Task) -> Choice:
        """Choose ``task.picks`` candidates; see ``Strategy.choose``."""
        width = class_vectors(self.column, task).shape[-1]
        names = class_names(task.pool, self.column, width)
        counted = ClassCounts(
            names, lambda rows, _: (np.eye(width), all_probabilities(self, task, rows).argmax(1))
        )
        labeled = labeled_counts(self, counted, task)
        lacking = np.maximum(labeled.mean() - labeled, 0)
        minority = lacking > 0
        quotas = quotas_of(lacking, task.picks)
        p = all_probabilities(self, task, task.candidates)
        predicted = p.argmax(1)
        against = p[:, ~minority].max(1, initial=0.0)
        chosen: list[int] = []
        values: list[float] = []
        filled = np.zeros(width, dtype=np.int64)
        for c in np.lexsort((np.arange(width), labeled)).tolist():
            mine = np.flatnonzero(predicted == c)
            worth = p[mine, c] - against[mine] if self.variant == "certain" else -p[mine, c]
            first = np.argsort(-worth, kind="stable")[: quotas[c]]
            chosen += mine[first].tolist()
            values += worth[first].tolist()
            filled[c] = len(first)
        left = np.setdiff1d(np.arange(len(p)), chosen)
        rest = task.picks - len(chosen)
        if rest:
            worth = getattr(scores, self.measure)(p[left])
            first = np.argsort(-worth, kind="stable")[:rest]
            chosen += left[first].tolist()
            values += worth[first].tolist()
        report = {
            "minority": {
                names[c]: {"labeled": labeled[c], "quota": int(quotas[c]), "chosen": int(filled[c])}
                for c in np.flatnonzero(minority).tolist()
            },
            f"by {self.measure}": rest,
        }
        return Choice(np.array(chosen, dtype=np.int64), np.array(values), report)


def quotas_of(lacking: np.ndarray, budget: int) -> np.ndarray:
    """Divide a budget in proportion to ``lacking``, rounded by the largest-remainder method.

    Args:
        lacking: (C,) at least 0.
        budget: how many samples to divide.

    Returns:
        (C,) int64 that sum to the budget; zeros where nothing is lacking.
    """
    if lacking.sum() <= 0:
        return np.zeros(len(lacking), dtype=np.int64)
    exact = budget * lacking / lacking.sum()
    quotas = np.floor(exact + 1e-9).astype(np.int64)
    order = np.lexsort((np.arange(len(exact)), quotas - exact))
    quotas[order[: budget - int(quotas.sum())]] += 1
    return quotas
