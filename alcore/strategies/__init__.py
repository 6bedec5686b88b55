"""Every strategy. A new one is a file here and a name in this list; the rest is derived from it.

The order is the one in which forms and docs show them.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Union

from pydantic import Field

from .badge import Badge
from .balance import Balance
from .base import Rule, Strategy
from .batch_bald import BatchBald
from .clasp import Clasp
from .class_balanced import ClassBalanced
from .common.choice import Choice
from .common.task import Task
from .common.vocabulary import (
    About,
    Asks,
    Basic,
    CountsClasses,
    Family,
    Reads,
    Words,
    asks_for,
    basics_of,
    column_kinds,
)
from .coverage import Coverage
from .determinantal import Determinantal
from .disagreement import Disagreement
from .diversity import Diversity
from .expected_cost import ExpectedCost
from .like_failures import LikeFailures
from .minority import Minority
from .pal import Pal
from .random import Random
from .representative_informative import RepresentativeInformative
from .representatives import Representatives
from .similarity import Similarity
from .typicality import Typicality
from .typiclust import TypiClust
from .uncertainty import Uncertainty
from .weight import Weight

STRATEGIES: tuple[type[Strategy], ...] = (
    Coverage,
    Uncertainty,
    Disagreement,
    BatchBald,
    ExpectedCost,
    Balance,
    Diversity,
    Weight,
    Typicality,
    Similarity,
    Determinantal,
    RepresentativeInformative,
    ClassBalanced,
    Minority,
    LikeFailures,
    Pal,
    Clasp,
    TypiClust,
    Representatives,
    Badge,
    Random,
)
BY_NAME: dict[str, type[Strategy]] = {one.model_fields["strategy"].default: one for one in STRATEGIES}
if TYPE_CHECKING:
    AnyStrategy = Strategy  # type checkers cannot read a union that is made from a list
else:
    AnyStrategy = Annotated[Union[STRATEGIES], Field(discriminator="strategy")]  # noqa: UP007

__all__ = [
    "BY_NAME",
    "STRATEGIES",
    "About",
    "AnyStrategy",
    "Asks",
    "Basic",
    "Choice",
    "CountsClasses",
    "Family",
    "Reads",
    "Rule",
    "Strategy",
    "Task",
    "Words",
    "asks_for",
    "basics_of",
    "column_kinds",
]
