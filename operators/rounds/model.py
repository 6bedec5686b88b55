"""Records of a round: the model that was trained with its labels, and what its labels are like."""

from __future__ import annotations

from collections.abc import Collection
from datetime import datetime, timezone
from typing import Any

from ...alcore import InvalidInput
from ..dataset.views import all_slices
from ..runs.records import set_record
from ..runs.run import Progress
from .audit import audit
from .metric import measure
from .rounds import Round, rounds_of
from .test_set import TestSet, changed_since, find_test_set
from .verdict import Point


def record_model(
    dataset: Any,
    run_key: str,
    predictions: str,
    test_set: str,
    labels: str,
    before: str | None = None,
    report: Progress = lambda share, label: None,
) -> dict[str, Any]:
    """Measure the model that was trained with the labels of a round, and record it with the round.

    Only the record of the selection is changed.

    Args:
        dataset: the dataset.
        run_key: the key of the selection.
        predictions: the field of the predictions of the model.
        test_set: the tag of the test set, or the run key of the selection that chose it.
        labels: the field of the true labels.
        before: the field of the predictions of the model before the round. Without it, that of the
            round before is what this one is compared with.
        report: called with the share that is done, from 0 to 1, and a text.

    Returns:
        What was recorded: ``predictions``, ``metric``, ``test_set``, ``labels`` (the number of labeled
        samples outside the test set and the later rounds), ``at``, ``before`` and ``notes``.

    Raises:
        InvalidInput: if there is no such round, or if the predictions cannot be measured.
    """
    one = round_of(dataset, run_key, labels)
    tested = find_test_set(dataset, test_set)
    metric = measure(dataset, predictions, labels, tested, report)
    changed = changed_since(dataset, tested.name, metric.ids)
    notes = [*metric.notes, *filter(None, [changed])]
    later = rounds_of(dataset, labels)[one.number :]
    trained = _count_labels(dataset, labels, tested) - sum(other.labeled for other in later)
    model = {
        "predictions": predictions,
        "test_set": tested.name,
        "metric": metric.record(),
        "labels": max(0, trained),
        "at": datetime.now(timezone.utc).isoformat(timespec="seconds"),
        "notes": notes,
        "before": None,
    }
    if before:
        earlier = measure(dataset, before, labels, tested, report)
        model["before"] = {
            "predictions": before,
            "metric": earlier.record(),
            "labels": max(0, trained - one.labeled),
        }
    set_record(dataset, run_key, model=model)
    return model


def record_audit(
    dataset: Any,
    run_key: str,
    labels: str,
    predictions: str | None = None,
    newer: Collection[str] = (),
    report: Progress = lambda share, label: None,
) -> dict[str, Any]:
    """Audit the labels of a round that came back, and record the result with the round.

    Args:
        dataset: the dataset.
        run_key: the key of the selection.
        labels: the field of the labels.
        predictions: the field of the predictions that were there when the round was labeled; None for
            those by which the round was chosen, if they are known.
        newer: fields that hold the predictions of a newer model, beside those that were recorded.
        report: called with the share that is done, from 0 to 1, and a text.

    Raises:
        InvalidInput: if there is no such round, or if none of its labels is back.
    """
    one, rounds = round_of(dataset, run_key, labels), rounds_of(dataset, labels)
    later = [other.model["predictions"] for other in rounds[one.number - 1 :] if other.model]
    found = audit(dataset, rounds, run_key, predictions, {*newer, *later}, report)
    set_record(dataset, run_key, audit=found)
    return found


def record_round(
    dataset: Any,
    run_key: str,
    predictions: str,
    test_set: str,
    labels: str,
    before: str | None = None,
    audit_predictions: str | None = None,
    report: Progress = lambda share, label: None,
) -> dict[str, Any]:
    """Record the model of a round, and audit the labels of it that are back.

    The arguments are those of ``record_model`` and ``record_audit``.

    Returns:
        ``model`` and ``audit``, as recorded; ``audit`` is None if no label is back.

    Raises:
        InvalidInput: as there.
    """

    def part(start: float, share: float) -> Progress:
        return lambda done, label: report(start + share * done, label)

    model = record_model(dataset, run_key, predictions, test_set, labels, before, part(0, 0.6))
    if not round_of(dataset, run_key, labels).labeled:
        return {"model": model, "audit": None}
    found = record_audit(dataset, run_key, labels, audit_predictions, report=part(0.6, 0.4))
    return {"model": model, "audit": found}


def round_of(dataset: Any, run_key: str | None, labels: str) -> Round:
    """Return a round by its key.

    Raises:
        InvalidInput: if there is no such round. The message names those there are.
    """
    found = rounds_of(dataset, labels)
    for one in found:
        if one.run_key == run_key:
            return one
    known = ", ".join(repr(one.run_key) for one in found) or "none"
    raise InvalidInput(f"run_key: there is no round {run_key!r}; the rounds are: {known}")


def points_of(rounds: list[Round]) -> list[Point]:
    """Return the metrics of the rounds, the first of them before any round where that is known.

    Only those that compare with the last one are returned: of the same metric on the same test set.
    """
    models = [one.model for one in rounds if one.model]
    if not models:
        return []
    last = models[-1]
    alike = [
        one
        for one in models
        if one["test_set"] == last["test_set"] and one["metric"]["name"] == last["metric"]["name"]
    ]
    first = alike[0].get("before")
    return [_point(one) for one in ([first] if first else []) + alike]


def _point(recorded: dict[str, Any]) -> Point:
    metric = recorded["metric"]
    return Point(recorded["labels"], metric["value"], metric["error"] or 0.0)


def _count_labels(dataset: Any, labels: str, tested: TestSet) -> int:
    """Return the number of labeled samples that are not in the test set."""
    inside = tested.view.exists(labels).count()
    return int(all_slices(dataset).exists(labels).count() - inside)
