"""How numbers and dates are divided into classes: the inputs, and what a recipe says of it."""

from __future__ import annotations

from typing import Any

import fiftyone as fo

from ...alcore import InvalidInput
from . import pieces

DATE_PARTS = {
    "hour": "of the day",
    "weekday": "Monday to Sunday",
    "month": "January to December",
    "year": "the calendar year",
}
# The options of a form or a call that say how.
OPTIONS = ("bins", "date_part", "timezone")


def bins_input(inputs: Any, label: str = "Bins") -> None:
    """Into how many bins numbers are divided."""
    inputs.int("bins", label=label, description="With as many samples each", default=5, min=2)


def timezone_input(inputs: Any) -> None:
    """In which time zone dates are divided."""
    about = "Such as Europe/Vienna; dates are stored in UTC"
    inputs.str("timezone", label="Time zone", description=about, required=False)


def date_part_input(inputs: Any) -> None:
    """By which part of them dates are divided."""
    pieces.choice_input(inputs, "date_part", "Dates by", DATE_PARTS, "hour")
    timezone_input(inputs)


def has_numbers(fields: list[Any]) -> bool:
    """Whether one of some declared fields holds numbers."""
    return any(isinstance(field, (fo.FloatField, fo.IntField)) for field in fields)


def has_dates(fields: list[Any]) -> bool:
    """Whether one of some declared fields holds dates."""
    return any(isinstance(field, (fo.DateField, fo.DateTimeField)) for field in fields)


def binned(dataset: Any, column: str | list[str], params: dict[str, Any]) -> dict[str, Any]:
    """What a balance's entry says of how a column's numbers or dates are divided into classes.

    Raises:
        InvalidInput: edges that are no numbers.
    """
    declared = [dataset.get_field(c) for c in (column if isinstance(column, list) else [column])]
    found: dict[str, Any] = {}
    if has_dates(declared):
        found = {"by": params.get("date_part") or "hour", "timezone": params.get("timezone") or None}
    if has_numbers(declared):
        found["bins"] = _edges(params.get("edges")) or params.get("bins") or 5
    return found


def _edges(entered: str | None) -> list[float] | None:
    if not entered:
        return None
    try:
        return [float(one) for one in entered.split(",")]
    except ValueError:
        raise InvalidInput("edges: give numbers, such as 20, 50, 80") from None
