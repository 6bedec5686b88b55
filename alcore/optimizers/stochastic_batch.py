"""Batches drawn by chance, the better the likelier: they repeat themselves less than the best few."""

from collections.abc import Sequence

import numpy as np

from ..data.errors import InvalidInput
from .greedy import Picks, Term, combined


def draw(
    terms: Sequence[Term],
    budget: int,
    gumbel: np.ndarray,
    *,
    batch: str,
    coldness: float = 1.0,
    combine: str = "product",
) -> Picks:
    """Draw ``budget`` candidates without replacement, by their combined values.

    The chance of a candidate s to be drawn next is in proportion to ``s ** coldness`` ("power", which
    draws those of 0 or less last), ``exp(coldness * s)`` ("softmax"), or ``rank ** -coldness``
    ("softrank", the best has rank 1). Keys to which Gumbel noise is added are sorted, which is the same
    (Kool et al., Stochastic Beams and Where to Find Them, 2019).

    Source: Kirsch et al., Stochastic Batch Acquisition: A Simple Baseline for Deep Active Learning
    (2023), section 3.

    Args:
        terms: what to choose by, none of which changes with the picks.
        budget: how many to draw.
        gumbel: (n,) draws of the standard Gumbel law, one a candidate.
        batch: "power", "softmax" or "softrank".
        coldness: the paper's beta, above 0: the higher, the nearer to the best few.
        combine: as in ``greedy``.

    Raises:
        InvalidInput: "power" where no value is above 0.
    """
    values = [term.objective.values(None).cpu().numpy() for term in terms]
    total = combined(terms, values, combine)
    if batch == "power" and not (total > 0).any():
        raise InvalidInput(
            f"batch: 'power' draws in proportion to values above 0, and all {len(total)} are 0 or "
            "below; use softmax or softrank"
        )
    with np.errstate(divide="ignore"):
        if batch == "power":
            keys = np.log(np.maximum(total, 0))
        elif batch == "softmax":
            keys = total
        else:
            ranks = np.empty(len(total))
            ranks[np.argsort(-total, kind="stable")] = np.arange(1, len(total) + 1)
            keys = -np.log(ranks)
    # Those of no chance come last, the better first.
    drawn = np.lexsort((-total, -(coldness * keys + gumbel)))[:budget]
    reasons = np.stack([value[drawn] for value in values], axis=1)
    return Picks(drawn.astype(np.int64), total[drawn], reasons)
