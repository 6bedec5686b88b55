"""Disagreement: samples that several models, or one model several times, see differently."""

from __future__ import annotations

import math
from typing import Annotated, Any, ClassVar, Literal

import numpy as np
from pydantic import Field

from .. import scores
from ..data.errors import InvalidInput
from ..data.objects import Objects
from ..data.pixel_maps import Maps
from ..objectives import Objective
from ..scores.pixels import AGGREGATES as OVER_PIXELS
from .base import Strategy
from .common.members import member_probabilities, members_of, names_of, need_two
from .common.pixels import naming, over_pixels
from .common.task import Task
from .common.vocabulary import About, Basic, Family, Given, Members, Share, Words
from .uncertainty import OverPixels

# The highest value of each measure of class probabilities, for T members and C classes.
HIGHEST = {
    "bald": lambda t, c: math.log(t),
    "kl_to_consensus": lambda t, c: math.log(t),
    "max_disagreement": lambda t, c: math.log(t),
    "vote_entropy": lambda t, c: math.log(min(t, c)),
    "consensus_entropy": lambda t, c: math.log(c),
    "predictive_entropy": lambda t, c: math.log(c),
    "expected_entropy": lambda t, c: math.log(c),
    "variation_ratio": lambda t, c: 1 - 1 / t,
    "mean_std": lambda t, c: 0.5,
}
# The measures that forms offer. A recipe may also name kl_to_consensus, which equals bald, and
# predictive_entropy, which equals consensus_entropy.
MEASURES = {
    "bald": Words(
        "members are sure of different classes: more data would settle it",
        "copies of one such sample are all chosen",
    ),
    "max_disagreement": Words("one member differs much from the others", "a single bad member decides"),
    "vote_entropy": Words(
        "members vote for different classes", "blind to how sure they are; few members make many ties"
    ),
    "variation_ratio": Words(
        "few members vote for the winner", "blind to how sure they are; few members make many ties"
    ),
    "consensus_entropy": Words(
        "the members' mean is uncertain, for whatever reason",
        "noisy samples that no label makes clear score high",
    ),
    "expected_entropy": Words(
        "every member is uncertain: noise rather than ignorance",
        "use it to find unclear images, not to learn",
    ),
    "mean_std": Words(
        "members' probabilities scatter", "with many classes small scatter in all of them adds up"
    ),
}
VARIANCE = Words("predicted numbers scatter", "large numbers scatter more than small ones")
DETECTION = Words(
    "models see other boxes, classes or places",
    "crowded images and a weak model's junk boxes disagree most",
)
Measure = Literal[
    "bald",
    "vote_entropy",
    "consensus_entropy",
    "kl_to_consensus",
    "max_disagreement",
    "variation_ratio",
    "mean_std",
    "predictive_entropy",
    "expected_entropy",
    "variance",
    "detection",
]


class Disagreement(Strategy):
    """Samples that several predictions see differently."""

    about: ClassVar[About] = About(
        favors="several models, or dropout passes, disagree",
        misleads="alone it picks near-duplicates",
        title="Disagreement",
        family=Family.UNCERTAINTY,
        paper="Seung et al. 1992, Query by Committee; Houlsby et al. 2011, BALD, equation 2",
    )
    divisible: ClassVar[bool] = True

    strategy: Literal["disagreement"] = "disagreement"
    column: Annotated[Members, Basic("Members")] = Field(
        description="members (T, N, C), or a list with a column for each member"
    )
    measure: Annotated[Measure | None, Basic("Measure", MEASURES, when=("samples", "pixels"))] = Field(
        None, description="bald; of columns of numbers variance, of objects detection"
    )
    given: Given = "probabilities"
    aggregate: OverPixels | None = Field(None, description="of pixels")
    quantile: Share = Field(0.95, description="of pixels")
    share: Annotated[float, Field(gt=0, le=1)] = Field(0.05, description="of pixels, for top_share")
    threshold: Share = Field(0.5, description="of pixels, for share_above")
    min_confidence: Share = Field(0.05, description="objects below it do not count")
    iou: Annotated[float, Field(gt=0, lt=1)] = Field(
        0.5, description="boxes that overlap by less are not the same object"
    )

    def objective(self, task: Task) -> Objective:
        """The objective that values the candidates of ``task``; see ``Strategy.objective``."""
        columns = [task.pool.column(name, task.user) for name in names_of(self.column)]
        kinds = {_kind(column) for column in columns}
        if len(kinds) > 1:
            raise InvalidInput(
                f"{task.user}: column: one member holds {', another '.join(sorted(kinds))}"
            )
        kind = kinds.pop()
        usual = {"objects": "detection", "numbers": "variance"}.get(kind, "bald")
        measure = self.measure or usual
        if (measure if measure in ("detection", "variance") else "bald") != usual:
            raise InvalidInput(
                f"{task.user}: measure: {measure!r} is not for members that are {kind}; "
                f"they take {usual if usual != 'bald' else ', '.join(HIGHEST)}"
            )
        if self.aggregate is not None and kind != "maps":
            raise InvalidInput(f"{task.user}: aggregate: is over pixels, and the members are {kind}")
        if kind == "objects":
            return _of_objects(self, task, columns)
        if kind == "numbers":
            return _of_numbers(self, task)
        if kind == "maps":
            return _of_maps(self, task, columns, measure)
        members = members_of(self.column, task)
        parts = member_probabilities(self.column, self.given, task, members, task.candidates)
        values = np.concatenate([*map(getattr(scores, measure), parts), np.zeros(0)])
        report = {} if values.any() else {"note": "the members agree on every sample"}
        return task.score(values, HIGHEST[measure](len(members), members[0].shape[-1]), report)


def _kind(column: Any) -> str:
    if isinstance(column, Objects):
        return "objects"
    if isinstance(column, Maps):
        return "maps"
    return "numbers" if column.ndim == 1 and column.dtype != object else "distributions"


def _of_numbers(options: Disagreement, task: Task) -> Objective:
    names = names_of(options.column)
    need_two(len(names), options.column, task)
    values = np.stack([task.pool.numbers(name, task.user)[task.candidates] for name in names])
    found = scores.variance(values)
    return task.score(found, max(task.parts.gathered(float(found.max(initial=0)))))


def _of_objects(options: Disagreement, task: Task, columns: list[Objects]) -> Objective:
    need_two(len(columns), options.column, task)
    for name, column in zip(names_of(options.column), columns, strict=True):
        if column.boxes is None:
            raise InvalidInput(f"{task.user}: column {name!r} has no boxes; give objects with boxes")
    few = [column.take(task.candidates) for column in columns]
    return task.score(
        scores.detection_disagreement(few, iou=options.iou, min_confidence=options.min_confidence)
    )


def _of_maps(options: Disagreement, task: Task, columns: list[Maps], measure: str) -> Objective:
    need_two(len(columns), options.column, task)
    how = options.aggregate or "mean"
    if how not in OVER_PIXELS:
        raise InvalidInput(f"{task.user}: aggregate: {how!r} is not over pixels")
    out = np.empty(len(task.candidates))
    classes = 1
    for place, row in enumerate(task.candidates.tolist()):
        task.tick()
        maps = [column[row] for column in columns]
        if len({one.shape for one in maps}) > 1:
            raise InvalidInput(
                f"{task.user}: the maps of sample {task.pool.ids[row]} are of unequal shape: "
                + ", ".join(str(one.shape) for one in maps)
            )
        classes = maps[0].shape[0] if maps[0].ndim == 3 else 2
        with naming(task, row):
            pixels = scores.member_pixel_scores(maps, getattr(scores, measure), options.given)
            out[place] = over_pixels(options, pixels, maps[0], how)
    scale = 1.0 if how == "share_above" else HIGHEST[measure](len(columns), classes)
    return task.score(out, scale)
