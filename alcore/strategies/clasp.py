"""ClaSP PE: maps of uncertain pixels, a share of the batch for each class, drawn by power noise."""

from __future__ import annotations

from typing import Annotated, ClassVar, Literal

import numpy as np
from pydantic import Field

from ..data.categories import first_names
from ..data.errors import InvalidInput
from ..data.pixel_maps import Maps
from ..scores.pixels import class_weighted_scores
from .base import Rule
from .common.choice import Choice
from .common.pixels import naming, over_pixels
from .common.task import Task
from .common.vocabulary import (
    About,
    Asks,
    Basic,
    Family,
    Given,
    PredictedPixels,
    Reads,
    Several,
    Share,
)
from .uncertainty import OverPixels

# Tells these draws apart from the others of one seed.
CLASP = 4
# The inverse scale of the noise in the last round; in the first it is 1.
LAST_BETA = 100.0
ANY_CLASS = "any class"


class Clasp(Rule):
    """Maps whose pixels are uncertain, a share of the batch for each foreground class.

    A pixel's uncertainty about class c is its entropy times the probability of c. The foreground
    classes choose ``foreground`` of the batch in equal parts, in random order, and the entropy of the
    pixels alone chooses the rest. A sample that one class has chosen is out for the others.

    Of values s the highest ``log s + noise`` are taken, with Gumbel noise of scale 1 / beta. Beta grows
    from 1 in the first round to 100 in the last, as ``100 ** ((round - 1) / (rounds - 1))``: the first
    batches are spread, and the last are nearly the best.

    Source: ClaSP PE (2026), and the authors' code for the shares. There the regions of volumes are
    chosen; here whole images.
    """

    about: ClassVar[About] = About(
        favors="uncertain pixels of each class in turn, more by chance in early rounds",
        misleads="nothing of a class that the model never predicts",
        title="ClaSP, for masks",
        family=Family.UNCERTAINTY,
        paper="ClaSP PE 2026, arXiv 2601.13677",
    )

    strategy: Literal["clasp"] = "clasp"
    column: Annotated[
        PredictedPixels | Annotated[Several, Reads.MAPS],
        Basic("Predictions"),
    ] = Field(description="maps with a number for each class and pixel; of several the mean counts")
    round: Annotated[int, Field(gt=0), Basic("Round"), Asks.ROUND] = Field(
        1, description="the number of this round, from 1"
    )
    rounds: Annotated[int, Field(gt=0), Basic("Rounds")] = Field(
        5, description="how many rounds are planned"
    )
    foreground: Share = Field(0.66, description="of the batch, for the foreground classes together")
    background: str | None = Field(
        None, description="the class that is no foreground; by default 'background', else the first"
    )
    aggregate: OverPixels = Field("mean", description="from pixels to an image")
    given: Given = "probabilities"
    quantile: Share = Field(0.95, description="of pixels")
    share: Annotated[float, Field(gt=0, le=1)] = Field(0.05, description="of pixels, for top_share")
    threshold: Share = Field(0.5, description="of pixels, for share_above")

    @property
    def beta(self) -> float:
        """The inverse scale of the noise in this round, from 1 to 100."""
        reached = (self.round - 1) / max(1, self.rounds - 1)
        return float(LAST_BETA ** min(1.0, reached))

    def choose(self, task: Task) -> Choice:
        """Choose ``task.picks`` candidates; see ``Strategy.choose``."""
        values, names = _values(self, task)
        left = np.ones(len(task.candidates), dtype=bool)
        rows: list[int] = []
        worth: list[float] = []
        counts: dict[str, int] = {}

        def take(c: int, count: int) -> None:
            s, place = values[left, c], np.flatnonzero(left)
            drawn = task.pool.drawn(task.seed, CLASP, c, rows=task.candidates[place])
            with np.errstate(divide="ignore"):
                keys = np.log(s) - np.log(-np.log(drawn)) / self.beta
            best = np.lexsort((-s, -keys))[:count]
            rows.extend(place[best].tolist())
            worth.extend(s[best].tolist())
            left[place[best]] = False
            counts[names[c]] = len(best)

        classes = [c for c in range(len(names) - 1) if names[c] != self._background(names[:-1], task)]
        key = (task.seed, CLASP)
        np.random.default_rng(np.random.SeedSequence(key)).shuffle(classes)
        of_classes = int(self.foreground * task.picks + 1e-9) if classes else 0
        for number, c in enumerate(classes):
            take(c, of_classes // len(classes) + (number < of_classes % len(classes)))
        take(len(names) - 1, task.picks - len(rows))
        return Choice(
            np.array(rows, dtype=np.int64),
            np.array(worth, dtype=np.float64),
            {"beta": self.beta, "chosen": counts},
        )

    def _background(self, names: list[str], task: Task) -> str:
        if self.background is None:
            return next((name for name in names if name.lower() == "background"), names[0])
        if self.background not in names:
            raise InvalidInput(
                f"{task.user}: background: {self.background!r} is no class; the classes are "
                f"{first_names(names)}"
            )
        return self.background


def _values(options: Clasp, task: Task) -> tuple[np.ndarray, list[str]]:
    """(n, C + 1) what each candidate is worth to each class and to none, and their names."""
    columns = [options.column] if isinstance(options.column, str) else options.column
    members = [task.pool.column(name, task.user) for name in columns]
    for name, maps in zip(columns, members, strict=True):
        if not isinstance(maps, Maps):
            raise InvalidInput(
                f"{task.user}: column {name!r} must hold maps with a number for each pixel"
            )
    found = []
    for row in task.candidates.tolist():
        task.tick()
        maps = [one[row] for one in members]
        with naming(task, row):
            each, mean = class_weighted_scores(maps, options.given)
            found.append([over_pixels(options, one, mean, options.aggregate) for one in each])
    width = len(found[0]) - 1
    names = members[0].classes or task.pool.classes.get(columns[0]) or []
    if len(names) != width:
        names = list(map(str, range(width)))
    return np.array(found), [*names, ANY_CLASS]
