"""The parts of a pool, each of which another process may hold, and how they learn of each other."""

from __future__ import annotations

from typing import Any, TypeVar

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
