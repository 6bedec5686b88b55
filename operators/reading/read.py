"""Reads a FiftyOne collection into a pool: whole columns in one query, not sample by sample."""

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
    "completed",
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
    """Read the columns that a recipe needs from a collection.

    The columns of a recipe are field paths or keys of similarity runs. Predictions are converted to
    probabilities:
        If a label's vectors already sum to 1, they are used as they are. Otherwise softmax is applied.
        To a plain vector softmax is applied only if the recipe says ``given: logits``.
        If a label has only a confidence, the other classes share the remaining probability equally.

    Args:
        view: a dataset or a view.
        recipe: the recipe; what it leaves open is filled in.
        labeled: which rows count as labeled; None for no rows.
        bad: what happens to samples whose values cannot be used: "error" or "leave_out".
        progress: called now and then with the share that is done, from 0 to 1.
        objects: a field with a list of labels. If given, each label is a candidate; see
            ``ObjectReader``. Otherwise the samples are the candidates.

    Raises:
        InvalidInput: if a field is unknown or of the wrong type, or if values cannot be used.
    """
    return _reader(view, labeled, bad, progress, objects).read(recipe)


def read_columns(
    view: Any,
    columns: dict[str, Reads],
    labeled: Labeled | None = None,
    bad: Bad = "error",
    progress: Progress | None = None,
) -> ReadPool:
    """Read some columns of the samples of a collection.

    Args:
        view: a dataset or a view.
        columns: maps field paths or keys of similarity runs to how each is read.
        labeled: as in ``read``.
        bad: as in ``read``.
        progress: as in ``read``.

    Raises:
        InvalidInput: as in ``read``.
    """
    return _reader(view, labeled, bad, progress, None).read_columns(columns)


def check(
    view: Any, recipe: Recipe, labeled: Labeled | None = None, objects: str | None = None
) -> None:
    """Check that the fields of a recipe exist and fit, without reading any sample.

    Raises:
        InvalidInput: if a field is unknown or of the wrong type.
    """
    _reader(view, labeled, "error", None, objects).check(recipe)


def completed(view: Any, recipe: Recipe, labeled: Labeled | None = None) -> Recipe:
    """Return a recipe with what it leaves open filled in, checked as ``check`` does.

    Raises:
        InvalidInput: if a field is unknown or of the wrong type.
    """
    reader = _reader(view, labeled, "error", None, None)
    reader.check(recipe)
    return reader.complete(recipe)


def check_columns(view: Any, columns: dict[str, Reads], labeled: Labeled | None = None) -> None:
    """Check that columns exist and fit, without reading any sample.

    Raises:
        InvalidInput: if a field is unknown or of the wrong type.
    """
    _reader(view, labeled, "error", None, None).check_columns(columns)


def _reader(
    view: Any, labeled: Labeled | None, bad: Bad, progress: Progress | None, objects: str | None
) -> SampleReader:
    labeled, progress = labeled or Labeled(), progress or (lambda share: None)
    if objects is None:
        return SampleReader(view, labeled, bad, progress)
    return ObjectReader(view, objects, labeled, bad, progress)
