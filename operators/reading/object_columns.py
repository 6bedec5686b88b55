"""Sources of columns with a row an object, fed object by object."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from ...alcore.data.probabilities import SUM_TOLERANCE
from .columns import Loaded, Predictions, Reader, need_some
from .label_columns import ObjectList, confidence_of


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

    def finish(self, reader: Reader, column: str) -> None:
        if self._are_distributions(column in reader.logits):
            self._from_vectors(reader, column)
            self._fill_in(reader, column)
        else:
            labels = np.array(self._labels, dtype=object)
            reader.columns[column] = labels
            reader.missing[column] = np.array([one is None for one in self._labels], dtype=bool)
            need_some(reader, column, "label")

    def _are_distributions(self, logits: bool) -> bool:
        here = ~self._vectors.missing & ~self._vectors.odd
        if not here.any():
            return False
        matrix = self._vectors.matrix()[here]
        in_range = ((matrix >= 0) & (matrix <= 1 + SUM_TOLERANCE)).all(1)
        if logits or (self.paths[0].endswith(".logits") and 2 * in_range.sum() < len(matrix)):
            return True
        to_one = np.abs(matrix.sum(1, dtype=np.float64) - 1) <= SUM_TOLERANCE
        return bool(2 * (in_range & to_one).sum() > len(matrix))

    def _fill_in(self, reader: Reader, column: str) -> None:
        """Take objects that have a label alone as of that class for certain."""
        position = {name: index for index, name in enumerate(reader.classes[column])}
        codes = np.array([position.get(label, -1) for label in self._labels], dtype=np.int64)
        rows = np.flatnonzero(self._vectors.missing & (codes >= 0))
        matrix = reader.columns[column]
        matrix[rows] = 0
        matrix[rows, codes[rows]] = 1
        missing = reader.missing[column].copy()
        missing[rows] = False
        reader.missing[column] = missing


class LoadedPatches(Loaded):
    """Vectors that a similarity run over objects keeps itself, by label id."""

    ids_at = 2
