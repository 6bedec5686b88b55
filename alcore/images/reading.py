"""Read image files of every format that Pillow knows, in the orientation in which they are viewed."""

from __future__ import annotations

import hashlib
import io
import struct
import zlib
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import cv2
import numpy as np
from PIL import Image, ImageOps, UnidentifiedImageError

from ..data.errors import InvalidInput
from .exif import exif_of

# The exceptions of Pillow for files that are missing, truncated, or not images.
UNREADABLE = (
    OSError,
    SyntaxError,
    ValueError,
    EOFError,
    struct.error,
    zlib.error,
    Image.DecompressionBombError,
    cv2.error,
)
END_OF_JPEG = b"\xff\xd9"
SIXTEEN_BITS = 1 << 16


@dataclass(frozen=True)
class Photo:
    """An image file.

    Attributes:
        pixels: (H, W, 3) uint8, red first, rotated by the file's EXIF orientation.
        size_bytes: of the file.
        file_hash: SHA-256 of the file, in hexadecimal digits.
        exif: the result of ``exif_of``; empty where the EXIF data cannot be read.
    """

    pixels: np.ndarray
    size_bytes: int
    file_hash: str
    exif: dict[str, Any]


def read_photo(path: str) -> Photo:
    """Read an image file; where it has several images, the first.

    Transparency is ignored: a transparent pixel has its stored color. Of channels with 16 bits the
    upper 8 bits are used.

    Raises:
        InvalidInput: the file is missing, empty, truncated, not an image, or of floats without a range.
    """
    try:
        data = Path(path).read_bytes()
        with Image.open(io.BytesIO(data)) as image:
            pixels, exif = _pixels(image, data), _exif(image)
    except UnidentifiedImageError:
        reason = "it is of no format that Pillow knows" if data else "it is empty"
        raise InvalidInput(f"{path} cannot be opened as an image: {reason}") from None
    except UNREADABLE as error:
        raise InvalidInput(f"{path} cannot be opened as an image: {error}") from error
    return Photo(pixels, len(data), hashlib.sha256(data).hexdigest(), exif)


def _exif(image: Image.Image) -> dict[str, Any]:
    try:
        return exif_of(image.getexif())
    except UNREADABLE:
        return {}


def _pixels(image: Image.Image, data: bytes) -> np.ndarray:
    if image.format in ("JPEG", "MPO") and image.mode in ("RGB", "L") and data.endswith(END_OF_JPEG):
        # OpenCV gives the same pixels, rotated too, in half the time. Complete files only, because it
        # would not report a truncated file.
        decoded = cv2.imdecode(np.frombuffer(data, dtype=np.uint8), cv2.IMREAD_COLOR_RGB)
        if decoded is not None:
            return np.asarray(decoded, dtype=np.uint8)
    turned = ImageOps.exif_transpose(image)
    if turned.mode.startswith("I"):
        values = np.asarray(turned)
        if values.min() < 0 or values.max() >= SIXTEEN_BITS:
            raise ValueError("its whole numbers are not of 16 bits")
        turned = Image.fromarray((values >> 8).astype(np.uint8))
    elif turned.mode == "F":
        raise ValueError("its numbers have no range that says what is white")
    return np.asarray(turned.convert("RGB"))
