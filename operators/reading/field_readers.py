"""Readers of fields with one value per row: numbers, vectors, predictions. Each returns one column."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import date, datetime
from functools import cached_property
from typing import Any

import numpy as np

from ...alcore import InvalidInput
from ...alcore.data.errors import name_samples
from ...alcore.data.probabilities import convert_in_place
from ..dataset.arrays import ArrayColumn
from ..dataset.fields import class_vector_path
from .column import BadValues, Column, Declared

# The share of equal labels from which the others are taken for corrections by hand.
CLEAR_MAJORITY = 0.75


NUMBERS = (bool, int, float)


class FieldReader:
    """Base class of readers: takes the values of some paths row by row, then returns a column.

    Attributes:
        paths: the field paths to query.
    """

    paths: list[str]

    def put(self, row: int, sample: str, values: Sequence[Any]) -> None:
        """Take the values of one row, one value for each path.

        Args:
            row: the row's index.
            sample: the id of the row's sample.
            values: the values, in the order of ``paths``.
        """
        raise NotImplementedError

    def put_several(self, row: int, ids: list[str], lists: list[list[Any]]) -> None:
        """Take the values of several rows.

        Args:
            row: the index of the first of these rows; the others follow it.
            ids: the ids of the rows.
            lists: for each path, the list of its values, one for each row.
        """
        for number, values in enumerate(zip(*lists, strict=True) if lists else [()] * len(ids)):
            self.put(row + number, ids[number], values)

    def column(self, bad: BadValues) -> Column:
        """Return the column that was read.

        Args:
            bad: how to handle values that cannot be used.

        Raises:
            InvalidInput: if no row has a value, or if values cannot be used and the policy is "error".
        """
        raise NotImplementedError


class Scalars(FieldReader):
    """Reads numbers, dates or categories.

    Args:
        n: the number of rows.
        path: the path of the values.
        numbers: whether NaN and infinite values are faults. Otherwise NaN counts as missing.
    """

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
            odd = np.array([v is not None and not isinstance(v, date) for v in self.values], dtype=bool)
            bad.refuse(odd, "a value that is no date", missing)
            pairs = zip(self.values, missing.tolist(), strict=True)
            moments = [None if absent else np.datetime64(v, "us") for v, absent in pairs]
            return Column(np.array(moments, dtype="datetime64[us]"), missing)
        odd = np.array([v is not None and not isinstance(v, NUMBERS) for v in self.values], dtype=bool)
        if self._numbers or (isinstance(known, NUMBERS) and not odd.any()):
            bad.refuse(odd, "a value that is no number", missing)
            pairs = zip(self.values, missing.tolist(), strict=True)
            numbers = np.array([np.nan if absent else v for v, absent in pairs], dtype=np.float64)
            if not self._numbers:
                missing |= np.isnan(numbers)
            bad.refuse(~missing & ~np.isfinite(numbers), "NaN or infinite values", missing)
            return Column(numbers, missing)
        # A category of NaN, as pandas writes a missing one.
        missing |= np.array([value != value for value in self.values], dtype=bool)
        return Column(np.array(self.values, dtype=object), missing)


class Embeddings(FieldReader):
    """Reads vectors of equal length."""

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
    """Reads the vectors that a similarity run stores itself, by sample id."""

    ids_at = 1  # FiftyOne returns vectors, sample ids and label ids, in this order

    def __init__(self, n: int, dataset: Any, key: str) -> None:
        super().__init__(n, key)
        self.paths = []
        self._dataset = dataset
        self._key = key

    @cached_property
    def _by_id(self) -> dict[str, np.ndarray]:
        # No cache, because a search in the App changes the vectors of the cached object.
        index = self._dataset.load_brain_results(self._key, cache=False)
        found = index.get_embeddings()
        return dict(zip(map(str, found[self.ids_at]), np.asarray(found[0]), strict=True))

    def put(self, row: int, sample: str, values: Sequence[Any]) -> None:
        self._vectors.put(row, self._by_id.get(sample))


class Predictions(FieldReader):
    """Reads predictions: a Classification's vector, else its label and confidence; or a plain vector.

    Args:
        n: the number of rows.
        path: the path of the field.
        flat: the dataset's flat schema.
        declared: what is declared about the column.
        plain: whether the field is a plain vector and not a Classification.
    """

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
        self._has_confidence = np.zeros(
            n, dtype=bool
        )  # whether a confidence is stored, which may be NaN

    def put(self, row: int, sample: str, values: Sequence[Any]) -> None:
        self._vectors.put(row, values[0])
        if not self._plain:
            self._labels[row] = None if values[1] is None else str(values[1])
            if values[2] is not None:
                # What is no number becomes infinite, which is outside 0 to 1.
                self._confidences[row] = values[2] if isinstance(values[2], NUMBERS) else np.inf
                self._has_confidence[row] = True

    def column(self, bad: BadValues) -> Column:
        if self._vectors.missing.all() and not self._plain:
            return self._from_confidences(bad)
        return self._from_vectors(bad)

    def _from_vectors(self, bad: BadValues) -> Column:
        matrix, missing = self._vectors.matrix(), self._vectors.missing.copy()
        bad.need_some(missing, "prediction")
        width = self._vectors.width
        bad.refuse(self._vectors.odd, f"a vector that has not the {width} classes of most", missing)
        if width == 1:
            matrix, width = self._of_one_output(matrix), 2
        bad.refuse(~missing & ~np.isfinite(matrix).all(1), "NaN or infinite values", missing)
        # The attribute for logits may hold either; every other one says what it holds by its name.
        unsure = self.paths[0].endswith(".logits") and not self._plain
        given = "logits" if self._declared.logits else None if unsure else "probabilities"
        independent = self._declared.independent
        found = convert_in_place(matrix, ~missing, given=given, independent=independent)
        bad.notes += found.notes(bad.path, bad.thing, given is not None)
        for rows, what in found.faults:
            bad.refuse(rows, what, missing)
        matrix[missing] = 0.5 if independent else 1 / max(1, width)
        labels = [
            None if absent else label
            for label, absent in zip(self._labels, missing.tolist(), strict=True)
        ]
        classes = name_classes(self._declared.classes, matrix, labels, bad, bad.ids)
        return Column(matrix, missing, classes, given="probabilities", independent=independent)

    def _of_one_output(self, matrix: np.ndarray) -> np.ndarray:
        """Return the (N, 2) vectors of a binary model with one output, that of the second class."""
        is_logit = self._declared.logits or bool(((matrix < 0) | (matrix > 1)).any())
        first = np.zeros_like(matrix) if is_logit else 1 - matrix
        return np.hstack([first, matrix])

    def _from_confidences(self, bad: BadValues) -> Column:
        missing = np.array([label is None for label in self._labels]) | ~self._has_confidence
        known = {label for label in self._labels if label is not None}
        classes = sorted(known | set(self._declared.classes))
        bad.need_some(missing, "prediction with logits, probabilities or a confidence")
        within = (self._confidences >= 0) & (self._confidences <= 1)
        bad.refuse(~missing & ~within, "a confidence outside 0 to 1", missing)
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
    """Return the names of the C classes of some vectors.

    They are the dataset's class names if their number fits. Otherwise each position gets the label of
    the vectors that have their greatest value there, and its index if there are none. Some labels may
    contradict, because a user has corrected them; a note says how many.

    Args:
        declared: the class names that the dataset declares.
        matrix: (M, C) vectors over the classes.
        labels: (M,) the label that is stored with each vector; None where there is none.
        bad: provides the names for error messages, and takes notes.
        ids: (M,) the ids of the rows, for error messages.

    Raises:
        InvalidInput: if the declared names are in another order than the values, if vectors have their
            greatest value at the same position but different labels, or if two positions have the same
            label.
    """
    width = matrix.shape[1]
    votes = _votes(matrix, labels)
    usual = {place: max(found, key=lambda one: len(found[one])) for place, found in votes.items()}
    if declared and len(declared) == width:
        names = declared
        _check_order(names, votes, usual, bad, ids)
    else:
        for place, found in votes.items():
            count = sum(map(len, found.values()))
            if len(found[usual[place]]) < CLEAR_MAJORITY * count:
                first, second = list(found)[:2]
                raise InvalidInput(
                    f"field {bad.path!r}: the classes differ between {bad.thing}s: position {place} is "
                    f"{first!r} in one and {second!r} in {bad.thing} {ids[found[second][0]]}; "
                    f"predict all {bad.thing}s with one model"
                )
        names = [usual.get(place, str(place)) for place in range(width)]
        if len(set(names)) != width:
            raise InvalidInput(
                f"field {bad.path!r}: two positions of its vectors carry the same label; "
                "set the dataset's classes for it"
            )
    rows = [row for p, found in votes.items() for one in found if one != names[p] for row in found[one]]
    if rows:
        bad.notes.append(
            f"field {bad.path!r}: {named(bad, ids, rows)} with another label than the class of the "
            "highest value; the values count"
        )
    return names


def _votes(matrix: np.ndarray, labels: list[Any]) -> dict[int, dict[str, list[int]]]:
    """Return for each position the labels of the rows with their one greatest value there."""
    width = matrix.shape[1]
    best = np.sort(matrix, axis=1)[:, -2:] if width > 1 else np.c_[matrix * 0, matrix]
    clear = best[:, 1] > best[:, 0]
    votes: dict[int, dict[str, list[int]]] = {}
    for row, position in enumerate(matrix.argmax(1).tolist() if width else []):
        if labels[row] is not None and clear[row]:
            votes.setdefault(position, {}).setdefault(str(labels[row]), []).append(row)
    return votes


def _check_order(
    names: list[str],
    votes: dict[int, dict[str, list[int]]],
    usual: dict[int, str],
    bad: BadValues,
    ids: Sequence[str],
) -> None:
    """Check that declared classes are in the order of the values.

    Where most rows of a position have the label of another class, the order is wrong, unless that class
    is well where it is declared: then users have corrected the labels of these rows.

    Raises:
        InvalidInput: if the order is wrong; it names the first samples that contradict.
    """
    for place, label in usual.items():
        if label == names[place]:
            continue
        there = names.index(label) if label in names else None
        if there is not None and usual.get(there) == label:
            continue
        rows = votes[place][label]
        raise InvalidInput(
            f"field {bad.path!r}: the classes that the dataset declares do not fit its labels: where "
            f"the value of {names[place]!r} is the highest, {named(bad, ids, rows)} with the label "
            f"{label!r}; set the dataset's classes in the order of the values"
        )


def named(bad: BadValues, ids: Sequence[str], rows: list[int]) -> str:
    """Return some rows as text, such as "3 samples (ids a, b, c)"."""
    return name_samples(ids, np.array(sorted(rows))).replace("sample", bad.thing, 1)


def align(columns: dict[str, Column]) -> None:
    """Give the predictions of several fields the same classes in the same order, matched by name.

    A class that a field does not have gets probability 0 there. If a class is named by its index, its
    real name is unknown. It is then matched with the class that another field has at that index.

    Args:
        columns: the columns by field; they are changed in place.

    Raises:
        InvalidInput: if the classes cannot be matched because some names are unknown.
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
    """Return the name on which all fields agree for a position; None if they do not agree."""
    known = {name for name in names if name != str(position)}
    return str(position) if not known else known.pop() if len(known) == 1 else None
