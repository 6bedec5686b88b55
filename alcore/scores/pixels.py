"""Maps with a prediction for each pixel: an uncertainty per pixel, aggregated to one per map.

C classes, H x W pixels. One map at a time; see ``alcore.Maps`` for many.
"""

import math
from collections.abc import Callable, Iterator, Sequence
from typing import Any

import numpy as np
from scipy.special import expit, softmax

from ..data.device import to_array
from ..data.errors import InvalidInput
from ..data.objects import ABOVE_ONE, NUMBERS_A_CHUNK
from ..data.probabilities import SUM_TOLERANCE
from ..data.settings import chunk_size
from .multi_label import measure_named, most_uncertain, two_class

AGGREGATES = ("mean", "quantile", "top_share", "share_above", "boundary")
GIVEN = ("probabilities", "logits")


def pixel_scores(
    map: Any,
    measure: str,
    given: str = "probabilities",
    multi_label: bool = False,
    name: str = "map",
) -> np.ndarray:
    """How uncertain each pixel's class is.

    Args:
        map: (C, H, W) with one number per class, or (H, W) with that of the foreground (two classes).
        measure: "entropy", "margin", "least_confidence" or "ratio" as in ``alcore.scores``; or
            "stored" for an (H, W) map that is an uncertainty already, which is returned unchanged.
        given: "probabilities" or "logits".
        multi_label: whether the C classes are independent sigmoids; the least certain counts.
        name: the name of the map in error messages, such as "sample 5".

    Returns:
        (H, W) float64, higher = more worth labeling; in [0, 1] unless stored.

    Raises:
        InvalidInput: a wrong shape, NaN, or values that are not probabilities.
    """
    array = _checked(map, name)
    if measure == "stored":
        if array.ndim != 2:
            raise InvalidInput(f"{name}: shape {array.shape}; a stored uncertainty must be (H, W)")
        return array.astype(np.float64)
    judge = measure_named(measure)
    out = np.empty(array.shape[-2:])
    flat = out.reshape(-1)
    for pixels, p in _by_pixels(array, given, multi_label, name):
        if array.ndim == 2:
            flat[pixels] = two_class(p[:, 0], measure)
        else:
            flat[pixels] = most_uncertain(p, measure) if multi_label else judge(p)
    return out


def pixel_decision(map: Any, given: str = "probabilities") -> np.ndarray:
    """(H, W) int64: the most probable class of each pixel, ties to the first; 0 or 1 for (H, W)."""
    array = _checked(map, "map")
    if array.ndim == 3:
        return array.argmax(0)
    return (array > (0 if given == "logits" else 0.5)).astype(np.int64)


def aggregate_pixels(
    scores: Any,
    how: str = "mean",
    *,
    quantile: float = 0.95,
    share: float = 0.05,
    threshold: float = 0.5,
    decision: Any = None,
) -> float:
    """Aggregate one score per pixel to one number per map.

    Most pixels of most maps are easy. ``mean`` therefore grows with the length of the outlines and with
    the area of hard regions. ``quantile`` and ``top_share`` follow the hardest region, however small.
    ``share_above`` is the relative area of hard regions. ``boundary`` takes the mean on the outlines of
    the decision, so that their length does not count.

    Args:
        scores: (H, W) finite numbers, higher = more worth labeling.
        how: "mean"; "quantile"; "top_share", the mean of the highest ``share`` of the pixels, at
            least one; "share_above", the share of pixels above ``threshold``; "boundary", the mean
            over pixels decided otherwise than one of their 4 neighbors, 0 where there is none.
        quantile: in [0, 1], interpolated linearly.
        share: in (0, 1].
        threshold: in the unit of the scores.
        decision: (H, W) the class of each pixel, for "boundary"; see ``pixel_decision``.

    Returns:
        One number in the range of the scores; a share in [0, 1] for "share_above".

    Raises:
        InvalidInput: a shape or an option that does not fit, NaN.
    """
    if how not in AGGREGATES:
        known = ", ".join(AGGREGATES)
        raise InvalidInput(f"how: there is no {how!r}; choose one of {known}")
    s = _checked(scores, "scores")
    if s.ndim != 2:
        raise InvalidInput(f"scores: shape {s.shape}; give (H, W)")
    if how == "mean":
        return float(s.mean(dtype=np.float64))
    if how == "quantile":
        if not 0 <= quantile <= 1:
            raise InvalidInput(f"quantile: is {quantile}; give a number from 0 to 1")
        return float(np.quantile(s, quantile))
    if how == "top_share":
        if not 0 < share <= 1:
            raise InvalidInput(f"share: is {share}; give a number above 0, up to 1")
        count = math.ceil(share * s.size)
        highest = np.partition(s, s.size - count, axis=None)[s.size - count :]
        return float(highest.mean(dtype=np.float64))
    if how == "share_above":
        return float((s > threshold).mean())
    if decision is None:
        raise InvalidInput('decision: "boundary" needs the class of each pixel; give (H, W) ints')
    classes = to_array(decision)
    if classes.shape != s.shape:
        raise InvalidInput(
            f"decision: shape {classes.shape} for scores of {s.shape}; give both for each pixel"
        )
    edge = boundary(classes)
    return float(s[edge].mean(dtype=np.float64)) if edge.any() else 0.0


def member_pixel_scores(
    maps: Sequence[Any],
    measure: Callable[[np.ndarray], np.ndarray],
    given: str = "probabilities",
    name: str = "map",
) -> np.ndarray:
    """Disagreement of several maps of the same image, pixel by pixel.

    Args:
        maps: T maps of one shape, (C, H, W), or (H, W) of the foreground, judged as two classes.
        measure: from members (T, P, C), probabilities in float64, to (P,) numbers, such as those of
            ``alcore.scores.members``. It is called on chunks of pixels that take about 16 MiB.
        given: "probabilities" or "logits".
        name: the name of the maps in error messages.

    Returns:
        (H, W) float64, in the range of the measure.

    Raises:
        InvalidInput: no maps, unequal shapes, or as for ``pixel_scores``.
    """
    arrays = [_checked(map, name) for map in maps]
    shapes = sorted({array.shape for array in arrays})
    if len(shapes) != 1:
        found = " and ".join(map(str, shapes)) or "none"
        raise InvalidInput(f"{name}: the members' shapes are {found}; give maps of one shape")
    out = np.empty(shapes[0][-2:])
    flat = out.reshape(-1)
    parts = [_by_pixels(array, given, False, name, len(arrays)) for array in arrays]
    for members in zip(*parts, strict=True):
        p = np.stack([block for _, block in members])
        if arrays[0].ndim == 2:
            p = np.concatenate([p, 1 - p], axis=2)
        flat[members[0][0]] = measure(p)
    return out


def class_weighted_scores(
    maps: Sequence[Any], given: str = "probabilities", name: str = "map"
) -> tuple[np.ndarray, np.ndarray]:
    """How uncertain each pixel is, and how much of that concerns each class.

    Source: ClaSP PE (2026).

    Args:
        maps: one map, or several of the same image whose mean counts: (C, H, W), or (H, W) of the
            foreground, as two classes.
        given: "probabilities" or "logits".
        name: the name of the maps in error messages.

    Returns:
        (C + 1, H, W) float64 in [0, 1], the entropy times the probability of each class, and last the
        entropy itself; and (C, H, W) the mean probabilities.

    Raises:
        InvalidInput: no maps, unequal shapes, or as for ``pixel_scores``.
    """
    arrays = [_checked(map, name) for map in maps]
    shapes = sorted({array.shape for array in arrays})
    if len(shapes) != 1:
        found = " and ".join(map(str, shapes)) or "none"
        raise InvalidInput(f"{name}: the members' shapes are {found}; give maps of one shape")
    binary = arrays[0].ndim == 2
    mean = np.zeros((2 if binary else len(arrays[0]), *shapes[0][-2:]))
    flat = mean.reshape(len(mean), -1)
    for array in arrays:
        for pixels, p in _by_pixels(array, given, False, name):
            flat[:, pixels] += np.concatenate([1 - p, p], axis=1).T if binary else p.T
    mean /= len(arrays)
    entropy = pixel_scores(mean, "entropy", name=name)
    return np.concatenate([mean * entropy, entropy[None]]), mean


def _checked(map: Any, name: str) -> np.ndarray:
    array = to_array(map)
    if array.ndim not in (2, 3) or array.size == 0 or array.dtype.kind not in "fiub":
        raise InvalidInput(f"{name}: {array.dtype} of shape {array.shape}; give (C, H, W) or (H, W)")
    if not np.isfinite(array).all():
        raise InvalidInput(f"{name}: holds NaN or infinite values; correct them")
    return array


def _by_pixels(
    array: np.ndarray, given: str, multi_label: bool, name: str, shared_by: int = 1
) -> Iterator[tuple[slice, np.ndarray]]:
    """The pixels in row order, a chunk at a time: which, and their (P, C) float64 probabilities.

    C is 1 where the map is (H, W).
    """
    if given not in GIVEN:
        raise InvalidInput(f"given: there is no {given!r}; choose one of {', '.join(GIVEN)}")
    flat = array.reshape(len(array) if array.ndim == 3 else 1, -1)
    step = max(1, chunk_size(NUMBERS_A_CHUNK) // (len(flat) * shared_by))
    alone = multi_label or array.ndim == 2
    for start in range(0, flat.shape[1], step):
        pixels = slice(start, start + step)
        p = np.ascontiguousarray(flat[:, pixels].T, dtype=np.float64)
        if given == "logits":
            p = expit(p) if alone else softmax(p, axis=1)
        else:
            p = _probabilities(p, alone, name)
        yield pixels, p


def _probabilities(p: np.ndarray, alone: bool, name: str) -> np.ndarray:
    bad = ((p < 0) | (p > 1 + ABOVE_ONE)).any(1)
    what = "values outside 0 to 1"
    if not bad.any() and not alone:
        bad = np.abs(p.sum(1) - 1) > SUM_TOLERANCE
        what = "classes that do not sum to 1"
    if bad.any():
        raise InvalidInput(
            f"{name}: {int(bad.sum())} pixels with {what}; correct them, or say that they are logits"
            + ("" if alone else " or multi-label")
        )
    return np.clip(p, 0, 1) if alone else p / p.sum(1, keepdims=True)


def boundary(decision: np.ndarray) -> np.ndarray:
    """(H, W) bool: true where the class differs from that of one of the 4 neighboring pixels."""
    edge = np.zeros(decision.shape, dtype=bool)
    across, down = decision[:, 1:] != decision[:, :-1], decision[1:] != decision[:-1]
    edge[:, 1:] |= across
    edge[:, :-1] |= across
    edge[1:] |= down
    edge[:-1] |= down
    return edge
