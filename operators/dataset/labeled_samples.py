"""Finds and counts the labeled samples of a view in MongoDB."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any


def unlabeled(view: Any, fields: Sequence[str | None], tag: str | None = None) -> Any:
    """Return the samples that have no value in any of the fields and do not have the tag.

    Fields that the view does not have are ignored.
    """
    for field in fields:
        if field and view.get_field(field) is not None:
            view = view.exists(field, False)
    return view.match_tags(tag, bool=False) if tag else view


def count_labeled(view: Any, fields: Sequence[str | None], tag: str | None = None) -> tuple[int, int]:
    """Return the number of samples of a view, and the number of those that are labeled."""
    total = len(view)
    return total, total - len(unlabeled(view, fields, tag))
