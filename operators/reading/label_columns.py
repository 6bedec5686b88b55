"""Sources of labels that hold more than one prediction a sample: of objects, members or pixels."""

from __future__ import annotations

import os
from array import array
from collections.abc import Callable, Sequence
from itertools import chain
from typing import Any

import fiftyone as fo
import numpy as np

from ...alcore import InvalidInput, Maps, Objects
from ..dataset.arrays import ArrayColumn, ArrayDecoder
from ..dataset.fields import LIST_OF, VECTOR_ATTRIBUTES
from ..dataset.fiftyone_private import dataset_of
from .columns import (
    Reader,
    Source,
    declared_classes,
    name_classes,
    need_some,
    sigmoid_where_logits,
    softmax_in_place,
)

MAPS_A_QUERY = 64
NPY = (".npy", ".npz")


class ObjectList(Source):
    """The objects of a label list: their class vectors or confidences, and boxes where asked for."""

    # How what is wrong with an object is told of its sample.
    vector_has = "an object whose vector has"
    classes_lie = "an object whose class probabilities lie"
    with_neither = "an object with neither"

    def __init__(
        self,
        n: int,
        path: str,
        kind: type,
        flat: dict[str, Any],
        *,
        boxes: bool = False,
        counted: bool = False,
    ) -> None:
        self.root = f"{path}.{LIST_OF[kind]}"
        self._kind = kind
        self._counted = counted  # by their labels, if they have nothing else
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
        self._counts = np.zeros(n, dtype=np.int64)
        self._missing = np.ones(n, dtype=bool)
        self._labels: list[Any] = []
        self._confidences = array("d")
        self._ids: list[Any] = []
        self._vectors: list[Any] = []
        self._boxes = array("d")
        self._boxless: list[int] = []
        self._decode = ArrayDecoder()

    def put(self, row: int, sample: str, values: Sequence[Any]) -> None:
        ids = values[2]
        if ids is None:
            return
        self._missing[row] = False
        self._counts[row] = len(ids)
        self._add(row, values)

    def _add(self, row: int, values: Sequence[Any]) -> None:
        """Objects, of which a list of each of their attributes is given."""
        labels, confidences, ids = values[:3]
        self._ids += ids
        self._labels += labels
        self._confidences.extend(map(confidence_of, confidences))
        if "vector" in self._at:
            self._vectors += values[self._at["vector"]]
        if "boxes" in self._at:
            boxes = values[self._at["boxes"]]
            if any(box is None or len(box) != 4 for box in boxes):
                self._boxless.append(row)
                boxes = [box if box is not None and len(box) == 4 else [0.0] * 4 for box in boxes]
            self._boxes.extend(chain.from_iterable(boxes))

    def finish(self, reader: Reader, column: str) -> None:
        reader.missing[column] = self._missing
        need_some(reader, column, f"list of {LIST_OF[self._kind]}")
        offsets = np.append(0, np.cumsum(self._counts))
        labels = np.array(self._labels, dtype=object)
        confidences = np.array(self._confidences, dtype=np.float64)
        vectors, has_vector = self._matrix(reader, column, offsets)
        reader.refuse(column, _any(~_in_range(confidences), offsets), "a confidence outside 0 to 1")
        if "boxes" in self._at:
            boxes = np.array(self._boxes, dtype=np.float64).reshape(-1, 4)
            boxless = np.isin(np.arange(len(self._counts)), self._boxless)
            none = ~np.isfinite(boxes).all(axis=1) | (boxes[:, 2:] < 0).any(axis=1)
            off = boxless | _any(np.asarray(none), offsets)
            reader.refuse(column, off, "a box that is none")
        else:
            unknown = np.isnan(confidences) & ~has_vector
            what = f"{self.with_neither} a confidence nor a class vector"
            if self._counted:
                unknown = np.array([one is None for one in self._labels], dtype=bool) & ~has_vector
                what = f"{self.with_neither} a label nor a class vector"
            reader.refuse(column, _any(unknown, offsets), what)
            boxes = None
        # Objects of samples that are left out would be refused once more, by the engine.
        keep = ~np.repeat(reader.missing[column], self._counts)
        counts = np.where(reader.missing[column], 0, self._counts)
        classes, codes = self._classes(reader, column, labels, vectors, has_vector & keep)
        reader.classes[column] = classes
        reader.columns[column] = Objects(
            np.append(0, np.cumsum(counts)),
            probabilities=None if vectors is None else vectors[keep],
            confidences=confidences[keep],
            labels=codes[keep],
            boxes=None if boxes is None else boxes[keep],
            ids=np.array([str(one) for one in self._ids], dtype=object)[keep],
            classes=classes,
        )

    def _matrix(
        self, reader: Reader, column: str, offsets: np.ndarray
    ) -> tuple[np.ndarray | None, np.ndarray]:
        """(M, C) class vectors, NaN where there is none, and which have one."""
        total = int(offsets[-1])
        stored = ArrayColumn(total)
        for number, value in enumerate(self._vectors):
            stored.put(number, value)
        has_vector = ~stored.missing
        if not has_vector.any():
            return None, has_vector
        what = f"{self.vector_has} not the {stored.width} classes of most"
        reader.refuse(column, _any(stored.odd, offsets), what)
        matrix = stored.matrix()
        bad = has_vector & ~np.isfinite(matrix).all(1)
        reader.refuse(column, _any(bad, offsets), f"{self.vector_has} NaN or infinite values")
        outside = has_vector & ((matrix < 0) | (matrix > 1 + 1e-3)).any(1)
        if (self._is_logits and 2 * outside.sum() > has_vector.sum()) or column in reader.logits:
            if column in reader.independent:
                matrix = 1 / (1 + np.exp(-matrix))
            else:
                softmax_in_place(matrix)
        else:
            what = f"{self.classes_lie} outside 0 to 1 (logits go into 'logits')"
            reader.refuse(column, _any(outside, offsets), what)
        matrix[~has_vector] = np.nan
        return matrix, has_vector

    def _classes(
        self,
        reader: Reader,
        column: str,
        labels: np.ndarray,
        vectors: np.ndarray | None,
        usable: np.ndarray,
    ) -> tuple[list[str], np.ndarray]:
        """The class names, and each object's place among them, -1 where it has none."""
        known = {label for label in labels.tolist() if label is not None}
        declared = declared_classes(reader.dataset, column)
        if vectors is not None:
            named = np.array([label is not None for label in labels.tolist()], dtype=bool)
            rows = np.flatnonzero(usable & named)
            ids = [str(self._ids[row]) for row in rows.tolist()]
            classes = name_classes(reader, column, vectors[rows], labels[rows].tolist(), ids)
        else:
            classes = declared if known <= set(declared) and declared else sorted(known)
        position = {name: index for index, name in enumerate(classes)}
        return classes, np.array([position.get(label, -1) for label in labels.tolist()], dtype=np.int64)


class TagList(ObjectList):
    """Several classes a sample: their logits where these are stored, else each as an object."""

    def __init__(self, n: int, path: str, flat: dict[str, Any]) -> None:
        super().__init__(n, path, fo.Classifications, flat)
        self.paths.append(f"{path}.logits")
        self._logits = ArrayColumn(n)

    def put(self, row: int, sample: str, values: Sequence[Any]) -> None:
        super().put(row, sample, values)
        self._logits.put(row, values[-1])

    def finish(self, reader: Reader, column: str) -> None:
        if self._logits.missing.all():
            super().finish(reader, column)
            return
        matrix = self._logits.matrix()
        reader.missing[column] = self._logits.missing
        reader.independent.add(column)
        width = self._logits.width
        reader.refuse(column, self._logits.odd, f"a vector that has not the {width} classes of most")
        here = ~reader.missing[column]
        reader.refuse(column, here & ~np.isfinite(matrix).all(1), "NaN or infinite values")
        sigmoid_where_logits(reader, column, matrix)
        matrix[reader.missing[column]] = 0.5
        reader.columns[column] = matrix
        declared = declared_classes(reader.dataset, column)
        if len(declared) == width:
            reader.classes[column] = declared


class Members(Source):
    """Several predictions of each sample in one array, (T, C)."""

    def __init__(self, n: int, path: str) -> None:
        self.paths = [path]
        self._path = path
        self._arrays = ArrayColumn(n, dimensions=2)

    def put(self, row: int, sample: str, values: Sequence[Any]) -> None:
        self._arrays.put(row, values[0])

    def finish(self, reader: Reader, column: str) -> None:
        reader.missing[column] = self._arrays.missing
        need_some(reader, column, "array of members, (T, C)")
        members, classes = self._arrays.shape or (0, 0)
        what = f"members of another shape than the {members} x {classes} of most"
        reader.refuse(column, self._arrays.odd, what)
        values = self._arrays.matrix()
        here = ~reader.missing[column]
        reader.refuse(column, here & ~np.isfinite(values).all((1, 2)), "NaN or infinite values")
        here = ~reader.missing[column]
        sums_to_one = (values >= 0).all((1, 2)) & (np.abs(values.sum(2) - 1) <= 1e-3).all(1)
        if column in reader.logits or 2 * (sums_to_one & here).sum() <= here.sum():
            softmax_in_place(values)
        else:
            reader.refuse(column, here & ~sums_to_one, "probabilities that do not sum to 1")
        values[reader.missing[column]] = 1 / max(1, classes)
        reader.columns[column] = values.transpose(1, 0, 2)
        declared = declared_classes(reader.dataset, column.rsplit(".", 1)[0])
        if len(declared) == classes:
            reader.classes[column] = declared


class PixelMaps(Source):
    """A map a sample: an array or a heatmap on disk, whose path a field holds, or in the field itself.

    Arrays in a field stay in the database until the engine asks for them, some samples at a time.
    """

    def __init__(self, n: int, view: Any, array_path: str | None, file_path: str | None) -> None:
        self._view = view
        self._array_path = array_path
        self._file_path = file_path
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

    def finish(self, reader: Reader, column: str) -> None:
        reader.maps.add(column)
        here = np.array([path is not None for path in self._files], dtype=bool)
        stored = np.zeros(reader.n, dtype=bool)
        if self._array_path:
            known = set(self._view.exists(self._array_path).values("id"))
            stored = np.array([one in known for one in reader.ids], dtype=bool)
        reader.missing[column] = ~(here | stored)
        need_some(reader, column, "map: an array in the field, or the path of one on disk")
        odd = np.array([p is not None and not isinstance(p, str) for p in self._files], dtype=bool)
        reader.refuse(column, odd, "a path that is no text")
        gone = np.array([isinstance(p, str) and not os.path.isfile(p) for p in self._files], dtype=bool)
        reader.refuse(column, gone & ~stored, "a map whose file is gone")
        declared = declared_classes(reader.dataset, column.split(".", 1)[0])
        reader.columns[column] = Maps(
            self._loader(reader, stored), reader.n, ids=reader.ids, classes=None
        )
        if declared:
            reader.classes[column] = declared

    def _loader(self, reader: Reader, stored: np.ndarray) -> Callable[[int], np.ndarray]:
        in_database = _Prefetch(self._view, self._array_path or "", reader.ids, stored)

        def load(row: int) -> np.ndarray:
            if stored[row]:
                return _scaled(in_database[row], self._ranges[row])
            path = self._files[row]
            return _scaled(_read_file(path), None if path.endswith(NPY) else self._ranges[row])

        return load


class _Prefetch:
    """Arrays of a field, fetched some samples ahead, for each query costs more than a map."""

    def __init__(self, view: Any, path: str, ids: list[str], stored: np.ndarray) -> None:
        self._dataset = dataset_of(view)
        self._path = path
        self._ids = ids
        self._stored = stored
        self._held: dict[int, np.ndarray] = {}
        self._decode = ArrayDecoder()

    def __getitem__(self, row: int) -> np.ndarray:
        if row not in self._held:
            ahead = row + np.flatnonzero(self._stored[row : row + 8 * MAPS_A_QUERY])[:MAPS_A_QUERY]
            ids = [self._ids[one] for one in ahead.tolist()]
            found = self._dataset.select(ids).values(["id", self._path])
            place = {one: number for number, one in zip(ahead.tolist(), ids, strict=True)}
            self._held = {place[one]: value for one, value in zip(*found, strict=True)}
        value = self._held[row]
        if value is None:
            raise ValueError("it has been removed meanwhile")
        return self._decode(value)


def _read_file(path: str) -> np.ndarray:
    if path.endswith(".npy"):
        return np.asarray(np.load(path, allow_pickle=False))
    if path.endswith(".npz"):
        with np.load(path, allow_pickle=False) as arrays:
            names = [name for name in VECTOR_ATTRIBUTES if name in arrays.files] or arrays.files[:1]
            return np.asarray(arrays[names[0]])
    found = fo.Heatmap(map_path=path).get_map()
    if found is None:
        raise ValueError("it is no image and no array")
    return np.asarray(found)


def _scaled(values: np.ndarray, limits: Any) -> np.ndarray:
    """A heatmap's numbers in [0, 1]; whole ones over their type's range, as FiftyOne takes them."""
    if values.ndim != 2:
        return values
    if limits:
        low, high = limits
        return (np.asarray(values, dtype=np.float64) - low) / ((high - low) or 1)
    if values.dtype.kind in "iu":
        return values / (65535.0 if values.dtype == np.uint16 else 255.0)
    return values


def confidence_of(value: Any) -> float:
    """A number; of a list, such as a keypoint's points, the mean of those known."""
    if value is None:
        return float("nan")
    if isinstance(value, list):
        known = [one for one in value if one is not None and one == one]
        return sum(known) / len(known) if known else float("nan")
    return float(value)


def _in_range(confidences: np.ndarray) -> np.ndarray:
    return np.isnan(confidences) | ((confidences >= 0) & (confidences <= 1))


def _any(of_objects: np.ndarray, offsets: np.ndarray) -> np.ndarray:
    """(N,) bool: which samples have such an object."""
    before = np.append(0, np.cumsum(of_objects))
    return before[offsets[1:]] > before[offsets[:-1]]
