"""Disagreement of detections: several models, or one model on several views of the same images."""

from collections.abc import Sequence
from itertools import combinations
from typing import NamedTuple

import numpy as np
from scipy.special import entr

from ..data.errors import InvalidInput
from ..data.objects import NUMBERS_A_CHUNK, Objects
from ..data.settings import chunk_size
from .matching import close_pairs, match, runs
from .objects import AGGREGATES, aggregate

PAIRS_A_BLOCK = 1 << 20  # of boxes, in the images that are worked on together
TIE = 1e-6  # of IoU: between matchings this close, the one that disagrees least is taken


class Disagreement(NamedTuple):
    """Each (N,) float64; the parts add up to the total for "mean", "sum" and "count_normalized"."""

    total: np.ndarray
    position: np.ndarray
    classification: np.ndarray
    missing: np.ndarray


class _Field(NamedTuple):
    """The boxes of one set of detections, without those of low confidence, in a fixed order."""

    offsets: np.ndarray  # (N + 1,)
    boxes: np.ndarray  # (M, 4)
    labels: np.ndarray  # (M,) index of the class, -1 where not known
    confidences: np.ndarray  # (M,) in [0, 1]
    source: Objects
    rows: np.ndarray  # (M,) where the boxes lie in the source
    columns: np.ndarray  # the index among all classes of each class of the source
    classes: int  # how many classes there are in all, at least 1


def detection_disagreement(
    predictions: Sequence[Objects],
    *,
    iou: float = 0.5,
    how: str = "mean",
    min_confidence: float = 0.05,
    position: float = 1.0,
    classification: float = 1.0,
    missing: float = 1.0,
) -> np.ndarray:
    """How much two or more members (sets of detections of the same images) disagree.

    The boxes of two members are matched one to one where they overlap by ``iou`` or more, so that the
    total IoU is the highest: first within each class, then the remaining boxes across classes. Ties go
    to the matching that disagrees least. Then, with weights p = ``position``, c = ``classification``,
    m = ``missing``:

    - A matched pair with confidences s, s' disagrees by ``(s + s') / 2 * (p P + c J) / (p + c)``,
      where ``P = (1 - IoU) / (1 - iou)`` and J is the Jensen-Shannon divergence, in bits, of the two
      class distributions. A distribution is the box's class vector; if its sum is below 1 (as with
      objectness times class), the rest goes to "nothing here"; if it is above 1, it is normalized.
      Without a vector, the label gets the confidence, and the rest is divided evenly among the other
      classes (or goes to "nothing here" if there is only one class).
    - A box without a partner disagrees by ``m s``, so that a confident detection that the other member
      lacks counts most.

    Both are divided by max(1, m), so that each lies in [0, 1]. ``how`` aggregates them to one number
    per image. "mean" weights each by its confidence, s or (s + s') / 2, because otherwise many boxes of
    low confidence would hide a confident one. An image in which neither member has a box gets 0. With
    three or more members the result is the mean over all pairs.

    The idea is that of CALD (Yu et al., Consistency-based Active Learning for Object Detection, 2021).
    CALD takes ``|IoU + (1 - J) (s + s') / 2 - 1.3|`` of each box and its best partner, and the minimum
    over the boxes; there, lower = more informative. Here, higher = more informative, each box has at
    most one partner, missing boxes count, and all boxes count.

    Args:
        predictions: two or more members, each with boxes, over the same N samples in the same order.
            Classes are matched by name where all members name them, else by number. A box without a
            confidence gets the highest number of its class vector, or 1 where it has none (as with
            ground truth).
        iou: in (0, 1).
        how: "mean" (weighted), or as in ``aggregate`` "max", "sum", "top_k" (3), "count_normalized".
        min_confidence: boxes below it are ignored, because detectors give many meaningless ones.
        position, classification, missing: weights of at least 0, at least one of them above 0.

    Returns:
        (N,) float64, higher = more disagreement; in [0, 1] except for "sum" and "count_normalized".
        0 where the members are equal; the order of boxes and members matters only by rounding.

    Raises:
        InvalidInput: members without boxes or of unequal length, or options out of range.
    """
    options = (iou, how, min_confidence, position, classification, missing)
    return disagreement_parts(predictions, *options).total


def disagreement_parts(
    predictions: Sequence[Objects],
    iou: float = 0.5,
    how: str = "mean",
    min_confidence: float = 0.05,
    position: float = 1.0,
    classification: float = 1.0,
    missing: float = 1.0,
) -> Disagreement:
    """``detection_disagreement`` and its parts: from positions, from classes, from missing boxes.

    Args and errors are those of ``detection_disagreement``.
    """
    _check(predictions, iou, how, min_confidence, (position, classification, missing))
    fields = _fields(predictions, min_confidence)
    matched = max(position + classification, np.finfo(float).tiny) * max(1, missing)
    weights = (position / matched, classification / matched, missing / max(1, missing))
    n = len(predictions[0])
    sums = np.zeros((4, n))
    pairs = list(combinations(fields, 2))
    for a, b in pairs:
        work = np.cumsum(np.diff(a.offsets) * np.diff(b.offsets) + 1)
        for first, last in runs(work, chunk_size(PAIRS_A_BLOCK)):
            found = _compare(_cut(a, first, last), _cut(b, first, last), iou, weights)
            sums[:, first:last] += _image_numbers(*found, last - first, how)
    return Disagreement(*(sums / len(pairs)))


def _check(
    predictions: Sequence[Objects],
    iou: float,
    how: str,
    min_confidence: float,
    weights: tuple[float, ...],
) -> None:
    if len(predictions) < 2:
        raise InvalidInput(f"disagreement: {len(predictions)} fields; give two or more to compare")
    lengths = [len(objects) for objects in predictions]
    if len(set(lengths)) > 1:
        raise InvalidInput(
            f"disagreement: fields of {lengths} samples; give fields of the same samples"
        )
    bare = [k for k, objects in enumerate(predictions) if objects.boxes is None]
    if bare:
        raise InvalidInput(f"disagreement: field {bare[0]} has no boxes; give detections")
    if not 0 < iou < 1:
        raise InvalidInput(f"iou: is {iou}; give a number between 0 and 1, such as 0.5")
    if how not in AGGREGATES:
        raise InvalidInput(f"how: there is no {how!r}; choose one of {', '.join(AGGREGATES)}")
    if not 0 <= min_confidence <= 1:
        raise InvalidInput(f"min_confidence: is {min_confidence}; give a number from 0 to 1")
    if not all(0 <= weight < np.inf for weight in weights) or sum(weights) == 0:
        listed = ", ".join(map(str, weights))
        raise InvalidInput(
            f"weights: position, classification and missing are {listed}; give numbers of at least 0, "
            "one of them above it"
        )


def _fields(predictions: Sequence[Objects], min_confidence: float) -> list[_Field]:
    named = [objects.classes for objects in predictions]
    if all(names is not None for names in named):
        index: dict[str, int] = {}
        columns = [
            np.array([index.setdefault(name, len(index)) for name in names or ()], dtype=np.int64)
            for names in named
        ]
    else:
        vectors = (objects.probabilities for objects in predictions)
        widths = {p.shape[1] for p in vectors if p is not None}
        widths |= {len(names) for names in named if names is not None}
        if len(widths) > 1:
            raise InvalidInput(
                f"disagreement: fields of {sorted(widths)} classes; name the classes of every field"
            )
        most = max([0, *widths, *(_highest_label(objects) + 1 for objects in predictions)])
        columns = [np.arange(most)] * len(predictions)
    classes = 1 + max(int(own.max(initial=0)) for own in columns)
    return [
        _field(objects, own, classes, min_confidence)
        for objects, own in zip(predictions, columns, strict=True)
    ]


def _highest_label(objects: Objects) -> int:
    return -1 if objects.labels is None else int(objects.labels.max(initial=-1))


def _field(objects: Objects, columns: np.ndarray, classes: int, min_confidence: float) -> _Field:
    best, confidence = _best_class(objects)
    label = best if objects.labels is None else np.where(objects.labels < 0, best, objects.labels)
    if objects.confidences is not None:
        known = ~np.isnan(objects.confidences)
        confidence = np.where(known, objects.confidences, confidence)
    label = np.append(columns, -1)[label]  # a label of -1 takes the last entry, -1
    assert objects.boxes is not None
    kept = np.flatnonzero(confidence >= min_confidence)
    boxes, label, confidence = objects.boxes[kept], label[kept], confidence[kept]
    sample = objects.sample[kept]
    # Sorted by their own values, so that the result does not depend on the order of the input.
    order = np.lexsort((confidence, label, *boxes.T[::-1], sample))
    offsets = np.searchsorted(sample, np.arange(len(objects) + 1))
    found = (boxes[order], label[order], confidence[order])
    return _Field(offsets, *found, objects, kept[order], columns, classes)


def _best_class(objects: Objects) -> tuple[np.ndarray, np.ndarray]:
    """(M,) the most probable class of each object, (M,) its probability; -1 and 1 without a vector."""
    best, value = np.full(objects.total, -1), np.ones(objects.total)
    p = objects.probabilities
    if p is not None:
        known = np.flatnonzero(~np.isnan(p[:, 0]))
        step = max(1, chunk_size(NUMBERS_A_CHUNK) // p.shape[1])
        for start in range(0, len(known), step):
            rows = known[start : start + step]
            block = p[rows]
            best[rows], value[rows] = block.argmax(1), np.minimum(block.max(1), 1)
    return best, value


def _cut(field: _Field, first: int, last: int) -> _Field:
    offsets = field.offsets[first : last + 1]
    rows = slice(offsets[0], offsets[-1])
    return field._replace(
        offsets=offsets - offsets[0],
        boxes=field.boxes[rows],
        labels=field.labels[rows],
        confidences=field.confidences[rows],
        rows=field.rows[rows],
    )


def _compare(
    a: _Field, b: _Field, iou: float, weights: tuple[float, float, float]
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """The F matched pairs and unmatched boxes: (F,) image, (F,) confidence, (F, 3) disagreement.

    The three columns are the parts from position, class and missing boxes.
    """
    i, j, overlap = close_pairs(a.offsets, a.boxes, b.offsets, b.boxes, iou)
    together = (a.confidences[i] + b.confidences[j]) / 2
    position = together * (weights[0] * ((1 - overlap) / (1 - iou)))
    classes = together * (weights[1] * _divergence(a, i, b, j))
    # A match also avoids the disagreement that the two boxes would have as missing ones.
    spared = weights[2] * (a.confidences[i] + b.confidences[j])
    worth = overlap - TIE * (position + classes - spared)
    same = np.flatnonzero(a.labels[i] == b.labels[j])
    taken = same[match(i[same], j[same], worth[same])]
    a_free, b_free = np.ones(len(a.rows), dtype=bool), np.ones(len(b.rows), dtype=bool)
    a_free[i[taken]] = b_free[j[taken]] = False
    rest = np.flatnonzero(a_free[i] & b_free[j])
    across = rest[match(i[rest], j[rest], worth[rest])]
    a_free[i[across]] = b_free[j[across]] = False
    taken = np.concatenate([taken, across])
    lost = np.concatenate([a.confidences[a_free], b.confidences[b_free]])
    a_sample, b_sample = (np.repeat(np.arange(len(f.offsets) - 1), np.diff(f.offsets)) for f in (a, b))
    parts = np.zeros((len(taken) + len(lost), 3))
    parts[: len(taken), 0] = position[taken]
    parts[: len(taken), 1] = classes[taken]
    parts[len(taken) :, 2] = weights[2] * lost
    sample = np.concatenate([a_sample[i[taken]], a_sample[a_free], b_sample[b_free]])
    return sample, np.concatenate([together[taken], lost]), parts


def _divergence(a: _Field, i: np.ndarray, b: _Field, j: np.ndarray) -> np.ndarray:
    """Jensen-Shannon divergence in bits of the classes of each pair: (P,) float64 in [0, 1]."""
    out = np.zeros(len(i))
    step = max(1, chunk_size(NUMBERS_A_CHUNK) // (a.classes + 1))
    for start in range(0, len(i), step):
        part = slice(start, start + step)
        p, q = _distributions(a, i[part]), _distributions(b, j[part])
        # In this form equal distributions give exactly 0, and the result is symmetric.
        bits = (entr((p + q) / 2).sum(1) - (entr(p).sum(1) + entr(q).sum(1)) / 2) / np.log(2)
        out[part] = np.clip(bits, 0, 1)
    return out


def _distributions(field: _Field, rows: np.ndarray) -> np.ndarray:
    """(P, classes + 1) float64 rows that sum to 1; the last is "nothing here"."""
    label, s, classes = field.labels[rows], field.confidences[rows], field.classes
    out = np.zeros((len(rows), classes + 1))
    if classes == 1:
        out[:, 0], out[:, 1] = s, 1 - s
    else:
        out[:, :-1] = ((1 - s) / (classes - 1))[:, None]
        out[np.arange(len(rows)), label] = s
        out[label < 0] = np.append(np.full(classes, 1 / classes), 0)
    if field.source.probabilities is not None:
        given = field.source.probabilities[field.rows[rows]].astype(np.float64)
        total = given.sum(1)
        usable = np.flatnonzero(total > 0)  # neither NaN nor all 0
        total = total[usable]
        spread = np.zeros((len(usable), classes + 1))
        spread[:, field.columns[: given.shape[1]]] = given[usable] / np.maximum(total, 1)[:, None]
        spread[:, -1] = np.maximum(1 - total, 0)
        out[usable] = spread
    return out


def _image_numbers(
    sample: np.ndarray, confidence: np.ndarray, parts: np.ndarray, n: int, how: str
) -> np.ndarray:
    """(4, n): the total and its parts, 0 where nothing is found."""
    offsets = np.append(0, np.cumsum(np.bincount(sample, minlength=n)))
    values = np.column_stack([parts.sum(1), parts, np.ones(len(sample))])
    if how == "mean":
        values *= confidence[:, None]
    values = values[np.argsort(sample, kind="stable")]
    found = [aggregate(column, offsets, "sum" if how == "mean" else how) for column in values.T]
    out = np.stack(found[:4])
    if how == "mean":
        out /= np.where(found[4] > 0, found[4], 1)
    out[:, np.diff(offsets) == 0] = 0
    return out
