"""Determinantal: samples that span the largest volume with those labeled or chosen."""

from __future__ import annotations

from typing import Annotated, ClassVar, Literal

import numpy as np
from pydantic import Field

from ..data.errors import InvalidInput
from ..data.settings import settings
from ..geometry.kernels import Kernel
from ..objectives import Determinantal as LogDeterminant
from ..objectives import Objective
from .base import Strategy
from .common.bandwidth import OTHERS, auto_bandwidth
from .common.task import Task
from .common.vocabulary import About, Basic, Family, Vectors, Width, Words

KERNELS = {
    "gaussian": Words("far apart, by distance", "leans to outliers"),
    "cosine": Words("of different directions", "no more than there are dimensions"),
}


class Determinantal(Strategy):
    """Samples that span the largest volume with those labeled or chosen (greedy MAP of a DPP)."""

    about: ClassVar[About] = About(
        favors="the most different from each other, all taken together",
        misleads="leans to outliers; for small budgets",
        title="Determinantal",
        family=Family.DIVERSITY,
        paper="Chen et al. 2018, Fast Greedy MAP Inference for DPPs, algorithm 1",
    )
    depends_on_picks: ClassVar[bool] = True

    strategy: Literal["determinantal"] = "determinantal"
    column: Annotated[Vectors, Basic("Embeddings")] = Field(
        description="embeddings; they are normalized"
    )
    kernel: Annotated[Literal["gaussian", "cosine"], Basic("Kernel", KERNELS)] = Field(
        "gaussian", description="how alike two samples are"
    )
    bandwidth: Width | Literal["auto"] = Field("auto", description="of gaussian; auto: from the pool")

    def objective(self, task: Task) -> Objective:
        """The objective that values the candidates of ``task``; see ``Strategy.objective``."""
        pool = task.pool
        prepare = task.vectors(self.column, "cosine")
        here = ~pool.missing[self.column]
        labeled = np.flatnonzero(here & pool.labeled)
        spanning = len(labeled) + task.picks
        if spanning > settings.most_spanning:
            raise InvalidInput(
                f"{task.user}: takes at most {settings.most_spanning} labeled and chosen samples "
                f"together, not {spanning}; use diversity or coverage"
            )
        width = 1.0
        if self.kernel == "gaussian":
            everyone = np.flatnonzero(here & ~pool.labeled)
            width = (
                auto_bandwidth(task.drawn_vectors(prepare, everyone, OTHERS), spanning)
                if self.bandwidth == "auto"
                else self.bandwidth
            )
        return LogDeterminant(prepare(task.candidates), prepare(labeled), Kernel(self.kernel, width))
