"""The samples on which a model failed, by an evaluation or a weak slice."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Literal, get_args

import fiftyone as fo
from fiftyone import ViewField as F

from ...alcore import InvalidInput
from ..dataset.fields import Choice

Kind = Literal["any", "false_positives", "missed", "wrong"]
COUNTS = {"false_positives": "fp", "missed": "fn"}
SAYS = {
    "false_positives": "found where nothing is",
    "missed": "objects that were missed",
    "wrong": "predicted wrong",
    "slice": "in the weak slice",
}
MOST = 2_000  # failures; the worst come first


@dataclass(frozen=True)
class Failures:
    """The samples on which a model failed, the worst first.

    Attributes:
        ids: their ids.
        says: for each a short text of what went wrong.
        total: how many there are; more than ``ids`` where these are too many.
    """

    ids: list[str]
    says: list[str]
    total: int


def failure_fields(dataset: Any) -> list[Choice]:
    """Return what tells of failures: evaluations, and fields of booleans, such as weak slices."""
    found = [Choice(key, "an evaluation") for key in dataset.list_evaluations()]
    schema = dataset.get_field_schema(flat=True)
    known = {choice.path for choice in found}
    booleans = [path for path, one in schema.items() if isinstance(one, fo.BooleanField)]
    return found + [Choice(path, "booleans") for path in booleans if path not in known]


def kinds_of(dataset: Any, named: str | None) -> list[str]:
    """Return the kinds of failures that an evaluation tells apart; "any" is the first."""
    if named and dataset.has_evaluation(named) and dataset.get_field(f"{named}_fp") is not None:
        return ["any", *COUNTS]
    return ["any"]


def failures_of(dataset: Any, named: str, kind: str = "any") -> Failures:
    """Return the samples on which a model failed.

    Args:
        dataset: the dataset.
        named: the key of an evaluation of classes or detections, or a field of booleans that is true
            for failures.
        kind: "any", "false_positives" or "missed", for detections; "wrong" is "any" for classes.

    Raises:
        InvalidInput: if there is no such evaluation or field, or if no sample has failed.
    """
    if kind not in get_args(Kind):
        raise InvalidInput(f"kind: there is no {kind!r}; choose one of {', '.join(get_args(Kind))}")
    if not dataset.has_evaluation(named):
        found = _of_booleans(dataset, named)
    elif dataset.get_field(f"{named}_fp") is not None:
        found = _of_counts(dataset, named, list(COUNTS) if kind in ("any", "wrong") else [kind])
    elif kind in COUNTS:
        raise InvalidInput(f"kind: {named!r} compares classes, which are right or wrong; choose any")
    else:
        found = _of_classes(dataset, named)
    if not found:
        raise InvalidInput(
            f"failures: {named!r} has no failure of the kind {kind!r}, so none to be like"
        )
    return Failures([one for one, _ in found[:MOST]], [says for _, says in found[:MOST]], len(found))


def _of_booleans(dataset: Any, path: str) -> list[tuple[str, str]]:
    if not isinstance(dataset.get_field(path), fo.BooleanField):
        known = ", ".join(repr(one.path) for one in failure_fields(dataset)) or "none"
        raise InvalidInput(
            f"failures: {path!r} is neither an evaluation nor a field of booleans; there are: {known}"
        )
    ids = dataset.match(F(path).is_in([True])).values("id")
    return [(one, SAYS["slice"]) for one in ids]


def _of_counts(dataset: Any, key: str, kinds: list[str]) -> list[tuple[str, str]]:
    """Return the samples with errors, those with the most first."""
    ids, *counts = dataset.values(["id", *(f"{key}_{COUNTS[kind]}" for kind in kinds)])
    rows = []
    for one, *numbers in zip(ids, *counts, strict=True):
        total = sum(number or 0 for number in numbers)
        if total:
            parts = [
                f"{number} {SAYS[kind]}" for kind, number in zip(kinds, numbers, strict=True) if number
            ]
            rows.append((total, one, ", ".join(parts)))
    rows.sort(key=lambda row: (-row[0], row[1]))
    return [(one, says) for _, one, says in rows]


def _of_classes(dataset: Any, key: str) -> list[tuple[str, str]]:
    """Return the samples that are predicted wrong, the most confident first."""
    config = dataset.get_evaluation_info(key).config
    wrong = ["FP", "FN"] if dataset.get_field(key) is not None and _is_text(dataset, key) else [False]
    view = dataset.match(F(key).is_in(wrong))
    predicted, truth = f"{config.pred_field}.label", f"{config.gt_field}.label"
    ids, labels, known, sure = view.values(["id", predicted, truth, f"{config.pred_field}.confidence"])
    rows = sorted(zip(ids, labels, known, sure, strict=True), key=lambda row: (-(row[3] or 0), row[0]))
    return [(one, f"{true} taken for {label}") for one, label, true, _ in rows]


def _is_text(dataset: Any, path: str) -> bool:
    return isinstance(dataset.get_field(path), fo.StringField)
