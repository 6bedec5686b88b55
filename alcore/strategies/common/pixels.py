"""The scores of a sample's pixels as one number."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Protocol

import numpy as np

from ... import scores
from ...data.errors import InvalidInput
from ...scores.pixels import pixel_decision
from .task import Task
from .vocabulary import Words

AGGREGATES = {
    "mean": Words("the average pixel is hard", "large easy background hides small objects"),
    "quantile": Words("the hardest pixels are hard", "outlines alone may decide"),
    "top_share": Words("the hardest share of the pixels is hard", "outlines alone may decide"),
    "share_above": Words("many pixels are hard", "needs a threshold that fits the model"),
    "boundary": Words("borders between classes are unclear", "blind to whole areas that are wrong"),
}


class HasAggregate(Protocol):
    """Options that say how the scores of pixels become one number."""

    @property
    def given(self) -> str:
        """ "probabilities" or "logits"."""

    @property
    def quantile(self) -> float:
        """The quantile in [0, 1]."""

    @property
    def share(self) -> float:
        """The share of the highest pixels, in (0, 1]."""

    @property
    def threshold(self) -> float:
        """The threshold in the unit of the scores."""


def over_pixels(options: HasAggregate, pixels: np.ndarray, one: np.ndarray, how: str) -> float:
    """Aggregate the scores of a map's pixels into one number.

    Args:
        pixels: (H, W) scores, higher = more worth labeling.
        one: the map itself, (C, H, W) or (H, W).
        how: a name in ``AGGREGATES``.
    """
    decision = pixel_decision(one, options.given) if how == "boundary" else None
    return scores.aggregate_pixels(
        pixels,
        how,
        quantile=options.quantile,
        share=options.share,
        threshold=options.threshold,
        decision=decision,
    )


@contextmanager
def naming(task: Task, row: int) -> Iterator[None]:
    """Add the sample's id to an InvalidInput that is raised within the ``with`` block."""
    try:
        yield
    except InvalidInput as error:
        raise InvalidInput(f"{task.user}: sample {task.pool.ids[row]}: {error}") from None
