"""Weak slices of a dataset: the outcome, the fields in which they are searched, and the report."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Literal, cast, get_args

import fiftyone as fo
import numpy as np

from ...alcore import InvalidInput, Pool, weak_slices
from ...alcore.evaluation.weak_slices import Slice, WeakSlices
from ...alcore.strategies import Reads
from ..dataset.fields import (
    Choice,
    category_fields,
    document_type,
    label_fields,
    number_fields,
    prediction_fields,
)
from ..dataset.fiftyone_private import dataset_of
from ..dataset.selection_records import selections
from ..forms.markdown import table
from ..reading.read import Bad, Labeled, ReadPool, check_columns, first, read_columns
from ..runs.run import READ_SHARE, Progress

OUTCOME = "the outcome"
HigherIs = Literal["better", "worse"]
COUNTS = ("tp", "fp", "fn")
# A text field with more distinct values is not treated as a category, unless the user names it.
MOST_VALUES = 200
SHOWN = 5
OPTIONS = ("bins", "minimum", "false_discoveries", "most", "timezone")


@dataclass(frozen=True)
class Outcome:
    """A number that tells how well a model performs on each sample.

    Attributes:
        columns: the fields from which it is computed.
        compute: computes the (N,) numbers from a pool with these columns.
        higher_is: whether higher numbers are "better" or "worse".
        description: a short text.
    """

    columns: list[str]
    compute: Callable[[Pool], np.ndarray]
    higher_is: HigherIs
    description: str


def outcome_of(dataset: Any, params: dict[str, Any]) -> Outcome:
    """Return the outcome that parameters name: an evaluation, a field, or predictions and labels.

    Raises:
        InvalidInput: if there is no such field or evaluation, or if it has no value per sample.
    """
    named = params.get("outcome") or None
    if named is None:
        return _of_labels(dataset, params)
    if dataset.has_evaluation(named):
        return _of_evaluation(dataset, named)
    higher_is = params.get("higher_is") or "better"
    if higher_is not in get_args(HigherIs):
        raise InvalidInput(f"higher_is: there is no {higher_is!r}; choose better or worse")
    return _of_field(named, cast(HigherIs, higher_is), f"the mean of {named}")


def outcome_fields(dataset: Any) -> list[Choice]:
    """Return what can be an outcome: evaluations, and fields of numbers and booleans."""
    found = [Choice(key, "an evaluation") for key in dataset.list_evaluations()]
    known = {choice.path for choice in found}
    return found + [one for one in number_fields(dataset) if one.path not in known]


def metadata_of(dataset: Any, params: dict[str, Any]) -> list[str]:
    """Return the fields in which slices are searched.

    These are the fields that the user names. If none are named, they are all categories and numbers
    outside labels, without the outcome and without fields that a selection wrote. The true class is
    added if the outcome comes from labels.
    """
    if params.get("fields"):
        return list(params["fields"])
    labels = [choice.path for choice in label_fields(dataset)]
    judged = [*dataset.list_evaluations(), *([params["outcome"]] if params.get("outcome") else [])]
    own = {path for one in selections(dataset) for path in one["names"].values() if path}
    own |= {f"{key}_{name}" for key in judged for name in (*COUNTS, "accuracy", "precision", "recall")}
    categories = category_fields(dataset)
    known = {choice.path for choice in categories}
    found = categories + [one for one in number_fields(dataset) if one.path not in known]
    paths = [
        choice.path
        for choice in found
        if choice.path.split(".")[0] not in labels and choice.path not in {*own, *judged}
    ]
    truth = None if params.get("outcome") else f"{_labels_of(dataset, params)}.label"
    return paths + ([truth] if truth else [])


def check_slices(view: Any, params: dict[str, Any]) -> None:
    """Check that fields exist and fit, without reading any sample.

    Raises:
        InvalidInput: if a field is unknown or of the wrong type.
    """
    dataset = dataset_of(view)
    check_columns(view, _columns([*outcome_of(dataset, params).columns, *metadata_of(dataset, params)]))


def find_slices(
    view: Any, params: dict[str, Any], report: Progress = lambda share, label: None
) -> tuple[ReadPool, WeakSlices]:
    """Read the outcome and the fields of a view, and find weak slices.

    Args:
        view: the samples.
        params: the parameters of a call or a form.
        report: called with the share that is done and a text.

    Returns:
        The pool with its notes, and the slices.

    Raises:
        InvalidInput: if fields or values cannot be used.
    """
    dataset = dataset_of(view)
    outcome, fields = outcome_of(dataset, params), metadata_of(dataset, params)
    bad: Bad = params.get("bad") or "error"
    reading = read_columns(
        view,
        _columns([*outcome.columns, *fields]),
        Labeled(),
        bad,
        lambda share: report(READ_SHARE * share, "Reading"),
    )
    pool = reading.pool
    missing = ~pool.present(outcome.columns)
    yes_or_no = {
        path: pool.columns[path] == 1
        for path in {*fields, *outcome.columns}
        if isinstance(dataset.get_field(path), fo.BooleanField)
    }
    lacking = {path: pool.missing[path] for path in yes_or_no}
    outcomes = np.where(missing, np.nan, outcome.compute(pool))
    pool = pool.with_columns({OUTCOME: outcomes, **yes_or_no}, {OUTCOME: missing, **lacking})
    reading.pool = pool
    if not params.get("fields"):
        fields = _categories_alone(reading, fields)
    given = {name: params[name] for name in OPTIONS if params.get(name) not in (None, "")}
    parts = {"date_parts": params["date_parts"]} if params.get("date_parts") else {}
    found = weak_slices(
        pool,
        OUTCOME,
        fields,
        higher_is=outcome.higher_is,
        pairs=bool(params.get("pairs", True)),
        tick=lambda: report(READ_SHARE, "Comparing"),
        **given,
        **parts,
    )
    return reading, found


def rows_of(found: WeakSlices) -> list[dict[str, Any]]:
    """Return the slices as plain values, each with its filters and weights for a recipe."""
    return [
        {
            "slice": str(one),
            "count": one.count,
            "mean": one.mean,
            "low": one.low,
            "high": one.high,
            "difference": one.difference,
            "worse_by": one.worse_by,
            "p": one.p,
            "q": one.q,
            "filters": _all_of([value.filter for value in one.values]),
            "weights": _all_of([value.weight for value in one.values]),
        }
        for one in found.slices
    ]


def text_of(outcome: Outcome, found: WeakSlices) -> str:
    """Return a summary in one line."""
    listed = len(found.slices)
    return (
        f"{listed:,} of {found.tested:,} slices are worse than the rest, beyond chance; "
        f"{outcome.description} is {found.mean:.3g} over {found.count:,} samples"
    )


def table_of(rows: list[dict[str, Any]]) -> str:
    """Return the slices as a Markdown table."""
    columns = ["slice", "samples", "mean", "interval", "beside the rest", "q"]
    return table(columns, [cells_of(row).values() for row in rows])


def cells_of(row: dict[str, Any]) -> dict[str, str]:
    """Return the cells of a row as text, by column."""
    return {
        "slice": row["slice"],
        "count": f"{row['count']:,}",
        "mean": f"{row['mean']:.3f}",
        "interval": f"{row['low']:.3f} to {row['high']:.3f}",
        "difference": f"{row['difference']:+.3f}",
        "q": f"{row['q']:.2g}",
    }


def slice_of(found: WeakSlices, name: str) -> Slice:
    """Return the slice with this name.

    Raises:
        InvalidInput: if no slice with this name was found.
    """
    for one in found.slices:
        if str(one) == name:
            return one
    names = ", ".join(repr(str(one)) for one in found.slices[:SHOWN]) or "none"
    raise InvalidInput(f"slice: none that was found is {name!r}; there are {names}")


def fragment_of(filters: list[dict[str, Any]] | None, weights: list[dict[str, Any]] | None) -> str:
    """Return filters and strategies as JSON, to be copied into a recipe."""
    return json.dumps({"filters": filters, "strategies": weights}, indent=2)


def _all_of(parts: list[dict[str, Any] | None]) -> list[dict[str, Any]] | None:
    """Return the parts, or None if one of them is None, because the rest would not define the slice."""
    known = [one for one in parts if one is not None]
    return known if len(known) == len(parts) else None


def _columns(paths: list[str]) -> dict[str, Reads]:
    """Return how to read columns: as values; in a list of labels, the objects are counted."""
    return dict.fromkeys(paths, Reads.VALUES)


def _of_labels(dataset: Any, params: dict[str, Any]) -> Outcome:
    """Return the outcome of whether the predicted class is the true class."""
    truth = _labels_of(dataset, params)
    predicted = params.get("predictions") or first(
        [one for one in prediction_fields(dataset) if one.path != truth], "predictions"
    )
    for option, path in (("predictions", predicted), ("label_field", truth)):
        field = dataset.get_field(path)
        if field is None:
            raise InvalidInput(f"{option}: {dataset.name!r} has no field {path!r}")
        if document_type(field) is not fo.Classification:
            raise InvalidInput(
                f"{option}: field {path!r} is no Classification; evaluate it with FiftyOne, and name "
                "the evaluation as outcome"
            )
    if predicted == truth:
        raise InvalidInput(f"label_field: {truth!r} is what is judged; name the field of true classes")
    columns = [f"{predicted}.label", f"{truth}.label"]

    def is_right(pool: Pool) -> np.ndarray:
        mine, true = (np.asarray(pool.columns[one], dtype=object) for one in columns)
        return np.asarray(mine == true, dtype=np.float64)

    return Outcome(columns, is_right, "better", f"the share of {predicted} that is right")


def _labels_of(dataset: Any, params: dict[str, Any]) -> str:
    """Return the field of the true classes.

    Raises:
        InvalidInput: if none is named and there is no usable ``ground_truth``.
    """
    if params.get("label_field"):
        return str(params["label_field"])
    choices = [one for one in label_fields(dataset) if one.holds == "Classification"]
    usual = [one for one in choices if one.path == "ground_truth"]
    if not usual:
        raise InvalidInput("label_field: name the field with the true classes, or an outcome instead")
    return usual[0].path


def _of_field(path: str, higher_is: HigherIs, description: str) -> Outcome:
    def values(pool: Pool) -> np.ndarray:
        return np.where(pool.missing[path], np.nan, pool.numbers(path, "outcome"))

    return Outcome([path], values, higher_is, description)


def _of_evaluation(dataset: Any, key: str) -> Outcome:
    """Return the outcome from the values that a FiftyOne evaluation stored on each sample.

    Raises:
        InvalidInput: if the evaluation stored no value per sample.
    """
    flat = dataset.get_field_schema(flat=True)
    counts = [f"{key}_{name}" for name in COUNTS]
    if all(one in flat for one in counts):

        def f1(pool: Pool) -> np.ndarray:
            right, false, missed = (np.nan_to_num(pool.numbers(one, "outcome")) for one in counts)
            total = 2 * right + false + missed
            # A sample without true objects and without predicted objects counts as right.
            return np.divide(2 * right, total, out=np.ones(len(total)), where=total > 0)

        return Outcome(counts, f1, "better", f"the mean F1 of samples by {key}")
    if f"{key}_accuracy" in flat:
        return _of_field(f"{key}_accuracy", "better", f"the mean accuracy of samples by {key}")
    field = flat.get(key)
    if isinstance(field, fo.StringField):

        def is_true(pool: Pool) -> np.ndarray:
            return np.array([str(one).startswith("T") for one in pool.columns[key]], dtype=np.float64)

        return Outcome([key], is_true, "better", f"the share that is right by {key}")
    if isinstance(field, fo.BooleanField):
        return _of_field(key, "better", f"the share that is right by {key}")
    if isinstance(field, fo.FloatField):
        return _of_field(key, "worse", f"the mean error by {key}")
    raise InvalidInput(f"outcome: the evaluation {key!r} has left no value on each sample")


def _categories_alone(reading: ReadPool, fields: list[str]) -> list[str]:
    """Return the fields without text fields that have too many values; a note lists the latter."""
    columns, kept, names = reading.pool.columns, [], []
    for path in fields:
        column = columns[path]
        is_text = isinstance(column, np.ndarray) and column.dtype == object
        if is_text and len(set(column.tolist())) > MOST_VALUES:
            names.append(path)
        else:
            kept.append(path)
    if names:
        reading.notes.append(
            f"{', '.join(names)}: not looked at, with more than {MOST_VALUES} values, unless named"
        )
    return kept
