"""Read image files of every format that Pillow knows, in the orientation in which they are viewed.

Whatever the file holds, its pixels become 8 bits of red, green and blue:

- of whole numbers with 16 bits, and of 12 bits in TIFF, the upper 8 bits are used;
- floats must be from 0, which is black, to 1, which is white;
- transparency is ignored: a transparent pixel has its stored color;
- of several images in a file, the first is read.

No more than ``files.BYTES_AT_ONCE`` are decoded at once by all threads.
"""

from __future__ import annotations

import hashlib
import struct
import zlib
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from typing import Any, BinaryIO

import cv2
import numpy as np
from PIL import Image, ImageOps, TiffImagePlugin, UnidentifiedImageError

from ..data.errors import InvalidInput
from . import by_opencv, files
from .exif import exif_of

# What Pillow raises for files that are missing, truncated, damaged, or not images.
UNREADABLE = (
    OSError,
    SyntaxError,
    ValueError,
    TypeError,
    AttributeError,
    LookupError,
    ArithmeticError,
    RuntimeError,
    EOFError,
    MemoryError,
    struct.error,
    zlib.error,
    Image.DecompressionBombError,
    Image.DecompressionBombWarning,
    cv2.error,
)
SIXTEEN_BITS = 1 << 16
WHITE = 255
# A TIFF that OpenCV decodes may have this many times the bytes of one with 8 bits a channel.
BYTES_A_FLOAT = 4
# Rows of an image are copied to an array in strips of this many pixels.
PIXELS_A_STRIP = 1 << 22
# A JPEG may be decoded at 1/2, 1/4 or 1/8 of its size if that is at least this many times the target.
SPARE = 2


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


@contextmanager
def opened(path: str, wanted: int | None = None) -> Iterator[Image.Image]:
    """Open an image file as a Pillow image of mode RGB; its memory counts until the block ends.

    Args:
        path: the path of the file.
        wanted: the size in pixels to which the image will be resized. A much larger JPEG is decoded at
            a reduced size.

    Raises:
        InvalidInput: as for ``read_photo``.
    """
    with ExitStack() as held:
        yield _image(path, wanted, held)


@contextmanager
def opened_photo(path: str) -> Iterator[Photo]:
    """Read an image file as ``read_photo`` does; its memory counts until the block ends.

    Raises:
        InvalidInput: as for ``read_photo``.
    """
    with ExitStack() as held:
        yield _photo(path, held)


def read_photo(path: str) -> Photo:
    """Read an image file.

    Raises:
        InvalidInput: there is no such file, it is empty, truncated, damaged, too large or not an image,
            or its numbers do not say what is white.
    """
    with opened_photo(path) as photo:
        return photo


def _image(path: str, wanted: int | None, held: ExitStack) -> Image.Image:
    with _refusing(path), _begun(path, wanted, held) as (image, file):
        decoded = _decoded(image, file)
        _turn(decoded)
        return _in_rgb(decoded)


def _photo(path: str, held: ExitStack) -> Photo:
    with _refusing(path), _begun(path, None, held) as (image, file):
        data = _whole(file)
        pixels = None
        if image.format in ("JPEG", "MPO") and image.mode in ("RGB", "L"):
            pixels = by_opencv.decode_jpeg(data)
        decoded = image if pixels is not None else _decoded(image, file)
        exif = _exif(image)
        if pixels is None:
            _turn(decoded)
            pixels = _array(_in_rgb(decoded))
        return Photo(pixels, len(data), hashlib.sha256(data).hexdigest(), exif)


@contextmanager
def _refusing(path: str) -> Iterator[None]:
    """Turn every error of a file that cannot be used into a sentence."""
    try:
        yield
    except UnidentifiedImageError:
        raise _refusal(path, "it is of no format that Pillow knows") from None
    except (Image.DecompressionBombError, Image.DecompressionBombWarning) as error:
        reason = f"it has more than the {files.MOST_PIXELS:,} pixels that are opened; store it smaller"
        raise _refusal(path, reason) from error
    except MemoryError as error:
        raise _refusal(path, "it takes more memory than there is") from error
    except OSError as error:
        raise _refusal(path, error.strerror or str(error)) from error
    except (ValueError, SyntaxError, EOFError) as error:
        raise _refusal(path, str(error)) from error
    except UNREADABLE as error:
        raise _refusal(path, f"it is damaged ({type(error).__name__}: {error})") from error


def _refusal(path: str, reason: str) -> InvalidInput:
    return InvalidInput(f"{path} cannot be opened as an image: {reason}")


@contextmanager
def _begun(path: str, wanted: int | None, held: ExitStack) -> Iterator[tuple[Image.Image, BinaryIO]]:
    """Open a file, read its header, check its size, and enter its share of the memory in ``held``."""
    size_bytes = files.check_file(path)
    with open(path, "rb") as file:
        try:
            image = Image.open(file)
        except UnidentifiedImageError:
            yield _tiff(file, size_bytes, held), file
            return
        with image:
            files.check_size(*image.size)
            pixels = image.width * image.height
            if wanted is not None:
                image.draft(None, (SPARE * wanted, SPARE * wanted))
                # A progressive JPEG is held in full even if it is decoded at a reduced size.
                if not image.info.get("progressive"):
                    pixels = image.width * image.height
            _take(pixels, size_bytes, held)
            yield image, file


def _take(pixels: int, size_bytes: int, held: ExitStack) -> None:
    held.enter_context(files.BYTES_AT_ONCE.taken(files.BYTES_A_PIXEL * pixels + size_bytes))


def _whole(file: BinaryIO) -> bytes:
    """The whole content of a file, of which Pillow is reading: its position is left as it is."""
    position = file.tell()
    file.seek(0)
    data = file.read()
    file.seek(position)
    return data


def _exif(image: Image.Image) -> dict[str, Any]:
    try:
        return exif_of(image.getexif())
    except UNREADABLE:
        return {}


def _decoded(image: Image.Image, file: BinaryIO) -> Image.Image:
    """An image whose pixels are decoded: the same one, or another where Pillow gets them wrong."""
    if image.format == "JPEG2000":
        values = by_opencv.decode_deep_jpeg_2000(_whole(file))
        if values is not None:
            return Image.fromarray(_eight_bits(values))
    image.load()
    return image


def _tiff(file: BinaryIO, size_bytes: int, held: ExitStack) -> Image.Image:
    """A TIFF that Pillow does not know, such as one with floats for red, green and blue.

    Raises:
        UnidentifiedImageError: it is no TIFF, or OpenCV does not know it either.
    """
    size = by_opencv.size_of_tiff(file)
    if size is None:
        raise UnidentifiedImageError
    files.check_size(*size)
    _take(BYTES_A_FLOAT * size[0] * size[1], size_bytes, held)
    values = by_opencv.decode_tiff(_whole(file))
    if values is None:
        raise UnidentifiedImageError
    return Image.fromarray(_eight_bits(values))


def _turn(image: Image.Image) -> None:
    """Rotate a decoded image as its EXIF says; one whose EXIF cannot be read stays as it is."""
    try:
        ImageOps.exif_transpose(image, in_place=True)
    except UNREADABLE:
        return


def _in_rgb(image: Image.Image) -> Image.Image:
    """A decoded image with 8 bits of red, green and blue.

    Raises:
        ValueError: its numbers do not say what is white.
    """
    if image.mode == "RGB":
        return image
    if image.mode.startswith("I") or image.mode == "F":
        tags = getattr(image, "tag_v2", {})
        bits = 12 if tags.get(TiffImagePlugin.BITSPERSAMPLE) == (12,) else 16
        values = _eight_bits(np.asarray(image), bits)
        if tags.get(TiffImagePlugin.PHOTOMETRIC_INTERPRETATION) == 0:
            values = WHITE - values  # 0 is white, which Pillow heeds only in images of 8 bits
        image = Image.fromarray(values)
    return image.convert("RGB")


def _eight_bits(values: np.ndarray, bits: int = 16) -> np.ndarray:
    """Numbers of any type as uint8.

    Args:
        values: (H, W) or (H, W, C) uint8, whole numbers of ``bits`` bits, or floats from 0 to 1.
        bits: of whole numbers other than uint8.

    Raises:
        ValueError: the numbers are in another range.
    """
    if values.dtype == np.uint8:
        return values
    least, most = values.min(), values.max()
    if values.dtype.kind == "f":
        # NaN fails these comparisons too.
        if not (least >= 0 and most <= 1):
            raise ValueError(
                "its floats are not from 0 (black) to 1 (white); store it with 8 or 16 bits"
            )
        return np.rint(values * WHITE).astype(np.uint8)
    if least < 0 or most >= SIXTEEN_BITS:
        raise ValueError("its whole numbers are not of 16 bits; store it with 8 or 16 bits")
    return (values >> (bits - 8)).astype(np.uint8)


def _array(image: Image.Image) -> np.ndarray:
    """(H, W, 3) uint8. In strips, because Pillow copies twice what it converts at once."""
    out = np.empty((image.height, image.width, 3), dtype=np.uint8)
    rows = max(1, PIXELS_A_STRIP // image.width)
    for top in range(0, image.height, rows):
        bottom = min(image.height, top + rows)
        out[top:bottom] = np.asarray(image.crop((0, top, image.width, bottom)))
    return out
