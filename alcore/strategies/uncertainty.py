"""Uncertainty: samples that the model is unsure of; predictions of samples, objects or pixels."""

from __future__ import annotations

from functools import partial
from typing import Annotated, Any, ClassVar, Literal

import numpy as np
from pydantic import Field

from .. import scores
from ..data.categories import class_names, codes_of, first_names, refuse_unknown
from ..data.errors import InvalidInput
from ..data.objects import Objects
from ..data.pixel_maps import Maps
from ..objectives import Objective
from ..scores.multi_label import two_class
from ..scores.objects import AGGREGATES as OVER_OBJECTS
from ..scores.pixels import AGGREGATES as OVER_PIXELS
from .base import LabelsUse, Strategy
from .common import pixels
from .common.objects import chances, is_evaluated, predicted_classes
from .common.pixels import naming, over_pixels
from .common.predictions import all_probabilities, class_vectors, probabilities
from .common.task import Task
from .common.vocabulary import (
    About,
    Basic,
    ClassWeights,
    Family,
    Given,
    Positive,
    Predictions,
    Share,
    TrueClasses,
    Words,
)

OVER_CLASSES = ("mean", "max", "sum")
MEASURES = {
    "margin": Words(
        "the best two classes are close: a good first choice",
        "near-duplicates on one border are all chosen",
    ),
    "entropy": Words(
        "the probability is spread over many classes",
        "with many classes their tails decide; outliers score high",
    ),
    "least_confidence": Words(
        "the best class is not sure", "says nothing of how near the second is; outliers score high"
    ),
    "ratio": Words(
        "the second best class is nearly as likely as the best",
        "near-duplicates on one border are all chosen",
    ),
}
STORED = Words("the map's own numbers are high", "is only as good as what made the map")
OF_OBJECTS = {
    "max": Words("the hardest object decides", "so does one junk box"),
    "mean": Words("the average object is hard", "one hard object among many easy ones is lost"),
    "sum": Words("many hard objects", "crowded images, which also cost most to label"),
    "top_k": Words("the hardest few objects", "needs as many objects"),
    "count_normalized": Words(
        "hard objects, the more the better, to a degree", "still leans to crowded images"
    ),
}
EMPTY = {
    "median": Words("as an image of medium uncertainty", "says nothing of missed objects"),
    "least": Words("last: nothing there to label", "images with missed objects are not seen"),
    "most": Words("first: a missed object is the worst error", "truly empty images come first"),
}
Measure = Literal["entropy", "margin", "least_confidence", "ratio"]
OverObjects = Literal["max", "mean", "sum", "top_k", "count_normalized"]
OverPixels = Literal["mean", "quantile", "top_share", "share_above", "boundary"]


class Uncertainty(Strategy):
    """Samples that the model is unsure of."""

    about: ClassVar[About] = About(
        favors="the model is unsure",
        misleads="alone it picks near-duplicates and noise",
        title="Uncertainty",
        family=Family.UNCERTAINTY,
        paper="Settles 2009, Active Learning Literature Survey, section 3.1",
    )

    highest: ClassVar[float | None] = 1.0
    divisible: ClassVar[bool] = True

    strategy: Literal["uncertainty"] = "uncertainty"
    column: Annotated[Predictions, Basic("Predictions")] = Field(
        description="probabilities or logits, of samples, of objects or of pixels"
    )
    measure: Annotated[Measure | Literal["stored"], Basic("Measure", MEASURES)] = Field(
        "margin", description="stored: a map's own numbers are the uncertainty"
    )
    given: Given = "probabilities"
    temperature: Positive | Literal["fit"] = Field(
        1.0, description="divides the logits; fit: found on the labeled samples, by labels"
    )
    labels: TrueClasses | None = Field(
        None, description="a column with the true classes of the labeled samples, for fit"
    )
    multi_label: bool = Field(False, description="classes do not exclude each other")
    aggregate: Annotated[
        OverObjects | OverPixels | None,
        Basic("From objects to an image", OF_OBJECTS, when=("objects",)),
        Basic("From pixels to an image", pixels.AGGREGATES, when=("pixels",)),
    ] = Field(
        None,
        description="of objects: max, mean, sum, top_k or count_normalized; of pixels: mean, quantile, "
        "top_share, share_above or boundary; of classes, if multi_label: max, mean or sum",
    )
    top_k: int = Field(3, gt=0, description="of objects")
    quantile: Share = Field(0.95, description="of pixels")
    share: Annotated[float, Field(gt=0, le=1)] = Field(0.05, description="of pixels, for top_share")
    threshold: Share = Field(0.5, description="of pixels, for share_above")
    min_confidence: Share = Field(0.05, description="objects below it do not count")
    class_weights: ClassWeights | None = Field(
        None, description="how much objects of a class count; of others 1"
    )
    calibrate: bool = Field(
        False,
        description="of objects: by the chance that one is right, fitted for each class on evaluated "
        "objects of labeled samples",
    )
    empty: Literal["least", "median", "most"] = Field(
        "median", description="what a sample without objects is taken as"
    )

    def labels_use(self) -> LabelsUse | None:
        """Whether true classes are needed or helpful; see ``Strategy.labels_use``."""
        return "needed" if self.temperature == "fit" and self.labels is None else None

    def ignored_below(self) -> float:
        """The confidence in [0, 1] below which objects are ignored."""
        return self.min_confidence

    def takes_evaluation(self) -> bool:
        """Whether it reads which objects are right; see ``Strategy.takes_evaluation``."""
        return self.calibrate

    def objective(self, task: Task) -> Objective:
        """The objective that values the candidates of ``task``; see ``Strategy.objective``."""
        report: dict[str, Any] = {}
        options = self
        if self.temperature == "fit":
            report["temperature"] = fitted_temperature(self, task)
            options = self.model_copy(update=report)
        values = options.measured(task, task.candidates)
        # Sums over objects and stored numbers have no upper bound, so the highest value is the scale.
        highest = max(task.parts.gathered(float(values.max(initial=0))))
        return task.score(values, max(1.0, highest), report)

    def summands(self, task: Task, rows: np.ndarray) -> np.ndarray:
        """(R,) float64, what each row adds under combine: "lightly"; see ``Strategy.summands``."""
        column = task.pool.columns[self.column]
        if isinstance(column, np.ndarray) and column.ndim == 1:  # scores that were computed elsewhere
            return np.nan_to_num(task.pool.numbers(self.column, task.user))[rows]
        return super().summands(task, rows)

    def measured(self, task: Task, rows: np.ndarray) -> np.ndarray:
        """(R,) float64, the uncertainty of ``rows`` of the pool; higher = more worth labeling.

        Raises:
            InvalidInput: the column and the options do not fit, or predictions are not usable.
        """
        column = task.pool.column(self.column, task.user)
        if isinstance(column, Objects):
            return _of_objects(self, task, column)[rows]
        if self.calibrate:
            raise InvalidInput(
                f"{task.user}: calibrate: is for predictions of objects; {self.column!r} holds others"
            )
        if isinstance(column, Maps):
            return _of_maps(self, task, column, rows)
        if self.measure == "stored":
            raise InvalidInput(f"{task.user}: measure: 'stored' is for maps; for a number use 'weight'")
        options = self
        if self.temperature == "fit":
            options = self.model_copy(update={"temperature": fitted_temperature(self, task)})
        measure = getattr(scores, self.measure)
        independent = self.multi_label or self.column in task.pool.independent
        if independent:
            how = _aggregate_of(self, task, OVER_CLASSES, "classes", "mean")
            measure = partial(scores.multi_label, measure=self.measure, aggregate=how)
        else:
            _aggregate_of(self, task, (), "classes that exclude each other", None)
        parts = probabilities(options, task, rows, independent=independent)
        return np.concatenate([*map(measure, parts), np.zeros(0)])


def fitted_temperature(options: Uncertainty, task: Task) -> float:
    """The temperature at which the labeled samples' predictions have the least negative log likelihood.

    Raises:
        InvalidInput: labels are missing or of unknown classes, or the predictions cannot be fitted.
    """
    pool = task.pool
    task.parts.refuse(f"{task.user}: temperature: 'fit'")
    if options.labels is None:
        raise InvalidInput(
            f"{task.user}: temperature: 'fit' needs labels, the column of the labeled samples' classes"
        )
    if options.multi_label:
        raise InvalidInput(f"{task.user}: temperature: 'fit' is for classes that exclude each other")
    truth = pool.column(options.labels, task.user)
    if not isinstance(truth, np.ndarray) or truth.ndim != 1:
        raise InvalidInput(
            f"{task.user}: labels: column {options.labels!r} must hold one class a sample"
        )
    column = class_vectors(options.column, task)
    if column.ndim == 3:
        raise InvalidInput(
            f"{task.user}: temperature: 'fit' is for one prediction a sample; {options.column!r} holds "
            "members"
        )
    classes = class_names(pool, options.column, column.shape[-1])
    known = np.flatnonzero(pool.labeled & pool.present([options.column, options.labels]))
    codes = codes_of(pool, options.labels, classes, task.user)
    refuse_unknown(pool, options.labels, known, codes, classes, task.user)
    as_given = options.model_copy(update={"temperature": 1.0})
    checked = all_probabilities(as_given, task, known)
    given = pool.given.get(options.column, options.given)
    values = column[known] if given == "logits" else checked
    try:
        return scores.fit_temperature(values, codes[known], given)
    except InvalidInput as error:
        raise InvalidInput(f"{task.user}: {error}") from None


def _of_objects(options: Uncertainty, task: Task, objects: Objects) -> np.ndarray:
    """(N,) float64 for the whole pool, because the value of an empty sample depends on the others."""
    _refuse_temperature(options, task)
    task.parts.refuse(f"{task.user}: uncertainty of objects")
    how = _aggregate_of(options, task, OVER_OBJECTS, "objects", "max")
    here = ~task.pool.missing[options.column]
    if here.all():
        return _aggregated(options, task, objects, task.pool.labeled, how)
    out = np.zeros(len(objects))
    out[here] = _aggregated(options, task, objects.take(here), task.pool.labeled[here], how)
    return out


def _aggregated(
    options: Uncertainty, task: Task, objects: Objects, labeled: np.ndarray, how: str
) -> np.ndarray:
    if options.measure == "stored":
        raise InvalidInput(f"{task.user}: measure: 'stored' is for maps")
    if options.calibrate:
        if not is_evaluated(objects, labeled):
            raise InvalidInput(
                f"{task.user}: calibrate: of no object of a labeled sample it is known whether it is "
                "right; evaluate the detections first, or leave it out"
            )
        each = two_class(chances(objects, labeled, task.user), options.measure)
    else:
        # Unless the options say so, the sums of the vectors show whether they are distributions.
        independent = options.multi_label or options.column in task.pool.independent
        each = scores.object_scores(objects, options.measure, independent or None)
    keep = None
    if objects.confidences is not None and options.min_confidence > 0:
        keep = ~(objects.confidences < options.min_confidence)
    return scores.aggregate(
        each,
        objects.offsets,
        how,
        top_k=options.top_k,
        weights=_class_weights(options, task, objects),
        keep=keep,
        empty=options.empty,
    )


def _class_weights(options: Uncertainty, task: Task, objects: Objects) -> np.ndarray | None:
    if not options.class_weights:
        return None
    labels, classes = predicted_classes(objects), objects.classes or []
    unknown = [name for name in options.class_weights if name not in classes]
    if labels is None or unknown:
        what = f"{unknown[0]!r} is no class" if unknown else "the objects have no classes"
        raise InvalidInput(
            f"{task.user}: class_weights: {what}; the classes are {first_names(classes) or 'not known'}"
        )
    factors = np.array([*(options.class_weights.get(name, 1.0) for name in classes), 1.0])
    return factors[labels]  # a label of -1 (unknown) takes the last factor, 1


def _of_maps(options: Uncertainty, task: Task, maps: Maps, rows: np.ndarray) -> np.ndarray:
    _refuse_temperature(options, task)
    how = _aggregate_of(options, task, OVER_PIXELS, "pixels", "mean")
    out = np.empty(len(rows))
    for place, row in enumerate(rows.tolist()):
        task.tick()
        one = maps[row]
        with naming(task, row):
            hard = scores.pixel_scores(one, options.measure, options.given, options.multi_label)
            if options.measure == "stored" and (hard < 0).any():
                raise InvalidInput("its stored uncertainty is below 0 in places; it must be 0 or more")
            out[place] = over_pixels(options, hard, one, how)
    return out


def _aggregate_of(
    options: Uncertainty, task: Task, known: tuple[str, ...], of: str, default: str | None
) -> str:
    """The aggregate or its default. An aggregate for another kind of prediction is refused."""
    if options.aggregate is not None and options.aggregate not in known:
        takes = f"over {of} take {', '.join(known)}" if known else f"of {of} there is none to take"
        raise InvalidInput(f"{task.user}: aggregate: {options.aggregate!r} does not fit; {takes}")
    return options.aggregate or default or ""


def _refuse_temperature(options: Uncertainty, task: Task) -> None:
    if options.temperature != 1.0:
        raise InvalidInput(
            f"{task.user}: temperature: is for predictions of whole samples; {options.column!r} holds "
            "predictions of objects or pixels"
        )
