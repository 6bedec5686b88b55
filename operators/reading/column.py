"""What a reader of a field gives: a column; and what becomes of values that are unusable."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any, Literal

import numpy as np

from ...alcore import InvalidInput
from ...alcore.data.errors import name_samples

Bad = Literal["error", "leave_out"]


@dataclass
class Column:
    """A column as it was read.

    Attributes:
        values: what ``alcore.Pool`` takes as a column.
        missing: (N,) bool, the rows without a value.
        classes: the names of its classes, where it has any.
        notes: what was noticed, a sentence each.
        given: "probabilities" where the class vectors are known to be that now.
        independent: whether its classes do not exclude each other.
    """

    values: Any
    missing: np.ndarray
    classes: list[str] | None = None
    notes: list[str] = field(default_factory=list)
    given: str | None = None
    independent: bool = False

    def take(self, rows: np.ndarray) -> Column:
        """The same with other rows, some of them several times."""
        many = getattr(self.values, "ndim", 1) == 3
        values = self.values[:, rows] if many else self.values[rows]
        return Column(
            values, self.missing[rows], self.classes, self.notes, self.given, self.independent
        )


@dataclass
class Declared:
    """What is said of a column beside its values.

    Attributes:
        classes: the class names that the dataset declares for the field, or for all of them.
        logits: whether the recipe says that it holds logits.
        independent: whether the recipe says that its classes do not exclude each other.
    """

    classes: list[str] = field(default_factory=list)
    logits: bool = False
    independent: bool = False


@dataclass
class BadValues:
    """What becomes of the values of a column that cannot be used: an error, or their rows are left out.

    Attributes:
        path: the column's name.
        ids: (N,) the rows' ids, for errors.
        thing: what a row is: "sample" or "object".
        policy: "error" stops at the first fault; "leave_out" makes such rows missing, and says so.
        notes: what was left out.
    """

    path: str
    ids: Sequence[str]
    thing: str
    policy: Bad
    notes: list[str] = field(default_factory=list)

    def refuse(self, bad: np.ndarray, what: str, missing: np.ndarray) -> None:
        """Stop at rows that cannot be used, or make them missing.

        Args:
            bad: (N,) bool.
            what: is wrong with them, as in "3 samples with ...".
            missing: (N,) bool, changed in place.

        Raises:
            InvalidInput: such rows, under "error", or if none is left.
        """
        rows = np.flatnonzero(bad)
        if len(rows) == 0:
            return
        named = name_samples(self.ids, rows).replace("sample", self.thing, 1)
        sentence = f"field {self.path!r}: {named} with {what}"
        if self.policy == "error":
            raise InvalidInput(f"{sentence}; correct them, or choose to leave such {self.thing}s out")
        self.notes.append(f"{sentence}; left out")
        missing |= bad
        if missing.all():
            raise InvalidInput(f"{sentence}; no {self.thing} is left to choose")

    def need_some(self, missing: np.ndarray, what: str) -> None:
        """Refuse a column in which no row has a value.

        Raises:
            InvalidInput: none has.
        """
        if missing.all():
            raise InvalidInput(
                f"field {self.path!r}: none of the {len(missing)} {self.thing}s has a {what}"
            )
