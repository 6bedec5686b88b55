"""From a FiftyOne collection to a pool: whole columns, in one pass, never sample by sample."""

from __future__ import annotations

from typing import Any

from ...alcore import Recipe
from ...alcore.strategies import Reads
from ..dataset.fields import first, only
from .column import Bad
from .completion import Labeled
from .objects import ObjectReader
from .samples import Progress, Reading, ReadPool, SampleReader

__all__ = [
    "Bad",
    "Labeled",
    "ReadPool",
    "Reading",
    "check",
    "check_columns",
    "first",
    "only",
    "read",
    "read_columns",
]


def read(
    view: Any,
    recipe: Recipe,
    labeled: Labeled | None = None,
    bad: Bad = "error",
    progress: Progress | None = None,
    objects: str | None = None,
) -> Reading:
    """Read what a recipe needs of a collection.

    A recipe's columns are field paths, or keys of similarity runs. Predictions come as
    probabilities: a label's vector that already sums to 1 is taken as it is, another is put through
    softmax; a plain vector is put through softmax only where the recipe says ``given: logits``; where
    a label has only a confidence, the rest is shared evenly by the other classes.

    Args:
        bad: what happens to samples whose values cannot be used: "error", or "leave_out".
        objects: a field with a list of labels, each of which is then a candidate, see
            ``ObjectReader``; without it candidates are samples.

    Raises:
        InvalidInput: an unknown field, one of the wrong type, or values that cannot be used.
    """
    return _reader(view, labeled, bad, progress, objects).read(recipe)


def read_columns(
    view: Any,
    columns: dict[str, Reads],
    labeled: Labeled | None = None,
    bad: Bad = "error",
    progress: Progress | None = None,
) -> ReadPool:
    """Read some columns of a collection's samples.

    Args:
        columns: field paths or keys of similarity runs, and what each is read as.

    Raises:
        InvalidInput: as ``read``.
    """
    return _reader(view, labeled, bad, progress, None).read_columns(columns)


def check(
    view: Any, recipe: Recipe, labeled: Labeled | None = None, objects: str | None = None
) -> None:
    """Refuse a recipe whose fields are not there or do not fit, without reading any sample.

    Raises:
        InvalidInput: an unknown field, or one of the wrong type.
    """
    _reader(view, labeled, "error", None, objects).check(recipe)


def check_columns(view: Any, columns: dict[str, Reads], labeled: Labeled | None = None) -> None:
    """Refuse columns that are not there or do not fit, without reading any sample.

    Raises:
        InvalidInput: an unknown field, or one of the wrong type.
    """
    _reader(view, labeled, "error", None, None).check_columns(columns)


def _reader(
    view: Any, labeled: Labeled | None, bad: Bad, progress: Progress | None, objects: str | None
) -> SampleReader:
    labeled, progress = labeled or Labeled(), progress or (lambda share: None)
    if objects is None:
        return SampleReader(view, labeled, bad, progress)
    return ObjectReader(view, objects, labeled, bad, progress)
