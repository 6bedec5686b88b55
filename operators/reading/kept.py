"""Keeps what was read, so that a second preview reads nothing; what FiftyOne changed is read again.

Kept are the columns that are read from the database alone. Vectors of similarity runs and maps in files
may change without FiftyOne's noticing, so they are always read.
"""

from __future__ import annotations

import json
import os
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import fiftyone.constants as foc
import numpy as np

from ...alcore import Keeping
from ...alcore.data.keeping import Form, key_of
from ..dataset.fiftyone_private import state_of
from .column import Column
from .field_readers import Embeddings, FieldReader, Predictions, Scalars

FOLDER = Path(foc.FIFTYONE_CONFIG_DIR) / "cache" / "active_learning"
# Raised where the same fields would be read otherwise.
READ_VERSION = 1
FROM_DATABASE = (Scalars, Embeddings, Predictions)
BYTES_A_VALUE = 64  # of a Python object; about that of an id


def _limit(name: str, usual: float) -> int:
    return int(float(os.environ.get(name, usual)) * 2**30)


# One for the process: its modules stay loaded between the requests of the App.
keeping = Keeping(
    memory=_limit("ALCORE_KEPT_IN_MEMORY_GB", 2),
    folder=Path(os.environ.get("ALCORE_CACHE_DIR", FOLDER)),
    files=_limit("ALCORE_KEPT_IN_FILES_GB", 8),
)


@dataclass
class Rows:
    """The ids of the samples in the order of the view, and which are labeled."""

    ids: list[str]
    labeled: np.ndarray


@dataclass
class Kept:
    """What is kept of a view.

    Attributes:
        rows: its rows, None if they are not kept.
        columns: the columns that are kept, each a copy whose mask and notes may be changed.
    """

    rows: Rows | None = None
    columns: dict[str, Column] = field(default_factory=dict)
    _view: Any = None
    _state: tuple[Any, ...] = ()
    _keys: dict[str, str] = field(default_factory=dict)
    _rows_key: str = ""

    def put(self, rows: Rows, columns: dict[str, Column]) -> None:
        """Keep what was just read, unless samples were changed meanwhile."""
        if self._view is None or state_of(self._view) != self._state:
            return
        keeping.put(self._rows_key, rows, ROWS)
        for path, column in columns.items():
            if path in self._keys and path not in self.columns:
                keeping.put(self._keys[path], own(column), COLUMN)


def kept_of(view: Any, readers: Mapping[str, tuple[FieldReader, Any]], labeled: Any) -> Kept:
    """What is kept of a view, as it is now.

    Args:
        view: a view of samples.
        readers: for each column its reader, and all else that decides what this returns.
        labeled: what decides which rows are labeled.
    """
    state = state_of(view)
    keys = {
        path: key_of("column", READ_VERSION, state, type(one).__name__, one.paths, how)
        for path, (one, how) in readers.items()
        if type(one) in FROM_DATABASE
    }
    rows_key = key_of("rows", READ_VERSION, state, labeled)
    rows = keeping.get(rows_key, ROWS)
    found = {path: keeping.get(key, COLUMN) for path, key in keys.items()} if rows else {}
    columns = {path: own(column) for path, column in found.items() if column is not None}
    return Kept(rows, columns, view, state, keys, rows_key)


def own(column: Column) -> Column:
    """A copy of a kept column whose mask and notes may be changed."""
    return replace(column, missing=column.missing.copy(), notes=list(column.notes))


def _pack(column: Column) -> dict[str, np.ndarray] | None:
    values = column.values
    if not isinstance(values, np.ndarray) or values.dtype == object:
        return None
    described = {
        "classes": column.classes,
        "notes": column.notes,
        "given": column.given,
        "independent": column.independent,
        "left_out": column.left_out,
    }
    text = np.frombuffer(json.dumps(described).encode(), dtype=np.uint8)
    return {"values": values, "missing": column.missing, "described": text}


def _unpack(arrays: Mapping[str, np.ndarray]) -> Column:
    described = json.loads(arrays["described"].tobytes())
    return Column(arrays["values"], np.array(arrays["missing"]), **described)


def _size(column: Column) -> int:
    values = column.values
    if isinstance(values, np.memmap):
        return 0  # the system keeps its pages, and lets them go where memory is short
    if isinstance(values, np.ndarray) and values.dtype != object:
        return int(values.nbytes)
    return BYTES_A_VALUE * len(column.missing)


COLUMN = Form(_pack, _unpack, _size)
ROWS = Form[Rows](
    lambda rows: {"ids": np.array(rows.ids, dtype="S24"), "labeled": rows.labeled},
    lambda arrays: Rows(arrays["ids"].astype(str).tolist(), np.array(arrays["labeled"])),
    lambda rows: BYTES_A_VALUE * len(rows.ids),
)
