"""Readers of columns with one row for each object."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from ...alcore.data.probabilities import SUM_TOLERANCE
from .column import BadValues, Column
from .field_readers import Predictions, StoredEmbeddings
from .label_readers import ObjectList, confidence_of


class EachObject(ObjectList):
    """Reads the objects of a label list, one object per row."""

    vector_has = "a vector that has"
    classes_lie = "class probabilities that lie"
    with_neither = "neither"

    def put_several(self, row: int, ids: list[str], lists: list[list[Any]]) -> None:
        rows = slice(row, row + len(ids))
        self._counts[rows] = 1
        self._missing[rows] = False
        self._add(row, lists)

    def below(self, confidence: float) -> np.ndarray:
        """Return (M,) bool: which objects have a confidence that is known and below ``confidence``."""
        found = np.full(len(self._counts), np.nan)
        found[~self._missing] = self._confidences
        return np.asarray(found < confidence)


class EachPrediction(Predictions):
    """Reads the class of each object: its vector, else its label and confidence."""

    def put(self, row: int, sample: str, values: Sequence[Any]) -> None:
        vector, label, confidence = values
        known = confidence_of(confidence)
        super().put(row, sample, [vector, label, None if np.isnan(known) else known])


class EachClass(EachPrediction):
    """Reads the class of each object for balance: its vector, else its label.

    The vectors are used only if most of them are probability distributions. Confidences are not used: a
    confidence tells whether there is an object, but nothing about its other possible classes.
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
        """Give objects that have only a label probability 1 for that class."""
        position = {name: index for index, name in enumerate(found.classes or [])}
        codes = np.array([position.get(label, -1) for label in self._labels], dtype=np.int64)
        rows = np.flatnonzero(self._vectors.missing & (codes >= 0))
        found.values[rows] = 0
        found.values[rows, codes[rows]] = 1
        found.missing[rows] = False
        return found


class StoredPatchEmbeddings(StoredEmbeddings):
    """Reads the vectors that a similarity run over objects stores itself, by label id."""

    ids_at = 2
