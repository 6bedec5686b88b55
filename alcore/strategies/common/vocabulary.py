"""The words in which strategies describe themselves: what columns are read as, options, phrases."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from enum import Enum
from typing import Annotated, Any, Literal, get_args, get_origin

from pydantic import AfterValidator, BaseModel, BeforeValidator, ConfigDict, Field
from pydantic.fields import FieldInfo


class Reads(Enum):
    """What a column is read as: the only vocabulary that the engine and the plugin share."""

    CLASS_PROBABILITIES = "class probabilities"
    PREDICTIONS = "predictions of samples, objects or pixels"
    MEMBERS = "an array of members"
    MEMBER = "predictions of one member"
    CLASS_MEMBER = "class probabilities of one member"
    VECTORS = "vectors"
    NUMBERS = "numbers"
    CATEGORIES = "categories"
    CLASSES = "what can be counted by class"
    VALUES = "single values"


class Asks(Enum):
    """What a form asks for an option that is no column, number or choice."""

    MATRIX = "a matrix of costs"
    EXAMPLES = "examples to compare with"


class Family(Enum):
    """The kinds of reasons to label a sample, in the order in which forms show them."""

    UNCERTAINTY = "Uncertainty"
    DIVERSITY = "Diversity"
    REPRESENTATIVENESS = "Representativeness"
    BALANCE = "Class balance"
    VALUE = "Business value"
    METADATA = "Metadata and similarity"
    CHANCE = "Chance"


@dataclass(frozen=True)
class Words:
    """What a strategy, or a value of an option, favors, and when it misleads: a phrase each."""

    favors: str
    misleads: str

    @property
    def line(self) -> str:
        return f"{self.favors}; {self.misleads}"


@dataclass(frozen=True)
class About(Words):
    """The words of a strategy.

    Attributes:
        title: its name in forms.
        family: what kind of reason it is.
        paper: where it was published, with the part that defines it; empty where there is no paper.
    """

    title: str
    family: Family
    paper: str = ""


@dataclass(frozen=True)
class Basic:
    """Marks an option that a form shows at once; the others come under "More".

    Attributes:
        label: what the form calls it.
        choices: for an option of a few values, the words of each.
        when: the kinds of column for which it is offered: "samples", "objects", "pixels", "numbers",
            "dates"; empty for all.
        usual: what a form begins with, where that is not the option's default.
    """

    label: str
    choices: dict[str, Words] | None = None
    when: tuple[str, ...] = ()
    usual: Any = None


@dataclass(frozen=True)
class CountsClasses:
    """Marks an option that is the number of classes, which a form fills in where another says so.

    Attributes:
        option: the other option.
        value: what it says.
    """

    option: str
    value: Any


class _OfLabeled:
    """Marks a column that is read of the labeled samples alone: others are chosen without it."""


OF_LABELED = _OfLabeled()


def _several(columns: list[str]) -> list[str]:
    if len(columns) < 2:
        raise ValueError("give a column's name, or a list of 2 or more")
    return columns


def _is_matrix(given: Any) -> Any:
    if not isinstance(given, list | dict | str):
        raise ValueError("give rows of numbers, a dict by class names, or CSV")
    return given


Positive = Annotated[float, Field(gt=0, allow_inf_nan=False)]
Finite = Annotated[float, Field(allow_inf_nan=False)]
Width = Annotated[float, Field(ge=1e-15, allow_inf_nan=False)]
Share = Annotated[float, Field(ge=0, le=1)]
Several = Annotated[list[str], AfterValidator(_several)]
Matrix = Annotated[
    list[list[float]] | dict[str, dict[str, float]] | str, BeforeValidator(_is_matrix), Asks.MATRIX
]
Given = Literal["probabilities", "logits"]
Metric = Literal["euclidean", "cosine"]

# Columns, by what they are read as.
Predictions = Annotated[str, Reads.PREDICTIONS]
ClassProbabilities = Annotated[str, Reads.CLASS_PROBABILITIES]
Members = Annotated[str, Reads.MEMBERS] | Annotated[Several, Reads.MEMBER]
ClassMembers = Annotated[str, Reads.MEMBERS] | Annotated[Several, Reads.CLASS_MEMBER]
Vectors = Annotated[str, Reads.VECTORS]
Numbers = Annotated[str, Reads.NUMBERS]
Countable = Annotated[str, Reads.CLASSES] | Annotated[Several, Reads.CLASSES]
TrueClasses = Annotated[str, Reads.CATEGORIES, OF_LABELED]
TrueObjects = Annotated[str, Reads.CLASSES, OF_LABELED]


class Options(BaseModel):
    """Part of a recipe: unknown options are refused, and nothing changes once it is made."""

    model_config = ConfigDict(extra="forbid", frozen=True)


def column_kinds(field: FieldInfo) -> list[tuple[type, Reads, bool]]:
    """For an option that names a column: the types that do (str, list), and what each is read as."""
    found = []
    for arm, metadata in _arms(field.annotation, tuple(field.metadata)):
        reads = next((one for one in metadata if isinstance(one, Reads)), None)
        if reads is not None:
            kind = get_origin(arm) or arm
            found.append((kind, reads, OF_LABELED in metadata))
    return found


def _arms(annotation: Any, metadata: tuple[Any, ...]) -> Iterator[tuple[Any, tuple[Any, ...]]]:
    """The types of a union, each with its metadata; a plain type is the only one of its own."""
    if get_origin(annotation) is Annotated:
        inner, *more = get_args(annotation)
        yield from _arms(inner, (*metadata, *more))
    elif isinstance(annotation, type) or get_origin(annotation) in (list, dict, Literal):
        yield annotation, metadata
    else:
        for arm in get_args(annotation):
            yield from _arms(arm, metadata)


def asks_for(field: FieldInfo) -> Asks | None:
    """What a form asks for an option, where that is something of its own kind."""
    marks = (one for _, metadata in _arms(field.annotation, tuple(field.metadata)) for one in metadata)
    return next((one for one in marks if isinstance(one, Asks)), None)


def basics_of(field: FieldInfo) -> list[Basic]:
    """How a form shows an option at once, by the kind of column; empty where it is under "More"."""
    return [one for one in field.metadata if isinstance(one, Basic)]
