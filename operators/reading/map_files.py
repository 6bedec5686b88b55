"""Files of pixel maps: arrays (.npy, .npz) and images. What they hold is checked before it is unpacked.

Nothing is ever unpickled.
"""

from __future__ import annotations

import math
import os
import zipfile
import zlib
from typing import Any, BinaryIO

import fiftyone as fo
import numpy as np
from numpy.lib import format as npy
from PIL import Image, UnidentifiedImageError

from ...alcore.images.by_opencv import END_OF_JPEG
from ...alcore.images.files import check_file, check_size, megabytes
from ..dataset.fields import VECTOR_ATTRIBUTES

NPY, NPZ = ".npy", ".npz"
# A larger map is refused: 80 classes for each of 1,800 x 1,800 pixels in float32 fit.
LARGEST_MAP = 1 << 30
HEADERS = {(1, 0): npy.read_array_header_1_0, (2, 0): npy.read_array_header_2_0}
COMPRESSIONS = (zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED)
# What a damaged file raises beside OSError and ValueError.
DAMAGED = (
    EOFError,
    SyntaxError,
    LookupError,
    TypeError,
    AttributeError,
    ArithmeticError,
    RuntimeError,
    MemoryError,
    zipfile.BadZipFile,
    zlib.error,
    Image.DecompressionBombError,
    Image.DecompressionBombWarning,
)


def is_array(path: str) -> bool:
    """Return whether a file holds an array, by its name; else it is an image."""
    return path.endswith((NPY, NPZ))


def check_map_file(path: str) -> None:
    """Check a file by what its headers say; the map itself is not read.

    Raises:
        OSError: if there is no such file, or if it cannot be read.
        ValueError: if it is no file, empty, damaged, too large, or neither an array nor an image. The
            text is a reason, such as "it is empty".
    """
    size = check_file(path)
    try:
        if path.endswith(NPY):
            with open(path, "rb") as file:
                _check_array(file, size)
        elif path.endswith(NPZ):
            with zipfile.ZipFile(path) as packed, packed.open(_member(packed)) as member:
                _check_array(member, packed.getinfo(member.name).file_size)
        else:
            with open(path, "rb") as file:
                _check_image(file)
    except DAMAGED as error:
        raise _damaged(error) from error


def read_map_file(path: str) -> np.ndarray:
    """Return the array or the image of a file, after ``check_map_file``.

    Of several arrays in an .npz file, it is one with a name in ``VECTOR_ATTRIBUTES``, else the first.

    Raises:
        OSError: as for ``check_map_file``.
        ValueError: as for ``check_map_file``, or if the file turns out to be damaged as it is read.
    """
    check_map_file(path)
    try:
        if path.endswith(NPY):
            return np.asarray(np.load(path, allow_pickle=False))
        if path.endswith(NPZ):
            with zipfile.ZipFile(path) as packed, packed.open(_member(packed)) as member:
                return np.asarray(npy.read_array(member, allow_pickle=False))
        found: Any = fo.Heatmap(map_path=path).get_map()
    except DAMAGED as error:
        raise _damaged(error) from error
    if found is None:
        raise ValueError("it is no image and no array")
    return np.asarray(found)


def _damaged(error: BaseException) -> ValueError:
    if isinstance(error, MemoryError):
        return ValueError("it takes more memory than there is")
    return ValueError(f"it is damaged: {error or type(error).__name__}")


def _member(packed: zipfile.ZipFile) -> zipfile.ZipInfo:
    """Return the array in an .npz file that is the map.

    Raises:
        ValueError: if there is none, or if it is packed in a way in which NumPy does not pack.
    """
    found = {one.filename.removesuffix(NPY): one for one in packed.infolist()}
    if not found:
        raise ValueError("it holds no array")
    member = next((found[name] for name in VECTOR_ATTRIBUTES if name in found), None)
    member = member or next(iter(found.values()))
    # Other ways of packing cannot be unpacked bit by bit, so that even the header takes memory.
    if member.compress_type not in COMPRESSIONS:
        raise ValueError(f"{member.filename!r} is not packed as by numpy.savez_compressed")
    return member


def _check_array(file: Any, size: int) -> None:
    """Check the header of an array.

    Args:
        file: the opened file, or member of an .npz file.
        size: how many bytes it has in all, as the disk or the .npz file's directory says.

    Raises:
        ValueError: if it is no array of numbers, too large, or shorter than its header says.
    """
    version = npy.read_magic(file)
    if version not in HEADERS:
        raise ValueError(f"its array is of the unknown version {version}")
    shape, _, dtype = HEADERS[version](file)
    if dtype.hasobject:
        raise ValueError("it holds Python objects, which are not unpickled (allow_pickle)")
    count = math.prod(shape) * dtype.itemsize
    if min(shape, default=1) < 0 or count == 0:
        raise ValueError(f"its array of shape {shape} is empty")
    if count > LARGEST_MAP:
        raise ValueError(
            f"its array of shape {shape} has {megabytes(count)}, and at most {megabytes(LARGEST_MAP)} "
            "are read; store it smaller"
        )
    if file.tell() + count > size:
        raise ValueError(f"it is truncated: its array of shape {shape} has {count:,} bytes")


def _check_image(file: BinaryIO) -> None:
    """Check the header of an image.

    Raises:
        ValueError: if it is no image, has too many pixels, or is a truncated JPEG.
    """
    try:
        with Image.open(file) as image:
            check_size(*image.size)
            jpeg = image.format == "JPEG"
    except UnidentifiedImageError:
        raise ValueError("it is no image and no array") from None
    if jpeg:
        # OpenCV, by which FiftyOne reads maps, fills up the rest of a truncated JPEG.
        file.seek(-len(END_OF_JPEG), os.SEEK_END)
        if file.read() != END_OF_JPEG:
            raise ValueError("it is truncated")
