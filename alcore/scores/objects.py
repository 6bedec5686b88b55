"""Samples with several predictions: an uncertainty per object, aggregated to one per sample."""

from concurrent.futures import ThreadPoolExecutor
from typing import Any

import numpy as np

from ..data.device import to_array
from ..data.errors import InvalidInput
from ..data.objects import NUMBERS_A_CHUNK, Objects, checked_offsets
from ..data.probabilities import SUM_TOLERANCE
from ..data.settings import chunk_size, chunks
from .multi_label import measure_named, most_uncertain, two_class

AGGREGATES = ("max", "mean", "sum", "top_k", "count_normalized")
EMPTY = ("least", "median", "most")
FEW = 32  # up to this k the k highest are found value by value; beyond it sorting is faster
SHORT = 256  # objects per sample; samples with more are sorted
TOGETHER = 1 << 15  # how many samples are processed at once, so that they stay in a core's cache


def object_scores(
    objects: Objects, measure: str = "entropy", multi_label: bool | None = None
) -> np.ndarray:
    """How uncertain each object's class is.

    A class vector is measured as one distribution, by ``alcore.scores``. With ``multi_label`` each of
    its classes is measured as the two classes [p, 1 - p], and the least certain class counts. An object
    without a vector is measured by its confidence s, as the two classes [s, 1 - s].

    Source: Settles (2010), section 3.1; a box's binary entropy as in PPAL (Yang et al., 2024).

    Args:
        objects: M objects with class vectors, confidences or both.
        measure: "entropy", "margin", "least_confidence" or "ratio".
        multi_label: whether the vectors are independent sigmoids. None: they are, unless more than
            half of them sum to 1 within 1e-3.

    Returns:
        (M,) float64 in [0, 1], higher = more worth labeling.

    Raises:
        InvalidInput: objects with neither; vectors of one distribution that do not sum to 1.
    """
    measure_named(measure)
    p, s = objects.probabilities, objects.confidences
    bare = np.ones(objects.total, dtype=bool) if p is None else np.isnan(p[:, 0])
    unknown = np.flatnonzero(bare if s is None else bare & np.isnan(s))
    if len(unknown):
        raise InvalidInput(
            f"object scores: {objects.name(unknown)} with neither a class vector nor a confidence; "
            "leave them out"
        )
    out = np.empty(objects.total)
    if s is not None and bare.any():
        step = chunk_size(NUMBERS_A_CHUNK) // 2
        for start in range(0, objects.total, step):
            rows = start + np.flatnonzero(bare[start : start + step])
            out[rows] = two_class(s[rows], measure)
    if p is not None and not bare.all():
        _judge_vectors(objects, p, ~bare, measure, multi_label, out)
    return out


def _judge_vectors(
    objects: Objects,
    p: np.ndarray,
    known: np.ndarray,
    measure: str,
    multi_label: bool | None,
    out: np.ndarray,
) -> None:
    """Fill ``out`` where ``known``."""
    apart = np.zeros(objects.total, dtype=bool) if multi_label else known & ~_sum_to_one(p)
    if multi_label is None:
        multi_label = 2 * np.count_nonzero(apart) >= np.count_nonzero(known)
    if not multi_label and apart.any():
        raise InvalidInput(
            f"object scores: {objects.name(np.flatnonzero(apart))} with class vectors that do not sum "
            "to 1; correct them, or say that they are multi-label"
        )
    step = max(1, chunk_size(NUMBERS_A_CHUNK) // p.shape[1])
    for start in range(0, objects.total, step):
        here = known[start : start + step]
        block = p[start : start + step][here]
        judged = most_uncertain(block, measure) if multi_label else measure_named(measure)(block)
        out[start : start + step][here] = judged


def _sum_to_one(p: np.ndarray) -> np.ndarray:
    """(M,) bool, false too for rows of NaN."""
    return np.abs(p.sum(1, dtype=np.float64) - 1) <= SUM_TOLERANCE


def aggregate(
    values: Any,
    offsets: Any,
    how: str = "max",
    *,
    top_k: int = 3,
    weights: Any = None,
    keep: Any = None,
    empty: str = "least",
) -> np.ndarray:
    """Aggregate one value per object to one value per sample.

    ``max`` follows one object, so that a single false detection may decide. ``mean`` hides one hard
    object among many easy ones. ``sum`` grows with the number of objects, as does the cost of labeling
    them. ``count_normalized`` is the sum over the square root of the count, between mean and sum: twice
    as many objects of the same value give 1.4 times as much, where the sum gives 2 and the mean 1.
    ``top_k`` is the mean of the ``top_k`` highest values, or of all where there are fewer.

    Args:
        values: (M,) finite numbers, higher = more worth labeling.
        offsets: (N + 1,) sample n's objects are ``offsets[n]:offsets[n + 1]``.
        how: "max", "mean", "sum", "top_k" or "count_normalized".
        top_k: at least 1.
        weights: (M,) a factor for each value, such as the weight of its class.
        keep: (M,) bool, false for objects to leave out, such as those of low confidence.
        empty: the value of a sample without objects: the "least", "median" or "most" of the other
            samples' values; 0 where no sample has objects.

    Returns:
        (N,) float64, in the range of the weighted values, except for ``sum`` (up to M times that) and
        ``count_normalized`` (up to sqrt(M) times that).

    Raises:
        InvalidInput: lengths that do not fit, values that are not finite, unknown names.
    """
    for name, given, known in (("how", how, AGGREGATES), ("empty", empty, EMPTY)):
        if given not in known:
            raise InvalidInput(f"{name}: there is no {given!r}; choose one of {', '.join(known)}")
    if top_k < 1:
        raise InvalidInput(f"top_k: is {top_k}; give 1 or more")
    starts = checked_offsets(offsets)
    v = _of_objects(values, starts, "values")
    if weights is not None:
        v = v * _of_objects(weights, starts, "weights")
    kept = None if keep is None else _of_bools(keep, v)
    if how == "top_k" and kept is not None:
        v, starts, kept = _without(v, starts, kept)
    counts = np.diff(starts)
    has = counts > 0
    out = np.zeros(len(counts))
    out[has], some = _reduce(v, kept, starts[:-1][has], counts[has], how, top_k)
    has[has] = some
    out[~has] = 0
    if has.any() and not has.all():
        out[~has] = np.quantile(out[has], {"least": 0, "median": 0.5, "most": 1}[empty])
    return out


def _of_bools(keep: Any, v: np.ndarray) -> np.ndarray:
    kept = to_array(keep)
    if kept.shape != v.shape or kept.dtype != bool:
        raise InvalidInput(f"keep: shape {kept.shape} of {kept.dtype}; give {len(v)} bools")
    return kept


def _without(
    v: np.ndarray, starts: np.ndarray, kept: np.ndarray
) -> tuple[np.ndarray, np.ndarray, None]:
    """The values that are kept, and where each sample's start among them."""
    before = np.zeros(len(kept) + 1, dtype=np.int64)
    np.cumsum(kept, out=before[1:])
    return v[kept], before[starts], None


def _of_objects(values: Any, offsets: np.ndarray, name: str) -> np.ndarray:
    v = to_array(values, np.float64)
    if v.shape != (offsets[-1],):
        raise InvalidInput(
            f"{name}: shape {v.shape} for {offsets[-1]} objects; give one number for each"
        )
    # A sum is finite only where every value is, and it needs no mask. But it may overflow, so that an
    # infinite sum is checked again.
    with np.errstate(over="ignore", invalid="ignore"):
        total = v.sum()
    if not np.isfinite(total) and not np.isfinite(v).all():
        rows = np.flatnonzero(~np.isfinite(v))
        raise InvalidInput(
            f"{name}: {len(rows)} objects (the first at row {rows[0]}) with NaN or infinity; give "
            "finite numbers, or leave these objects out"
        )
    return v


def _reduce(
    v: np.ndarray,
    kept: np.ndarray | None,
    starts: np.ndarray,
    counts: np.ndarray,
    how: str,
    top_k: int,
) -> tuple[np.ndarray, np.ndarray]:
    """One number for each segment of ``v``, of those kept, and whether any is.

    No segment may be empty, and each must end where the next starts, because ``reduceat`` requires it.
    """
    everyone = np.ones(len(starts), dtype=bool)
    if len(starts) == 0:
        return np.zeros(0), everyone
    if how == "max" or (how == "top_k" and top_k == 1):
        highest = np.maximum.reduceat(v if kept is None else np.where(kept, v, -np.inf), starts)
        return highest, highest > -np.inf
    if how == "top_k":
        return _top(v, starts, counts, top_k), everyone
    if kept is not None:
        v = np.where(kept, v, 0)
        counts = np.add.reduceat(kept, starts, dtype=np.int64)
    total = np.add.reduceat(v, starts)
    if how == "mean":
        total /= np.maximum(counts, 1)
    elif how == "count_normalized":
        total /= np.sqrt(np.maximum(counts, 1))
    return total, counts > 0


def _top(v: np.ndarray, starts: np.ndarray, counts: np.ndarray, k: int) -> np.ndarray:
    """Mean of the k highest of each segment."""
    out = np.empty(len(starts))
    some = counts <= SHORT if k <= FEW else np.zeros(len(counts), dtype=bool)
    order = np.flatnonzero(some)
    parts = [order[rows] for rows in chunks(len(order), TOGETHER)]

    def work(part: np.ndarray) -> None:
        # The longest first: one step then takes the j-th value of each that has one.
        part = part[np.argsort(-counts[part].astype(np.int16), kind="stable")]  # sorts by radix
        out[part] = _top_of_short(v, starts[part], counts[part], k)

    # numpy releases Python's global lock while it computes, so that threads use several cores.
    with ThreadPoolExecutor() as threads:
        list(threads.map(work, parts))
    if not some.all():
        out[~some] = _top_by_sorting(v, starts[~some], counts[~some], k)
    return out


def _top_of_short(v: np.ndarray, starts: np.ndarray, counts: np.ndarray, k: int) -> np.ndarray:
    """``_top`` for segments sorted by length, the longest first, in one step per value."""
    best = np.full((k, len(starts)), -np.inf)
    longer = np.searchsorted(-counts, -np.arange(counts[0]), side="left")  # segments longer than j
    at = starts.copy()
    value, lower = np.empty((2, len(starts)))
    for j, n in enumerate(longer.tolist()):
        value, lower = value[:n], lower[:n]
        v.take(at[:n], out=value, mode="clip")  # no index is outside; "raise" would copy
        ranks = min(k, j + 1)
        for rank in range(ranks):
            held = best[rank, :n]
            if rank < ranks - 1:
                np.minimum(held, value, out=lower)
            np.maximum(held, value, out=held)
            value, lower = lower, value
        at[:n] += 1
    best[best == -np.inf] = 0  # where there are fewer than k
    return best.sum(0) / np.minimum(counts, k)


def _top_by_sorting(v: np.ndarray, starts: np.ndarray, counts: np.ndarray, k: int) -> np.ndarray:
    """``_top`` for segments of any length and any k."""
    ends = np.cumsum(counts)
    begin = ends - counts
    segment = np.repeat(np.arange(len(starts)), counts)
    gathered = v[np.repeat(starts - begin, counts) + np.arange(ends[-1])]
    ordered = gathered[np.lexsort((gathered, segment))]
    taken = np.minimum(counts, k)
    # A running sum over all samples would add their rounding errors.
    kept = np.arange(ends[-1]) >= np.repeat(ends - taken, counts)
    return np.add.reduceat(ordered[kept], np.cumsum(taken) - taken) / taken
