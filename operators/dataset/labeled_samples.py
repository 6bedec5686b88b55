"""Which samples of a view are labeled, counted by MongoDB."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any


def unlabeled(view: Any, fields: Sequence[str | None], tag: str | None = None) -> Any:
    """The samples that have no value in any of some fields, and do not have a tag.

    Fields that the view does not have label nothing.
    """
    for field in fields:
        if field and view.get_field(field) is not None:
            view = view.exists(field, False)
    return view.match_tags(tag, bool=False) if tag else view


def count_labeled(view: Any, fields: Sequence[str | None], tag: str | None = None) -> tuple[int, int]:
    """How many samples a view has, and how many of them are labeled."""
    total = len(view)
    return total, total - len(unlabeled(view, fields, tag))
