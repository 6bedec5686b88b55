"""Representative and informative: keeps the labeled samples similar to the pool, and uncertain."""

from __future__ import annotations

from typing import Annotated, ClassVar, Literal

import numpy as np
import torch
from pydantic import Field

from ..data.device import to_tensor
from ..data.settings import chunks, settings
from ..geometry.distances import squared_distances
from ..objectives import Objective, Representative
from ..objectives.representative import summed_similarities
from ..scores import margin
from .base import Strategy
from .common.predictions import all_probabilities
from .common.task import Task
from .common.vocabulary import About, Basic, ClassProbabilities, Family, Given, Positive, Temperature

ROWS_A_CHUNK = 1 << 10


class RepresentativeInformative(Strategy):
    """Samples that keep the labeled ones similar to the pool, and are uncertain (Du et al. 2019).

    It is the greedy form of the quadratic program of Du et al., Exploring Representativeness and
    Informativeness for Active Learning: minimize ``a' M1 a + (M2 - M3 + beta C)' a`` over the chosen.

    ``M1 = k / 2``. ``M2_i`` is the summed similarity to the labeled samples, ``M3_i`` that to the
    unlabeled ones, and ``C_i = exp(squared distance to the nearest labeled sample) (p1 - p2)``.
    "published" scales the two similarities as the authors' code does, by (labeled + budget) / 2 n and
    (unlabeled - budget) / 2 n. "mean_discrepancy" scales them by (unlabeled - budget) / n and
    (labeled + budget) / n, as in the maximum mean discrepancy, so that both count the same in a large
    pool. The similarities of a large pool are computed in float32, to about six digits.
    """

    about: ClassVar[About] = About(
        favors="keeps the labeled like the pool, and uncertain, by the predictions alone",
        misleads="a weak model's predictions say little of the pool",
        title="Representative and informative",
        family=Family.REPRESENTATIVENESS,
        paper="Du et al. 2019, Exploring Representativeness and Informativeness, equation 12",
    )
    depends_on_picks: ClassVar[bool] = True

    strategy: Literal["representative_informative"] = "representative_informative"
    column: Annotated[ClassProbabilities, Basic("Predictions")] = Field(
        description="probabilities or logits"
    )
    gamma: Positive = Field(1.0, description="of the kernel exp(-gamma d^2)")
    beta: Annotated[float, Field(ge=0, allow_inf_nan=False)] = Field(
        1.0, description="how much being uncertain counts"
    )
    scaling: Literal["published", "mean_discrepancy"] = Field(
        "published",
        description="how the similarities to labeled and to unlabeled samples are scaled; published: "
        "the second by their number; mean_discrepancy: as in the maximum mean discrepancy",
    )
    max_compared: int = Field(
        50_000,
        gt=0,
        description="a larger pool is represented by this many of its samples, drawn at random",
    )
    given: Given = "probabilities"
    temperature: Temperature = 1.0

    def objective(self, task: Task) -> Objective:
        """The objective that values the candidates of ``task``; see ``Strategy.objective``."""
        pool = task.pool
        here = ~pool.missing[self.column]
        labeled = np.flatnonzero(here & pool.labeled)
        unlabeled = np.flatnonzero(here & ~pool.labeled)
        known = self._predictions(task, labeled)
        compared = task.sampled(unlabeled, self.max_compared)
        others = self._predictions(task, compared)
        stands_for = len(unlabeled) / max(1, len(compared))
        mine = self._predictions(task, task.candidates)
        small = len(unlabeled) * mine.shape[1] <= settings.float64_up_to
        dtype = torch.float64 if small else torch.float32
        others, labeled_ones = others.to(dtype), known.to(dtype)
        n, side = len(labeled) + len(unlabeled), len(labeled) + task.picks
        if self.scaling == "published":
            to_known, to_others = side / (2 * n), (n - side) / (2 * n)
        else:
            to_known, to_others = (n - side) / n, side / n
        fixed = torch.empty(len(mine), dtype=torch.float64, device=task.device)
        for chunk in chunks(len(mine), ROWS_A_CHUNK):
            part = mine[chunk]
            sure = 1 - to_tensor(margin(part.cpu().numpy()), torch.float64, task.device)
            if len(known):
                sure *= squared_distances(part, known).amin(1).exp_()
            fixed[chunk] = (
                to_others * stands_for * summed_similarities(part.to(dtype), others, self.gamma)
                - to_known * summed_similarities(part.to(dtype), labeled_ones, self.gamma)
                - self.beta * sure
            )
            task.tick()
        return Representative(mine, fixed, self.gamma)

    def _predictions(self, task: Task, rows: np.ndarray) -> torch.Tensor:
        return to_tensor(all_probabilities(self, task, rows), torch.float64, task.device)
