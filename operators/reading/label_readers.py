"""Readers of fields with several predictions per sample: of objects, ensemble members or pixels."""

from __future__ import annotations

from array import array
from collections.abc import Callable, Sequence
from itertools import chain
from typing import Any

import fiftyone as fo
import numpy as np

from ...alcore import InvalidInput, Maps, Objects
from ...alcore.data.probabilities import convert_in_place
from ..dataset.arrays import ArrayColumn, ArrayDecoder
from ..dataset.fields import VECTOR_ATTRIBUTES
from ..dataset.fiftyone_private import dataset_of
from ..dataset.stored_schema import LIST_OF
from ..dataset.views import all_slices
from .column import BadValues, Column, Declared
from .field_readers import FieldReader, name_classes
from .map_files import check_map_file, is_array, read_map_file

MAPS_A_QUERY = 64
# What an evaluation of detections writes on each of them.
CORRECT = {"tp": 1.0, "fp": 0.0}


class ObjectList(FieldReader):
    """Reads the objects of a label list: class vectors or confidences, and boxes if needed.

    Args:
        n: the number of rows.
        path: the label field.
        kind: the label class of the field, such as ``fo.Detections``.
        flat: the dataset's flat schema.
        declared: what is declared about the column.
        boxes: whether to read the bounding boxes.
        counted: whether objects are only counted by class, so that a label alone is enough.

    Raises:
        InvalidInput: if boxes are needed and the field does not hold Detections.
    """

    # Parts of messages that describe a fault of an object.
    vector_has = "an object whose vector has"
    classes_lie = "an object whose class probabilities lie"
    with_neither = "an object with neither"

    def __init__(
        self,
        n: int,
        path: str,
        kind: type,
        flat: dict[str, Any],
        declared: Declared,
        *,
        boxes: bool = False,
        counted: bool = False,
    ) -> None:
        self.root = f"{path}.{LIST_OF[kind]}"
        self._kind = kind
        self._declared = declared
        self._counted = counted
        vector = next((a for a in VECTOR_ATTRIBUTES if f"{self.root}.{a}" in flat), None)
        self.paths = [f"{self.root}.{name}" for name in ("label", "confidence", "_id")]
        self._is_logits = vector == "logits"
        self._at = {"vector": len(self.paths)} if vector else {}
        if vector:
            self.paths.append(f"{self.root}.{vector}")
        if boxes:
            if kind is not fo.Detections:
                raise InvalidInput(
                    f"field {path!r} is a {kind.__name__}; it takes Detections, for boxes"
                )
            self._at["boxes"] = len(self.paths)
            self.paths.append(f"{self.root}.bounding_box")
        if declared.evaluation:
            self._at["correct"] = len(self.paths)
            self.paths.append(f"{self.root}.{declared.evaluation}")
        self._counts = np.zeros(n, dtype=np.int64)
        self._missing = np.ones(n, dtype=bool)
        self._labels: list[Any] = []
        self._confidences = array("d")
        self._ids: list[Any] = []
        self._vectors: list[Any] = []
        self._boxes = array("d")
        self._correct = array("d")
        self._boxless: list[int] = []

    def put(self, row: int, sample: str, values: Sequence[Any]) -> None:
        ids = values[2]
        if ids is None:
            return
        self._missing[row] = False
        self._counts[row] = len(ids)
        self._add(row, values)

    def _add(self, row: int, values: Sequence[Any]) -> None:
        """Add objects. Each entry of ``values`` lists one attribute of all of them."""
        labels, confidences, ids = values[:3]
        self._ids += ids
        self._labels += labels
        self._confidences.extend(map(confidence_of, confidences))
        if "vector" in self._at:
            self._vectors += values[self._at["vector"]]
        if "correct" in self._at:
            self._correct.extend(CORRECT.get(one, np.nan) for one in values[self._at["correct"]])
        if "boxes" in self._at:
            boxes = values[self._at["boxes"]]
            if any(box is None or len(box) != 4 for box in boxes):
                self._boxless.append(row)
                boxes = [box if box is not None and len(box) == 4 else [0.0] * 4 for box in boxes]
            self._boxes.extend(chain.from_iterable(boxes))

    def column(self, bad: BadValues) -> Column:
        missing = self._missing.copy()
        bad.need_some(missing, f"list of {LIST_OF[self._kind]}")
        offsets = np.append(0, np.cumsum(self._counts))
        labels = np.array(self._labels, dtype=object)
        confidences = np.array(self._confidences, dtype=np.float64)
        vectors, has_vector = self._matrix(bad, offsets, missing)
        out_of_range = _any(~_in_range(confidences), offsets)
        bad.refuse(out_of_range, "a confidence outside 0 to 1", missing)
        boxes = None
        if "boxes" in self._at:
            boxes = np.array(self._boxes, dtype=np.float64).reshape(-1, 4)
            boxless = np.isin(np.arange(len(self._counts)), self._boxless)
            none = ~np.isfinite(boxes).all(axis=1) | (boxes[:, 2:] < 0).any(axis=1)
            bad.refuse(boxless | _any(np.asarray(none), offsets), "a box that is none", missing)
        else:
            unknown = np.isnan(confidences) & ~has_vector
            what = f"{self.with_neither} a confidence nor a class vector"
            if self._counted:
                unknown = np.array([one is None for one in self._labels], dtype=bool) & ~has_vector
                what = f"{self.with_neither} a label nor a class vector"
            bad.refuse(_any(unknown, offsets), what, missing)
        # Drop the objects of samples that are left out, because the engine would raise errors for them.
        keep = ~np.repeat(missing, self._counts)
        counts = np.where(missing, 0, self._counts)
        classes, codes = self._classes(bad, labels, vectors, has_vector & keep)
        objects = Objects(
            np.append(0, np.cumsum(counts)),
            probabilities=None if vectors is None else vectors[keep],
            confidences=confidences[keep],
            labels=codes[keep],
            boxes=None if boxes is None else boxes[keep],
            correct=np.array(self._correct)[keep] if "correct" in self._at else None,
            ids=np.array([str(one) for one in self._ids], dtype=object)[keep],
            classes=classes,
        )
        return Column(objects, missing, classes, independent=self._declared.independent)

    def _matrix(
        self, bad: BadValues, offsets: np.ndarray, missing: np.ndarray
    ) -> tuple[np.ndarray | None, np.ndarray]:
        """Return the (M, C) class vectors, and (M,) bool: which objects have one.

        The vectors are None if no object has one.
        """
        stored = ArrayColumn(int(offsets[-1]))
        for number, value in enumerate(self._vectors):
            stored.put(number, value)
        has_vector = ~stored.missing
        if not has_vector.any():
            return None, has_vector
        what = f"{self.vector_has} not the {stored.width} classes of most"
        bad.refuse(_any(stored.odd, offsets), what, missing)
        matrix = stored.matrix()
        unusable = has_vector & ~np.isfinite(matrix).all(1)
        bad.refuse(_any(unusable, offsets), f"{self.vector_has} NaN or infinite values", missing)
        given = "logits" if self._declared.logits else None if self._is_logits else "probabilities"
        found = convert_in_place(
            matrix,
            has_vector,
            given=given,
            independent=self._declared.independent,
            exclusive=False,
        )
        bad.notes += found.notes(bad.path, "object", given is not None)
        for rows, _ in found.faults:
            what = f"{self.classes_lie} outside 0 to 1 (logits go into 'logits')"
            bad.refuse(_any(rows, offsets), what, missing)
        matrix[~has_vector] = np.nan
        return matrix, has_vector

    def _classes(
        self, bad: BadValues, labels: np.ndarray, vectors: np.ndarray | None, usable: np.ndarray
    ) -> tuple[list[str], np.ndarray]:
        """Return the class names, and the (M,) class index of each object; -1 if it has no class."""
        known = {label for label in labels.tolist() if label is not None}
        declared = self._declared.classes
        if vectors is not None:
            named = np.array([label is not None for label in labels.tolist()], dtype=bool)
            rows = np.flatnonzero(usable & named)
            ids = [str(self._ids[row]) for row in rows.tolist()]
            classes = name_classes(declared, vectors[rows], labels[rows].tolist(), bad, ids)
        else:
            classes = declared if known <= set(declared) and declared else sorted(known)
        position = {name: index for index, name in enumerate(classes)}
        return classes, np.array([position.get(label, -1) for label in labels.tolist()], dtype=np.int64)


class TagList(ObjectList):
    """Reads several classes per sample (Classifications).

    If the field stores logits, these are read. Otherwise each classification is read as an object.
    """

    def __init__(self, n: int, path: str, flat: dict[str, Any], declared: Declared) -> None:
        super().__init__(n, path, fo.Classifications, flat, declared)
        self.paths.append(f"{path}.logits")
        self._logits = ArrayColumn(n)

    def put(self, row: int, sample: str, values: Sequence[Any]) -> None:
        super().put(row, sample, values)
        self._logits.put(row, values[-1])

    def column(self, bad: BadValues) -> Column:
        if self._logits.missing.all():
            return super().column(bad)
        matrix, missing = self._logits.matrix(), self._logits.missing.copy()
        width = self._logits.width
        bad.refuse(self._logits.odd, f"a vector that has not the {width} classes of most", missing)
        bad.refuse(~missing & ~np.isfinite(matrix).all(1), "NaN or infinite values", missing)
        given = "logits" if self._declared.logits else None
        found = convert_in_place(matrix, ~missing, given=given, independent=True)
        for rows, what in found.faults:
            bad.refuse(rows, what, missing)
        matrix[missing] = 0.5
        declared = self._declared.classes
        classes = declared if len(declared) == width else None
        return Column(matrix, missing, classes, given="probabilities", independent=True)


class Members(FieldReader):
    """Reads arrays of shape (T, C): T predictions over C classes for each sample."""

    def __init__(self, n: int, path: str, declared: Declared) -> None:
        self.paths = [path]
        self._declared = declared
        self._arrays = ArrayColumn(n, dimensions=2)

    def put(self, row: int, sample: str, values: Sequence[Any]) -> None:
        self._arrays.put(row, values[0])

    def column(self, bad: BadValues) -> Column:
        missing = self._arrays.missing.copy()
        bad.need_some(missing, "array of members, (T, C)")
        members, classes = self._arrays.shape or (0, 0)
        what = f"members of another shape than the {members} x {classes} of most"
        bad.refuse(self._arrays.odd, what, missing)
        values = self._arrays.matrix()
        bad.refuse(~missing & ~np.isfinite(values).all((1, 2)), "NaN or infinite values", missing)
        given = "logits" if self._declared.logits else None
        found = convert_in_place(values, ~missing, given=given)
        bad.notes += found.notes(bad.path, bad.thing, given is not None)
        for rows, what in found.faults:
            bad.refuse(rows, what, missing)
        values[missing] = 1 / max(1, classes)
        declared = self._declared.classes
        names = declared if len(declared) == classes else None
        return Column(values.transpose(1, 0, 2), missing, names, given="probabilities")


class PixelMaps(FieldReader):
    """Reads one map of pixels per sample: an array or a heatmap, in the field or in a file.

    Arrays in a field are loaded from the database only when the engine needs them, some samples at a
    time.

    Args:
        n: the number of rows.
        view: the view that is read.
        array_path: the path of arrays in the database, if any.
        file_path: the path of the names of files with maps, if any.
        declared: what is declared about the column.
    """

    def __init__(
        self, n: int, view: Any, array_path: str | None, file_path: str | None, declared: Declared
    ) -> None:
        self._view = view
        self._array_path = array_path
        self._file_path = file_path
        self._declared = declared
        root = (file_path or array_path or "").rsplit(".", 1)[0]
        self._range_path = f"{root}.range" if (array_path or "").endswith(".map") else None
        self.paths = [path for path in (file_path, self._range_path) if path]
        self._files: list[Any] = [None] * n
        self._ranges: list[Any] = [None] * n
        if not self.paths:
            self.paths = ["_id"]

    def put(self, row: int, sample: str, values: Sequence[Any]) -> None:
        if self._file_path:
            self._files[row] = values[0]
        if self._range_path:
            self._ranges[row] = values[-1]

    def column(self, bad: BadValues) -> Column:
        here = np.array([path is not None for path in self._files], dtype=bool)
        stored = np.zeros(len(here), dtype=bool)
        if self._array_path:
            known = set(self._view.exists(self._array_path).values("id"))
            stored = np.array([one in known for one in bad.ids], dtype=bool)
        missing = ~(here | stored)
        bad.need_some(missing, "map: an array in the field, or the path of one on disk")
        odd = np.array([p is not None and not isinstance(p, str) for p in self._files], dtype=bool)
        bad.refuse(odd, "a path that is no text", missing)
        self._refuse_files(bad, here & ~stored & ~odd, missing)
        maps = Maps(self._loader(bad.ids, stored), len(here), ids=bad.ids, classes=None)
        if bad.policy == "leave_out":
            bad.refuse(_unusable(maps, ~missing), "a map that cannot be used", missing)
        return Column(maps, missing, self._declared.classes or None)

    def _loader(self, ids: Sequence[str], stored: np.ndarray) -> Callable[[int], np.ndarray]:
        in_database = _Prefetch(self._view, self._array_path or "", ids, stored)

        def load(row: int) -> np.ndarray:
            if stored[row]:
                return _scaled(in_database[row], self._ranges[row])
            path = self._files[row]
            return _scaled(read_map_file(path), None if is_array(path) else self._ranges[row])

        return load

    def _refuse_files(self, bad: BadValues, here: np.ndarray, missing: np.ndarray) -> None:
        """Refuse the rows, among ``here``, whose file cannot be used.

        Maps are loaded one by one as they are scored, when no sample can be left out any more. So the
        headers of all files are checked now; and where samples may be left out, the files are read.
        """
        check = check_map_file if bad.policy == "error" else read_map_file
        gone, faults = np.zeros(len(here), dtype=bool), {}
        for row in np.flatnonzero(here).tolist():
            try:
                check(self._files[row])
            except FileNotFoundError:
                gone[row] = True
            except (OSError, ValueError) as error:
                faults[row] = getattr(error, "strerror", None) or str(error)
        bad.refuse(gone, "a map whose file is gone", missing)
        if faults:
            unusable = np.isin(np.arange(len(here)), list(faults))
            first = next(iter(faults.values()))
            of_several = "of the first, " if len(faults) > 1 else ""
            bad.refuse(unusable, f"a map that cannot be read ({of_several}{first})", missing)


def _unusable(maps: Maps, present: np.ndarray) -> np.ndarray:
    """Return (N,) bool: which maps hold NaN, or other classes than the first. Each is loaded once."""
    found = np.zeros(len(present), dtype=bool)
    for row in np.flatnonzero(present).tolist():
        try:
            maps[row]
        except InvalidInput:
            found[row] = True
    return found


class _Prefetch:
    """Arrays of a field, fetched for many samples at once because each query is slow."""

    def __init__(self, view: Any, path: str, ids: Sequence[str], stored: np.ndarray) -> None:
        self._samples = all_slices(dataset_of(view))
        self._path = path
        self._ids = ids
        self._stored = stored
        self._held: dict[int, np.ndarray] = {}
        self._decode = ArrayDecoder()

    def __getitem__(self, row: int) -> np.ndarray:
        if row not in self._held:
            ahead = row + np.flatnonzero(self._stored[row : row + 8 * MAPS_A_QUERY])[:MAPS_A_QUERY]
            ids = [self._ids[one] for one in ahead.tolist()]
            found = self._samples.select(ids).values(["id", self._path])
            place = {one: number for number, one in zip(ahead.tolist(), ids, strict=True)}
            self._held = {place[one]: value for one, value in zip(*found, strict=True)}
        value = self._held[row]
        if value is None:
            raise ValueError("it has been removed meanwhile")
        return self._decode(value)


def _scaled(values: np.ndarray, limits: Any) -> np.ndarray:
    """Return the values of a heatmap, scaled to [0, 1]; arrays that are not 2-D are left unchanged.

    With ``limits`` (low, high), low becomes 0 and high becomes 1. Without them, integers are divided by
    255, or by 65535 for uint16, as FiftyOne does.
    """
    if values.ndim != 2:
        return values
    if limits:
        low, high = limits
        return (np.asarray(values, dtype=np.float64) - low) / ((high - low) or 1)
    if values.dtype.kind in "iu":
        return values / (65535.0 if values.dtype == np.uint16 else 255.0)
    return values


def confidence_of(value: Any) -> float:
    """Return a confidence as a number.

    For a list, such as the confidences of a keypoint's points, it is the mean of the known values. NaN
    stands for no confidence; a stored NaN becomes infinite, which is outside 0 to 1.
    """
    if value is None:
        return float("nan")
    if isinstance(value, list):
        known = [one for one in value if one is not None and one == one]
        return sum(known) / len(known) if known else float("nan")
    return float(value) if isinstance(value, (int, float)) and value == value else float("inf")


def _in_range(confidences: np.ndarray) -> np.ndarray:
    return np.isnan(confidences) | ((confidences >= 0) & (confidences <= 1))


def _any(of_objects: np.ndarray, offsets: np.ndarray) -> np.ndarray:
    """Return (N,) bool: which samples have at least one object for which ``of_objects`` is True.

    Args:
        of_objects: (M,) bool.
        offsets: (N + 1,) the index of each sample's first object, then M.
    """
    before = np.append(0, np.cumsum(of_objects))
    return before[offsets[1:]] > before[offsets[:-1]]
