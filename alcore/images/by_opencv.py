"""Images that OpenCV decodes because Pillow would take longer, loses white, or does not know them.

What comes back has red first.
"""

from __future__ import annotations

from typing import BinaryIO

import cv2
import numpy as np
from PIL import TiffImagePlugin

END_OF_JPEG = b"\xff\xd9"
TIFF_STARTS = (b"II*\0", b"MM\0*")
# A JPEG 2000 stream starts with these two markers; the number of bits comes this much later.
START_OF_JPEG_2000 = b"\xff\x4f\xff\x51"
BITS_AT = 42


def decode_jpeg(data: bytes) -> np.ndarray | None:
    """(H, W, 3) uint8, rotated as its EXIF says; None for a truncated file.

    The pixels are Pillow's, in half the time. A truncated file is not decoded, because OpenCV would not
    report it.
    """
    if not data.endswith(END_OF_JPEG):
        return None
    decoded = cv2.imdecode(np.frombuffer(data, dtype=np.uint8), cv2.IMREAD_COLOR_RGB)
    return None if decoded is None else np.asarray(decoded, dtype=np.uint8)


def decode_deep_jpeg_2000(data: bytes) -> np.ndarray | None:
    """(H, W) or (H, W, 3) uint16 of a JPEG 2000 with more than 8 bits a channel; None for others.

    Pillow rounds 16 bits of color up to 8 bits, where white becomes black.
    """
    start = data.find(START_OF_JPEG_2000)
    bits = data[start + BITS_AT : start + BITS_AT + 1]
    if start < 0 or not bits or (bits[0] & 127) < 8:
        return None
    values = _decoded(data)
    return values if values is not None and values.dtype == np.uint16 else None


def size_of_tiff(file: BinaryIO) -> tuple[int, int] | None:
    """The width and height in the header of a TIFF, an open file; None where there is none."""
    file.seek(0)
    start = file.read(8)
    if not start.startswith(TIFF_STARTS):
        return None
    tags = TiffImagePlugin.ImageFileDirectory_v2(start)
    file.seek(tags.next)
    tags.load(file)
    width, height = tags.get(TiffImagePlugin.IMAGEWIDTH), tags.get(TiffImagePlugin.IMAGELENGTH)
    return (width, height) if isinstance(width, int) and isinstance(height, int) else None


def decode_tiff(data: bytes) -> np.ndarray | None:
    """(H, W) or (H, W, 3) numbers of any type, rotated as the TIFF says; None where it is not known."""
    return _decoded(data)


def _decoded(data: bytes) -> np.ndarray | None:
    values = cv2.imdecode(np.frombuffer(data, dtype=np.uint8), cv2.IMREAD_UNCHANGED)
    if values is None:
        return None
    return np.asarray(values if values.ndim == 2 else values[..., 2::-1])
