"""What a replay found: curves, areas under them, differences in pairs, and a verdict.

S seeds, T + 1 measurements along a curve, M measures.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import NamedTuple

import numpy as np
from scipy.optimize import isotonic_regression
from scipy.stats import t as student
from scipy.stats import ttest_1samp

from ..data.errors import InvalidInput
from .usual import RANDOM

CONFIDENCE = 0.95
SIGNIFICANT = 0.05
RESAMPLED = 200
ROUNDING = 1e-12


class Interval(NamedTuple):
    """An estimate and the ends of its 95% interval."""

    value: float
    low: float
    high: float


@dataclass(frozen=True)
class Row:
    """A recipe beside a random choice, by one measure.

    Attributes:
        name: of the recipe.
        seeds: on how many seeds both were run.
        last: the mean score with all labels.
        area: the mean score over the rounds: the area under the curve, divided by its width.
        difference: of the areas, in pairs (Student's t); above 0 = better than a random choice.
        p: two-sided, of the difference, adjusted for the number of recipes (Holm 1979).
        saved: how many labels fewer it takes to the score that a random choice ends with, and the
            interval (bootstrap over seeds); None where it does not reach that score.
        seconds: the mean time of all its choices in one run.
    """

    name: str
    seeds: int
    last: float
    area: float
    difference: Interval
    p: float
    saved: Interval | None
    seconds: float


@dataclass(frozen=True)
class Comparison:
    """Several recipes, each run with several seeds, in pairs.

    Attributes:
        labels: (T + 1,) int64, how many labels, or images, each measurement was made with.
        measures: the names of the M measures.
        scores: by the name of a recipe, (S, T + 1, M) float64; NaN for a run that failed.
        seconds: by name, (S,) float64, the time of its choices.
        failures: a sentence for each run that failed.
        notes: sentences on what else is not as expected.
        unit: what is counted in ``labels``.
        lower_is_better: the measures that are better where they are lower.
    """

    labels: np.ndarray
    measures: list[str]
    scores: dict[str, np.ndarray]
    seconds: dict[str, np.ndarray]
    failures: list[str] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)
    unit: str = "labels"
    lower_is_better: frozenset[str] = frozenset()
    _tables: dict[str, list[Row]] = field(default_factory=dict, init=False, repr=False, compare=False)

    def curve(self, name: str, measure: str) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        """(T + 1,) the mean of a recipe's runs, and the ends of its 95% intervals (Student's t)."""
        values = self._of(name, measure)
        values = values[np.isfinite(values).all(1)]
        mean = values.mean(0)
        half = _half_width(values)
        return mean, mean - half, mean + half

    def table(self, measure: str) -> list[Row]:
        """A row for each recipe, the greatest area first; that of the random choice among them.

        Recipes without a run that succeeded are left out.
        """
        if measure not in self._tables:
            self._tables[measure] = self._rows(measure)
        return self._tables[measure]

    def _rows(self, measure: str) -> list[Row]:
        base = self._of(RANDOM, measure)
        found = []
        for name in self.scores:
            both = np.isfinite(self._of(name, measure)).all(1) & np.isfinite(base).all(1)
            if not both.any():
                continue
            mine, its = self._of(name, measure)[both], base[both]
            differences = _areas(mine) - _areas(its)
            mean = float(differences.mean())
            half = float(_half_width(differences[:, None])[0])
            found.append(
                Row(
                    name,
                    int(both.sum()),
                    float(mine[:, -1].mean()),
                    float(_areas(mine).mean()),
                    Interval(mean, mean - half, mean + half),
                    _p_value(differences),
                    self._saved(mine, its),
                    float(np.nanmean(self.seconds[name][both])),
                )
            )
        adjusted = _holm([row.p for row in found if row.name != RANDOM])
        others = iter(adjusted)
        found = [
            row if row.name == RANDOM else Row(**{**row.__dict__, "p": next(others)}) for row in found
        ]
        sign = -1 if measure in self.lower_is_better else 1
        return sorted(found, key=lambda row: -sign * row.area)

    def p_between(self, one: str, other: str, measure: str) -> float:
        """The two-sided p-value that two recipes have the same area, in pairs; 1 for a single seed."""
        differences = _areas(self._of(one, measure)) - _areas(self._of(other, measure))
        return _p_value(differences[np.isfinite(differences)])

    def verdict(self, measure: str) -> str:
        """One cautious sentence: which recipe to take, and what cannot be told apart."""
        rows = [row for row in self.table(measure) if row.name != RANDOM]
        if not rows:
            return "No recipe could be run beside a random choice, so nothing can be said."
        sign = -1 if measure in self.lower_is_better else 1
        seeds = min(row.seeds for row in rows)
        errors = f"the errors of {seeds} seed{'s' if seeds != 1 else ''}"
        better = [row for row in rows if sign * row.difference.value > 0 and row.p < SIGNIFICANT]
        worse = [row.name for row in rows if sign * row.difference.value < 0 and row.p < SIGNIFICANT]
        warned = f" Worse than a random choice: {_listed(worse)}." if worse else ""
        if not better:
            return (
                f"In {measure}, no recipe is better than a random choice beyond {errors}; more seeds, "
                f"rounds or labels may tell.{warned}"
            )
        best = better[0]
        level = [
            row.name
            for row in rows
            if row is not best and self.p_between(best.name, row.name, measure) >= SIGNIFICANT
        ]
        told = (
            f"{best.name!r} is better than a random choice: {best.difference.value:+.3f} in {measure} "
            f"({best.difference.low:+.3f} to {best.difference.high:+.3f}, {best.seeds} seeds)"
        )
        if best.saved is not None and best.saved.low > 0:
            told += f", which saves about {best.saved.value:.0f} {self.unit}"
        if level:
            told += f"; it cannot be told apart from {_listed(level)}"
        return f"{told}.{warned}"

    def _of(self, name: str, measure: str) -> np.ndarray:
        return self.scores[name][:, :, self.measures.index(measure)]

    def _saved(self, mine: np.ndarray, its: np.ndarray) -> Interval | None:
        """See ``Row.saved``. The curves are made monotone first, for a mean of few runs is not."""
        value = _labels_saved(self.labels, mine.mean(0), its.mean(0))
        if value is None:
            return None
        rng = np.random.default_rng(0)
        resampled = []
        for _ in range(RESAMPLED if len(mine) > 1 else 0):
            rows = rng.integers(0, len(mine), len(mine))
            one = _labels_saved(self.labels, mine[rows].mean(0), its[rows].mean(0))
            resampled.append(-np.inf if one is None else one)
        if not resampled:
            return Interval(value, -np.inf, np.inf)
        low, high = np.quantile(resampled, [(1 - CONFIDENCE) / 2, (1 + CONFIDENCE) / 2], method="lower")
        return Interval(value, float(low), float(high))


def refuse_failed(scores: dict[str, np.ndarray], failures: list[str], user: str) -> None:
    """Refuse a recipe of which every run failed.

    Raises:
        InvalidInput: it names the recipe and its first failure.
    """
    for name, values in scores.items():
        if np.isnan(values).all():
            first = next(one for one in failures if one.startswith(repr(name)))
            raise InvalidInput(f"{user}: every run of {name!r} failed; the first: {first}")


def _labels_saved(labels: np.ndarray, mine: np.ndarray, its: np.ndarray) -> float | None:
    mine, its = isotonic_regression(mine).x, isotonic_regression(its).x
    goal = its[-1]
    if mine[-1] < goal:
        return None
    return float(_first_at(labels, its, goal) - _first_at(labels, mine, goal))


def _first_at(labels: np.ndarray, rising: np.ndarray, goal: float) -> float:
    """Where a curve that never falls first reaches ``goal``, on the line between two measurements."""
    k = int(np.argmax(rising >= goal))
    if k == 0:
        return float(labels[0])
    share = (goal - rising[k - 1]) / (rising[k] - rising[k - 1])
    return float(labels[k - 1] + share * (labels[k] - labels[k - 1]))


def _areas(values: np.ndarray) -> np.ndarray:
    """(S,) the mean score over the rounds; the first measurement is before any choice."""
    return np.asarray(values[:, 1:].mean(1))


def _half_width(values: np.ndarray) -> np.ndarray:
    """(T,) half of the 95% interval of the means of (S, T); infinite for a single run."""
    count = len(values)
    if count < 2:
        return np.full(values.shape[1], np.inf)
    error = values.std(0, ddof=1) / np.sqrt(count)
    return np.asarray(student.ppf((1 + CONFIDENCE) / 2, count - 1) * error)


def _p_value(differences: np.ndarray) -> float:
    """Of Student's test in pairs; 1 for a single pair, and where no pair differs."""
    if len(differences) < 2 or np.abs(differences).max() <= ROUNDING:
        return 1.0
    if np.ptp(differences) <= ROUNDING:
        return 0.0  # every pair differs by the same
    return float(ttest_1samp(differences, 0).pvalue)


def _holm(p: list[float]) -> list[float]:
    """The p-values adjusted for their number (Holm 1979)."""
    order = np.argsort(np.array(p), kind="stable")
    adjusted = np.maximum.accumulate(np.array(p)[order] * np.arange(len(p), 0, -1))
    out = np.ones(len(p))
    out[order] = np.minimum(adjusted, 1)
    return [float(one) for one in out]


def _listed(names: list[str]) -> str:
    return ", ".join(map(repr, names))
