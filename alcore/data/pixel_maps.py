"""One map per sample with a number for each pixel, loaded when it is needed."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from .device import to_array
from .errors import InvalidInput


class Maps:
    """N samples with one map each, of which at most one is in memory at a time.

    Args:
        load: takes a sample's row and returns its map: (C, H, W) probabilities or logits, or (H, W)
            with one number per pixel, the probability of the foreground or an uncertainty. Height
            and width may differ between samples; the number of classes may not. It is called at
            each access; its OSError or ValueError becomes an InvalidInput that names the sample.
        n: how many samples.
        classes: the C class names; without them the first map loaded sets the number of classes.
        ids: the samples' ids, for errors; default ``range(n)``.

    Raises:
        InvalidInput: another number of ids than of samples.
    """

    def __init__(
        self,
        load: Callable[[int], Any],
        n: int,
        classes: Sequence[str] | None = None,
        ids: Sequence[Any] | None = None,
    ) -> None:
        self.load = load
        self.n = int(n)
        self.classes = None if classes is None else list(map(str, classes))
        self.ids: Sequence[Any] = range(self.n) if ids is None else ids
        if len(self.ids) != self.n:
            raise InvalidInput(f"ids: {len(self.ids)} ids for {self.n} samples; give one for each")
        self._leading: tuple[int, ...] | None = None  # () or (C,), as in the first map loaded

    def __len__(self) -> int:
        """N, the number of samples."""
        return self.n

    def __getitem__(self, row: int) -> np.ndarray:
        """The sample's map, (C, H, W) or (H, W), float32 or float64, finite and not empty.

        Raises:
            InvalidInput: the map cannot be loaded or used.
            IndexError: the row does not exist.
        """
        row = range(self.n)[row]
        where = f"maps: sample {self.ids[row]}"
        try:
            array = to_array(self.load(row))
        except (OSError, ValueError) as error:
            raise InvalidInput(f"{where}: its map cannot be loaded ({error}); store it anew") from error
        if array.ndim not in (2, 3) or array.size == 0 or array.dtype.kind not in "fiub":
            raise InvalidInput(
                f"{where}: holds {array.dtype} of shape {array.shape}; give numbers, (C, H, W) or "
                "(H, W)"
            )
        leading = array.shape[:-2]
        if self._leading is None:
            self._leading = (len(self.classes),) if leading and self.classes else leading
        if leading != self._leading:
            raise InvalidInput(
                f"{where}: a map of {_told(leading)} where {_told(self._leading)} are expected; give "
                "every sample the same classes, in the order (C, H, W)"
            )
        if array.dtype not in (np.float32, np.float64):
            short = array.dtype.kind == "f" and array.dtype.itemsize <= 4
            array = array.astype(np.float32 if short else np.float64)
        if not np.isfinite(array).all():
            raise InvalidInput(f"{where}: its map holds NaN or infinite values; correct them")
        return array

    def take(self, rows: Any) -> Maps:
        """The samples at ``rows``, in that order; ``rows`` may be a bool mask."""
        wanted = to_array(rows)
        kept = np.arange(self.n)[wanted if wanted.size else slice(0)].tolist()
        ids = [self.ids[row] for row in kept]
        return Maps(lambda row: self.load(kept[row]), len(kept), self.classes, ids)


def _told(leading: tuple[int, ...]) -> str:
    return f"{leading[0]} classes" if leading else "one number a pixel"
