"""Inputs for dividing numbers and dates into classes, and the options of a recipe that they make."""

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
# The options of a form or a call that are read here, except the edges.
OPTIONS = ("bins", "date_part", "timezone")


def bins_input(inputs: Any, label: str = "Bins") -> None:
    """Add the input for the number of bins of numbers, at least 2."""
    inputs.int("bins", label=label, description="With as many samples each", default=5, min=2)


def timezone_input(inputs: Any) -> None:
    """Add the input for the time zone in which dates are divided; empty for UTC."""
    about = "Such as Europe/Vienna; left empty, UTC, in which dates are stored"
    inputs.str("timezone", label="Time zone", description=about, required=False)


def date_part_input(inputs: Any) -> None:
    """Add the inputs for the part by which dates are divided, and for their time zone."""
    pieces.choice_input(inputs, "date_part", "Dates by", DATE_PARTS, "hour")
    timezone_input(inputs)


def has_numbers(fields: list[Any]) -> bool:
    """Return whether any of the declared fields holds numbers."""
    return any(isinstance(field, (fo.FloatField, fo.IntField)) for field in fields)


def has_dates(fields: list[Any]) -> bool:
    """Return whether any of the declared fields holds dates."""
    return any(isinstance(field, (fo.DateField, fo.DateTimeField)) for field in fields)


def binned(dataset: Any, column: str | list[str], params: dict[str, Any]) -> dict[str, Any]:
    """Return the options of a balance entry that divide a column's numbers or dates into classes.

    Args:
        dataset: the dataset.
        column: a field, or several that are balanced jointly.
        params: the options of a form or a call.

    Returns:
        for dates, ``by`` and ``timezone``; for numbers, ``bins``, a count or a list of edges; empty for
        other fields.

    Raises:
        InvalidInput: if the edges are not numbers.
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
