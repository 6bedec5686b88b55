"""The parts of a pool, each of which another process may hold, and how they learn of each other."""

from __future__ import annotations

from typing import Any, TypeVar

import numpy as np

from .errors import InvalidInput

T = TypeVar("T")


class Parts:
    """The parts of a pool, as one of them sees them; here the only one.

    Each part runs the same code on its own rows. What concerns the whole pool, such as the highest
    value, is found from what every part has found: ``max(parts.gathered(highest))``. All parts must
    therefore gather the same things in the same order, those without rows too.

    Attributes:
        number: which part this is; their rows follow each other in this order.
        first: the number of its first row in the whole pool.
    """

    number: int = 0
    first: int = 0

    @property
    def several(self) -> bool:
        """Whether there are other parts."""
        return False

    @property
    def count(self) -> int:
        """How many parts there are that have samples."""
        return 1

    def read(self, number: int) -> Any:
        """The pool of another part, read from its source."""
        raise NotImplementedError

    def gathered(self, mine: T) -> list[T]:
        """What each part has found, in their order; ``mine`` is what this one has."""
        return [mine]

    def total(self, mine: T) -> T:
        """The sum of what each part has found."""
        total: Any = sum(self.gathered(mine))
        return total

    def refuse(self, what: str) -> None:
        """Refuse what can be done only where one process has the whole pool.

        Args:
            what: names it, and is the start of the sentence.

        Raises:
            InvalidInput: there are other parts.
        """
        if self.several:
            raise InvalidInput(
                f"{what} is not possible with backend: 'ray'; leave it out, or select in one process"
            )


WHOLE = Parts()


def median_of(mine: np.ndarray, parts: Parts) -> float:
    """The median of the numbers of all parts, which is that of ``numpy.median``.

    The parts do not send their numbers, but count them: the two in the middle are found by bisection
    over the 64 bits of a float, whose order is that of the numbers.

    Args:
        mine: (n,) float64, at least 0, the numbers of this part; there is one in some part.
        parts: the parts.
    """
    if not parts.several:
        return float(np.median(mine))
    bits = np.sort(mine.astype(np.float64)).view(np.int64)
    count = parts.total(len(bits))
    wanted = np.array([(count - 1) // 2, count // 2])
    low, high = np.zeros(2, dtype=np.int64), np.full(2, np.float64(np.inf).view(np.int64))
    while (low < high).any():
        middle = low + (high - low) // 2
        enough = parts.total(np.searchsorted(bits, middle, side="right")) > wanted
        low, high = np.where(enough, low, middle + 1), np.where(enough, middle, high)
    return float(low.view(np.float64).mean())
