"""Keeps costly results for the next selection: in memory, and large ones in files too.

A result has a key that names everything it depends on, so that it is never stale. Files hold plain
arrays with a checksum; nothing in them is executed. What is broken or of another version is removed and
made anew. Several processes may use one folder: a result appears there as a whole or not at all.
"""

from __future__ import annotations

import hashlib
import json
import os
import shutil
import tempfile
import threading
import time
import zlib
from collections import OrderedDict
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Generic, TypeVar

import numpy as np

VERSION = 1
CONTENTS = "contents.json"
PREFIX, UNFINISHED = "kept-", "unfinished-"
# A process that was killed may leave an unfinished result; after this many seconds it is removed.
ABANDONED = 3600.0
BYTES_A_STEP = 1 << 24

T = TypeVar("T")


@dataclass(frozen=True)
class Form(Generic[T]):
    """How a kind of result is written as arrays.

    Attributes:
        pack: gives its arrays, by name; None if it is kept in memory only.
        unpack: makes it from these arrays.
        size: how many bytes of memory it takes.
    """

    pack: Callable[[T], dict[str, np.ndarray] | None]
    unpack: Callable[[Mapping[str, np.ndarray]], T]
    size: Callable[[T], int]


class Keeping:
    """Results by key; those used longest ago are removed first.

    Args:
        memory: how many bytes of results are kept in memory.
        folder: where files are kept; None for none.
        files: how many bytes of files are kept.
        least: a result of fewer bytes gets no file.
    """

    def __init__(
        self,
        memory: int = 2 << 30,
        folder: Path | None = None,
        files: int = 8 << 30,
        least: int = 8 << 20,
    ) -> None:
        self.memory = memory
        self.folder = folder
        self.files = files
        self.least = least
        self.trouble: str | None = None
        self._results: OrderedDict[str, tuple[Any, int]] = OrderedDict()
        self._lock = threading.RLock()

    def get(self, key: str, form: Form[T]) -> T | None:
        """The result of that key, or None; ``key`` as from ``key_of``."""
        with self._lock:
            if key in self._results:
                self._results.move_to_end(key)
                found: T = self._results[key][0]
                return found
        arrays = None if self.folder is None else self._read(self.folder / f"{PREFIX}{key}")
        if arrays is None:
            return None
        result = form.unpack(arrays)
        self._remember(key, result, form.size(result))
        return result

    def put(self, key: str, result: T, form: Form[T]) -> None:
        """Keep a result. If no file can be written, ``trouble`` says so in a sentence."""
        size = form.size(result)
        self._remember(key, result, size)
        if self.folder is None or size < self.least:
            return
        arrays = form.pack(result)
        if arrays is not None:
            self._write(key, arrays)

    def kept(self, key: str, form: Form[T], make: Callable[[], T]) -> T:
        """The result of that key, made where it is not kept yet."""
        found = self.get(key, form)
        if found is None:
            found = make()
            self.put(key, found, form)
        return found

    def clear(self) -> None:
        """Forget what is in memory."""
        with self._lock:
            self._results.clear()

    def _remember(self, key: str, result: Any, size: int) -> None:
        with self._lock:
            self._results.pop(key, None)
            if size > self.memory:
                return
            self._results[key] = result, size
            while sum(each for _, each in self._results.values()) > self.memory:
                self._results.popitem(last=False)

    def _read(self, place: Path) -> dict[str, np.ndarray] | None:
        try:
            contents = json.loads((place / CONTENTS).read_text())
            if contents["version"] != VERSION or contents["key"] != place.name:
                raise ValueError("another version")
            arrays = {}
            for name, checksum in contents["arrays"].items():
                arrays[name] = np.load(place / f"{name}.npy", mmap_mode="r", allow_pickle=False)
                if _checksum(arrays[name]) != checksum:
                    raise ValueError("another checksum")
            os.utime(place)
        except FileNotFoundError:
            return None
        except (OSError, ValueError, KeyError, TypeError, AttributeError):
            # Broken, or not ours: it is removed where that is allowed, and made anew.
            shutil.rmtree(place, ignore_errors=True)
            return None
        return arrays

    def _write(self, key: str, arrays: dict[str, np.ndarray]) -> None:
        assert self.folder is not None
        unfinished: str | None = None
        place = self.folder / f"{PREFIX}{key}"
        try:
            self.folder.mkdir(parents=True, exist_ok=True)
            self._make_room(sum(array.nbytes for array in arrays.values()))
            unfinished = tempfile.mkdtemp(prefix=UNFINISHED, dir=self.folder)
            checksums = {}
            for name, array in arrays.items():
                np.save(Path(unfinished) / f"{name}.npy", array, allow_pickle=False)
                checksums[name] = _checksum(array)
            contents = {"version": VERSION, "key": place.name, "arrays": checksums}
            (Path(unfinished) / CONTENTS).write_text(json.dumps(contents))
            if not place.exists():  # else another process was faster
                os.rename(unfinished, place)
            self.trouble = None
        except OSError as error:
            if not place.exists():
                self.trouble = (
                    f"what was computed could not be kept for the next selection in "
                    f"{str(self.folder)!r}: {error.strerror or type(error).__name__}"
                )
        finally:
            if unfinished is not None:
                shutil.rmtree(unfinished, ignore_errors=True)

    def _make_room(self, wanted: int) -> None:
        """Remove abandoned results, and those used longest ago, until ``wanted`` bytes fit."""
        assert self.folder is not None
        kept = []
        for place in self.folder.iterdir():
            try:
                used = place.stat().st_mtime
                if place.name.startswith(UNFINISHED) and time.time() - used > ABANDONED:
                    shutil.rmtree(place, ignore_errors=True)
                elif place.name.startswith(PREFIX):
                    kept.append((used, sum(f.stat().st_size for f in place.iterdir()), place))
            except FileNotFoundError:
                continue  # another process removed it
        total = sum(size for _, size, _ in kept)
        for _, size, place in sorted(kept):
            if total + wanted <= self.files:
                break
            shutil.rmtree(place, ignore_errors=True)
            total -= size


def key_of(*parts: Any) -> str:
    """A key of what a result depends on: arrays by their contents, all else by its representation."""
    digest = hashlib.sha256()
    for part in parts:
        if isinstance(part, np.ndarray) and part.dtype != object:
            digest.update(f"{part.dtype.str}{part.shape};".encode())
            for chunk in _in_steps(part):
                digest.update(chunk)
        else:
            digest.update(f"{part!r};".encode())
    return digest.hexdigest()


def _checksum(array: np.ndarray) -> int:
    total = 0
    for chunk in _in_steps(array):
        total = zlib.crc32(chunk, total)
    return total


def _in_steps(array: np.ndarray) -> Any:
    """The bytes of an array, a part at a time, so that a file's array is never in memory as a whole."""
    if array.ndim == 0 or array.size == 0:
        yield array.tobytes()
        return
    rows = max(1, BYTES_A_STEP * len(array) // max(1, array.nbytes))
    for start in range(0, len(array), rows):
        yield np.ascontiguousarray(array[start : start + rows]).data.cast("B")
