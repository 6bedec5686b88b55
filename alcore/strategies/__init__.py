"""From an entry of a recipe to the objective it stands for; a file for each kind of column."""

from collections.abc import Callable
from typing import Any

from ..objectives import Objective
from ..recipe import recipe as entries
from .classes import balance
from .coverage import coverage
from .embeddings import determinantal, diversity, similarity, typicality
from .likeness import representative_informative
from .members import batch_bald, disagreement
from .numbers import random, weight
from .predictions import expected_cost, uncertainty
from .task import Task

__all__ = ["BUILDERS", "Task", "build"]

BUILDERS: dict[type, Callable[[Any, Task], Objective]] = {
    entries.Uncertainty: uncertainty,
    entries.ExpectedCost: expected_cost,
    entries.Disagreement: disagreement,
    entries.BatchBald: batch_bald,
    entries.Diversity: diversity,
    entries.Coverage: coverage,
    entries.Typicality: typicality,
    entries.RepresentativeInformative: representative_informative,
    entries.Determinantal: determinantal,
    entries.Similarity: similarity,
    entries.Balance: balance,
    entries.Weight: weight,
    entries.Random: random,
}


def build(entry: Any, task: Task) -> Objective:
    """The objective of an entry, over the task's candidates.

    Raises:
        InvalidInput: a column that is not there, of another kind, or with values that cannot be used.
    """
    return BUILDERS[type(entry)](entry, task)
