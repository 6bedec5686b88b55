"""Weight: samples with a preferred number or category."""

from __future__ import annotations

from collections.abc import Hashable
from typing import Annotated, Any, ClassVar, Literal

import numpy as np
from pydantic import (
    AfterValidator,
    BeforeValidator,
    Discriminator,
    Field,
    StrictBool,
    StrictStr,
    Tag,
    model_validator,
)
from pydantic.fields import FieldInfo

from ..data.categories import class_name, first_names
from ..data.dates import is_date, seconds
from ..data.errors import InvalidInput
from ..data.numbers import numbers_or_counts
from ..objectives import Objective
from .base import Strategy
from .common.task import Task
from .common.vocabulary import About, Basic, Family, Finite, Numbers, Options, Reads, Width, Words

# About the natural logarithm of the smallest positive float64.
LOWEST_EXPONENT = -700.0
PREFERENCES = {
    "high": Words("a number is high", "a wrong number comes first"),
    "low": Words("a number is low", "a wrong number comes first"),
}


def _values(given: list[Any] | None) -> list[Any] | None:
    if any(not isinstance(one, Hashable) for one in given or []):
        raise ValueError("give a list of single values")
    return given


Values = Annotated[list[Any], AfterValidator(_values)]


class Bell(Options):
    """A Gaussian preference: exp(-((x - around) / width)^2 / 2), which is 1 at ``around``."""

    around: Annotated[Finite, BeforeValidator(seconds)] = Field(
        description="a number, or a date: seconds since 1970"
    )
    width: Width


def _kind_of_preference(given: Any) -> str:
    if isinstance(given, Bell) or (isinstance(given, dict) and {"around", "width"} & set(given)):
        return "bell"
    if isinstance(given, dict):
        return "worths"
    if isinstance(given, list | tuple):
        if len(given) == 2 and all(is_date(one) for one in given):
            return "range"
        return "ranking" if any(isinstance(one, str | bool) for one in given) else "range"
    return "word"


def _word(given: Any) -> Any:
    if given not in ("high", "low"):
        raise ValueError(
            "give 'high', 'low', a range [from, to], {'around': a, 'width': w}, a list of categories, "
            "the best first, or a dict of what each is worth"
        )
    return given


def _range(given: Any) -> Any:
    if len(given) != 2:
        raise ValueError(f"a range is [from, to], and of categories there are names; got {given!r}")
    return [seconds(one) for one in given]


Preference = Annotated[
    Annotated[Literal["high", "low"], BeforeValidator(_word), Tag("word")]
    | Annotated[tuple[float, float], BeforeValidator(_range), Tag("range")]
    | Annotated[Bell, Tag("bell")]
    | Annotated[list[StrictBool | StrictStr], Tag("ranking")]
    | Annotated[dict[str, Annotated[float, Field(ge=0, allow_inf_nan=False)]], Tag("worths")],
    Discriminator(_kind_of_preference),
]


class Weight(Strategy):
    """Samples with a preferred number or category."""

    about: ClassVar[About] = About(
        favors="a number is high or low, or a category is preferred",
        misleads="only as good as the number",
        title="Weight",
        family=Family.METADATA,
    )
    divisible: ClassVar[bool] = True

    strategy: Literal["weight"] = "weight"
    column: Annotated[Numbers, Basic("Field")] = Field(
        description="numbers, dates or categories; or objects, which are counted"
    )
    classes: Values | None = Field(None, description="of objects: those that count; default all")
    prefer: Annotated[Preference, Basic("Prefer", PREFERENCES)] = Field(
        "high",
        description="of numbers and dates: high, low, a range [from, to], or a bell {around, width}; "
        "of categories: a list, the best first, evenly spaced, or a dict of what each is worth; those "
        "not named are worth less than all of the list, or the least of the dict",
    )

    @model_validator(mode="after")
    def _ordered(self) -> Weight:
        prefer = self.prefer
        if isinstance(prefer, tuple) and not prefer[0] <= prefer[1]:
            raise ValueError(f"prefer: the range {list(prefer)} is the wrong way round")
        if isinstance(prefer, list):
            twice = next((one for one in prefer if prefer.count(one) > 1), None)
            if twice is not None:
                raise ValueError(f"prefer: {twice!r} is named twice")
        if isinstance(prefer, dict) and len(set(prefer.values())) < 2:
            raise ValueError("prefer: give at least two categories that are not worth the same")
        return self

    def _reads_of(self, field: FieldInfo, value: Any) -> Reads | None:
        reads = super()._reads_of(field, value)
        # A preference of categories reads the same column as categories.
        by_category = reads is Reads.NUMBERS and isinstance(self.prefer, list | dict)
        return Reads.CATEGORIES if by_category else reads

    def objective(self, task: Task) -> Objective:
        """The objective that values the candidates of ``task``; see ``Strategy.objective``."""
        if isinstance(self.prefer, list | dict):
            worths, other = category_worths(self.prefer)
            return task.score(_worth_of_each(worths, other, self, task), max(worths.values()))
        numbers = numbers_or_counts(task.pool, self.column, self.classes, task.user)
        known = numbers[~np.isnan(numbers)]
        low = min(task.parts.gathered(float(known.min(initial=np.inf))))
        high = max(task.parts.gathered(float(known.max(initial=-np.inf))))
        return task.score(preferred(numbers[task.candidates], self.prefer, low, high))

    def summands(self, task: Task, rows: np.ndarray) -> np.ndarray:
        """(R,) float64, what each row adds under combine: "lightly"; see ``Strategy.summands``."""
        if self.prefer == "high":  # the numbers themselves, not scaled to 0 to 1
            numbers = numbers_or_counts(task.pool, self.column, self.classes, task.user)
            return np.nan_to_num(numbers)[rows]
        return super().summands(task, rows)


def preferred(numbers: np.ndarray, prefer: Any, low: float, high: float) -> np.ndarray:
    """(n,) in [0, 1]; 1 where a number is as preferred.

    Args:
        numbers: (n,) finite.
        prefer: "high", "low", a range or a ``Bell``, as in ``Weight``. Outside a range the value falls
            linearly, by 1 over the distance from ``low`` to ``high``.
        low: the lowest number of the pool.
        high: the highest number of the pool.
    """
    spread = high - low if high > low else 1.0
    if isinstance(prefer, Bell):
        with np.errstate(over="ignore"):
            exponent = -(((numbers - prefer.around) / prefer.width) ** 2) / 2
        # Kept above 0, because a 0 in a product would erase the values of the other strategies.
        return np.exp(np.maximum(exponent, LOWEST_EXPONENT))
    if isinstance(prefer, tuple):
        outside = np.maximum(prefer[0] - numbers, numbers - prefer[1])
        return np.clip(1 - outside / spread, 0, 1)
    if high == low:
        return np.ones_like(numbers)
    return (numbers - low if prefer == "high" else high - numbers) / spread


def category_worths(
    prefer: list[Any] | dict[Any, float],
) -> tuple[dict[Any, float], float]:
    """The value of each named category in [0, 1] (or as given), and the value of any other."""
    if isinstance(prefer, dict):
        return prefer, min(prefer.values())
    steps = len(prefer) + 1
    return {name: 1 - place / steps for place, name in enumerate(prefer)}, 1 / steps


def _worth_of_each(worths: dict[Any, float], other: float, options: Weight, task: Task) -> np.ndarray:
    """(n,) float64, the value of each candidate's category.

    Raises:
        InvalidInput: the column does not hold categories, or no sample has a named category.
    """
    name = options.column
    column = task.pool.column(name, task.user)
    if not isinstance(column, np.ndarray) or column.ndim != 1:
        raise InvalidInput(f"{task.user}: column {name!r} must hold one category a sample")

    def called(value: Any) -> str:
        # A recipe in JSON may say true where the column stores 1.
        word = str(value).lower() if column.dtype != object else ""
        return {"true": "1", "false": "0"}.get(word) or class_name(value)

    worths = {called(one): worth for one, worth in worths.items()}
    names = {one: called(one) for one in set(column[~task.pool.missing[name]].tolist())}
    everywhere = set().union(*task.parts.gathered(set(names.values())))
    unknown = [one for one in worths if one not in everywhere]
    if unknown:
        raise InvalidInput(
            f"{task.user}: prefer: no sample's {name!r} is {unknown[0]!r}; there are "
            f"{first_names(sorted(everywhere))}"
        )
    mine = column[task.candidates].tolist()
    return np.array([worths.get(names.get(one, ""), other) for one in mine], dtype=np.float64)
