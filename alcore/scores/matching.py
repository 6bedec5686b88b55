"""Match the boxes of two sets of detections that show the same object, for many images at once."""

from collections.abc import Iterator

import numpy as np
from scipy.optimize import linear_sum_assignment
from scipy.sparse import coo_array
from scipy.sparse.csgraph import connected_components

from ..data.settings import chunk_size

PAIRS_A_CHUNK = 1 << 18  # of boxes; each takes some 300 bytes


def close_pairs(
    a_offsets: np.ndarray, a_boxes: np.ndarray, b_offsets: np.ndarray, b_boxes: np.ndarray, iou: float
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Boxes of a and b in the same image that overlap by ``iou`` or more.

    Args:
        a_offsets, b_offsets: (N + 1,) where the boxes of each image lie.
        a_boxes, b_boxes: (M, 4) left, top, width, height.

    Returns:
        (P,) rows in a, (P,) rows in b, (P,) their intersection over union.
    """
    a_counts, b_counts = np.diff(a_offsets), np.diff(b_offsets)
    partners, first = np.repeat(b_counts, a_counts), np.repeat(b_offsets[:-1], a_counts)
    a_low, a_high, b_low, b_high = *_corners(a_boxes), *_corners(b_boxes)
    found = [(np.zeros(0, dtype=np.int64), np.zeros(0, dtype=np.int64), np.zeros(0))]
    for start, end in runs(np.cumsum(partners), chunk_size(PAIRS_A_CHUNK)):
        counts = partners[start:end]
        before = np.cumsum(counts) - counts
        i = np.repeat(np.arange(start, end), counts)
        j = np.arange(len(i)) + np.repeat(first[start:end] - before, counts)
        for side in (0, 1):  # most pairs are excluded by the horizontal axis alone
            low = np.maximum(a_low[side][i], b_low[side][j])
            meet = low <= np.minimum(a_high[side][i], b_high[side][j])
            i, j = i[meet], j[meet]
        overlap = overlaps(a_boxes[i], b_boxes[j])
        close = overlap >= iou
        found.append((i[close], j[close], overlap[close]))
    i, j, overlap = (np.concatenate(parts) for parts in zip(*found, strict=True))
    return i, j, overlap


def overlaps(a: np.ndarray, b: np.ndarray) -> np.ndarray:
    """Intersection over union of boxes (P, 4), left, top, width, height: (P,) float64 in [0, 1].

    Equal boxes give exactly 1, also where they have no area.
    """
    # Areas come from the same corners as the intersection; otherwise rounding would give a box an IoU
    # of 0.999 with itself.
    a_low, a_high, b_low, b_high = *_corners(a), *_corners(b)
    shared = np.maximum(np.minimum(a_high, b_high) - np.maximum(a_low, b_low), 0).prod(0)
    union = (a_high - a_low).prod(0) + (b_high - b_low).prod(0) - shared
    equal = (a == b).all(1)
    return np.where(equal, 1.0, shared / np.where(union > 0, union, 1))


def _corners(boxes: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Left and top, right and bottom: two (2, M) float64."""
    columns = np.ascontiguousarray(boxes.T, dtype=np.float64)
    return columns[:2], columns[:2] + columns[2:]


def runs(ends: np.ndarray, size: int) -> Iterator[tuple[int, int]]:
    """Divide items into consecutive runs (start, end) of a total size of at most ``size``.

    Args:
        ends: (n,) the running totals of the items' sizes.
        size: the limit; an item that is larger is a run of its own.
    """
    start, before = 0, 0
    while start < len(ends):
        end = max(start + 1, int(np.searchsorted(ends, before + size, side="right")))
        yield start, end
        start, before = end, int(ends[end - 1])


def match(i: np.ndarray, j: np.ndarray, worth: np.ndarray) -> np.ndarray:
    """Choose pairs one to one so that the total worth is the highest.

    Pairs that share no box with another are taken at once; so are the best of several that all share
    one box, and groups of two boxes on either side. The other connected groups are solved one by one.

    Args:
        i, j: (P,) rows of the boxes of each pair, in a and in b.
        worth: (P,) above 0.

    Returns:
        (P,) bool, true for the pairs chosen.
    """
    chosen = np.zeros(len(i), dtype=bool)
    if len(i) == 0:
        return chosen
    _, i, i_count = np.unique(i, return_inverse=True, return_counts=True)
    _, j, j_count = np.unique(j, return_inverse=True, return_counts=True)
    n = len(i_count) + len(j_count)
    alone = (i_count[i] == 1) & (j_count[j] == 1)
    chosen[alone] = True
    left = np.flatnonzero(~alone)
    if len(left) == 0:
        return chosen
    edges = coo_array((np.ones(len(left), dtype=bool), (i[left], j[left] + len(i_count))), shape=(n, n))
    group = connected_components(edges, directed=False)[1][i[left]]
    order = left[np.lexsort((-worth[left], group))]  # the best of each group first
    group = np.sort(group)
    starts = np.flatnonzero(np.diff(group, prepend=-1))
    group = np.repeat(np.arange(len(starts)), np.diff(np.append(starts, len(group))))
    first_i, last_i = _ends(i[order], starts)
    first_j, last_j = _ends(j[order], starts)
    star = (first_i == last_i) | (first_j == last_j)
    chosen[order[starts[star]]] = True
    # Groups of two boxes on each side: either the straight pairs or the crossed pairs are taken.
    is_last_i, is_last_j = i[order] == last_i[group], j[order] == last_j[group]
    two = (is_last_i | (i[order] == first_i[group])) & (is_last_j | (j[order] == first_j[group]))
    square = ~star & np.logical_and.reduceat(two, starts)
    crossed = is_last_i != is_last_j
    straight = np.add.reduceat(np.where(crossed, -worth[order], worth[order]), starts) >= 0
    chosen[order[square[group] & (crossed != straight[group])]] = True
    ends = np.append(starts[1:], len(order))
    rest = ~star & ~square
    for start, end in zip(starts[rest].tolist(), ends[rest].tolist(), strict=True):
        pairs = order[start:end]
        chosen[pairs[_assign(i[pairs], j[pairs], worth[pairs])]] = True
    return chosen


def _ends(values: np.ndarray, starts: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Lowest and highest of each segment."""
    return np.minimum.reduceat(values, starts), np.maximum.reduceat(values, starts)


def _assign(i: np.ndarray, j: np.ndarray, worth: np.ndarray) -> np.ndarray:
    """Positions of the pairs of one group that an optimal assignment takes."""
    rows, i = np.unique(i, return_inverse=True)
    columns, j = np.unique(j, return_inverse=True)
    position = np.full((len(rows), len(columns)), -1)
    position[i, j] = np.arange(len(i))
    value = np.zeros(position.shape)
    value[i, j] = worth
    taken = position[linear_sum_assignment(value, maximize=True)]
    return taken[taken >= 0]
