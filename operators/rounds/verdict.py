"""Whether another round is worth it, from what the rounds before have brought."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

GO_ON, FLATTENING = "go on", "flattening"
CHECK, REACHED = "check the labels", "goal reached"
WINDOW = 2  # rounds whose gain together decides whether the curve flattens
FALLS = 2.0  # a fall by more than so many standard errors is not chance


@dataclass(frozen=True)
class Point:
    """A metric on the test set.

    Attributes:
        labels: the number of labeled samples that the model was trained on.
        value: the metric, from 0 to 1, higher is better.
        error: its standard error; 0 if it is not known.
    """

    labels: int
    value: float
    error: float = 0.0


@dataclass(frozen=True)
class Verdict:
    """What to do next.

    Attributes:
        says: "go on", "flattening", "check the labels" or "goal reached".
        sentence: the numbers behind it.
    """

    says: str
    sentence: str


def judge(
    points: Sequence[Point],
    goal: float | None = None,
    doubts: Sequence[str] = (),
    name: str = "the metric",
) -> Verdict:
    """Say whether to label another round.

    The first of these that holds: the metric has reached the goal; there are doubts about the labels,
    or the metric fell in the last round by more than ``FALLS`` standard errors of the difference; the
    last ``WINDOW`` rounds together gained no more than one standard error. Otherwise, go on.

    Args:
        points: the metric before the first round, if it is known, and after each round, in order. All
            are on the same test set.
        goal: the value that is good enough; None for no goal.
        doubts: what is odd about the labels of the last round, a sentence each.
        name: the name of the metric.
    """
    last = points[-1] if points else None
    if last is not None and goal is not None and last.value >= goal:
        return Verdict(REACHED, f"{name} is {shown(last)}; the goal was {goal:.3g}.")
    if last is not None and len(points) > 1:
        before = points[-2]
        fall, noise = before.value - last.value, _noise(before, last)
        if fall > FALLS * noise:
            return Verdict(
                CHECK,
                f"{name} fell by {fall:.3f}, from {shown(before)} to {shown(last)}, more than "
                f"{FALLS:g} standard errors of the difference ({noise:.2g}).",
            )
    if doubts:
        return Verdict(CHECK, doubts[0])
    if last is None:
        return Verdict(GO_ON, "No metric is recorded yet, so nothing is known of what labels bring.")
    if len(points) <= WINDOW:
        needed = WINDOW + 1 - len(points)
        more = "another metric" if needed == 1 else f"{needed} more metrics"
        return Verdict(
            GO_ON, f"{name} is {shown(last)}; it takes {more} to see whether the curve flattens."
        )
    start = points[-1 - WINDOW]
    gain, noise = last.value - start.value, _noise(start, last)
    labels = last.labels - start.labels
    per = f" by {labels:,} labels" if labels > 0 else ""
    if labels > 100:
        per += f", {100 * gain / labels:+.3f} for 100 of them"
    went = f"{name} went from {shown(start)} to {shown(last)} in the last {WINDOW} rounds"
    told = f"{went}: {gain:+.3f}{per}"
    if gain <= noise:
        return Verdict(
            FLATTENING,
            f"{told}, no more than the standard error of the difference ({noise:.2g}).",
        )
    return Verdict(GO_ON, f"{told}, more than the standard error of the difference ({noise:.2g}).")


def shown(point: Point) -> str:
    """Return a metric with its standard error as a text."""
    return f"{point.value:.3f}" + (f" ± {point.error:.2g}" if point.error > 0 else "")


def _noise(one: Point, other: Point) -> float:
    """Return the standard error of a difference; on the same test set, it is at most so large.

    Two models err on the same samples often, which makes the error of the difference smaller.
    """
    return math.hypot(one.error, other.error)
