"""Choose a test set from a pool by a spec."""

from __future__ import annotations

import time
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch

from .. import scores
from ..data.device import described, run_on
from ..data.errors import InvalidInput
from ..data.pool import Pool
from ..geometry.copies import first_copies
from ..geometry.distance_statistics import neighborhood
from ..geometry.vectors import Vectors, vectors_of
from ..objectives import Kernel
from ..optimizers.greedy import Progress
from . import active
from .comparison import TargetVectors, compared, discrepancies, random_sets, variations
from .discrepancy import mean_similarity, median_distance
from .herding import herd
from .leakage import near, units_of, whole
from .sizes import half_width_of, size_for
from .spec import HERDED, STRATIFIED, Interval, TestSetSpec
from .strata import Strata, shares_of, strata_of
from .stratified import Units, allocate, draw, draw_units

# To measure the distance, the target is drawn again, because the test set was fitted to the first draw.
MEASURED_BY = 5_000
KEYS, TARGET, MEASURE, RANDOM = range(4)


@dataclass(frozen=True)
class ChosenTestSet:
    """A test set, and the other samples that must not be trained on.

    Attributes:
        indices: (m,) int64 rows of the pool, in the order taken.
        ids: their ids.
        held_out: (h,) int64 ascending rows that are not tested on and must not be trained on: near a
            chosen sample, or of its unit (see ``leakage.py``).
        weights: (m,) float64 for ``weighted_estimate``; None except for ``active``.
        report: counts, strata and distances to the target; plain values that JSON can hold.
    """

    indices: np.ndarray
    ids: list[Any]
    held_out: np.ndarray
    weights: np.ndarray | None
    report: dict[str, Any]

    def __len__(self) -> int:
        return len(self.indices)


def select_test_set(
    pool: Pool,
    spec: TestSetSpec | dict[str, Any] | str,
    reference: Pool | None = None,
    device: str | torch.device = "auto",
    progress: Progress | None = None,
) -> ChosenTestSet:
    """Choose a test set that represents a target, and keep it apart from training.

    ``random`` draws at random. ``stratified`` draws the target's share of every stratum. ``herding``
    minimizes the distance to the target's embeddings; ``both`` does so within the strata. ``active``
    draws by expected loss, with weights that make the mean of a metric unbiased. Labeled samples are
    the training side. The same input and seed give the same set; ties go to the lower row.

    Args:
        pool: the samples; those that are trained on are labeled.
        spec: a ``TestSetSpec``, a dict or JSON.
        reference: the target, a pool with the same columns; by default the whole pool, including its
            labeled samples.
        device: as in ``alcore.select``.
        progress: called with (taken, size) from time to time; an exception that it raises stops the
            selection.

    Returns:
        the test set, the rows held out, and a report.

    Raises:
        InvalidInput: the spec or the data cannot be used; one sentence says why.
    """
    checked = TestSetSpec.of(spec)

    def choose(where: torch.device) -> ChosenTestSet:
        return _chosen(pool, checked, reference, where, described(device, where), progress)

    return run_on(device, choose)


def _chosen(
    pool: Pool,
    spec: TestSetSpec,
    reference: Pool | None,
    where: torch.device,
    device: str,
    progress: Progress | None,
) -> ChosenTestSet:
    started = time.perf_counter()
    run = _Run(pool, spec, reference, where, progress)
    rows, weights = run.choose()
    if len(rows) == 0:
        raise InvalidInput(run.why_none())
    held_out = run.held_out(rows)
    report = run.report(rows, weights, held_out)
    report |= {"device": device, "seconds": time.perf_counter() - started}
    return ChosenTestSet(
        rows, [pool.ids[row] for row in rows.tolist()], np.flatnonzero(held_out), weights, report
    )


class _Run:
    """One selection: its candidates, and how they are chosen."""

    def __init__(
        self,
        pool: Pool,
        spec: TestSetSpec,
        reference: Pool | None,
        device: torch.device,
        progress: Progress | None,
    ) -> None:
        self.pool, self.spec, self.device = pool, spec, device
        self.target = pool if reference is None else reference
        self.notes: list[str] = []
        self._progress = progress
        self.size = 1
        if spec.how == "active" and reference is not None:
            raise InvalidInput(
                "test set: 'active' estimates the mean over the pool; leave out the reference"
            )
        if pool.n == 0 or self.target.n == 0:
            what = "pool" if pool.n == 0 else "reference"
            raise InvalidInput(f"test set: the {what} is empty: there is nothing to choose from")
        self.strata: Strata = strata_of(pool, self.target, spec.strata)
        self.shares = shares_of(self.strata, spec.shares_by_column())
        self.units = units_of(pool, spec.groups)
        self._losses = self._expected_losses()
        self._vectors = self._prepared()
        self._first_copies = self._copies()
        self.training = whole(self.units, pool.labeled)
        self.distance = self._distance()
        needed = [spec.embeddings, spec.groups, spec.expected_loss]
        usable = ~self.training & pool.present([name for name in needed if name is not None])
        self.near_training = self._near(~self.training, self.training)
        self.candidates = np.flatnonzero(usable & ~whole(self.units, self.near_training))
        self.without_value = int((~self.training & ~usable).sum())
        # The metric is a mean over the candidates, unless they represent other samples.
        same = reference is None and not spec.shares
        self.population = len(self.candidates) if same else None
        self.size = self._size()

    def tick(self) -> None:
        if self._progress is not None:
            self._progress(0, self.size)

    def choose(self) -> tuple[np.ndarray, np.ndarray | None]:
        """The rows taken, and their weights."""
        method, rows, pool = self.spec.how, self.candidates, self.pool
        if method == "active":
            assert self._losses is not None
            chances = active.proposal(self._losses[rows], self.spec.floor)
            drawn, had = active.draw(chances, self.size, pool.drawn(self.spec.seed, KEYS)[rows])
            return rows[drawn], active.weights_of(had, len(rows))
        strata, quotas = np.zeros(len(rows), dtype=np.int64), np.array([self.size])
        if method in STRATIFIED:
            strata = self.strata.pool[rows]
            available = np.bincount(strata, minlength=len(self.shares))
            quotas = allocate(self.shares, available, self.size)
        units = _as_they_appear(self.units[rows])
        if method in HERDED:
            return rows[self._herded(Units(units, strata, quotas))], None
        keys = pool.drawn(self.spec.seed, KEYS)[rows]
        if self.spec.groups is None:
            return rows[draw(strata, quotas, keys)], None
        of_units = np.ones(int(units.max()) + 1)
        np.minimum.at(of_units, units, keys)
        order = np.argsort(of_units, kind="stable")
        return rows[draw_units(Units(units, strata, quotas), order)], None

    def why_none(self) -> str:
        """The error message where nothing was taken although there are candidates."""
        smallest = int(np.bincount(_as_they_appear(self.units[self.candidates])).min())
        if smallest > 1:
            return (
                f"size: {self.size} is less than half of the smallest group, which has {smallest} "
                "samples; give a larger size"
            )
        return "shares: no sample of the strata that they ask for may be chosen; widen them"

    def held_out(self, rows: np.ndarray) -> np.ndarray:
        """(N,) bool, true for samples that are held out once ``rows`` are chosen."""
        chosen = np.zeros(self.pool.n, dtype=bool)
        chosen[rows] = True
        near_chosen = self._near(~chosen & ~self.training, chosen)
        return (whole(self.units, near_chosen) | whole(self.units, chosen)) & ~chosen

    def report(
        self, rows: np.ndarray, weights: np.ndarray | None, held_out: np.ndarray
    ) -> dict[str, Any]:
        pool, spec = self.pool, self.spec
        left = pool.n - int(pool.labeled.sum()) - len(rows) - int(held_out.sum())
        if held_out.sum() > left:
            self.notes.append(
                f"{int(held_out.sum())} samples are held out and {left} stay trainable; a smaller "
                "minimum_distance holds out fewer"
            )
        if len(rows) != self.size:
            self.notes.append(
                f"{len(rows)} samples instead of {self.size}: "
                + ("groups are not split" if spec.groups else "the strata wanted have no more")
            )
        interval = spec.interval or Interval(half_width=1.0)
        return {
            "method": spec.how,
            "pool": int(pool.n - pool.labeled.sum()),
            "labeled": int(pool.labeled.sum()),
            "candidates": len(self.candidates),
            "near_training": int(self.near_training.sum()),
            "without_value": self.without_value,
            "size": self.size,
            "chosen": len(rows),
            "held_out": int(held_out.sum()),
            "trainable": left,
            "population": len(self.candidates),
            "minimum_distance": self.distance,
            "interval": {
                **interval.model_dump(exclude_none=True),
                "half_width": half_width_of(interval, len(rows), self.population),
            },
            "strata": self._strata_told(rows),
            "distance": self._distances(rows, weights),
            "weights": None
            if weights is None
            else {"least": float(weights.min()), "largest": float(weights.max())},
            "notes": self.notes,
            "seed": spec.seed,
        }

    # The input

    def _generator(self, purpose: int) -> np.random.Generator:
        return np.random.default_rng([self.spec.seed, purpose])

    def _expected_losses(self) -> np.ndarray | None:
        """(N,) expected losses; from probabilities, the least-confidence score."""
        name = self.spec.expected_loss
        if name is None:
            return None
        column = self.pool.column(name, "expected_loss")
        if not isinstance(column, np.ndarray) or column.ndim != 2:
            return self.pool.numbers(name, "expected_loss")
        losses = np.full(self.pool.n, np.nan)
        here = ~self.pool.missing[name]
        losses[here] = scores.least_confidence(column[here])
        return losses

    def _prepared(self) -> Vectors | None:
        name = self.spec.embeddings
        if name is None:
            return None
        prepare = vectors_of(self.pool, name, self.spec.metric, "embeddings", self.device)
        if self.pool.missing[name].all():
            raise InvalidInput(f"embeddings: no sample has a value in {name!r}")
        if self.target is not self.pool:
            theirs = self.target.vectors(name, "reference", directions=self.spec.metric == "cosine")
            width = self.pool.columns[name].shape[1]
            if theirs.shape[1] != width:
                raise InvalidInput(
                    f"reference: its {name!r} have {theirs.shape[1]} values, those of the pool {width}"
                )
        return prepare

    def _with_vector(self, some: np.ndarray) -> np.ndarray:
        return np.flatnonzero(some & ~self.pool.missing[self.spec.embeddings or ""])

    def _distance(self) -> float | None:
        """The distance, in the metric, below which two samples are near-duplicates.

        Where none can be suggested, it is that of exact copies, which rounding alone may part.
        """
        spec = self.spec
        if spec.embeddings is None:
            self.notes.append("near-duplicates were not looked for: no embeddings are named")
            return None
        if spec.minimum_distance != "auto":
            return spec.minimum_distance
        X = self.pool.columns[spec.embeddings]
        here = self._with_vector(np.ones(self.pool.n, dtype=bool))
        X = X if len(here) == len(X) else X[here]
        around = neighborhood(X, spec.metric, self.device, spec.seed, self.tick)
        if around.suggested is not None:
            return around.suggested
        self.notes.append(
            f"near-duplicates: {around.why_none(spec.embeddings)}; exact copies alone were looked for"
        )
        return around.rounding

    def _copies(self) -> np.ndarray | None:
        """(N,) int64 the first sample of the same vector; None where no near-duplicates are wanted.

        Samples without a vector cannot be compared, which is noted.
        """
        name = self.spec.embeddings
        if name is None or self.spec.minimum_distance is None:
            return None
        missing = int(self.pool.missing[name].sum())
        if missing:
            samples = "sample" if missing == 1 else "samples"
            verb = "was" if missing == 1 else "were"
            self.notes.append(
                f"near-duplicates: {missing} {samples} without a value in {name!r} {verb} not compared"
            )
        return first_copies(self.pool.columns[name])

    def _near(self, some: np.ndarray, others: np.ndarray) -> np.ndarray:
        """(N,) bool, true for samples in ``some`` that are near-duplicates of samples in ``others``.

        Exact copies are, however small the distance is.
        """
        found = np.zeros(self.pool.n, dtype=bool)
        if self._vectors is None or self.distance is None or self._first_copies is None:
            return found
        rows, theirs = self._with_vector(some), self._with_vector(others)
        found[rows] = np.isin(self._first_copies[rows], self._first_copies[theirs])
        if self.distance > 0:
            d = self.distance
            euclidean = (2 * d) ** 0.5 if self.spec.metric == "cosine" else d
            found[near(self._vectors, rows, theirs, euclidean, self.tick)] = True
        return found

    def _size(self) -> int:
        """How many to choose.

        Raises:
            InvalidInput: there are no candidates, or fewer than the size.
        """
        count, spec = len(self.candidates), self.spec
        why = (
            f"{int(self.pool.labeled.sum())} of {self.pool.n} are labeled, "
            f"{int(self.near_training.sum())} near-duplicates of these or of their groups, "
            f"{self.without_value} lack a value"
        )
        if count == 0:
            raise InvalidInput(f"test set: no sample may be chosen: {why}")
        if spec.interval is not None:
            size = size_for(spec.interval, self.population)
        else:
            assert spec.size is not None
            share = isinstance(spec.size, float)
            size = max(1, round(spec.size * count)) if share else int(spec.size)
        if size > count:
            wanted = "size" if spec.interval is None else "interval"
            raise InvalidInput(f"{wanted}: {size} samples are wanted, and {count} may be chosen: {why}")
        return size

    # The target

    def _target_vectors(self, most: int, purpose: int) -> TargetVectors:
        """The target's vectors, or ``most`` of them drawn at random where there are more."""
        assert self._vectors is not None
        name, target = self.spec.embeddings or "", self.target
        here = np.flatnonzero(~target.missing[name])
        if len(here) == 0:
            raise InvalidInput(f"reference: no sample has a value in {name!r}")
        weights = None
        if self.spec.shares:
            counts = np.bincount(self.strata.target[here], minlength=len(self.shares))
            weights = (self.shares / np.maximum(counts, 1))[self.strata.target[here]]
            if weights.sum() == 0:
                raise InvalidInput(f"shares: no sample that they ask for has a value in {name!r}")
            weights = weights / weights.sum()
        drawn = len(here) > most
        if drawn:
            keys = target.drawn(self.spec.seed, purpose)[here]
            if weights is None:
                here = np.sort(here[np.argsort(keys, kind="stable")[:most]])
            else:
                order = np.argsort(keys, kind="stable")
                generator = self._generator(purpose)
                here = np.sort(here[order][generator.choice(len(here), most, p=weights[order])])
                weights = None
        own = target is self.pool
        vectors = self._vectors(here) if own else self._vectors.of(target.columns[name][here])
        return TargetVectors(vectors, weights, drawn)

    def _width(self, target: TargetVectors) -> float:
        given = self.spec.bandwidth
        return median_distance(target.vectors) if given == "auto" else given

    def _herded(self, units: Units) -> np.ndarray:
        assert self._vectors is not None
        target = self._target_vectors(self.spec.max_target, TARGET)
        if target.drawn:
            self.notes.append(f"the target is stood for by {len(target.vectors)} of its samples, drawn")
        width = self._width(target)
        vectors = self._vectors(self.candidates)
        kernel = Kernel("gaussian", width, unit=False)
        similarity = mean_similarity(vectors, target.vectors, kernel, target.weights, self.tick)
        progress = self._progress or (lambda taken, size: None)
        return herd(vectors, similarity, width, units, lambda taken: progress(taken, self.size))

    # The result

    def _strata_told(self, rows: np.ndarray) -> list[dict[str, Any]]:
        if not self.strata.columns:
            return []
        count = len(self.shares)
        has = np.bincount(self.strata.pool[rows], minlength=count)
        may = np.bincount(self.strata.pool[self.candidates], minlength=count)
        wanted = self.shares * self.size
        short = np.flatnonzero(wanted > may + 0.5)
        if len(short):
            named = ", ".join(f"{self.strata.name(s)} ({may[s]} of {wanted[s]:.0f})" for s in short[:3])
            more = ", ..." if len(short) > 3 else ""
            self.notes.append(f"{len(short)} strata have fewer samples than are wanted: {named}{more}")
        return [
            {
                "stratum": self.strata.name(one),
                "target": float(self.shares[one]),
                "reached": float(has[one] / max(1, len(rows))),
                "chosen": int(has[one]),
                "available": int(may[one]),
            }
            for one in np.argsort(-self.shares, kind="stable").tolist()
        ]

    def _distances(self, rows: np.ndarray, weights: np.ndarray | None) -> dict[str, Any]:
        units = _as_they_appear(self.units[self.candidates])
        count = self.spec.random_sets
        others = random_sets(units, len(rows), count, self._generator(RANDOM))
        sets = [rows, *(self.candidates[one] for one in others)]
        even = None if weights is None else weights / weights.sum()
        found: dict[str, Any] = {"random_sets": len(others)}
        if self.strata.columns:
            found["strata"] = compared(variations(self.strata.pool, sets, even, self.shares))
        if self._vectors is not None:
            target = self._target_vectors(max(MEASURED_BY, self.spec.max_target), MEASURE)
            if target.drawn:
                target = self._target_vectors(MEASURED_BY, MEASURE)
            width = self._width(target)
            values = discrepancies(self._vectors, sets, even, target, width, self.tick)
            found["embeddings"] = {
                **compared(values),
                "bandwidth": width,
                "compared_with": len(target.vectors),
                "drawn": target.drawn,
            }
        return found


def _as_they_appear(units: np.ndarray) -> np.ndarray:
    """(n,) int64 the same units, numbered 0 to U - 1 in the order of their first rows."""
    _, first, inverse = np.unique(units, return_index=True, return_inverse=True)
    number = np.empty(len(first), dtype=np.int64)
    number[np.argsort(first)] = np.arange(len(first))
    return number[inverse]
