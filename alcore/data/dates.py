"""Dates in options: recognized, and as seconds since 1970."""

from __future__ import annotations

import re
from datetime import datetime, timezone
from typing import Any

ISO = re.compile(r"\d{4}-\d{2}-\d{2}([T ]\d{2}:\d{2}.*)?")


def is_date(value: Any) -> bool:
    """Whether a value is a date, or text in the form of one, such as "2026-01-31"."""
    if not isinstance(value, str):
        return isinstance(value, datetime)
    if not ISO.fullmatch(value):
        return False
    try:
        datetime.fromisoformat(value)
    except ValueError:
        return False
    return True


def seconds(value: Any) -> Any:
    """A date as seconds since 1970, in UTC where it names no time zone; any other value as it is."""
    if not is_date(value):
        return value
    moment = datetime.fromisoformat(value) if isinstance(value, str) else value
    return moment.replace(tzinfo=moment.tzinfo or timezone.utc).timestamp()
