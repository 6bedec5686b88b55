"""Readers of columns with a row an object, fed object by object."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from ...alcore.data.probabilities import SUM_TOLERANCE
from .column import BadValues, Column
from .field_readers import Predictions, StoredEmbeddings
from .label_readers import ObjectList, confidence_of


class EachObject(ObjectList):
    """The objects of a label list, one in each row."""

    vector_has = "a vector that has"
    classes_lie = "class probabilities that lie"
    with_neither = "neither"

    def put_several(self, row: int, ids: list[str], lists: list[list[Any]]) -> None:
        rows = slice(row, row + len(ids))
        self._counts[rows] = 1
        self._missing[rows] = False
        self._add(row, lists)

    def below(self, confidence: float) -> np.ndarray:
        """(M,) bool: objects known to be of less confidence."""
        found = np.full(len(self._counts), np.nan)
        found[~self._missing] = self._confidences
        return np.asarray(found < confidence)


class EachPrediction(Predictions):
    """The class of each object: its vector, or its label and confidence."""

    def put(self, row: int, sample: str, values: Sequence[Any]) -> None:
        vector, label, confidence = values
        super().put(row, sample, [vector, label, confidence_of(confidence)])


class EachClass(EachPrediction):
    """The class of each object as balance counts it: its vector, or its label.

    Vectors count where most are distributions. A confidence says whether there is an object, and
    nothing of the classes it may be of otherwise.
    """

    def column(self, bad: BadValues) -> Column:
        if self._are_distributions():
            return self._filled_in(self._from_vectors(bad))
        missing = np.array([one is None for one in self._labels], dtype=bool)
        bad.need_some(missing, "label")
        return Column(np.array(self._labels, dtype=object), missing)

    def _are_distributions(self) -> bool:
        here = ~self._vectors.missing & ~self._vectors.odd
        if not here.any():
            return False
        matrix = self._vectors.matrix()[here]
        in_range = ((matrix >= 0) & (matrix <= 1 + SUM_TOLERANCE)).all(1)
        by_name = self.paths[0].endswith(".logits") and 2 * in_range.sum() < len(matrix)
        if self._declared.logits or by_name:
            return True
        to_one = np.abs(matrix.sum(1, dtype=np.float64) - 1) <= SUM_TOLERANCE
        return bool(2 * (in_range & to_one).sum() > len(matrix))

    def _filled_in(self, found: Column) -> Column:
        """Take objects that have a label alone as of that class for certain."""
        position = {name: index for index, name in enumerate(found.classes or [])}
        codes = np.array([position.get(label, -1) for label in self._labels], dtype=np.int64)
        rows = np.flatnonzero(self._vectors.missing & (codes >= 0))
        found.values[rows] = 0
        found.values[rows, codes[rows]] = 1
        found.missing[rows] = False
        return found


class StoredPatchEmbeddings(StoredEmbeddings):
    """Vectors that a similarity run over objects keeps itself, by label id."""

    ids_at = 2
