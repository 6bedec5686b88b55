"""The column that a field reader returns, and the handling of values that cannot be used."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from typing import Any, Literal

import numpy as np

from ...alcore import InvalidInput
from ...alcore.data.errors import name_samples

Bad = Literal["error", "leave_out"]


@dataclass
class Column:
    """The values of one column, as read from the dataset.

    Attributes:
        values: the values, in a form that ``alcore.Pool`` accepts as a column.
        missing: (N,) bool, True for rows without a value.
        classes: the class names; None if the column has no classes.
        notes: remarks for the user, one sentence each.
        given: "probabilities" if the class vectors are known to be probabilities, else None.
        independent: whether several classes can be true for one row (multi-label).
        left_out: the number of missing rows whose values cannot be used.
    """

    values: Any
    missing: np.ndarray
    classes: list[str] | None = None
    notes: list[str] = field(default_factory=list)
    given: str | None = None
    independent: bool = False
    left_out: int = 0

    def take(self, rows: np.ndarray) -> Column:
        """Return a column of the given rows. A row may be taken several times."""
        many = getattr(self.values, "ndim", 1) == 3
        if isinstance(self.values, np.ndarray):
            values = self.values[:, rows] if many else self.values[rows]
        else:
            values = self.values.take(rows)
        return replace(self, values=values, missing=self.missing[rows])


@dataclass
class Declared:
    """What the dataset and the recipe declare about a column.

    Attributes:
        classes: the class names that the dataset declares for the field, else its default classes.
        logits: whether the recipe says that the column holds logits.
        independent: whether the recipe says that several classes can be true for one row.
        evaluation: the key of an evaluation of the field's objects, if the recipe uses it.
    """

    classes: list[str] = field(default_factory=list)
    logits: bool = False
    independent: bool = False
    evaluation: str | None = None


@dataclass
class BadValues:
    """The handling of values of a column that cannot be used: raise an error, or leave the rows out.

    Attributes:
        path: the column's name.
        ids: (N,) the ids of the rows, for error messages.
        thing: what a row stands for: "sample" or "object".
        policy: "error" stops at the first fault; "leave_out" marks such rows as missing and adds a
            note.
        notes: a sentence for each group of rows that was left out.
        left_out: the number of these rows.
    """

    path: str
    ids: Sequence[str]
    thing: str
    policy: Bad
    notes: list[str] = field(default_factory=list)
    left_out: int = 0

    def refuse(self, bad: np.ndarray, what: str, missing: np.ndarray) -> None:
        """Raise an error for rows that cannot be used, or mark them as missing.

        Args:
            bad: (N,) bool, True for rows that cannot be used.
            what: the fault, as it follows "3 samples with" in the message.
            missing: (N,) bool, changed in place.

        Raises:
            InvalidInput: if there are such rows and the policy is "error", or if no row is left.
        """
        rows = np.flatnonzero(bad)
        if len(rows) == 0:
            return
        named = name_samples(self.ids, rows).replace("sample", self.thing, 1)
        sentence = f"field {self.path!r}: {named} with {what}"
        if self.policy == "error":
            raise InvalidInput(f"{sentence}; correct them, or choose to leave such {self.thing}s out")
        self.notes.append(f"{sentence}; left out")
        self.left_out += int((bad & ~missing).sum())
        missing |= bad
        if missing.all():
            raise InvalidInput(f"{sentence}; no {self.thing} is left to choose")

    def need_some(self, missing: np.ndarray, what: str) -> None:
        """Raise an error if no row of the column has a value.

        Args:
            missing: (N,) bool, True for rows without a value.
            what: the kind of value that is needed, for the message.

        Raises:
            InvalidInput: if all rows are missing.
        """
        if missing.all():
            raise InvalidInput(
                f"field {self.path!r}: none of the {len(missing)} {self.thing}s has a {what}"
            )
