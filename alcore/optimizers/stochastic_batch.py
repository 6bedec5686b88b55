"""Random batches that favor high values; they have fewer near-duplicates than the highest values."""

from collections.abc import Sequence

import numpy as np

from ..data.errors import InvalidInput
from .combining import Term, combined, scale_inverted
from .greedy import Picks


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

    A candidate of value s is drawn next with a probability in proportion to ``s ** coldness`` ("power",
    where values of 0 or less come last), ``exp(coldness * s)`` ("softmax"), or ``rank ** -coldness``
    ("softrank", where the best has rank 1). To draw, Gumbel noise is added to the logarithms of these
    numbers and the sums are sorted, which has the same distribution (Kool et al., Stochastic Beams and
    Where to Find Them, 2019).

    Source: Kirsch et al., Stochastic Batch Acquisition: A Simple Baseline for Deep Active Learning
    (2023), section 3.

    Args:
        terms: what to choose by; no term depends on the picks.
        budget: how many to draw.
        gumbel: (n,) draws from the standard Gumbel distribution, one per candidate.
        batch: "power", "softmax" or "softrank".
        coldness: the paper's beta (an inverse temperature), above 0. The higher it is, the more often
            the highest values are drawn.
        combine: as in ``greedy``.

    Raises:
        InvalidInput: "power" where no value is above 0.
    """
    values = [term.objective.values(None).cpu().numpy() for term in terms]
    scale_inverted(terms, values)
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
    # Candidates of probability 0 come last, those with higher values first.
    drawn = np.lexsort((-total, -(coldness * keys + gumbel)))[:budget]
    reasons = np.stack([value[drawn] for value in values], axis=1)
    return Picks(drawn.astype(np.int64), total[drawn], reasons)
