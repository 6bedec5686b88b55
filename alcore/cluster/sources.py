"""Where a shard of a pool is read from. A shard that is lost is read again from its source."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from itertools import pairwise
from pathlib import Path
from typing import Any, Protocol

import numpy as np

from ..data.errors import InvalidInput
from ..data.pool import Pool


class Source(Protocol):
    """Some consecutive samples of a pool, which an actor reads by itself."""

    def read(self) -> Pool:
        """The samples.

        Raises:
            InvalidInput: they cannot be read; names the file.
        """


@dataclass(frozen=True)
class ShardedPool:
    """A pool in shards, for ``alcore.select(pool, recipe, backend="ray")``.

    The rows of the pool are those of the first source, then those of the second, and so on. Each source
    is read only by the actor that holds it.
    """

    sources: Sequence[Source]

    def __post_init__(self) -> None:
        if len(self.sources) == 0:
            raise InvalidInput("sources: there are none; give a source for each shard")

    @classmethod
    def split(cls, pool: Pool, shards: int, put: Callable[[Pool], Any] | None = None) -> ShardedPool:
        """A pool in memory as ``shards`` shards, whose sizes differ by one sample at most.

        Args:
            pool: the samples.
            shards: at least 1; there are no more than samples.
            put: takes a part of the pool and returns a function without arguments that gives it.
        """
        count = max(1, min(shards, pool.n))
        edges = [pool.n * k // count for k in range(count + 1)]
        parts = [pool.part(low, high) for low, high in pairwise(edges)]
        return cls([ArraySource(part if put is None else put(part)) for part in parts])


@dataclass(frozen=True)
class ArraySource:
    """Samples in memory.

    Attributes:
        pool: the samples, or a function without arguments that gives them.
    """

    pool: Pool | Callable[[], Pool]

    def read(self) -> Pool:
        """The samples."""
        return self.pool if isinstance(self.pool, Pool) else self.pool()


@dataclass(frozen=True)
class NpySource:
    """Rows ``start`` to ``stop`` of .npy files, a file for each column, all of the same length.

    Only these rows are read. The ids of the samples are their row numbers in the files.

    Attributes:
        columns: the path of the file of each column: (N,) numbers or (N, d) vectors.
        start: the first row.
        stop: the row after the last; None: all that follow.
        labeled: the path of a file of (N,) bools; None: no sample is labeled.
        options: further arguments of ``Pool`` that do not depend on the rows: classes, given,
            independent.
    """

    columns: Mapping[str, str | Path]
    start: int = 0
    stop: int | None = None
    labeled: str | Path | None = None
    options: Mapping[str, Any] = field(default_factory=dict)

    def read(self) -> Pool:
        """The samples.

        Raises:
            InvalidInput: a file is missing or cannot be read, or is of another length.
        """
        rows = slice(self.start, self.stop)
        columns = {name: _npy_rows(path, rows) for name, path in self.columns.items()}
        labeled = None if self.labeled is None else _npy_rows(self.labeled, rows)
        n = len(next(iter(columns.values())))
        return Pool(n, range(self.start, self.start + n), labeled, columns, **{**self.options})


@dataclass(frozen=True)
class ParquetSource:
    """Rows ``start`` to ``stop`` of a Parquet file, read by pyarrow.

    Only the row groups with these rows are read, and of these only the columns that are named.

    Attributes:
        path: the file.
        columns: the columns of the pool, by their names in the file: numbers, text, or lists of numbers
            of one length. A null is a missing value.
        start: the first row.
        stop: the row after the last; None: all that follow.
        ids: the column of the samples' ids; None: the row numbers, counted from ``first_id``.
        labeled: the column of bools that says which are labeled; None: no sample is.
        first_id: what row 0 of the file is called where there is no column of ids.
        options: further arguments of ``Pool`` that do not depend on the rows: classes, given,
            independent.
    """

    path: str | Path
    columns: Sequence[str]
    start: int = 0
    stop: int | None = None
    ids: str | None = None
    labeled: str | None = None
    first_id: int = 0
    options: Mapping[str, Any] = field(default_factory=dict)

    def read(self) -> Pool:
        """The samples.

        Raises:
            InvalidInput: the file is missing or cannot be read, or lacks a column.
        """
        table, start = self._table()
        columns, missing = {}, {}
        for name in self.columns:
            columns[name], missing[name] = _from_arrow(table.column(name), f"{self.path}: {name!r}")
        n = table.num_rows
        first = self.first_id + start
        ids = range(first, first + n) if self.ids is None else table.column(self.ids).to_pylist()
        labeled = None if self.labeled is None else table.column(self.labeled).to_numpy()
        return Pool(n, ids, labeled, columns, missing=missing, **{**self.options})

    def _table(self) -> tuple[Any, int]:
        """The rows as an Arrow table, and the number of the first."""
        try:
            import pyarrow
            from pyarrow import parquet
        except ImportError:
            raise InvalidInput(
                f"shard {str(self.path)!r}: Parquet files need pyarrow: "
                "pip install -r requirements-ray.txt"
            ) from None
        wanted = list(dict.fromkeys([*self.columns, *filter(None, [self.ids, self.labeled])]))
        try:
            with parquet.ParquetFile(self.path) as file:
                known = file.schema_arrow.names
                lacking = [name for name in wanted if name not in known]
                if lacking:
                    raise InvalidInput(
                        f"shard {str(self.path)!r}: there is no column {lacking[0]!r}; the columns are "
                        f"{', '.join(map(repr, known))}"
                    )
                start, stop, _ = slice(self.start, self.stop).indices(file.metadata.num_rows)
                sizes = [
                    file.metadata.row_group(k).num_rows for k in range(file.metadata.num_row_groups)
                ]
                ends = np.cumsum(sizes)
                begins = ends - sizes
                groups = np.flatnonzero((ends > start) & (begins < stop)).tolist()
                before = int(begins[groups[0]]) if groups else start
                table = file.read_row_groups(groups, columns=wanted)
                return table.slice(start - before, max(0, stop - start)), start
        except (OSError, pyarrow.ArrowException) as error:
            raise _unreadable(self.path, error) from None


def _npy_rows(path: str | Path, rows: slice) -> np.ndarray:
    try:
        return np.array(np.load(path, mmap_mode="r", allow_pickle=False)[rows])
    except (OSError, ValueError) as error:
        raise _unreadable(path, error) from None


def _unreadable(path: str | Path, error: Exception) -> InvalidInput:
    if isinstance(error, FileNotFoundError):
        return InvalidInput(
            f"shard {str(path)!r}: there is no such file; every machine of the cluster must see it "
            "under this path"
        )
    return InvalidInput(f"shard {str(path)!r}: cannot be read ({error})")


def _from_arrow(column: Any, where: str) -> tuple[np.ndarray, np.ndarray]:
    """A column as an array, and (N,) bool, where it has no value."""
    import pyarrow

    array = column.combine_chunks()
    if isinstance(array, pyarrow.ChunkedArray):  # without rows
        array = (
            pyarrow.concat_arrays(array.chunks) if array.num_chunks else pyarrow.array([], array.type)
        )
    absent = np.asarray(array.is_null())
    kind = array.type
    if pyarrow.types.is_string(kind) or pyarrow.types.is_large_string(kind):
        return np.array(array.to_pylist(), dtype=object), absent
    nested = any(
        check(kind)
        for check in (
            pyarrow.types.is_list,
            pyarrow.types.is_large_list,
            pyarrow.types.is_fixed_size_list,
        )
    )
    if not nested:
        if pyarrow.types.is_timestamp(kind):
            return array.cast(pyarrow.timestamp("us")).to_numpy(zero_copy_only=False), absent
        return array.to_numpy(zero_copy_only=False), absent
    flat = array.drop_null().flatten().to_numpy(zero_copy_only=False)
    present = len(array) - int(absent.sum())
    width = _list_width(array, kind, present, flat)
    if len(flat) != width * present:
        raise InvalidInput(f"shard {where}: holds vectors of unequal length")
    out = np.zeros((len(array), width), dtype=flat.dtype)
    out[~absent] = flat.reshape(present, width)
    return out, absent


def _list_width(array: Any, kind: Any, present: int, flat: np.ndarray) -> int:
    width = getattr(kind, "list_size", None)
    if width is not None:
        return int(width)
    if present == 0:
        return 0
    import pyarrow.compute

    lengths = np.asarray(pyarrow.compute.list_value_length(array.drop_null()))
    return int(lengths[0]) if (lengths == lengths[0]).all() else -1
