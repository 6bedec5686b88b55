"""Coverage: samples that represent many others which no labeled or chosen sample represents yet."""

from __future__ import annotations

from typing import Annotated, ClassVar, Literal

import numpy as np
import torch
from pydantic import Field

from ..data.device import to_tensor
from ..data.errors import InvalidInput
from ..data.settings import settings
from ..geometry.clusters import cluster
from ..geometry.distances import nearest_squared, squared_lengths
from ..geometry.kernels import Kernel
from ..geometry.neighbor_graph import list_length
from ..geometry.vectors import Vectors as PreparedVectors
from ..objectives import Coverage as FacilityLocation
from ..objectives import GraphCoverage, KeptCoverage, Objective, PartCoverage
from .base import Strategy
from .common.bandwidth import OTHERS, auto_bandwidth, labeled_bandwidth
from .common.task import Task
from .common.vocabulary import (
    About,
    Basic,
    CountsClasses,
    Family,
    Metric,
    Numbers,
    Vectors,
    Width,
    Words,
)
from .uncertainty import Uncertainty

PURITY, BALLS = 0.95, 20_000
FAR_BEYOND, FAR_BEYOND_BALLS = 16, 2
DRAWN_A_CENTER, LEAST_DRAWN, MOST_DRAWN = 200, 2_000, 20_000
KERNELS = {
    "gaussian": Words("each stands for those near it", "rare cases come last"),
    "cosine": Words("facility location: each stands for all of its direction", "rare cases come last"),
    "ball": Words("each covers a ball around it, for few labels", "all depends on the radius"),
}


class Coverage(Strategy):
    """Samples that represent many others which no labeled or chosen sample represents yet."""

    about: ClassVar[About] = About(
        favors="each stands for many others; the best first choice",
        misleads="rare cases come last",
        title="Coverage",
        family=Family.REPRESENTATIVENESS,
        paper="Bae et al. 2024, MaxHerding, and 2025, UHerding; Yehuda et al. 2022, ProbCover",
    )
    depends_on_picks: ClassVar[bool] = True
    divisible: ClassVar[bool] = True

    strategy: Literal["coverage"] = "coverage"
    column: Annotated[Vectors, Basic("Embeddings")] = Field(description="embeddings")
    metric: Metric = Field("cosine", description="cosine: they are normalized first")
    kernel: Annotated[Literal["gaussian", "cosine", "ball"], Basic("Kernel", KERNELS)] = Field(
        "gaussian",
        description="gaussian: MaxHerding; cosine: facility location; ball: all within the radius",
    )
    bandwidth: Width | Literal["auto", "labeled"] = Field(
        "auto",
        description="of gaussian; auto: from the pool; labeled: the smallest distance between two "
        "labeled samples, as UHerding has it, and auto with fewer than two",
    )
    radius: Width | Literal["auto"] = Field(
        "auto", description="of ball; auto: the largest whose balls hold 95% of one cluster each"
    )
    clusters: Annotated[int | None, CountsClasses("kernel", "ball")] = Field(
        None, gt=1, description="for radius auto: how many, as many as classes; default: if known"
    )
    weights: Annotated[Numbers | Uncertainty | None, Basic("Weigh by")] = Field(
        None, description="how much each covered sample counts: a column, or an uncertainty"
    )

    def objective(self, task: Task) -> Objective:
        """The objective that values the candidates of ``task``; see ``Strategy.objective``."""
        pool = task.pool
        if self.kernel == "cosine" and self.metric != "cosine":
            raise InvalidInput(
                f"{task.user}: metric: {self.metric!r} does not go with the kernel 'cosine'; "
                "use gaussian"
            )
        prepare = task.vectors(self.column, self.metric)
        parts = task.parts
        if self.kernel == "ball":
            parts.refuse(f"{task.user}: kernel: 'ball'")
        covered = np.flatnonzero(pool.present(self.judged_by()) & ~pool.labeled)
        centers = np.flatnonzero(~pool.missing[self.column] & pool.labeled)
        of, labeled, candidates = (
            parts.total(len(rows)) for rows in (covered, centers, task.candidates)
        )
        width = self._width(task, prepare, covered, centers, labeled + task.picks)
        kernel = Kernel(self.kernel, width, unit=self.metric == "cosine")
        weights = self._covered_weights(task, covered)
        if of * candidates > settings.coverage_kept_up_to:
            few = _few(of, labeled + task.picks, balls=self.kernel == "ball")
            if few is None:
                return self._by_graph(task, prepare, covered, weights, centers, kernel)
            drawn = task.sampled(covered, few)
            weights = weights[np.searchsorted(covered, drawn)]
            covered = drawn
        vectors = prepare(task.candidates)
        weights = np.concatenate(parts.gathered(weights))
        same = not parts.several and np.array_equal(covered, task.candidates)
        kept = same and vectors.dtype == torch.float32
        return (KeptCoverage if kept else FacilityLocation)(
            vectors,
            vectors if same else prepare.everywhere(covered),
            to_tensor(_some(weights), vectors.dtype, task.device),
            prepare.everywhere(centers),
            kernel,
            of,
        )

    def _by_graph(
        self,
        task: Task,
        prepare: PreparedVectors,
        covered: np.ndarray,
        weights: np.ndarray,
        centers: np.ndarray,
        kernel: Kernel,
    ) -> Objective:
        here = np.flatnonzero(~task.pool.missing[self.column])
        if task.parts.several:
            return self._by_parts(task, prepare, here, covered, weights, centers, kernel)
        graph = task.graph(self.column, self.metric)
        of_graph = np.zeros(len(here))
        of_graph[np.searchsorted(here, covered)] = _some(weights)
        numbers = [torch.from_numpy(np.searchsorted(here, r)) for r in (task.candidates, centers)]
        return GraphCoverage(
            graph,
            prepare(here),
            to_tensor(of_graph, torch.float64, task.device),
            numbers[0].to(task.device),
            numbers[1].to(task.device),
            kernel,
        )

    def _by_parts(
        self,
        task: Task,
        prepare: PreparedVectors,
        here: np.ndarray,
        covered: np.ndarray,
        weights: np.ndarray,
        centers: np.ndarray,
        kernel: Kernel,
    ) -> Objective:
        if self.strength < 0:
            task.parts.refuse(f"{task.user}: a negative strength, for so many samples,")
        graph = task.graph_part(self.column, self.metric)
        total = task.parts.total(weights.sum())
        if total == 0:  # the model is sure of every sample
            weights, total = np.ones(len(weights)), task.parts.total(len(weights))
        of_graph = np.zeros(len(here))
        of_graph[np.searchsorted(here, covered)] = weights / total
        numbers = np.searchsorted(here, centers) + graph.first
        return PartCoverage(
            graph,
            prepare(here),
            torch.from_numpy(of_graph),
            torch.from_numpy(np.searchsorted(here, task.candidates) + graph.first),
            (
                torch.from_numpy(np.concatenate(task.parts.gathered(numbers))),
                prepare.everywhere(centers),
            ),
            kernel,
        )

    def _width(
        self,
        task: Task,
        prepare: PreparedVectors,
        covered: np.ndarray,
        labeled: np.ndarray,
        centers: int,
    ) -> float:
        if self.kernel == "gaussian":
            if self.bandwidth == "labeled":
                width = labeled_bandwidth(prepare.everywhere(labeled), task.tick)
                if width is not None:
                    return width
            if isinstance(self.bandwidth, str):
                return auto_bandwidth(task.drawn_vectors(prepare, covered, OTHERS), centers)
            return self.bandwidth
        if self.kernel == "ball":
            return _pure_radius(self, task, prepare) if self.radius == "auto" else self.radius
        return 1.0

    def _covered_weights(self, task: Task, covered: np.ndarray) -> np.ndarray:
        if self.weights is None:
            weights = np.ones(len(covered))
        elif isinstance(self.weights, str):
            weights = task.pool.numbers(self.weights, task.user)[covered]
            negative = covered[weights < 0]
            if len(negative):
                raise InvalidInput(
                    f"{task.user}: weights {self.weights!r} are below 0 for {len(negative)} samples"
                )
        else:
            weights = self.weights.measured(task, covered)
        return weights


def _some(weights: np.ndarray) -> np.ndarray:
    """The weights, or all 1 where all are 0, because the model is sure of every sample."""
    return weights if weights.sum() > 0 else np.ones(len(weights))


def _few(covered: int, centers: int, *, balls: bool) -> int | None:
    """How many of the samples are covered where there are few centers; None where the graph serves.

    Where a center stands for many more samples than a list of the graph holds, the lists say little
    about what it covers; with balls, which count every sample within them alike, this begins earlier.
    200 drawn samples a center then keep 97% of what is gained over a random choice, measured on digits.
    """
    far = FAR_BEYOND_BALLS if balls else FAR_BEYOND
    if covered <= far * list_length(covered) * centers:
        return None
    if balls and DRAWN_A_CENTER * centers > MOST_DRAWN:
        return None  # so few drawn samples a center would be worse than the lists
    return min(covered, max(LEAST_DRAWN, min(MOST_DRAWN, DRAWN_A_CENTER * centers)))


def _pure_radius(options: Coverage, task: Task, prepare: PreparedVectors) -> float:
    """ProbCover's rule: the largest radius at which 95% of the balls hold one cluster alone.

    A ball holds one cluster alone while its radius is below the distance from its center to the nearest
    sample of another cluster. The radius is therefore a quantile of these distances (Yehuda et al.
    2022, section 3.3, which tries several radii instead). The clusters come from k-means, as many as
    there are classes. In a larger pool the distances are measured from 20,000 random samples to
    all others.
    """
    pool = task.pool
    known = {len(names) for names in pool.classes.values()}
    count = options.clusters or (known.pop() if len(known) == 1 else None)
    if count is None or count < 2:
        raise InvalidInput(
            f"{task.user}: radius: 'auto' needs clusters, the number of classes that there are"
        )
    rows = task.shuffled(np.flatnonzero(~pool.missing[options.column]))
    vectors = prepare(rows)
    clusters = torch.from_numpy(cluster(vectors, count, task.seed)).to(vectors.device)
    drawn = np.arange(min(BALLS, len(rows)))
    reach = torch.full((len(drawn),), torch.inf, dtype=vectors.dtype, device=vectors.device)
    lengths = squared_lengths(vectors)
    positions = torch.from_numpy(drawn).to(vectors.device)
    members = clusters[positions]
    for one in clusters.unique().tolist():
        mine = (members == one).nonzero().flatten()
        nearest = torch.full((len(mine),), torch.inf, dtype=vectors.dtype, device=vectors.device)
        others = clusters != one
        own = vectors[positions[mine]]
        nearest_squared(own, squared_lengths(own), vectors[others], lengths[others], nearest)
        reach[mine] = nearest
        task.tick()
    place = min(len(drawn) - 1, int((1 - PURITY) * len(drawn)))
    radius = float(reach.sort().values[place].to(torch.float64)) ** 0.5
    if not 0 < radius < np.inf:
        raise InvalidInput(
            f"{task.user}: radius: 'auto' finds none, for more than 5% of the samples have a copy in "
            "another cluster, or there is one cluster alone; give the radius"
        )
    return radius
