"""Weak slices of a dataset: what they are judged by, where they are sought, how they are described."""

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
from ..reading.read import Bad, Labeled, ReadPool, check_columns, first, read_columns
from ..runs.run import READ_SHARE, Progress

OUTCOME = "the outcome"
HigherIs = Literal["better", "worse"]
COUNTS = ("tp", "fp", "fn")
# Text that takes more values than this is a name, not a category, unless it is asked for.
MOST_VALUES = 200
SHOWN = 5
OPTIONS = ("bins", "minimum", "false_discoveries", "most", "timezone")


@dataclass(frozen=True)
class Outcome:
    """What says how well a model does on a sample.

    Attributes:
        columns: the fields it is computed from.
        compute: from a pool that holds these to (N,) numbers.
        higher_is: better or worse.
        description: in a few words.
    """

    columns: list[str]
    compute: Callable[[Pool], np.ndarray]
    higher_is: HigherIs
    description: str


def outcome_of(dataset: Any, params: dict[str, Any]) -> Outcome:
    """What a call or a form judges by: an evaluation, a field, or predictions beside labels.

    Raises:
        InvalidInput: there is no such field or evaluation, or it says nothing of samples.
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
    """Evaluations, numbers and booleans."""
    found = [Choice(key, "an evaluation") for key in dataset.list_evaluations()]
    known = {choice.path for choice in found}
    return found + [one for one in number_fields(dataset) if one.path not in known]


def metadata_of(dataset: Any, params: dict[str, Any]) -> list[str]:
    """The fields in which slices are looked for: those named, else all that a label does not hold.

    Of what slices are judged by, and of what this plugin wrote, only the true class is among them.
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
    """Refuse fields that are not there or do not fit, without reading any sample.

    Raises:
        InvalidInput: which.
    """
    dataset = dataset_of(view)
    check_columns(view, _columns([*outcome_of(dataset, params).columns, *metadata_of(dataset, params)]))


def find_slices(
    view: Any, params: dict[str, Any], report: Progress = lambda share, label: None
) -> tuple[ReadPool, WeakSlices]:
    """Read what slices are judged by and looked for in, and find them.

    Raises:
        InvalidInput: fields or values that cannot be used.
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
    """The slices as plain values, each with its filters and weights for a recipe."""
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
    """What was found, in a line."""
    listed = len(found.slices)
    return (
        f"{listed:,} of {found.tested:,} slices are worse than the rest, beyond chance; "
        f"{outcome.description} is {found.mean:.3g} over {found.count:,} samples"
    )


def table_of(rows: list[dict[str, Any]]) -> str:
    """The slices as a table in Markdown."""
    lines = ["| slice | samples | mean | interval | beside the rest | q |", "|---|---|---|---|---|---|"]
    lines += [f"| {' | '.join(cells_of(row).values())} |" for row in rows]
    return "\n".join(lines)


def cells_of(row: dict[str, Any]) -> dict[str, str]:
    """A row as text."""
    return {
        "slice": row["slice"].replace("|", "/"),
        "count": f"{row['count']:,}",
        "mean": f"{row['mean']:.3f}",
        "interval": f"{row['low']:.3f} to {row['high']:.3f}",
        "difference": f"{row['difference']:+.3f}",
        "q": f"{row['q']:.2g}",
    }


def slice_of(found: WeakSlices, name: str) -> Slice:
    """The slice of a name.

    Raises:
        InvalidInput: none that was found is called so.
    """
    for one in found.slices:
        if str(one) == name:
            return one
    names = ", ".join(repr(str(one)) for one in found.slices[:SHOWN]) or "none"
    raise InvalidInput(f"slice: none that was found is {name!r}; there are {names}")


def fragment_of(filters: list[dict[str, Any]] | None, weights: list[dict[str, Any]] | None) -> str:
    """What to copy into a recipe, as JSON."""
    return json.dumps({"filters": filters, "strategies": weights}, indent=2)


def _all_of(parts: list[dict[str, Any] | None]) -> list[dict[str, Any]] | None:
    """None where one of them is: the others alone would not be the slice."""
    known = [one for one in parts if one is not None]
    return known if len(known) == len(parts) else None


def _columns(paths: list[str]) -> dict[str, Reads]:
    """What is read: columns of single values, or of objects, which are counted."""
    return dict.fromkeys(paths, Reads.VALUES)


def _of_labels(dataset: Any, params: dict[str, Any]) -> Outcome:
    """Whether the predicted class is the true one."""
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
    """The field with the true classes."""
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
    """What an evaluation of FiftyOne left on each sample."""
    flat = dataset.get_field_schema(flat=True)
    counts = [f"{key}_{name}" for name in COUNTS]
    if all(one in flat for one in counts):

        def f1(pool: Pool) -> np.ndarray:
            right, false, missed = (np.nan_to_num(pool.numbers(one, "outcome")) for one in counts)
            total = 2 * right + false + missed
            # Nothing there and nothing found is right.
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
    """The fields without text that has too many values; they are noted."""
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
