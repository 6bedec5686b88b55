"""The results of operators in short lines."""

from __future__ import annotations

from typing import Any

SHOWN = 12


def told(result: dict[str, Any]) -> list[str]:
    """Return the sentence that sums up a result, or else its counts and names; and its notes."""
    summary = result.get("verdict") or result.get("text")
    if summary:
        return [summary, *(result.get("notes") or [])]
    plain = {
        name: value
        for name, value in result.items()
        if isinstance(value, (int, float, str)) and not isinstance(value, bool) and value != ""
    }
    lines = [
        f"{name.replace('_', ' ')}: {value:,}"
        if isinstance(value, int)
        else f"{name.replace('_', ' ')}: {value}"
        for name, value in plain.items()
    ]
    return [*lines[:SHOWN], *(result.get("notes") or [])]
