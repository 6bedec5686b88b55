"""Which files are opened at all, and how many large images are in memory at once."""

from __future__ import annotations

import os
import stat
import threading
from collections.abc import Iterator
from contextlib import contextmanager

# A larger image is refused. Pillow by itself refuses images from 178,956,970 pixels on.
MOST_PIXELS = 178_000_000
# A larger file is refused: 16 bits of red, green, blue and alpha for the largest image fit.
LARGEST_FILE = 3 << 29
# An image takes up to four bytes a pixel while Pillow decodes it, three as an array, and one as gray.
BYTES_A_PIXEL = 8
KINDS = {
    stat.S_IFDIR: "a folder",
    stat.S_IFIFO: "a named pipe",
    stat.S_IFSOCK: "a socket",
    stat.S_IFCHR: "a device",
    stat.S_IFBLK: "a device",
}


def check_file(path: str) -> int:
    """Return the size in bytes of a file, without opening it: a named pipe would block for ever.

    Raises:
        OSError: nothing is there, or it may not be looked at.
        ValueError: it is a folder, a pipe or a device, it is empty, or it is larger than
            ``LARGEST_FILE``.
    """
    found = os.stat(path)
    if not stat.S_ISREG(found.st_mode):
        raise ValueError(f"it is {KINDS.get(stat.S_IFMT(found.st_mode), 'something else')}, not a file")
    if found.st_size == 0:
        raise ValueError("it is empty")
    if found.st_size > LARGEST_FILE:
        raise ValueError(
            f"the file has {megabytes(found.st_size)}, and at most {megabytes(LARGEST_FILE)} are "
            "opened; store it smaller"
        )
    return found.st_size


def check_size(width: int, height: int) -> None:
    """Check an image's size, as its header states it, before anything is decoded.

    Raises:
        ValueError: it has more than ``MOST_PIXELS`` pixels.
    """
    if width * height > MOST_PIXELS:
        raise ValueError(
            f"it has {width:,} x {height:,} pixels, and at most {MOST_PIXELS:,} are opened; store it "
            "smaller"
        )


def megabytes(count: int) -> str:
    """A number of bytes, as a text in megabytes."""
    return f"{count / 1e6:,.0f} MB"


class Budget:
    """An amount that threads share: who wants more than is left waits until others give back.

    Args:
        total: the whole amount. Who wants more than that gets all of it, alone.
    """

    def __init__(self, total: int) -> None:
        self.total = total
        self._left = total
        self._changed = threading.Condition()

    @contextmanager
    def taken(self, amount: int) -> Iterator[None]:
        """Hold an amount within the ``with`` block.

        A thread that holds one already must not ask for another: it could wait for itself.
        """
        share = min(amount, self.total)
        with self._changed:
            self._changed.wait_for(lambda: self._left >= share)
            self._left -= share
        try:
            yield
        finally:
            with self._changed:
                self._left += share
                self._changed.notify_all()


# Sixteen threads may each hold an image of 12 megapixels; of 144 megapixels there is one at a time.
BYTES_AT_ONCE = Budget(2 << 30)
