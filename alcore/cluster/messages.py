"""What the shards and the coordinator send each other: plain arrays and numbers."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

NUMBER = 8


@dataclass(frozen=True)
class Found:
    """The best candidates of a shard.

    Attributes:
        rows: (B,) int64 rows of the whole pool, ascending.
        values: for each term (B,) float64, their exact values.
        traits: for each term what is to be known of them; see ``Divisible``.
        limit: a bound of the combined value of any other candidate of the shard.
        limit_row: of those that reach the limit the lowest row of the whole pool.
        stand_ins: positions of rows that represent others of always equal value.
        gain: of a single best candidate, its combined value.
    """

    rows: np.ndarray
    values: list[np.ndarray]
    traits: list[dict[str, np.ndarray]]
    limit: float = -np.inf
    limit_row: int = -1
    stand_ins: list[int] = dataclasses.field(default_factory=list)
    gain: float = -np.inf


@dataclass(frozen=True)
class Chosen:
    """What was chosen: (k,) int64 rows of the whole pool, and for each term their traits."""

    rows: np.ndarray
    traits: list[dict[str, np.ndarray]]


@dataclass
class Traffic:
    """How much is sent between the coordinator and the shards.

    Attributes:
        rounds: how often the shards proposed candidates.
        bytes: what all messages to and from the shards took together.
        most: what those of one round took at most.
    """

    rounds: int = 0
    bytes: int = 0
    most: int = 0
    _this: int = 0

    def begin(self) -> None:
        """Begin another round."""
        self.rounds += 1
        self._this = 0

    def count(self, *messages: Any) -> None:
        """Count messages of this round."""
        size = size_of(messages)
        self.bytes += size
        self._this += size
        self.most = max(self.most, self._this)


def size_of(message: Any) -> int:
    """How many bytes the arrays and numbers of a message take; Ray's own few hundred come on top."""
    if isinstance(message, np.ndarray):
        return message.nbytes
    if isinstance(message, str):
        return len(message.encode())
    if dataclasses.is_dataclass(message) and not isinstance(message, type):
        return sum(size_of(getattr(message, one.name)) for one in dataclasses.fields(message))
    if isinstance(message, Mapping):
        return sum(size_of(key) + size_of(value) for key, value in message.items())
    if isinstance(message, Sequence | set | frozenset):
        return sum(map(size_of, message))
    return 0 if message is None else NUMBER
