"""The business value of a model's decisions on a dataset: computed, reported, optionally written."""

from __future__ import annotations

import json
import math
from dataclasses import dataclass, field
from typing import Any, Literal, cast, get_args

import fiftyone as fo
import numpy as np

from ...alcore import InvalidInput, Recipe
from ...alcore.evaluation.business_value import Amount, Judgment, amount, judge
from ...alcore.scores.cost import best_decisions, cost_matrix, matrix_classes
from ...alcore.strategies import Reads
from ...alcore.strategies.balance import Balance
from ...alcore.strategies.common.class_counts import categories_of
from ..compute.scores import check_score_field
from ..dataset.field_swap import NewField, write_fields
from ..dataset.fields import truth_path
from ..dataset.fiftyone_private import dataset_of
from ..forms import plots
from ..forms.binning import binned
from ..forms.cost_matrix import class_names
from ..forms.markdown import escaped
from ..reading.decisions import (
    codes_of,
    columns_read,
    decided,
    decision_path,
    has_probabilities,
    names_at,
    unnamed,
)
from ..reading.read import Bad, ReadPool, check_columns, read_columns
from ..runs.run import Progress, throttled

METHOD = "alcore/business_value"
READ_SHARE, JUDGE_SHARE = 0.6, 0.2
MOST_ROWS = 200  # the greatest number of slices, and of decisions, in a summary
Decision = Literal["label", "expected_gain"]


@dataclass
class BusinessValueRequest:
    """The predictions to evaluate, and the options.

    Attributes:
        predictions: the field of the predictions.
        label_field: the field of the true classes.
        matrix: ``{"cost": ...}`` or ``{"gain": ...}``, in a form that ``alcore`` accepts.
        decision: how a sample is decided: for the predicted class ("label"), or for the class with the
            highest expected gain ("expected_gain").
        slices: fields with one value per sample, by which the value is also reported.
        binning: how numbers and dates among the slices are divided into bins.
        field: the field to which each sample's value is written; None for no field.
        overwrite: whether an earlier field of this kind is replaced.
        bad: what happens to values that cannot be used: "error" or "leave_out".
        costs: of boxes: the costs of a missed, a false and a confused one, in place of a matrix.
        iou: of boxes: the overlap from which a predicted box is taken to show a true one.
        min_confidence: of boxes: those below it do not count.
    """

    predictions: str
    label_field: str
    matrix: dict[str, Any]
    decision: Decision = "label"
    slices: list[str] = field(default_factory=list)
    binning: dict[str, Any] = field(default_factory=dict)
    field: str | None = None
    overwrite: bool = False
    bad: Bad = "error"
    costs: tuple[float, float, float] | None = None
    iou: float = 0.5
    min_confidence: float = 0.0


def compute_value(
    view: Any, request: BusinessValueRequest, progress: Progress | None = None
) -> dict[str, Any]:
    """Compute the value of the predictions for the samples with both a true class and a prediction.

    Returns:
        The summary as plain values.

    Raises:
        InvalidInput: if something is wrong; nothing was written.
    """
    report = throttled(progress)
    dataset = dataset_of(view)
    check_request(view, request)
    compares = has_probabilities(view, request.predictions)
    if request.decision == "expected_gain" and not compares:
        raise InvalidInput(
            f"decision: {request.predictions!r} has no probabilities and no confidences, by which to "
            "expect a gain; decide by label"
        )
    reading = read_columns(
        view,
        _columns(dataset, request, compares),
        None,
        request.bad,
        lambda share: report(READ_SHARE * share, "Reading"),
    )
    report(READ_SHARE, "Judging")
    found = Judged(reading, dataset, request, compares)
    if request.field:
        report(READ_SHARE + JUDGE_SHARE, "Writing")
        how = "the predicted class" if request.decision == "label" else "the highest expected gain"
        write_values(dataset, request, reading, found, f"deciding for {how} of {request.predictions}")
    return found.summary()


def check_request(
    view: Any, request: BusinessValueRequest, columns: dict[str, Reads] | None = None
) -> None:
    """Check the options and fields, without reading any sample.

    Args:
        view: the view.
        request: the options.
        columns: the columns to read; by default those of decisions about whole samples.

    Raises:
        InvalidInput: if an option is wrong, if a field is unknown or does not fit, or if the field to
            write is taken.
    """
    dataset = dataset_of(view)
    if request.decision not in get_args(Decision):
        takes = " or ".join(map(repr, get_args(Decision)))
        raise InvalidInput(f"decision: there is no {request.decision!r}; choose {takes}")
    if len(request.matrix) + (request.costs is not None) != 1:
        raise InvalidInput("cost: give either costs or gains, not both")
    if request.predictions == request.label_field:
        raise InvalidInput(
            f"label_field: {request.label_field!r} is what is judged; name the field with the truth"
        )
    check_columns(view, _columns(dataset, request, False) if columns is None else columns)
    for path in request.slices:
        _divided(dataset, path, request)
    if request.field:
        check_score_field(dataset, request.field, METHOD, request.overwrite)
    for kind, matrix in request.matrix.items():
        matrix_classes(matrix, kind)


class Judged:
    """The value of the decisions, and a comparison with the other way to decide."""

    things = "sample"

    def __init__(
        self, reading: ReadPool, dataset: Any, request: BusinessValueRequest, compares: bool
    ) -> None:
        self._reading, self._request = reading, request
        truth = names_at(reading, truth_path(dataset, request.label_field))
        labels = decided(reading, dataset, request.predictions)
        classes, mine = self._classes(dataset, truth, labels, compares)
        gain = gain_of(request.matrix, classes)
        known, codes = codes_of(truth, classes), codes_of(labels, classes)
        self.without_truth, self.without_prediction = int((known < 0).sum()), int((codes < 0).sum())
        decisions = {"label": codes}
        if mine is not None:
            decisions["expected_gain"] = self._expected(gain, classes, mine)
            if request.decision == "expected_gain":
                self.without_prediction = int((decisions["expected_gain"] < 0).sum())
        by = decisions[request.decision]
        self.rows = np.flatnonzero((known >= 0) & (by >= 0))
        slices = {path: slice_of(reading, dataset, path, request) for path in request.slices}
        self.classes = classes
        self.judgment: Judgment = judge(
            known[self.rows],
            by[self.rows],
            gain,
            classes,
            {path: (names, of[self.rows]) for path, (names, of) in slices.items()},
        )
        self.possible = (gain.max(1) * self.judgment.counts.sum(1)).tolist()
        self.more: Amount | None = None
        self.other = "expected_gain" if request.decision == "label" else "label"
        if self.other in decisions:
            other = decisions[self.other][self.rows]
            both = np.flatnonzero(other >= 0)
            theirs = gain[known[self.rows][both], other[both]]
            self.more = amount(self.other, theirs - self.judgment.each[both])

    def _classes(
        self, dataset: Any, truth: np.ndarray, labels: np.ndarray, compares: bool
    ) -> tuple[list[str], list[str] | None]:
        """Return all class names in order, and the class names of the vectors.

        The latter are None if there are no vectors, or if some of their class names are unknown.
        """
        request, reading = self._request, self._reading
        seen = {*truth.tolist(), *labels.tolist()} - {None}
        ((kind, matrix),) = request.matrix.items()
        seen |= set(matrix_classes(matrix, kind))
        mine = reading.pool.classes[request.predictions] if compares else None
        nameless = unnamed(reading, request.predictions, seen) if compares else []
        if nameless:
            summary = (
                f"field {request.predictions!r}: {len(nameless)} of its classes have no name, for no "
                "sample is predicted to be of them; set the dataset's classes for it"
            )
            if (
                request.decision == "expected_gain"
                or decision_path(dataset, request.predictions) is None
            ):
                raise InvalidInput(summary)
            reading.notes.append(f"{summary}, to compare with deciding by expected gain")
            mine = None
        base = mine or class_names(dataset, request.predictions, request.label_field)
        return [*base, *sorted(seen - set(base))], mine

    def _expected(self, gain: np.ndarray, classes: list[str], mine: list[str]) -> np.ndarray:
        """Return the (N,) int64 decisions with the highest expected gain; -1 without a prediction."""
        pool, column = self._reading.pool, self._request.predictions
        rows = np.flatnonzero(~pool.missing[column])
        # A class that the model does not know has probability 0, but can still be the decision.
        unknown = len(classes) - len(mine)
        found = np.full(pool.n, -1, dtype=np.int64)
        found[rows] = best_decisions(np.pad(pool.columns[column][rows], ((0, 0), (0, unknown))), gain)
        return found

    def summary(self) -> dict[str, Any]:
        """Return the figures as plain values and as text."""
        found, request = self.judgment, self._request
        by_class = [
            {**_plain(one), "possible": self.possible[self.classes.index(one.name)], "costliest": None}
            for one in found.classes
        ]
        for row, mistake in zip(by_class, found.costliest, strict=True):
            if mistake is not None:
                row["costliest"] = (
                    f"{mistake.decision}: {counted(mistake.count, self.things)}, "
                    f"{money(mistake.regret)} regret"
                )
        by_slice = [
            {"slice": path, **_plain(one)} for path, values in found.slices.items() for one in values
        ]
        return {
            **_plain(found.overall),
            "decision": request.decision,
            "possible": found.possible,
            "constant": found.constant,
            "constant_total": found.constant_total,
            "other": self.other if self.more else None,
            "more": _plain(self.more) if self.more else None,
            "classes": sorted(by_class, key=lambda row: row["total"]),
            "slices": sorted(by_slice, key=lambda row: row["mean"])[:MOST_ROWS],
            "decisions": self._decisions(),
            "without_truth": self.without_truth,
            "without_prediction": self.without_prediction,
            "field": request.field,
            "lines": self._lines(),
            "notes": [*self._reading.notes, *self._left_out()],
        }

    def by_sample(self) -> dict[str, float]:
        """Return the value of each sample that counts, by its id."""
        ids = np.array(self._reading.pool.ids, dtype=object)[self.rows].tolist()
        return dict(zip(ids, self.judgment.each.tolist(), strict=True))

    def _decisions(self) -> list[dict[str, Any]]:
        """Return count and total value of each pair of true class and decision, lowest value first."""
        counts, money = self.judgment.counts, self.judgment.money
        truths, decisions = np.nonzero(counts)
        order = np.argsort(money[truths, decisions], kind="stable")[:MOST_ROWS]
        return [
            {
                "truth": self.classes[t],
                "decision": self.classes[d],
                "count": int(counts[t, d]),
                "total": float(money[t, d]),
            }
            for t, d in zip(truths[order].tolist(), decisions[order].tolist(), strict=True)
        ]

    def _lines(self) -> list[str]:
        one = self.judgment
        lines = [
            f"**{money(one.overall.total)}** from {one.overall.count:,} samples, "
            f"{money(one.overall.mean)} each{between(one.overall)}",
            f"Right decisions alone would bring {money(one.possible)}; always deciding for "
            f"'{escaped(one.constant)}', {money(one.constant_total)}",
        ]
        if self.more is not None and self.more.count:
            way = {"expected_gain": "by expected gain", "label": "by the predicted class"}[self.other]
            amount, sign = abs(self.more.total), "more" if self.more.total >= 0 else "less"
            lines.append(
                f"Deciding {way} would bring {money(amount)} {sign}: {money(self.more.mean)} "
                f"a sample{between(self.more)}"
                if self.more.low or self.more.high
                else f"Deciding {way} would bring as much"
            )
        return lines

    def _left_out(self) -> list[str]:
        notes = []
        for count, what, where in (
            (self.without_truth, "truth", self._request.label_field),
            (self.without_prediction, "prediction", self._request.predictions),
        ):
            if count:
                notes.append(f"{counted(count)} without a {what} in '{where}' do not count")
        among = sum(map(len, self.judgment.slices.values()))
        if among > MOST_ROWS:
            notes.append(f"The {MOST_ROWS} slices that bring least a sample are listed, of {among:,}")
        return notes


def value_plots(summary: dict[str, Any]) -> dict[str, Any]:
    """Return bar plots: actual and possible value by class, and mean value per sample by slice."""
    found = {}
    rows = summary["classes"]
    if rows:
        series = {"brought": [row["total"] for row in rows]}
        series["possible"] = [row["possible"] for row in rows]
        found["By true class"] = plots.money_plot([row["name"] for row in rows], series, "together")
    for path in dict.fromkeys(row["slice"] for row in summary["slices"]):
        mine = [row for row in summary["slices"] if row["slice"] == path]
        means = {"mean": [row["mean"] for row in mine]}
        found[f"By {path}"] = plots.money_plot([row["name"] for row in mine], means, "a sample")
    return found


def _columns(dataset: Any, request: BusinessValueRequest, compares: bool) -> dict[str, Reads]:
    path = decision_path(dataset, request.predictions)
    labels = [truth_path(dataset, request.label_field), *request.slices]
    if path is not None:
        labels.append(path)
    vectors = [request.predictions] if compares or path is None else []
    return columns_read(labels, vectors)


def gain_of(matrix: dict[str, Any], classes: list[str]) -> np.ndarray:
    """Return the (C, C) gains of a matrix of costs or gains.

    Raises:
        InvalidInput: if the matrix does not fit the classes, or if a cost is below 0.
    """
    ((kind, given),) = matrix.items()
    values = cost_matrix(given, classes, kind)
    if kind == "cost" and (values < 0).any():
        raise InvalidInput(
            f"cost: {int((values < 0).sum())} costs are below 0; what a decision brings in is a gain: "
            "give the matrix as gain, with the sign turned round"
        )
    return values if kind == "gain" else 0 - values


def _divided(dataset: Any, path: str, request: BusinessValueRequest) -> Balance:
    """Return a balance strategy that divides a column into slices, checked as in a recipe."""
    entry = {"strategy": "balance", "column": path, **binned(dataset, path, request.binning)}
    (found,) = Recipe.of({"budget": 1, "strategies": [entry]}).strategies or []
    return cast(Balance, found)


def slice_of(
    reading: ReadPool, dataset: Any, path: str, request: BusinessValueRequest
) -> tuple[list[str], np.ndarray]:
    """Return the names of a column's slices, and the (N,) slice index of each sample; -1 for none.

    Raises:
        InvalidInput: if the column does not hold one value per sample.
    """
    pool = reading.pool
    column = pool.columns[path]
    if not isinstance(column, np.ndarray) or column.ndim != 1:
        raise InvalidInput(f"slices: {path!r} holds no single value a sample; name another field")
    names, found = categories_of(_divided(dataset, path, request), path, pool, "slices")
    codes = np.where(pool.missing[path], -1, found)
    if isinstance(dataset.get_field(path), fo.BooleanField):
        names = [{"0": "no", "1": "yes"}.get(name, name) for name in names]
    return names, codes


def write_values(
    dataset: Any, request: BusinessValueRequest, reading: ReadPool, found: Judged, what: str
) -> None:
    """Write the value of each sample to the field of the request.

    Args:
        dataset: the dataset.
        request: the options.
        reading: the pool; its notes get those of writing.
        found: the values.
        what: what brings them, for the field's description.
    """
    name = request.field
    assert name is not None
    unit = next(iter(request.matrix), "cost")
    described = (
        f"What {what} brings, by {request.label_field}; in the unit of the {unit}s, higher = better"
    )
    info = {
        "method": METHOD,
        "predictions": request.predictions,
        "label_field": request.label_field,
        "decision": request.decision,
    }
    for kind, matrix in request.matrix.items():
        info[kind] = matrix if isinstance(matrix, str) else json.dumps(matrix)
    new = NewField(found.by_sample(), described, info, computed=reading.pool.ids)
    reading.notes += write_fields(dataset, {name: new})


def _plain(one: Amount) -> dict[str, Any]:
    """Return an amount as JSON values (None for infinity and NaN), and as text for tables."""
    bounds = {name: getattr(one, name) for name in ("mean", "low", "high")}
    finite = {name: value if math.isfinite(value) else None for name, value in bounds.items()}
    words = {"together": money(one.total), "each": money(one.mean) if one.count else ""}
    words["between"] = f"{money(one.low)} to {money(one.high)}" if one.count > 1 else ""
    return {"name": one.name, "count": one.count, "total": one.total, **finite, **words}


def between(one: Amount) -> str:
    """Return the 95% interval of a mean as text; empty where there is none."""
    if one.count < 2:
        return ""
    return f" (with 95% confidence between {money(one.low)} and {money(one.high)})"


def money(value: float) -> str:
    """Return a value as text, with at most two decimals; amounts below 0.005 with two digits."""
    if 0 < abs(value) < 0.005:
        return f"{value:.2g}"
    return f"{value + 0.0:,.2f}".rstrip("0").rstrip(".")


def counted(count: int, things: str = "sample") -> str:
    """Return a count with the word for what is counted, in the singular."""
    several = "es" if things.endswith("x") else "s"
    return f"{count:,} {things}{several if count != 1 else ''}"
