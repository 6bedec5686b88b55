"""PAL: images of a detector's rare classes whose boxes are doubtful, up to a budget per class."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated, Any, ClassVar, Literal

import numpy as np
import torch
from pydantic import Field

from ..data.errors import InvalidInput
from ..data.objects import Objects
from ..data.settings import chunks
from ..geometry.vectors import Vectors as Prepared
from ..scores.multi_label import two_class
from .base import LabelsUse, Rule
from .common.choice import Choice
from .common.class_counts import true_counts
from .common.objects import chances, is_evaluated, predicted_classes
from .common.task import Task
from .common.vocabulary import About, Basic, Family, PredictedObjects, Share, TrueObjects, Vectors
from .minority import quotas_of

# The weights of the doubt, of the difference to the candidates before, and of richness (twice).
DOUBT, DIFFERENT, RICH = 0.9, 0.02, 0.04
ROWS_A_CHUNK = 1 << 12


class Pal(Rule):
    """Images of a detector's rare classes whose boxes are doubtful, up to a budget per class.

    The doubt of an object is the entropy of the chance that it is right. The chance is its confidence,
    calibrated for each class on the evaluated objects of labeled samples. The doubt of an image about
    a class is that of its most doubtful object of the class.

    The rarity of a class is ``r = 1 - (its share of the labeled objects + its share of the predicted
    ones) / 2``. The budget is divided in proportion to it, to no class more than it has images, and
    the rarest class comes first. Of its 2 b most doubtful images those b are chosen with the highest
    ``.9 doubt + .02 different + .04 (rich + classes)``: ``different`` is 1 - the cosine to the nearest
    of the more doubtful, ``rich`` the sum over the image's objects of r times doubt, ``classes`` the
    sum of r over its classes, each of the three scaled to [0, 1] over the 2 b images. What is left of
    the budget goes by the doubt about any class.

    After Sharma et al., PAL (2026). The paper's second feature of an object, how many boxes it had
    before non-maximum suppression, is rarely stored, and is not used.
    """

    about: ClassVar[About] = About(
        favors="doubtful boxes, most of them of rare classes; needs stored detections alone",
        misleads="nothing of objects that the detector misses",
        title="PAL, for boxes",
        family=Family.UNCERTAINTY,
        paper="Sharma et al. 2026, PAL, arXiv 2605.10349",
    )

    strategy: Literal["pal"] = "pal"
    column: Annotated[PredictedObjects, Basic("Predictions")] = Field(
        description="objects with confidences; those of labeled samples evaluated, if possible"
    )
    embeddings: Annotated[Vectors | None, Basic("Embeddings")] = Field(
        None, description="of the images, by which the candidates of a class differ"
    )
    labels: TrueObjects | None = Field(None, description="a column with the labeled samples' objects")
    min_confidence: Share = Field(0.05, description="objects below it do not count")

    def labels_use(self) -> LabelsUse | None:
        """Whether true classes are needed or helpful; see ``Strategy.labels_use``."""
        return "helpful" if self.labels is None else None

    def takes_evaluation(self) -> bool:
        """Whether it reads which objects are right; see ``Strategy.takes_evaluation``."""
        return True

    def ignored_below(self) -> float:
        """The confidence in [0, 1] below which objects are ignored."""
        return self.min_confidence

    def choose(self, task: Task) -> Choice:
        """Choose ``task.picks`` candidates; see ``Strategy.choose``."""
        found = _doubts(self, task)
        names, count = found.names, len(task.candidates)
        inside = found.place >= 0
        of_labeled = _shares(self._labeled_counts(found, task))
        of_pool = _shares(np.bincount(found.label[inside], minlength=len(names)))
        rarity = 1 - (of_labeled + of_pool) / 2
        richness = np.bincount(
            found.place[inside], (rarity[found.label] * found.doubt)[inside], minlength=count
        )
        # One entry for each image and class that it has: the most doubtful object.
        place, label, worst = found.by_image_and_class()
        classes = np.bincount(place, rarity[label], minlength=count)
        images = np.bincount(label, minlength=len(names))
        budgets = np.minimum(quotas_of(np.where(images > 0, rarity, 0), task.picks), images)
        prepare = None if self.embeddings is None else task.vectors(self.embeddings, "cosine")
        left = np.ones(count, dtype=bool)
        rows: list[int] = []
        values: list[float] = []
        report: dict[str, Any] = {}

        def take(chosen: np.ndarray, worth: np.ndarray) -> None:
            rows.extend(chosen.tolist())
            values.extend(worth.tolist())
            left[chosen] = False

        for c in np.lexsort((np.arange(len(names)), -rarity)).tolist():
            b = int(budgets[c])
            of_class = np.flatnonzero((label == c) & left[place])
            first = of_class[np.argsort(-worst[of_class], kind="stable")[: 2 * b]]
            candidates = place[first]
            different = np.zeros(len(first))
            if prepare is not None:
                different = _difference(prepare, task.candidates[candidates], task)
            rich = _scaled(richness[candidates]) + _scaled(classes[candidates])
            worth = DOUBT * worst[first] + DIFFERENT * _scaled(different) + RICH * rich
            best = np.lexsort((candidates, -worth.round(9)))[:b]
            take(candidates[best], worth[best])
            if images[c]:
                report[names[c]] = {
                    "rarity": float(rarity[c]),
                    "images": int(images[c]),
                    "budget": b,
                    "chosen": len(best),
                }
        doubt = np.zeros(count)
        np.maximum.at(doubt, place, worst)
        rest = np.flatnonzero(left)
        rest = rest[np.argsort(-doubt[rest], kind="stable")[: task.picks - len(rows)]]
        take(rest, doubt[rest])
        return Choice(
            np.array(rows, dtype=np.int64),
            np.array(values, dtype=np.float64),
            {"classes": report, "by doubt": len(rest), "calibrated": found.calibrated},
        )

    def _labeled_counts(self, found: _Doubts, task: Task) -> np.ndarray:
        """(C,) how many objects of each class the labeled samples have: true ones, else predicted."""
        if self.labels is None:
            return np.bincount(found.label[found.in_labeled], minlength=len(found.names))
        task.pool.column(self.labels, task.user)
        known = np.flatnonzero(task.pool.labeled & ~task.pool.missing[self.labels])
        return true_counts(self.labels, found.names, known, task)


@dataclass(frozen=True)
class _Doubts:
    """The objects that count, K of them.

    Attributes:
        names: the C class names.
        place: (K,) the position of the object's image among the candidates, -1 for another image.
        label: (K,) its class.
        doubt: (K,) in [0, 1].
        in_labeled: (K,) bool, whether its image is labeled.
        calibrated: whether there are evaluated objects.
    """

    names: list[str]
    place: np.ndarray
    label: np.ndarray
    doubt: np.ndarray
    in_labeled: np.ndarray
    calibrated: bool

    def by_image_and_class(self) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        """The place, class and highest doubt, an entry for each image and class that it has."""
        inside = np.flatnonzero(self.place >= 0)
        key = self.place[inside] * len(self.names) + self.label[inside]
        keys, codes = np.unique(key, return_inverse=True)
        worst = np.zeros(len(keys))
        np.maximum.at(worst, codes, self.doubt[inside])
        return keys // len(self.names), keys % len(self.names), worst


def _doubts(options: Pal, task: Task) -> _Doubts:
    pool = task.pool
    objects = pool.column(options.column, task.user)
    if not isinstance(objects, Objects):
        raise InvalidInput(
            f"{task.user}: column {options.column!r} must hold objects: several predictions a sample"
        )
    labels = predicted_classes(objects)
    names = objects.classes or pool.classes.get(options.column)
    if labels is None or names is None:
        raise InvalidInput(f"{task.user}: the objects of {options.column!r} have no classes")
    p = chances(objects, pool.labeled, task.user)
    kept = (labels >= 0) & np.repeat(~pool.missing[options.column], objects.counts)
    if objects.confidences is not None:
        kept &= ~(objects.confidences < options.min_confidence)
    place = np.full(pool.n, -1)
    place[task.candidates] = np.arange(len(task.candidates))
    sample = objects.sample[kept]
    return _Doubts(
        list(names),
        place[sample],
        labels[kept],
        two_class(p[kept], "entropy"),
        pool.labeled[sample],
        is_evaluated(objects, pool.labeled),
    )


def _difference(prepare: Prepared, rows: np.ndarray, task: Task) -> np.ndarray:
    """(R,) 1 - the cosine of each row to the nearest before it; the first has the highest of all."""
    out = np.zeros(len(rows))
    if len(rows) < 2:
        return out
    units = prepare(rows)
    for part in chunks(len(rows), ROWS_A_CHUNK):
        task.tick()
        cosines = units[part] @ units[: part.stop].T
        numbers = torch.arange(len(rows), device=units.device)
        later = numbers[None, : cosines.shape[1]] >= numbers[part, None]
        out[part] = 1 - cosines.masked_fill_(later, -torch.inf).amax(1).cpu().numpy()
    out[0] = out[1:].max()
    return out


def _shares(counts: np.ndarray) -> np.ndarray:
    return counts / max(1, counts.sum())


def _scaled(values: np.ndarray) -> np.ndarray:
    """The values scaled to [0, 1]; 0 where all are the same."""
    if len(values) == 0:
        return values
    low, high = values.min(), values.max()
    return (values - low) / (high - low) if high - low > 1e-12 else np.zeros(len(values))
