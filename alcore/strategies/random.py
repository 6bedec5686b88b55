"""Random: samples drawn at random, as a baseline."""

from __future__ import annotations

from typing import ClassVar, Literal

from ..objectives import Objective
from .base import Strategy
from .common.task import Task
from .common.vocabulary import About, Family


class Random(Strategy):
    """Samples drawn at random, as a baseline."""

    about: ClassVar[About] = About(
        favors="by chance, to compare with",
        misleads="finds of each class as many as there are",
        title="Random",
        family=Family.CHANCE,
    )
    divisible: ClassVar[bool] = True

    strategy: Literal["random"] = "random"

    def objective(self, task: Task) -> Objective:
        """The objective that values the candidates of ``task``; see ``Strategy.objective``."""
        return task.score(task.pool.drawn(task.seed)[task.candidates])
