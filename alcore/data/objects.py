"""Several predictions per sample, such as the boxes of a detector, in flat arrays."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from .device import to_array
from .errors import SHOWN, InvalidInput
from .settings import chunk_size

NUMBERS_A_CHUNK = 1 << 21  # a chunk of float64 takes 16 MiB
ABOVE_ONE = 1e-3  # what rounding may add to a probability


class Objects:
    """N samples with M objects in all; the objects of sample n are ``offsets[n]:offsets[n + 1]``.

    Args:
        offsets: (N + 1,) ints from 0 to M that never decrease.
        probabilities: (M, C), one row of class probabilities per object, each in [0, 1]: rows that
            sum to 1, or independent sigmoids. A row of NaN where an object has none.
        confidences: (M,) in [0, 1], NaN where not known.
        labels: (M,) int index of the class, -1 where not known.
        boxes: (M, 4) left, top, width and height, all in the same unit.
        correct: (M,) 1 for a true positive, 0 for a false one, NaN where not known.
        ids: M ids of the objects, anything hashable.
        classes: the C class names, in the order of ``labels`` and the columns of ``probabilities``.

    Raises:
        InvalidInput: lengths that do not fit, or values outside the ranges above.
    """

    def __init__(
        self,
        offsets: Any,
        probabilities: Any = None,
        confidences: Any = None,
        labels: Any = None,
        boxes: Any = None,
        correct: Any = None,
        ids: Sequence[Any] | np.ndarray | None = None,
        classes: Sequence[str] | None = None,
    ) -> None:
        self.offsets = checked_offsets(offsets)
        self.ids = None if ids is None else _one_dimensional(ids)
        self.classes = None if classes is None else list(map(str, classes))
        self.probabilities = self._floats(probabilities, "probabilities", ("C",))
        self.confidences = self._floats(confidences, "confidences", ())
        self.boxes = self._floats(boxes, "boxes", (4,))
        self.correct = self._floats(correct, "correct", ())
        self.labels = self._ints(labels)
        self._check()

    @classmethod
    def from_lists(
        cls,
        *,
        probabilities: Sequence[Any] | None = None,
        confidences: Sequence[Any] | None = None,
        labels: Sequence[Any] | None = None,
        boxes: Sequence[Any] | None = None,
        correct: Sequence[Any] | None = None,
        ids: Sequence[Any] | None = None,
        classes: Sequence[str] | None = None,
    ) -> Objects:
        """Objects from lists with one entry per sample: an array with one row per object, or None.

        Meant for small data, because it loops over the samples.

        Raises:
            InvalidInput: lists of different lengths, or as for the class.
        """
        given = {
            "probabilities": probabilities,
            "confidences": confidences,
            "labels": labels,
            "boxes": boxes,
            "correct": correct,
            "ids": ids,
        }
        lists = {name: list(entries) for name, entries in given.items() if entries is not None}
        if not lists:
            raise InvalidInput("objects: give at least one of " + ", ".join(given))
        lengths = {
            name: np.array([0 if entry is None else len(entry) for entry in entries], dtype=np.int64)
            for name, entries in lists.items()
        }
        (first, counts), *others = lengths.items()
        for name, theirs in others:
            if len(theirs) != len(counts):
                raise InvalidInput(
                    f"objects: {first} has {len(counts)} samples and {name} {len(theirs)}; give both "
                    "an entry for each sample"
                )
            odd = np.flatnonzero(theirs != counts)
            if len(odd):
                row = int(odd[0])
                raise InvalidInput(
                    f"objects: {len(odd)} samples have another number of {name} than of {first}, the "
                    f"first at row {row} ({theirs[row]} and {counts[row]}); give one for each object"
                )
        arrays = {
            name: np.concatenate([to_array(entry) for entry in entries if _filled(entry)])
            for name, entries in lists.items()
            if counts.any()
        }
        return cls(np.append(0, np.cumsum(counts)), **arrays, classes=classes)

    def __len__(self) -> int:
        """N, the number of samples."""
        return len(self.offsets) - 1

    @property
    def total(self) -> int:
        """M, the number of objects."""
        return int(self.offsets[-1])

    @property
    def counts(self) -> np.ndarray:
        """(N,) int64: how many objects a sample has."""
        return np.diff(self.offsets)

    @property
    def sample(self) -> np.ndarray:
        """(M,) int64: the row of each object's sample, computed at each access."""
        return np.repeat(np.arange(len(self)), self.counts)

    def take(self, rows: Any) -> Objects:
        """The samples at ``rows``, in that order, with their objects; ``rows`` may be a bool mask.

        Raises:
            InvalidInput: rows outside 0 to N - 1.
        """
        wanted = to_array(rows)
        if wanted.dtype == bool and wanted.shape == (len(self),):
            wanted = np.flatnonzero(wanted)
        wanted = wanted.astype(np.int64) if wanted.size == 0 else wanted
        if wanted.ndim != 1 or wanted.dtype.kind not in "iu":
            raise InvalidInput("take: rows must be a list of sample numbers, or one bool a sample")
        outside = (wanted < 0) | (wanted >= len(self))
        if outside.any():
            raise InvalidInput(
                f"take: {int(outside.sum())} rows (the first {wanted[outside][0]}) lie outside the "
                f"{len(self)} samples; give rows from 0 up"
            )
        counts = self.counts[wanted]
        offsets = np.append(0, np.cumsum(counts))
        index = np.repeat(self.offsets[wanted] - offsets[:-1], counts) + np.arange(offsets[-1])
        taken = Objects.__new__(Objects)  # skips the checks, which the data have passed
        taken.offsets, taken.classes = offsets, self.classes
        for name in ("probabilities", "confidences", "labels", "boxes", "correct", "ids"):
            values = getattr(self, name)
            setattr(taken, name, None if values is None else values[index])
        return taken

    def name(self, rows: np.ndarray) -> str:
        """Count the objects at ``rows`` and name the first ones, for an error message."""
        known = range(self.total) if self.ids is None else self.ids
        word = "row" if self.ids is None else "id"
        first = ", ".join(str(known[row]) for row in rows[:SHOWN].tolist())
        sample = int(np.searchsorted(self.offsets, rows[0], side="right")) - 1
        several = "s" if len(rows) != 1 else ""
        return (
            f"{len(rows)} object{several} ({word}{several} {first}"
            f"{', ...' if len(rows) > SHOWN else ''}; {'the first ' if several else ''}"
            f"in the sample at row {sample})"
        )

    def _floats(self, values: Any, name: str, more: tuple[int | str, ...]) -> np.ndarray | None:
        if values is None:
            return None
        try:
            array = to_array(values)
            if array.dtype.kind != "f":
                array = array.astype(np.float64)  # None becomes NaN
        except (TypeError, ValueError):
            raise InvalidInput(f"{name}: holds what is no number; give an array of numbers") from None
        fits = array.ndim == 1 + len(more) and len(array) == self.total
        if not fits or (4 in more and array.shape[1] != 4):
            raise InvalidInput(
                f"{name}: shape {array.shape} does not fit {self.total} objects; give "
                f"({', '.join(map(str, ('M', *more)))}{'' if more else ','})"
            )
        return array

    def _ints(self, labels: Any) -> np.ndarray | None:
        if labels is None:
            return None
        array = to_array(labels)
        array = array.astype(np.int64) if array.size == 0 else array
        if array.shape != (self.total,) or array.dtype.kind not in "iu":
            raise InvalidInput(
                f"labels: shape {array.shape} of {array.dtype} does not fit {self.total} objects; "
                "give (M,) whole numbers, the index of each object's class"
            )
        return array

    def _check(self) -> None:
        if self.ids is not None and len(self.ids) != self.total:
            raise InvalidInput(f"ids: {len(self.ids)} ids for {self.total} objects; give one for each")
        if self.classes is not None and len(set(self.classes)) != len(self.classes):
            raise InvalidInput("classes: a class is named twice; give each name once")
        classes = None if self.classes is None else len(self.classes)
        if self.probabilities is not None:
            width = self.probabilities.shape[1]
            if width == 0 or classes not in (None, width):
                raise InvalidInput(
                    f"probabilities: vectors of {width} numbers for {classes or 'no'} classes; give "
                    "one number for each class"
                )
            classes = width
            self._check_probabilities(self.probabilities)
        if self.confidences is not None:
            outside = (self.confidences < 0) | (self.confidences > 1)
            self._refuse("confidences", outside, "values outside 0 to 1", "NaN where it is not known")
        if self.correct is not None:
            odd = ~(np.isnan(self.correct) | (self.correct == 0) | (self.correct == 1))
            self._refuse("correct", odd, "values other than 0 and 1", "NaN where it is not known")
        if self.labels is not None:
            last = np.iinfo(np.int64).max if classes is None else classes - 1
            unknown = (self.labels < -1) | (self.labels > last)
            self._refuse("labels", unknown, "a class that there is not", "-1 where it is not known")
        if self.boxes is not None:
            endless = ~np.isfinite(self.boxes).all(1)
            self._refuse("boxes", endless, "NaN or infinite corners", "no object where there is no box")
            inverted = (self.boxes[:, 2:] < 0).any(1)
            self._refuse("boxes", inverted, "negative width or height", "left, top, width and height")

    def _check_probabilities(self, p: np.ndarray) -> None:
        bad = np.zeros(self.total, dtype=bool)
        step = max(1, chunk_size(NUMBERS_A_CHUNK) // p.shape[1])
        for start in range(0, self.total, step):
            block = p[start : start + step]
            inside = ((block >= 0) & (block <= 1 + ABOVE_ONE)).all(1)
            bad[start : start + step] = ~(inside | np.isnan(block).all(1))
        advice = "probabilities, not logits, and NaN throughout where there is no vector"
        self._refuse("probabilities", bad, "values outside 0 to 1 or partly NaN", advice)

    def _refuse(self, name: str, bad: Any, what: str, advice: str) -> None:
        rows = np.flatnonzero(bad)
        if len(rows):
            raise InvalidInput(f"{name}: {self.name(rows)} with {what}; give {advice}")


def checked_offsets(offsets: Any) -> np.ndarray:
    """Check offsets: (N + 1,) int64, which start at 0 and never decrease.

    Raises:
        InvalidInput: they are not such offsets.
    """
    array = to_array(offsets)
    if array.ndim != 1 or len(array) == 0 or array.dtype.kind not in "iu":
        raise InvalidInput(
            f"offsets: shape {array.shape} of {array.dtype}; give N + 1 whole numbers for N samples, "
            "where each one's objects start and the last one's end"
        )
    array = array.astype(np.int64, copy=False)
    falls = np.flatnonzero(array[1:] < array[:-1])
    if array[0] != 0 or len(falls):
        where = f"fall after row {int(falls[0])}" if len(falls) else f"start at {int(array[0])}"
        raise InvalidInput(f"offsets: {where}; they must start at 0 and never fall")
    return array


def _one_dimensional(ids: Sequence[Any] | np.ndarray) -> np.ndarray:
    """Ids as a 1-D array, also where an id is itself a tuple."""
    if isinstance(ids, np.ndarray) and ids.ndim == 1:
        return ids
    return np.fromiter(ids, dtype=object, count=len(ids))


def _filled(entry: Any) -> bool:
    return entry is not None and len(entry) > 0
