"""The types with which strategies describe themselves: kinds of columns, options, short texts."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from enum import Enum
from typing import Annotated, Any, Literal, get_args, get_origin

from pydantic import (
    AfterValidator,
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Field,
    ValidationInfo,
    field_validator,
)
from pydantic.fields import FieldInfo


class Reads(Enum):
    """The kinds of data that a strategy reads from a column; the plugin loads columns by them."""

    CLASS_PROBABILITIES = "class probabilities"
    PREDICTIONS = "predictions of samples, objects or pixels"
    OBJECTS = "predictions of objects"
    MAPS = "predictions of pixels"
    MEMBERS = "an array of members"
    MEMBER = "predictions of one member"
    CLASS_MEMBER = "class probabilities of one member"
    VECTORS = "vectors"
    NUMBERS = "numbers"
    CATEGORIES = "categories"
    CLASSES = "what can be counted by class"
    VALUES = "single values"


class Asks(Enum):
    """The input that a form shows for an option that is not a column, a number or a choice."""

    MATRIX = "a matrix of costs"
    WEIGHTS = "a number for each class"
    EXAMPLES = "examples to compare with"
    ROUND = "the number of this round, which a dataset can tell"


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
    """Two phrases: what a strategy, or a value of an option, favors, and when it misleads."""

    favors: str
    misleads: str

    @property
    def line(self) -> str:
        """Both phrases as one line."""
        return f"{self.favors}; {self.misleads}"


@dataclass(frozen=True)
class About(Words):
    """The description of a strategy.

    Attributes:
        title: its name in forms.
        family: the kind of reason that it gives to label a sample.
        paper: the paper, with the section or equation that defines it; empty where there is none.
    """

    title: str
    family: Family
    paper: str = ""


@dataclass(frozen=True)
class Basic:
    """Marks an option that a form always shows; the others are shown under "More".

    Attributes:
        label: its name in the form.
        choices: for an option with a few values, a description of each.
        when: the kinds of column for which it is offered: "samples", "objects", "pixels", "numbers",
            "dates"; empty for all.
        usual: the initial value in a form, where that is not the option's default.
    """

    label: str
    choices: dict[str, Words] | None = None
    when: tuple[str, ...] = ()
    usual: Any = None


@dataclass(frozen=True)
class CountsClasses:
    """Marks an option that is the number of classes. A form fills it in where another option needs it.

    Attributes:
        option: the name of the other option.
        value: the value of the other option with which the number of classes is needed.
    """

    option: str
    value: Any


class _OfLabeled:
    """Marks a column that is read only for labeled samples, so that a candidate needs no value."""


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
ClassWeights = Annotated[dict[str, Annotated[float, Field(ge=0, allow_inf_nan=False)]], Asks.WEIGHTS]
Given = Annotated[
    Literal["probabilities", "logits"], Field(description="what a column of plain vectors holds")
]
Temperature = Annotated[
    Positive, Field(description="above 1 makes an overconfident model's probabilities softer")
]
Metric = Literal["euclidean", "cosine"]

# Columns, by their kind.
Predictions = Annotated[str, Reads.PREDICTIONS]
PredictedObjects = Annotated[str, Reads.OBJECTS]
PredictedPixels = Annotated[str, Reads.MAPS]
ClassProbabilities = Annotated[str, Reads.CLASS_PROBABILITIES]
Members = Annotated[str, Reads.MEMBERS] | Annotated[Several, Reads.MEMBER]
ClassMembers = Annotated[str, Reads.MEMBERS] | Annotated[Several, Reads.CLASS_MEMBER]
Vectors = Annotated[str, Reads.VECTORS]
Numbers = Annotated[str, Reads.NUMBERS]
Countable = Annotated[str, Reads.CLASSES] | Annotated[Several, Reads.CLASSES]
TrueClasses = Annotated[str, Reads.CATEGORIES, OF_LABELED]
TrueObjects = Annotated[str, Reads.CLASSES, OF_LABELED]


LARGEST_COUNT = 2**53


class Options(BaseModel):
    """Part of a recipe: immutable, and unknown options are refused."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    @field_validator("*")
    @classmethod
    def _no_absurd_count(cls, value: Any, info: ValidationInfo) -> Any:
        if type(value) is int and abs(value) > LARGEST_COUNT and info.field_name != "seed":
            raise ValueError(f"{value:.3g} is larger than any count can be")
        return value


def column_kinds(field: FieldInfo) -> list[tuple[type, Reads, bool]]:
    """How an option names columns; empty where it names none.

    Returns:
        for each type of value (str, list) that names columns: the type, the kind of the columns, and
        whether they are read only for labeled samples.
    """
    found = []
    for arm, metadata in _arms(field.annotation, tuple(field.metadata)):
        reads = next((one for one in metadata if isinstance(one, Reads)), None)
        if reads is not None:
            kind = get_origin(arm) or arm
            found.append((kind, reads, OF_LABELED in metadata))
    return found


def _arms(annotation: Any, metadata: tuple[Any, ...]) -> Iterator[tuple[Any, tuple[Any, ...]]]:
    """The types of a union, each with its metadata; a plain type counts as a union of one."""
    if get_origin(annotation) is Annotated:
        inner, *more = get_args(annotation)
        yield from _arms(inner, (*metadata, *more))
    elif isinstance(annotation, type) or get_origin(annotation) in (list, dict, Literal):
        yield annotation, metadata
    else:
        for arm in get_args(annotation):
            yield from _arms(arm, metadata)


def asks_for(field: FieldInfo) -> Asks | None:
    """The special input that a form shows for an option; None where it needs none."""
    marks = (one for _, metadata in _arms(field.annotation, tuple(field.metadata)) for one in metadata)
    return next((one for one in marks if isinstance(one, Asks)), None)


def basics_of(field: FieldInfo) -> list[Basic]:
    """The ``Basic`` marks of an option, one per kind of column; empty where it is under "More"."""
    return [one for one in field.metadata if isinstance(one, Basic)]
