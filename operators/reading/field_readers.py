"""Readers of fields with one value a row: numbers, vectors, predictions. Each gives one column."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import date, datetime
from functools import cached_property
from typing import Any

import numpy as np

from ...alcore import InvalidInput
from ...alcore.data.probabilities import convert_in_place
from ..dataset.arrays import ArrayColumn
from ..dataset.fields import class_vector_path
from .column import BadValues, Column, Declared


class FieldReader:
    """Is fed the values of some paths, row by row, and gives a column at the end.

    Attributes:
        paths: what to query.
    """

    paths: list[str]

    def put(self, row: int, sample: str, values: Sequence[Any]) -> None:
        """The values of one row, one a path."""
        raise NotImplementedError

    def put_several(self, row: int, ids: list[str], lists: list[list[Any]]) -> None:
        """Rows from ``row`` on, whose values come as a list for each path."""
        for number, values in enumerate(zip(*lists, strict=True) if lists else [()] * len(ids)):
            self.put(row + number, ids[number], values)

    def column(self, bad: BadValues) -> Column:
        """What was read.

        Raises:
            InvalidInput: no row has a value, or some cannot be used.
        """
        raise NotImplementedError


class Scalars(FieldReader):
    """Numbers, dates or categories."""

    def __init__(self, n: int, path: str, *, numbers: bool) -> None:
        self.paths = [path]
        self.values: list[Any] = [None] * n
        self._numbers = numbers

    def put(self, row: int, sample: str, values: Sequence[Any]) -> None:
        self.values[row] = values[0]

    def put_several(self, row: int, ids: list[str], lists: list[list[Any]]) -> None:
        self.values[row : row + len(ids)] = lists[0]

    def column(self, bad: BadValues) -> Column:
        missing = np.array([value is None for value in self.values], dtype=bool)
        known = next((value for value in self.values if value is not None), None)
        if isinstance(known, (date, datetime)):
            moments = [None if v is None else np.datetime64(v, "us") for v in self.values]
            return Column(np.array(moments, dtype="datetime64[us]"), missing)
        if self._numbers or isinstance(known, (bool, int, float)):
            numbers = np.array([np.nan if v is None else v for v in self.values], dtype=np.float64)
            if self._numbers:
                bad.refuse(~missing & ~np.isfinite(numbers), "NaN or infinite values", missing)
            else:
                missing |= np.isnan(numbers)
            return Column(numbers, missing)
        return Column(np.array(self.values, dtype=object), missing)


class Embeddings(FieldReader):
    """Vectors of one length."""

    def __init__(self, n: int, path: str) -> None:
        self.paths = [path]
        self._vectors = ArrayColumn(n)

    def put(self, row: int, sample: str, values: Sequence[Any]) -> None:
        self._vectors.put(row, values[0])

    def column(self, bad: BadValues) -> Column:
        matrix, missing = self._vectors.matrix(), self._vectors.missing.copy()
        bad.need_some(missing, "embedding")
        what = f"a vector that has not the length {self._vectors.width} of most"
        bad.refuse(self._vectors.odd, what, missing)
        with np.errstate(over="ignore", invalid="ignore"):
            length = np.einsum("nd,nd->n", matrix, matrix)
        bad.refuse(~missing & ~np.isfinite(length), "NaN or infinite values", missing)
        bad.refuse(~missing & (length == 0), "a zero vector", missing)
        return Column(matrix, missing)


class StoredEmbeddings(Embeddings):
    """Vectors that a similarity run keeps itself, by sample id."""

    ids_at = 1  # FiftyOne gives vectors, sample ids and label ids

    def __init__(self, n: int, dataset: Any, key: str) -> None:
        super().__init__(n, key)
        self.paths = []
        self._dataset = dataset
        self._key = key

    @cached_property
    def _by_id(self) -> dict[str, np.ndarray]:
        # Loaded anew, for a search in the App shifts the vectors of the instance it keeps.
        index = self._dataset.load_brain_results(self._key, cache=False)
        found = index.get_embeddings()
        return dict(zip(map(str, found[self.ids_at]), np.asarray(found[0]), strict=True))

    def put(self, row: int, sample: str, values: Sequence[Any]) -> None:
        self._vectors.put(row, self._by_id.get(sample))


class Predictions(FieldReader):
    """A Classification's vector, or its label and confidence; or a plain vector."""

    def __init__(
        self, n: int, path: str, flat: dict[str, Any], declared: Declared, *, plain: bool = False
    ) -> None:
        self._plain = plain
        self._declared = declared
        vector = path if plain else class_vector_path(flat, path)
        self.paths = [vector or f"{path}.logits"]
        if not plain:
            self.paths += [f"{path}.label", f"{path}.confidence"]
        self._vectors = ArrayColumn(n)
        self._labels: list[Any] = [None] * n
        self._confidences = np.full(n, np.nan)

    def put(self, row: int, sample: str, values: Sequence[Any]) -> None:
        self._vectors.put(row, values[0])
        if not self._plain:
            self._labels[row] = values[1]
            if values[2] is not None:
                self._confidences[row] = values[2]

    def column(self, bad: BadValues) -> Column:
        if self._vectors.missing.all() and not self._plain:
            return self._from_confidences(bad)
        return self._from_vectors(bad)

    def _from_vectors(self, bad: BadValues) -> Column:
        matrix, missing = self._vectors.matrix(), self._vectors.missing.copy()
        bad.need_some(missing, "prediction")
        width = self._vectors.width
        bad.refuse(self._vectors.odd, f"a vector that has not the {width} classes of most", missing)
        bad.refuse(~missing & ~np.isfinite(matrix).all(1), "NaN or infinite values", missing)
        given = "logits" if self._declared.logits else "probabilities" if self._plain else None
        independent = self._declared.independent
        faults = convert_in_place(matrix, ~missing, given=given, independent=independent)
        for rows, what in faults:
            bad.refuse(rows, what, missing)
        matrix[missing] = 0.5 if independent else 1 / max(1, width)
        labels = [
            None if absent else label
            for label, absent in zip(self._labels, missing.tolist(), strict=True)
        ]
        classes = name_classes(self._declared.classes, matrix, labels, bad, bad.ids)
        return Column(matrix, missing, classes, given="probabilities", independent=independent)

    def _from_confidences(self, bad: BadValues) -> Column:
        missing = np.array([label is None for label in self._labels]) | np.isnan(self._confidences)
        known = {label for label in self._labels if label is not None}
        classes = sorted(known | set(self._declared.classes))
        bad.need_some(missing, "prediction with logits, probabilities or a confidence")
        wrong = ~missing & ((self._confidences < 0) | (self._confidences > 1))
        bad.refuse(wrong, "a confidence outside 0 to 1", missing)
        position = {name: index for index, name in enumerate(classes)}
        width = len(classes)
        confidences = np.where(missing, 1 / width, self._confidences)
        rest = (1 - confidences) / max(1, width - 1)
        matrix = np.repeat(rest[:, None].astype(np.float32), width, axis=1)
        rows = np.flatnonzero(~missing)
        matrix[rows, [position[self._labels[row]] for row in rows]] = confidences[rows]
        if width == 1:
            matrix[:] = 1
        note = (
            f"field {bad.path!r} has label and confidence only: least confidence is exact, entropy and "
            "margin take the other classes as equally likely"
        )
        return Column(matrix, missing, classes, [note], "probabilities")


def name_classes(
    declared: list[str], matrix: np.ndarray, labels: list[Any], bad: BadValues, ids: Sequence[str]
) -> list[str]:
    """Name the C classes by the dataset's own list, else by the labels that go with the (M, C) vectors.

    Raises:
        InvalidInput: the best class of two vectors is the same position, under two labels; or two
            positions carry one label.
    """
    width = matrix.shape[1]
    if declared and len(declared) == width:
        return declared
    best = np.sort(matrix, axis=1)[:, -2:] if width > 1 else np.c_[matrix * 0, matrix]
    clear = best[:, 1] > best[:, 0]
    seen: dict[int, str] = {}
    for row, position in enumerate(matrix.argmax(1).tolist() if width else []):
        label = labels[row]
        if label is None or not clear[row]:
            continue
        if seen.setdefault(position, label) != label:
            raise InvalidInput(
                f"field {bad.path!r}: the classes differ between {bad.thing}s: position {position} "
                f"is {seen[position]!r} in one and {label!r} in {bad.thing} {ids[row]}; "
                f"predict all {bad.thing}s with one model"
            )
    names = [seen.get(position, str(position)) for position in range(width)]
    if len(set(names)) != width:
        raise InvalidInput(
            f"field {bad.path!r}: two positions of its vectors carry the same label; "
            "set the dataset's classes for it"
        )
    return names


def align(columns: dict[str, Column]) -> None:
    """Give several fields' predictions the same classes in the same order, by their names.

    A class that one field does not know has probability 0 there. A number stands for a class that no
    sample is predicted to be, whose name nobody gave: it may be the one another field names there.

    Raises:
        InvalidInput: fields of unequal numbers of classes whose names do not say which is which.
    """
    names = [one.classes or [] for one in columns.values()]
    if len({len(one) for one in names}) == 1:
        together = [_one_name(position, at) for position, at in enumerate(zip(*names, strict=True))]
        if None not in together and len(set(together)) == len(together):
            for one in columns.values():
                one.classes = [str(name) for name in together]
            return
    if any(name == str(position) for one in names for position, name in enumerate(one)):
        raise InvalidInput(
            f"fields {', '.join(map(repr, columns))}: their classes cannot be matched with each other; "
            "set the dataset's classes for each"
        )
    union = sorted(set().union(*names))
    for one, mine in zip(columns.values(), names, strict=True):
        wider = np.zeros((len(one.values), len(union)), dtype=one.values.dtype)
        wider[:, [union.index(name) for name in mine]] = one.values
        one.values, one.classes = wider, union


def _one_name(position: int, names: tuple[str, ...]) -> str | None:
    """The name that fields agree on for a position, None where they do not."""
    known = {name for name in names if name != str(position)}
    return str(position) if not known else known.pop() if len(known) == 1 else None
