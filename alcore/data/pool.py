"""The data of a selection: columns with one row per sample."""

from __future__ import annotations

from collections.abc import Collection, Hashable, Mapping, Sequence
from functools import cached_property
from types import MappingProxyType
from typing import Any

import numpy as np
import torch

from .device import to_array
from .draws import id_hashes, uniforms
from .errors import InvalidInput, name_samples
from .objects import Objects
from .pixel_maps import Maps


class Pool:
    """N samples and what is known about them. A pool does not change; see ``with_columns``.

    Args:
        n: how many samples.
        ids: their ids, anything hashable; default ``range(n)``.
        labeled: (N,) bool, true where a sample is labeled already; by default none is.
        columns: a dict from names to columns, each one of
            (N,) numbers, bools or datetime64 (used as seconds since 1970),
            (N,) categories: strings, None where missing,
            (N, d) vectors: embeddings, probabilities or logits,
            (T, N, C) members,
            ``Objects``: several predictions per sample, or ``Maps``: predictions of its pixels.
        classes: a dict from prediction columns to their C class names.
        missing: a dict from columns to (N,) bool, true where a sample has no value there. A recipe
            that uses the column neither chooses such a sample nor counts it as context.
        given: a dict from prediction columns to "probabilities" or "logits"; this overrides what a
            recipe says.
        independent: names of prediction columns whose classes do not exclude each other.
        elsewhere: a dict from columns of vectors to the vectors, by id, of samples that are not in the
            pool but that a strategy compares with.

    Raises:
        InvalidInput: lengths or shapes that do not fit.
    """

    def __init__(
        self,
        n: int,
        ids: Sequence[Any] | None = None,
        labeled: Any = None,
        columns: Mapping[str, Any] | None = None,
        classes: Mapping[str, Sequence[str]] | None = None,
        missing: Mapping[str, Any] | None = None,
        given: Mapping[str, str] | None = None,
        independent: Collection[str] = (),
        elsewhere: Mapping[str, Mapping[Hashable, Any]] | None = None,
    ) -> None:
        self.n = int(n)
        self.ids: Sequence[Any] = range(self.n) if ids is None else ids
        if len(self.ids) != self.n:
            raise InvalidInput(f"ids: {len(self.ids)} ids for {self.n} samples")
        self.labeled = self._mask(labeled, "labeled")
        found: dict[str, Any] = {}
        lacking: dict[str, np.ndarray] = {}
        for name, values in (columns or {}).items():
            column, absent = self._column(name, values)
            declared = self._mask((missing or {}).get(name), f"missing[{name!r}]")
            found[name] = column
            lacking[name] = declared | absent
        self.columns: Mapping[str, Any] = MappingProxyType(found)
        self.missing: Mapping[str, np.ndarray] = MappingProxyType(lacking)
        for name in missing or {}:
            if name not in self.columns:
                raise InvalidInput(f"missing[{name!r}]: there is no column of that name")
        named = {name: list(map(str, names)) for name, names in (classes or {}).items()}
        self.classes: Mapping[str, list[str]] = MappingProxyType(named)
        for name, names in named.items():
            self._check_classes(name, names)
        self.given: Mapping[str, str] = MappingProxyType(dict(given or {}))
        self.independent = frozenset(independent)
        self.elsewhere: Mapping[str, Mapping[Hashable, Any]] = MappingProxyType(dict(elsewhere or {}))
        self._frozen = True

    def __setattr__(self, name: str, value: Any) -> None:
        if getattr(self, "_frozen", False):
            raise AttributeError(f"a pool does not change; {name!r} goes into another one")
        super().__setattr__(name, value)

    def with_columns(
        self,
        columns: Mapping[str, Any],
        missing: Mapping[str, Any] | None = None,
        classes: Mapping[str, Sequence[str]] | None = None,
    ) -> Pool:
        """A new pool of the same samples in which these columns are added or replaced.

        Raises:
            InvalidInput: as for the class.
        """
        kept = {name: mask for name, mask in self.missing.items() if name not in columns}
        return Pool(
            self.n,
            self.ids,
            self.labeled,
            {**self.columns, **columns},
            {**self.classes, **(classes or {})},
            {**kept, **(missing or {})},
            self.given,
            self.independent,
            self.elsewhere,
        )

    def with_labeled(self, labeled: np.ndarray) -> Pool:
        """The same pool, in which the samples of a mask, (N,) bool, are labeled."""
        other = Pool.__new__(Pool)
        other.__dict__.update(self.__dict__ | {"labeled": self._mask(labeled, "labeled")})
        return other

    def part(self, start: int, stop: int) -> Pool:
        """The pool of the samples from row ``start`` up to, but not including, row ``stop``."""
        rows = slice(start, stop)
        return self._part(rows, self.ids[rows])

    def take(self, rows: np.ndarray, columns: Collection[str] | None = None) -> Pool:
        """The pool of the samples at ``rows``, in that order, with all or some of the columns."""
        return self._part(rows, [self.ids[row] for row in rows.tolist()], columns)

    def _part(self, rows: Any, ids: Sequence[Any], columns: Collection[str] | None = None) -> Pool:
        names = self.columns if columns is None else columns
        taken = Pool.__new__(Pool)  # skips the checks, which the data have passed
        taken.__setstate__(
            self.__getstate__()
            | {
                "n": len(ids),
                "ids": ids,
                "labeled": self.labeled[rows],
                "columns": {name: _part(self.columns[name], rows) for name in names},
                "missing": {name: self.missing[name][rows] for name in names},
            }
        )
        return taken

    def __getstate__(self) -> dict[str, Any]:
        """What the pool holds, as plain dicts, so that it can be sent to another process."""
        names = ("n", "ids", "labeled", "columns", "missing", "classes", "given", "elsewhere")
        held = {name: getattr(self, name) for name in names} | {"independent": self.independent}
        return {name: dict(v) if isinstance(v, Mapping) else v for name, v in held.items()}

    def __setstate__(self, held: dict[str, Any]) -> None:
        """Restore what ``__getstate__`` gave."""
        for name, value in held.items():
            setattr(self, name, MappingProxyType(value) if isinstance(value, dict) else value)
        self._frozen = True

    def drawn(self, *key: int, rows: np.ndarray | slice = slice(None)) -> np.ndarray:
        """(N,) float64 in (0, 1), drawn by each sample's id; see ``draws.uniforms``.

        Args:
            key: the seed, and numbers that tell apart several draws with one seed.
            rows: (R,) for these rows alone.
        """
        return uniforms(self._hashes[rows], *key)

    @cached_property
    def _hashes(self) -> np.ndarray:
        return id_hashes(self.ids)

    def column(self, name: str, user: str) -> Any:
        """The column ``name``.

        Args:
            user: what uses the column; the error message starts with it.

        Raises:
            InvalidInput: there is no such column.
        """
        if name not in self.columns:
            known = ", ".join(map(repr, self.columns)) or "none"
            raise InvalidInput(f"{user}: there is no column {name!r}; the columns are {known}")
        return self.columns[name]

    def numbers(self, name: str, user: str) -> np.ndarray:
        """(N,) float64, the numbers of a column; dates as seconds since 1970; NaN where missing.

        Raises:
            InvalidInput: not a column of numbers, or numbers that are not finite.
        """
        column = self.column(name, user)
        if not isinstance(column, np.ndarray) or column.ndim != 1 or column.dtype == object:
            raise InvalidInput(f"{user}: column {name!r} must hold one number a sample")
        if column.dtype.kind == "M":
            column = column.astype("datetime64[us]").astype(np.int64) / 1e6
        values = np.array(column, dtype=np.float64)
        self._refuse(name, user, ~np.isfinite(values), "NaN or infinite values")
        values[self.missing[name]] = np.nan
        return values

    def vectors(self, name: str, user: str, *, directions: bool = False) -> np.ndarray:
        """(N, d) vectors as given; the rows of samples that miss a value are arbitrary.

        Args:
            directions: whether to refuse zero vectors too, because they have no direction.

        Raises:
            InvalidInput: not a column of vectors, or vectors with NaN or infinite values.
        """
        column = self.column(name, user)
        if not isinstance(column, np.ndarray) or column.ndim != 2 or column.dtype == object:
            raise InvalidInput(f"{user}: column {name!r} must hold one vector a sample, (N, d)")
        if column.shape[1] == 0:
            raise InvalidInput(f"{user}: column {name!r} holds vectors without values")
        # A sum of squares is finite only where every value is finite. This takes one pass and no
        # (N, d) mask.
        with np.errstate(over="ignore", invalid="ignore"):
            length = np.einsum("nd,nd->n", column, column)
        suspect = np.flatnonzero(~np.isfinite(length))
        bad = np.zeros(self.n, dtype=bool)
        bad[suspect] = ~np.isfinite(column[suspect]).all(axis=1)
        self._refuse(name, user, bad, "NaN or infinite values")
        if directions:
            # The squares of very small numbers may be 0.
            short = np.flatnonzero(length == 0)
            zero = np.zeros(self.n, dtype=bool)
            zero[short] = ~column[short].any(axis=1)
            self._refuse(name, user, zero, "a zero vector, which has no direction")
        return column

    def present(self, names: Sequence[str]) -> np.ndarray:
        """(N,) bool, true where a sample has a value in every one of the columns."""
        here = np.ones(self.n, dtype=bool)
        for name in names:
            here &= ~self.missing[name]
        return here

    def _refuse(self, name: str, user: str, bad: np.ndarray, what: str) -> None:
        rows = np.flatnonzero(bad & ~self.missing[name])
        if len(rows):
            raise InvalidInput(
                f"{user}: column {name!r} has {name_samples(self.ids, rows)} with {what}; "
                "correct them or declare them missing"
            )

    def _mask(self, values: Any, name: str) -> np.ndarray:
        if values is None:
            return np.zeros(self.n, dtype=bool)
        mask = to_array(values)
        if mask.shape != (self.n,) or mask.dtype != bool:
            raise InvalidInput(f"{name}: needs {self.n} bools, got shape {mask.shape} of {mask.dtype}")
        return mask

    def _column(self, name: str, values: Any) -> tuple[Any, np.ndarray]:
        absent = np.zeros(self.n, dtype=bool)
        if isinstance(values, Objects | Maps):
            if len(values) != self.n:
                raise InvalidInput(f"column {name!r}: is of {len(values)} samples, not {self.n}")
            return values, absent
        if isinstance(values, torch.Tensor):
            values = to_array(values)
        if not isinstance(values, np.ndarray):
            values = list(values) if np.iterable(values) and not isinstance(values, str) else [values]
            values = [to_array(one) if isinstance(one, torch.Tensor) else one for one in values]
            shapes = {np.shape(one) for one in values if isinstance(one, np.ndarray) and one.ndim == 2}
            if len(shapes) > 1:
                listed = ", ".join(map(str, sorted(shapes)))
                raise InvalidInput(
                    f"column {name!r}: the members are of unequal shape: {listed}; give (T, N, C)"
                )
            if len(values) == self.n and any(map(_is_sequence, values)):
                self._check_lengths(name, values)
        try:
            column = np.asarray(values)
        except ValueError:
            raise InvalidInput(f"column {name!r}: holds lists that do not form a matrix") from None
        if column.dtype.kind in "OUS":
            column = column.astype(object)
            # NaN is what pandas writes for a missing category.
            absent = np.array(
                [value is None or value is np.nan for value in column.tolist()], dtype=bool
            )
            if column.ndim != 1 or any(map(_is_sequence, column)):
                raise InvalidInput(f"column {name!r}: holds lists that do not form a matrix")
            if all(isinstance(value, int | float | np.number) for value in column[~absent]):
                column = np.where(absent, np.nan, column).astype(np.float64)
        elif column.dtype.kind == "c":
            raise InvalidInput(f"column {name!r}: holds complex numbers; give real ones")
        elif column.dtype.kind == "M":
            absent = np.isnat(column)
        elif column.dtype.kind == "f" and column.dtype.itemsize > 8:
            column = column.astype(np.float64)
        elif not column.dtype.isnative:
            column = column.astype(column.dtype.newbyteorder("="))
        rows = column.shape[1 if column.ndim == 3 else 0]
        no_members = column.ndim == 3 and column.shape[0] == 0
        if column.ndim not in (1, 2, 3) or rows != self.n or no_members:
            raise InvalidInput(
                f"column {name!r}: shape {column.shape} does not fit {self.n} samples; give (N,), "
                "(N, d) or (T, N, C)"
            )
        return column, absent

    def _check_lengths(self, name: str, values: list[Any]) -> None:
        lengths = np.array([len(v) if _is_sequence(v) else -1 for v in values])
        usual = int(np.bincount(lengths[lengths >= 0]).argmax())
        odd = np.flatnonzero(lengths != usual)
        if len(odd):
            raise InvalidInput(
                f"column {name!r}: vectors of unequal length: most have {usual} values, "
                f"{name_samples(self.ids, odd)} do not"
            )

    def _check_classes(self, name: str, names: list[str]) -> None:
        if name not in self.columns:
            raise InvalidInput(f"classes[{name!r}]: there is no column of that name")
        if len(set(names)) != len(names):
            raise InvalidInput(f"classes[{name!r}]: a class is named twice")
        column = self.columns[name]
        if isinstance(column, np.ndarray) and column.ndim > 1 and column.shape[-1] != len(names):
            raise InvalidInput(
                f"classes[{name!r}]: {len(names)} names for {column.shape[-1]} values a sample"
            )


def _part(column: Any, rows: Any) -> Any:
    if isinstance(column, Objects | Maps):
        return column.take(np.arange(len(column))[rows])
    return column[:, rows] if column.ndim == 3 else column[rows]


def _is_sequence(value: Any) -> bool:
    return isinstance(value, list | tuple | np.ndarray)
