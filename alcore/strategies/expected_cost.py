"""Expected cost: samples for which even the best decision may be costly."""

from __future__ import annotations

from typing import Annotated, ClassVar, Literal

import numpy as np
from pydantic import Field, model_validator

from .. import scores
from ..data.categories import class_names
from ..data.errors import InvalidInput
from ..objectives import Objective
from ..scores.cost import cost_of_gain
from .base import Strategy
from .common.predictions import class_vectors, probabilities
from .common.task import Task
from .common.vocabulary import (
    About,
    Basic,
    ClassProbabilities,
    Family,
    Given,
    Matrix,
    Temperature,
    Words,
)

MEASURES = {
    "risk": Words(
        "even the best decision may be costly", "a wrong probability of a costly class counts most"
    ),
    "margin": Words(
        "the best two decisions cost about the same", "cheap decisions that are close score as high"
    ),
}


class ExpectedCost(Strategy):
    """Samples for which even the best decision may be costly."""

    about: ClassVar[About] = About(
        favors="a mistake would be costly",
        misleads="alone it picks near-duplicates",
        title="Expected cost",
        family=Family.VALUE,
        paper="Elkan 2001, The Foundations of Cost-Sensitive Learning, equation 1",
    )
    divisible: ClassVar[bool] = True

    strategy: Literal["expected_cost"] = "expected_cost"
    column: Annotated[ClassProbabilities, Basic("Predictions")] = Field(
        description="probabilities or logits"
    )
    cost: Annotated[Matrix | None, Basic("Costs")] = Field(
        None, description="cost[truth][decision]: rows, a dict by class names, or CSV"
    )
    gain: Matrix | None = Field(None, description="the same with the opposite sign")
    measure: Annotated[Literal["risk", "margin"], Basic("Measure", MEASURES)] = Field(
        "risk", description="cost of the best decision, or how close the second best is to it"
    )
    given: Given = "probabilities"
    temperature: Temperature = 1.0

    @model_validator(mode="after")
    def _one_matrix(self) -> ExpectedCost:
        if (self.cost is None) == (self.gain is None):
            either = "needs one of" if self.cost is None else "takes only one of"
            raise ValueError(f"{either}: cost, gain")
        return self

    def objective(self, task: Task) -> Objective:
        """The objective that values the candidates of ``task``; see ``Strategy.objective``."""
        width = class_vectors(self.column, task).shape[-1]
        classes = class_names(task.pool, self.column, width)
        name, given = ("gain", self.gain) if self.cost is None else ("cost", self.cost)
        matrix = scores.cost_matrix(given, classes, f"{task.user}: {name}")
        if self.gain is not None:
            matrix = cost_of_gain(matrix)
        elif (matrix < 0).any():
            raise InvalidInput(
                f"{task.user}: cost: {int((matrix < 0).sum())} costs are below 0; what a decision "
                "brings in is a gain: give the matrix as gain, with the opposite sign"
            )
        measure = scores.expected_cost if self.measure == "risk" else scores.cost_margin
        parts = [measure(p, matrix) for p in probabilities(self, task, task.candidates)]
        highest = matrix.max(0).min() if self.measure == "risk" else np.ptp(matrix, axis=1).max()
        return task.score(np.concatenate([*parts, np.zeros(0)]), float(highest))
