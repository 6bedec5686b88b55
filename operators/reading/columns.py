"""Sources of columns: each is fed a field's values row by row, and gives the reader a column."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import date, datetime
from functools import cached_property
from typing import Any, Protocol

import numpy as np

from ...alcore import InvalidInput
from ...alcore.data.probabilities import SUM_TOLERANCE
from ..dataset.arrays import ArrayColumn
from ..dataset.fields import class_vector_path


class Reader(Protocol):
    """What a source may ask of the reader, and where it leaves its column."""

    thing: str
    dataset: Any
    view: Any
    n: int
    ids: list[str]
    columns: dict[str, Any]
    missing: dict[str, np.ndarray]
    classes: dict[str, list[str]]
    notes: list[str]
    logits: set[str]
    independent: set[str]
    maps: set[str]

    def refuse(self, column: str, bad: np.ndarray, what: str) -> None:
        """Stop at values that cannot be used, or note that their samples are left out."""
        ...


class Source:
    paths: list[str]

    def put(self, row: int, sample: str, values: Sequence[Any]) -> None:
        raise NotImplementedError

    def put_several(self, row: int, ids: list[str], lists: list[list[Any]]) -> None:
        """Rows from ``row`` on, whose values come as a list for each path."""
        for number, values in enumerate(zip(*lists, strict=True) if lists else [()] * len(ids)):
            self.put(row + number, ids[number], values)

    def finish(self, reader: Reader, column: str) -> None:
        raise NotImplementedError


class Scalars(Source):
    def __init__(self, n: int, path: str, *, numbers: bool) -> None:
        self.paths = [path]
        self.values: list[Any] = [None] * n
        self._numbers = numbers

    def put(self, row: int, sample: str, values: Sequence[Any]) -> None:
        self.values[row] = values[0]

    def put_several(self, row: int, ids: list[str], lists: list[list[Any]]) -> None:
        self.values[row : row + len(ids)] = lists[0]

    def finish(self, reader: Reader, column: str) -> None:
        missing = np.array([value is None for value in self.values], dtype=bool)
        reader.missing[column] = missing
        known = next((value for value in self.values if value is not None), None)
        if isinstance(known, (date, datetime)):
            moments = [None if v is None else np.datetime64(v, "us") for v in self.values]
            reader.columns[column] = np.array(moments, dtype="datetime64[us]")
        elif self._numbers or isinstance(known, (bool, int, float)):
            numbers = np.array([np.nan if v is None else v for v in self.values], dtype=np.float64)
            reader.columns[column] = numbers
            if self._numbers:
                reader.refuse(column, ~missing & ~np.isfinite(numbers), "NaN or infinite values")
            else:
                reader.missing[column] |= np.isnan(numbers)
        else:
            reader.columns[column] = np.array(self.values, dtype=object)


class Embeddings(Source):
    def __init__(self, n: int, path: str) -> None:
        self.paths = [path]
        self._vectors = ArrayColumn(n)

    def put(self, row: int, sample: str, values: Sequence[Any]) -> None:
        self._vectors.put(row, values[0])

    def finish(self, reader: Reader, column: str) -> None:
        matrix = self._vectors.matrix()
        reader.columns[column] = matrix
        reader.missing[column] = self._vectors.missing
        need_some(reader, column, "embedding")
        width = self._vectors.width
        reader.refuse(column, self._vectors.odd, f"a vector that has not the length {width} of most")
        here = ~reader.missing[column]
        with np.errstate(over="ignore", invalid="ignore"):
            length = np.einsum("nd,nd->n", matrix, matrix)
        reader.refuse(column, here & ~np.isfinite(length), "NaN or infinite values")
        here = ~reader.missing[column]
        reader.refuse(column, here & (length == 0), "a zero vector")


class Loaded(Embeddings):
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


class Predictions(Source):
    """A Classification's vector, or its label and confidence; or a plain vector."""

    def __init__(self, n: int, path: str, flat: dict[str, Any], *, plain: bool = False) -> None:
        self._plain = plain
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

    def finish(self, reader: Reader, column: str) -> None:
        if self._vectors.missing.all() and not self._plain:
            self._from_confidences(reader, column)
        else:
            self._from_vectors(reader, column)

    def _from_vectors(self, reader: Reader, column: str) -> None:
        matrix = self._vectors.matrix()
        reader.missing[column] = self._vectors.missing
        reader.columns[column] = matrix
        need_some(reader, column, "prediction")
        width = self._vectors.width
        what = f"a vector that has not the {width} classes of most"
        reader.refuse(column, self._vectors.odd, what)
        here = ~reader.missing[column]
        reader.refuse(column, here & ~np.isfinite(matrix).all(1), "NaN or infinite values")
        here = ~reader.missing[column]
        if column in reader.independent:
            sigmoid_where_logits(reader, column, matrix)
            matrix[reader.missing[column]] = 0.5
            self._name_classes(reader, column, matrix)
            return
        total = matrix.sum(1, dtype=np.float64)
        sums_to_one = (matrix >= 0).all(1) & (np.abs(total - 1) <= SUM_TOLERANCE)
        declared = column in reader.logits
        if not declared and (self._plain or (sums_to_one & here).sum() * 2 > here.sum()):
            negative = here & (matrix < 0).any(1)
            reader.refuse(column, negative, "negative probabilities (logits need given: logits)")
            here = ~reader.missing[column]
            reader.refuse(column, here & ~sums_to_one, "probabilities that do not sum to 1")
        else:
            softmax_in_place(matrix)
        matrix[reader.missing[column]] = 1 / max(1, width)
        self._name_classes(reader, column, matrix)

    def _name_classes(self, reader: Reader, column: str, matrix: np.ndarray) -> None:
        labels = [
            None if missing else label
            for label, missing in zip(self._labels, reader.missing[column].tolist(), strict=True)
        ]
        reader.classes[column] = name_classes(reader, column, matrix, labels, reader.ids)

    def _from_confidences(self, reader: Reader, column: str) -> None:
        missing = np.array([label is None for label in self._labels]) | np.isnan(self._confidences)
        known = {label for label in self._labels if label is not None}
        classes = sorted(known | set(declared_classes(reader.dataset, column)))
        reader.missing[column] = missing
        reader.columns[column] = np.zeros((reader.n, 0))
        need_some(reader, column, "prediction with logits, probabilities or a confidence")
        wrong = ~missing & ((self._confidences < 0) | (self._confidences > 1))
        reader.refuse(column, wrong, "a confidence outside 0 to 1")
        position = {name: index for index, name in enumerate(classes)}
        width = len(classes)
        confidences = np.where(reader.missing[column], 1 / width, self._confidences)
        rest = (1 - confidences) / max(1, width - 1)
        matrix = np.repeat(rest[:, None].astype(np.float32), width, axis=1)
        rows = np.flatnonzero(~reader.missing[column])
        matrix[rows, [position[self._labels[row]] for row in rows]] = confidences[rows]
        if width == 1:
            matrix[:] = 1
        reader.columns[column] = matrix
        reader.classes[column] = classes
        reader.notes.append(
            f"field {column!r} has label and confidence only: least confidence is exact, entropy and "
            "margin take the other classes as equally likely"
        )


def name_classes(
    reader: Reader, column: str, matrix: np.ndarray, labels: list[Any], ids: Sequence[str]
) -> list[str]:
    """Name the C classes by the dataset's own list, else by the labels that go with the (M, C) vectors.

    Raises:
        InvalidInput: the best class of two vectors is the same position, under two labels; or two
            positions carry one label.
    """
    width = matrix.shape[1]
    declared = declared_classes(reader.dataset, column)
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
                f"field {column!r}: the classes differ between {reader.thing}s: position {position} "
                f"is {seen[position]!r} in one and {label!r} in {reader.thing} {ids[row]}; "
                f"predict all {reader.thing}s with one model"
            )
    names = [seen.get(position, str(position)) for position in range(width)]
    if len(set(names)) != width:
        raise InvalidInput(
            f"field {column!r}: two positions of its vectors carry the same label; "
            "set the dataset's classes for it"
        )
    return names


def declared_classes(dataset: Any, column: str) -> list[str]:
    """The class names that the dataset declares for a field, or for all of them."""
    return list(map(str, dataset.classes.get(column) or dataset.default_classes or []))


def need_some(reader: Reader, column: str, what: str) -> None:
    if reader.missing[column].all():
        raise InvalidInput(f"field {column!r}: none of the {reader.n} {reader.thing}s has a {what}")


def softmax_in_place(matrix: np.ndarray) -> None:
    matrix -= matrix.max(axis=-1, keepdims=True)
    np.exp(matrix, out=matrix)
    matrix /= matrix.sum(axis=-1, keepdims=True)


def sigmoid_where_logits(reader: Reader, column: str, matrix: np.ndarray) -> None:
    """Bring classes that do not exclude each other to probabilities, in place."""
    here = ~reader.missing[column]
    outside = here & ((matrix < 0) | (matrix > 1 + SUM_TOLERANCE)).any(1)
    if column in reader.logits or outside.any():
        with np.errstate(over="ignore"):
            np.divide(1, 1 + np.exp(-matrix), out=matrix)


def align(reader: Reader, columns: list[str]) -> None:
    """Give several fields' predictions the same classes in the same order, by their names.

    A class that one field does not know has probability 0 there. A number stands for a class that no
    sample is predicted to be, whose name nobody told: it may be the one another field names there.

    Raises:
        InvalidInput: fields of unequal numbers of classes whose names do not tell which is which.
    """
    names = [reader.classes[column] for column in columns]
    if len({len(one) for one in names}) == 1:
        together = [_one_name(position, at) for position, at in enumerate(zip(*names, strict=True))]
        if None not in together and len(set(together)) == len(together):
            for column in columns:
                reader.classes[column] = [str(name) for name in together]
            return
    if any(name == str(position) for one in names for position, name in enumerate(one)):
        raise InvalidInput(
            f"fields {', '.join(map(repr, columns))}: their classes cannot be told from each other; "
            "set the dataset's classes for each"
        )
    union = sorted(set().union(*names))
    for column, mine in zip(columns, names, strict=True):
        matrix = reader.columns[column]
        wider = np.zeros((len(matrix), len(union)), dtype=matrix.dtype)
        wider[:, [union.index(name) for name in mine]] = matrix
        reader.columns[column], reader.classes[column] = wider, union


def _one_name(position: int, names: tuple[str, ...]) -> str | None:
    """The name that fields agree on for a position, None where they do not."""
    told = {name for name in names if name != str(position)}
    return str(position) if not told else told.pop() if len(told) == 1 else None
