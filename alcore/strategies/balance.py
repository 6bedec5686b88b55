"""Balance: samples of the classes that labeled and chosen ones lack, measured against a target."""

from __future__ import annotations

from typing import Annotated, ClassVar, Literal
from zoneinfo import available_timezones

import numpy as np
import torch
from pydantic import AfterValidator, Field

from ..data.categories import DatePart
from ..data.device import to_tensor
from ..objectives import Accumulated, Objective, Shares
from ..objectives import Balance as ClassBalance
from .base import LabelsUse, Strategy
from .common.class_counts import beyond_chance, class_counts, labeled_counts, target_of
from .common.task import Task
from .common.vocabulary import (
    About,
    Basic,
    Countable,
    Family,
    Finite,
    Given,
    Share,
    Temperature,
    TrueObjects,
    Words,
)


def _edges(given: int | list[float]) -> int | list[float]:
    if isinstance(given, list) and (not given or sorted(set(given)) != given):
        raise ValueError("give how many bins, or their edges, each above the one before")
    return given


def _time_zone(given: str) -> str:
    if given not in available_timezones():
        raise ValueError(f"there is no time zone {given!r}; give one such as 'Europe/Vienna'")
    return given


Bins = Annotated[Annotated[int, Field(gt=1, strict=True)] | list[Finite], AfterValidator(_edges)]
TimeZone = Annotated[str, AfterValidator(_time_zone)]
Target = Literal["uniform", "input"] | dict[str, Annotated[float, Field(ge=0, allow_inf_nan=False)]]
TARGETS = {
    "uniform": Words("as many of each class", "a class that hardly occurs takes what there is of it"),
    "input": Words("as in the pool", "rare classes stay rare"),
}

DATE_PARTS = {
    "hour": Words("of the day", "blind to the season"),
    "weekday": Words("Monday to Sunday", "blind to the time of day"),
    "month": Words("January to December", "blind to the year"),
    "year": Words("the calendar year", "blind to the season"),
}


class Balance(Strategy):
    """Samples of the classes that labeled and chosen ones lack, measured against a target."""

    about: ClassVar[About] = About(
        favors="of the classes that are furthest behind the target",
        misleads="within a class all count the same",
        title="Balance",
        family=Family.BALANCE,
    )
    depends_on_picks: ClassVar[bool] = True
    divisible: ClassVar[bool] = True

    strategy: Literal["balance"] = "balance"
    column: Annotated[Countable, Basic("Balance over")] = Field(
        description="probabilities, logits, objects, categories, numbers in bins, dates; a list of "
        "single values: jointly, by their combinations (for each on its own, an entry each)"
    )
    target: Annotated[Target, Basic("Target", TARGETS)] = Field(
        "uniform", description="the shares of the classes to reach; input: as they are in the pool"
    )
    labels: TrueObjects | None = Field(
        None, description="a column with the true classes, or objects, of the labeled samples"
    )
    count: Literal["soft", "predicted"] = Field(
        "soft", description="predictions: by their probabilities, or as the most probable class"
    )
    bins: Annotated[Bins | None, Basic("Bins", when=("numbers",), usual=5)] = Field(
        None, description="of numbers: how many, with as many samples each, or a list of their edges"
    )
    by: Annotated[DatePart | None, Basic("Dates by", DATE_PARTS, when=("dates",), usual="hour")] = (
        Field(None, description="of dates")
    )
    timezone: TimeZone | None = Field(None, description="of dates, such as Europe/Vienna; else UTC")
    given: Given = "probabilities"
    temperature: Temperature = 1.0
    multi_label: bool = Field(False, description="classes do not exclude each other")
    classes: Annotated[list[str], Field(min_length=1)] | None = Field(
        None,
        description="of objects: those that count; by default those of labels and target, or all",
    )
    min_confidence: Share = Field(0.05, description="objects below it do not count")
    beyond_chance: bool = Field(
        False,
        description="of how uneven the labeled samples are, leave out what chance explains: where "
        "classes are even, balance then has little say",
    )

    def labels_use(self) -> LabelsUse | None:
        """Whether true classes are needed or helpful; see ``Strategy.labels_use``."""
        return "helpful" if self.labels is None else None

    def objective(self, task: Task) -> Objective:
        """The objective that values the candidates of ``task``; see ``Strategy.objective``."""
        counted = class_counts(self, task)
        kinds, codes = counted.of(task.candidates, task.parts.total(len(task.candidates)))
        target, known = target_of(self, counted, task), labeled_counts(self, counted, task)
        several = task.parts.several
        available = counted.total(task.candidates, task.parts) if several else None
        weighed = beyond_chance(known, target) if self.beyond_chance else None
        return ClassBalance(
            to_tensor(kinds, torch.from_numpy(kinds).dtype, task.device),
            to_tensor(codes, torch.int64, task.device),
            to_tensor(target, torch.float64, task.device),
            to_tensor(known, torch.float64, task.device),
            counted.names,
            None if available is None else to_tensor(available, torch.float64, task.device),
            None if weighed is None else to_tensor(weighed, torch.float64, task.device),
        )

    def accumulated(self, task: Task) -> Accumulated:
        """The accumulated value for combine: "lightly"; see ``Strategy.accumulated``."""
        counted = class_counts(self, task)
        kinds, codes = counted.of(task.candidates, task.parts.total(len(task.candidates)))
        known, target = labeled_counts(self, counted, task), target_of(self, counted, task)
        if self.beyond_chance:
            known = beyond_chance(known, target)
        return Shares(kinds.astype(np.float64), codes, known, target)
