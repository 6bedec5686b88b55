"""Copies of images: perceptual hashes, exact copies and near copies."""

from __future__ import annotations

import hashlib
import itertools
from collections.abc import Callable, Hashable, Sequence

import numpy as np
from PIL import Image

from ..data.errors import InvalidInput

BITS = 64
SIDE, KEPT = 32, 8  # the side of the image that is transformed, and of its lowest frequencies
REDUCING_GAP = 3.0
# Coefficients are rounded, because those of a constant image are rounding errors of 0.
DECIMALS = 3
# (8, 32), the lowest frequencies of a DCT-II.
COSINES = 2 * np.cos(np.pi * np.outer(np.arange(KEPT), 2 * np.arange(SIDE) + 1) / (2 * SIDE))


def perceptual_hash(gray: np.ndarray) -> int:
    """The 64 bits of pHash: similar images differ in few of them.

    The image is resized to 32 x 32 (Lanczos). Each of the 8 x 8 lowest frequencies of its DCT-II gives
    a bit, row by row, the highest bit first: whether it is above their median. The result equals that
    of the package imagehash, except that large images are first reduced by averaging, which may change
    a few bits.

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
    """(N,) int64, the first row with the same hash; the row itself where there is no earlier one."""
    first: dict[Hashable, int] = {}
    rows = [first.setdefault(one, row) for row, one in enumerate(hashes)]
    return np.array(rows, dtype=np.int64)


def near_copies(
    hashes: np.ndarray, distance: int, tick: Callable[[], None] = lambda: None
) -> np.ndarray:
    """(N,) int64, the representative of each row: the row itself, or an earlier one with a near hash.

    The hashes are taken in order. A hash that differs in at most ``distance`` bits from an earlier
    representative is represented by the nearest one; otherwise it becomes a representative (as in
    ``near_duplicates`` for vectors). So groups do not grow from neighbor to neighbor. Equal hashes have
    the same representative.

    Args:
        hashes: (N,) uint64.
        distance: in bits, 0 to 63; the work grows steeply with it.
        tick: called after each chunk; an exception that it raises stops the work.

    Raises:
        InvalidInput: a distance outside 0 to 63.
    """
    if not 0 <= distance < BITS:
        raise InvalidInput(f"distance: {distance} is not a number of bits; give 0 to {BITS - 1}")
    firsts, inverse = np.unique(hashes, return_index=True, return_inverse=True)[1:]
    order = np.argsort(firsts)  # the distinct hashes in the order of first occurrence
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
    """The P near pairs: (P,) later row, (P,) earlier row and (P,) differing bits, sorted by rows.

    The bits are divided into ``distance`` + 1 bands. Hashes that differ in at most ``distance`` bits
    agree in at least one band, so only hashes that share a band are compared (Norouzi et al., 2012).
    """
    found = [np.empty(0, dtype=np.int64)]
    edges = np.linspace(0, BITS, distance + 2).round().astype(int).tolist()
    for low, high in itertools.pairwise(edges):
        band = (hashes >> np.uint64(low)) & np.uint64((1 << (high - low)) - 1)
        order = np.argsort(band, kind="stable")
        band = band[order]
        at = np.arange(len(hashes))
        step = 0
        # Compare each hash with the one ``step`` places later in the same run of equal bands. With each
        # step fewer are left.
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
