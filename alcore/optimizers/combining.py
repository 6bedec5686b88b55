"""The combined value of a candidate: what several objectives say of it, by their strengths."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch

from ..objectives.objective import Objective


@dataclass(frozen=True)
class Term:
    """An objective and its strength."""

    objective: Objective
    strength: float


def scales_of(
    terms: Sequence[Term], highest: Sequence[float], which: Sequence[bool]
) -> list[float | None]:
    """The highest values as scales, for these terms where picks change their values; else None."""
    return [
        None
        if not wanted or not term.objective.depends_on_picks or value == -np.inf
        else (value if value > 0 else 1.0)
        for term, value, wanted in zip(terms, highest, which, strict=True)
    ]


def scales_of_inverted(terms: Sequence[Term], highest: Sequence[float]) -> list[float | None]:
    """The scales of the terms of negative strength: their highest values, if higher; None of others.

    A score without an upper bound has a scale of 1. Inverted by it, all higher values would be 0.
    """
    return [
        max(term.objective.scale, value) if term.strength < 0 else None
        for term, value in zip(terms, highest, strict=True)
    ]


def scale_inverted(terms: Sequence[Term], values: Sequence[Any]) -> None:
    """Set these scales by (n,) values of each term; see ``scales_of_inverted``."""
    highest = [float(value.max()) if len(value) else -np.inf for value in values]
    for term, scale in zip(terms, scales_of_inverted(terms, highest), strict=True):
        if scale is not None:
            term.objective.scale = scale


def combined(terms: Sequence[Term], values: Sequence[Any], combine: str) -> Any:
    """Combine the values of several terms, and round them so that rounding errors break no ties.

    Args:
        terms: the objectives and their strengths.
        values: for each term its values, all numpy or all torch, of equal length.
        combine: as in ``greedy``.

    Returns:
        the combined values, of the same kind; -inf where a value is below its objective's minimum.
    """
    total: Any = None
    refused: Any = None
    with np.errstate(divide="ignore", invalid="ignore", over="ignore"):
        for term, value in zip(terms, values, strict=True):
            objective = term.objective
            if combine == "product":
                if term.strength < 0:
                    # Stays finite where a value is 0, so that the other strategies count too.
                    # Rounded first: differences of nearly equal values would break ties.
                    part = (1 - rounded(value / objective.scale)).clip(0) ** -term.strength
                else:
                    part = value if term.strength == 1 else value**term.strength
                total = part if total is None else total * part
            else:
                scale = objective.scale if combine == "sum" else 1.0
                part = value * (term.strength / scale)
                total = part if total is None else total + part
            if objective.minimum is not None:
                near = value < objective.minimum
                refused = near if refused is None else refused | near
    total = rounded(total)
    if refused is not None:
        total[refused] = -np.inf
    return total


def rounded(values: Any) -> Any:
    """Round float64 to 30 of its 52 binary places, so that sums that differ by rounding are equal.

    The rounding is monotone: it never reverses the order of two values.
    """
    integer = torch.int64 if isinstance(values, torch.Tensor) else np.int64
    bits = values.view(integer)
    return ((bits + (1 << 21)) & ~((1 << 22) - 1)).view(values.dtype)
