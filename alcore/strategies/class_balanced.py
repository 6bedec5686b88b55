"""Class-balanced: informative samples whose classes make up what is lacking (CBAL)."""

from __future__ import annotations

import math
from typing import Annotated, Any, ClassVar, Literal

import numpy as np
import torch
from pydantic import Field, model_validator

from .. import scores
from ..data.categories import class_names
from ..data.device import to_tensor
from ..data.errors import InvalidInput
from ..objectives import Balance as ClassBalance
from ..objectives import ClassDeficit, Score
from ..optimizers.combining import Term
from ..optimizers.greedy import Picks, greedy
from ..optimizers.linear_program import solve
from .balance import Target
from .base import LabelsUse, Rule
from .common.choice import Choice
from .common.class_counts import ClassCounts, labeled_counts, target_of
from .common.predictions import all_probabilities, class_vectors
from .common.task import Task
from .common.vocabulary import (
    About,
    Basic,
    ClassProbabilities,
    Family,
    Given,
    Metric,
    Positive,
    Temperature,
    TrueClasses,
    Vectors,
    Words,
)
from .diversity import Diversity
from .uncertainty import MEASURES as OF_ONE_SAMPLE
from .uncertainty import Measure

# The published values of lambda for CIFAR-10 and CIFAR-100: for measures of one sample, for k-center.
FEW_CLASSES = 10
PUBLISHED = {"measure": (0.6, 2.0), "diversity": (5.0, 50.0)}
MEASURES = OF_ONE_SAMPLE | {
    "diversity": Words(
        "the farthest from all chosen so far (k-center)",
        "goes for outliers: with few labels it can do worse than a random choice",
    )
}


class ClassBalanced(Rule):
    """Samples that are informative and, by their predictions, balance the classes (CBAL).

    It maximizes ``sum of U - lambda ||omega - sum of p||_1`` over the chosen samples (Bengar et al.,
    Class-Balanced Active Learning for Image Classification, WACV 2022, equation 4). U is the measure
    (entropy in nats, as published; the others in [0, 1]), p are the class probabilities, and
    ``omega_c`` is how much class c lacks to reach its target share of the labeled and chosen samples.

    Solver "program" relaxes the choice to a linear program, in which at most C + 1 samples are chosen
    in part, solves it exactly and rounds. The report has the value reached and an upper bound of it.
    Solver "greedy" takes the best next sample, as the paper does for k-center, with lambda / C.
    """

    about: ClassVar[About] = About(
        favors="uncertain or different, and balanced by the predictions, all at once (CBAL)",
        misleads="a weak model takes samples of one class for another's",
        title="Class-balanced",
        family=Family.BALANCE,
        paper="Bengar et al. 2022, Class-Balanced Active Learning, equation 4",
    )

    strategy: Literal["class_balanced"] = "class_balanced"
    column: Annotated[ClassProbabilities, Basic("Predictions")] = Field(
        description="probabilities or logits"
    )
    measure: Annotated[Measure | Literal["diversity"], Basic("Measure", MEASURES)] = Field(
        "entropy",
        description="diversity: the distance to the nearest labeled or chosen, of embeddings",
    )
    embeddings: Vectors | None = Field(None, description="for diversity")
    metric: Metric = Field("euclidean", description="for diversity")
    regularization: Positive | Literal["auto"] = Field(
        "auto",
        description="how much balance counts; auto: as published, 0.6 up to 10 classes and 2 beyond, "
        "for diversity 5 and 50",
    )
    target: Target = Field(
        "uniform", description="the shares of the classes to reach; input: as they are in the pool"
    )
    labels: TrueClasses | None = Field(
        None, description="a column with the labeled samples' true classes"
    )
    solver: Literal["program", "greedy"] = Field(
        "program", description="program: linear, rounded, with its bound; diversity: always greedy"
    )
    given: Given = "probabilities"
    temperature: Temperature = 1.0

    @model_validator(mode="after")
    def _vectors_for_diversity(self) -> ClassBalanced:
        if (self.measure == "diversity") != (self.embeddings is not None):
            missing = "needs" if self.embeddings is None else "alone takes"
            raise ValueError(f"measure: diversity {missing} embeddings, a column of vectors")
        return self

    def labels_use(self) -> LabelsUse | None:
        """Whether true classes are needed or helpful; see ``Strategy.labels_use``."""
        return "helpful" if self.labels is None else None

    def choose(self, task: Task) -> Choice:
        """Choose ``task.picks`` candidates; see ``Strategy.choose``."""
        width = class_vectors(self.column, task).shape[-1]
        names = class_names(task.pool, self.column, width)
        counted = ClassCounts(
            names, lambda rows, _: (all_probabilities(self, task, rows), np.arange(len(rows)))
        )
        target = target_of(self, counted, task)
        labeled = labeled_counts(self, counted, task)
        p = all_probabilities(self, task, task.candidates)
        lacking = np.maximum(target * (task.picks + labeled.sum()) - labeled, 0)
        strength = self._strength(width)
        report: dict[str, Any] = {"regularization": strength}
        if self.measure == "diversity":
            assert self.embeddings is not None
            apart = Diversity(column=self.embeddings, metric=self.metric).objective(task)
            deficit = ClassDeficit(_tensor(p, task), _tensor(lacking, task))
            picks = _greedily([Term(apart, 1.0), Term(deficit, strength / width)], task)
        else:
            picks = self._by_measure(task, p, lacking, strength, report)
        reached = ClassBalance(
            _tensor(p, task),
            torch.arange(len(p), device=task.device),
            _tensor(target, task),
            _tensor(labeled, task),
            names,
        )
        before = reached.report()
        reached.add(torch.from_numpy(picks.rows).to(task.device))
        return Choice(picks.rows, picks.gains, reached.report() | report, before)

    def _by_measure(
        self, task: Task, p: np.ndarray, lacking: np.ndarray, strength: float, report: dict[str, Any]
    ) -> Picks:
        worth = getattr(scores, self.measure)(p) if len(p) else np.zeros(0)
        worth = worth * (math.log(p.shape[1]) if self.measure == "entropy" else 1.0)
        few = np.arange(len(p))
        if self.solver == "program":
            few, report["bound"] = solve(worth, p, lacking, task.picks, strength, task.tick)
        # The program's samples are ordered greedily too, so that the first few alone are balanced.
        deficit = ClassDeficit(_tensor(p[few], task), _tensor(lacking, task))
        picks = _greedily([Term(Score(_tensor(worth[few], task)), 1.0), Term(deficit, strength)], task)
        rows = few[picks.rows]
        off = np.abs(lacking - p[rows].sum(0)).sum()
        report["value"] = float(worth[rows].sum() - strength * off)
        return Picks(rows, picks.gains, picks.values)

    def _strength(self, width: int) -> float:
        if self.regularization != "auto":
            return self.regularization
        few, many = PUBLISHED["diversity" if self.measure == "diversity" else "measure"]
        return few if width <= FEW_CLASSES else many


def _greedily(terms: list[Term], task: Task) -> Picks:
    count = len(terms[0].objective.values(None))
    picks = greedy(
        terms,
        count,
        task.picks,
        combine="plain_sum",
        device=task.device,
        progress=lambda chosen, budget: task.tick(),
    )
    if len(picks.rows) < min(task.picks, count):
        raise InvalidInput(f"{task.user}: some candidates have a value that is no number")
    return picks


def _tensor(values: np.ndarray, task: Task) -> torch.Tensor:
    return to_tensor(values, torch.float64, task.device)
