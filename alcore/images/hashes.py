"""Copies of images: a hash of how each looks, and which of them are the same or nearly."""

from __future__ import annotations

import hashlib
import itertools
from collections.abc import Callable, Hashable, Sequence

import numpy as np
from PIL import Image

from ..data.errors import InvalidInput

BITS = 64
SIDE, KEPT = 32, 8  # of the image that is transformed, and of its lowest frequencies
REDUCING_GAP = 3.0
# Coefficients of a constant image are zeros up to rounding, which must not decide on bits.
DECIMALS = 3
# (8, 32), the lowest frequencies of a DCT-II.
COSINES = 2 * np.cos(np.pi * np.outer(np.arange(KEPT), 2 * np.arange(SIDE) + 1) / (2 * SIDE))


def perceptual_hash(gray: np.ndarray) -> int:
    """The 64 bits of pHash: images that look alike differ in few of them.

    The image is resized to 32 x 32 (Lanczos); of its DCT-II the 8 x 8 lowest frequencies give a bit
    each, row by row, the highest bit first: whether it is above their median. So does the package
    imagehash, but for large images, which are here brought near that size by averaging first: a few
    bits may differ then.

    Args:
        gray: (H, W) uint8.
    """
    resample = Image.Resampling.LANCZOS
    small = Image.fromarray(gray).resize((SIDE, SIDE), resample, reducing_gap=REDUCING_GAP)
    low = (COSINES @ np.asarray(small, dtype=np.float64) @ COSINES.T).ravel().round(DECIMALS)
    middle = np.partition(low, (BITS // 2 - 1, BITS // 2))[BITS // 2 - 1 : BITS // 2 + 1]
    return int.from_bytes(np.packbits(low > middle.sum() / 2).tobytes(), "big")


def hash_pixels(image: np.ndarray) -> str:
    """SHA-256 of an image's size and pixels, in hexadecimal digits."""
    shape = np.array(image.shape, dtype="<i8")
    return hashlib.sha256(shape.tobytes() + image.tobytes()).hexdigest()


def exact_copies(hashes: Sequence[Hashable]) -> np.ndarray:
    """(N,) int64, the first row with the same hash: itself where there is no earlier one."""
    first: dict[Hashable, int] = {}
    rows = [first.setdefault(one, row) for row, one in enumerate(hashes)]
    return np.array(rows, dtype=np.int64)


def near_copies(
    hashes: np.ndarray, distance: int, tick: Callable[[], None] = lambda: None
) -> np.ndarray:
    """(N,) int64, the row that stands for each: itself, or an earlier one whose hash is near.

    In their order, a hash that differs in at most ``distance`` bits from one that stands for itself is
    stood for by the nearest such, else it stands for itself (as ``near_duplicates`` has it of vectors):
    a group does not grow from neighbor to neighbor. What is equal to an earlier one goes with it.

    Args:
        hashes: (N,) uint64.
        distance: in bits, 0 to 63; the work grows steeply with it.
        tick: called after each chunk; what it raises ends the work.

    Raises:
        InvalidInput: a distance that is none.
    """
    if not 0 <= distance < BITS:
        raise InvalidInput(f"distance: {distance} is not a number of bits; give 0 to {BITS - 1}")
    firsts, inverse = np.unique(hashes, return_index=True, return_inverse=True)[1:]
    order = np.argsort(firsts)  # the different hashes as they first come
    rows = firsts[order]
    later, earlier, apart = _near_pairs(hashes[rows].astype(np.uint64), distance, tick)
    stands = np.arange(len(rows))
    starts = np.flatnonzero(np.diff(later, prepend=-1, append=len(rows)))
    for start, end in itertools.pairwise(starts.tolist()):
        rivals = earlier[start:end]
        leading = stands[rivals] == rivals
        if leading.any():
            stands[later[start]] = rivals[leading][apart[start:end][leading].argmin()]
    place = np.empty_like(order)
    place[order] = np.arange(len(order))
    return np.asarray(rows[stands][place[inverse]], dtype=np.int64)


def _near_pairs(
    hashes: np.ndarray, distance: int, tick: Callable[[], None]
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """(P,) later row, earlier row and bits of difference of all pairs that are near, in that order.

    Of ``distance`` + 1 bands of bits, hashes that differ in ``distance`` bits have at least one in
    common, so that only those are compared which share a band (Norouzi et al., 2012).
    """
    found = [np.empty(0, dtype=np.int64)]
    edges = np.linspace(0, BITS, distance + 2).round().astype(int).tolist()
    for low, high in itertools.pairwise(edges):
        band = (hashes >> np.uint64(low)) & np.uint64((1 << (high - low)) - 1)
        order = np.argsort(band, kind="stable")
        band = band[order]
        at = np.arange(len(hashes))
        step = 0
        # Those at the same place of their runs but for ``step``, which are fewer with each.
        while len(at):
            step += 1
            at = at[at + step < len(band)]
            at = at[band[at] == band[at + step]]
            earlier, later = order[at], order[at + step]
            apart = np.bitwise_count(hashes[earlier] ^ hashes[later])
            near = apart <= distance
            found.append(later[near] * len(hashes) + earlier[near])
            tick()
    later, earlier = np.divmod(np.unique(np.concatenate(found)), len(hashes))
    return later, earlier, np.bitwise_count(hashes[earlier] ^ hashes[later])
