"""The test set on which the models of all rounds are measured, and whether it is still the same."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from ...alcore import InvalidInput
from ..dataset.fiftyone_private import store_of
from ..dataset.selection_records import (
    COMPLETE,
    is_test_set,
    record_of_selection,
    results_of,
    selections,
    state_of,
)
from ..dataset.views import all_slices

REMEMBERED = "alcore.test_sets"
IDS_KEPT = 300_000  # a store keeps less than 16 MB under a key


@dataclass(frozen=True)
class TestSet:
    """A test set.

    Attributes:
        name: its tag, or the run key of the selection that chose it.
        view: its samples; those that an active test set drew come in the order drawn.
        weights: the field of the weights of an active test set; None for others.
        population: the number of samples from which an active test set was drawn.
    """

    name: str
    view: Any
    weights: str | None = None
    population: int | None = None


def find_test_set(dataset: Any, name: str | None) -> TestSet:
    """Return the test set of a name: one that ``select_test_set`` chose, else the samples of a tag.

    Raises:
        InvalidInput: if no name is given, or if there is no such test set.
    """
    if not name:
        raise InvalidInput("test_set: name the tag of the test set, or the selection that chose it")
    record = record_of_selection(dataset, name)
    if record is not None and is_test_set(record) and state_of(record) in COMPLETE:
        names = record["names"]
        view = all_slices(dataset).exists(names["rank_field"]).sort_by(names["rank_field"])
        if not names.get("number_field"):
            return TestSet(name, view)
        report = getattr(results_of(dataset, name), "report", None) or {}
        return TestSet(name, view, names["number_field"], report.get("population"))
    view = all_slices(dataset).match_tags(name)
    if len(view.limit(1)) == 0:
        known = ", ".join(map(repr, chosen_test_sets(dataset))) or "none"
        raise InvalidInput(
            f"test_set: no sample has the tag {name!r}, and no test set of that name was chosen; those "
            f"chosen are: {known}"
        )
    return TestSet(name, view)


def chosen_test_sets(dataset: Any) -> list[str]:
    """Return the names of the test sets that were chosen, the newest first."""
    found = [one for one in selections(dataset) if is_test_set(one) and state_of(one) in COMPLETE]
    return [one["run_key"] for one in reversed(found)]


def changed_since(dataset: Any, name: str, ids: Sequence[str]) -> str | None:
    """Return a sentence on how a test set differs from the one measured first; None if it does not.

    The samples with which a test set is measured first are remembered with the dataset.

    Args:
        dataset: the dataset.
        name: the name of the test set.
        ids: the samples on which it measures now.
    """
    store = store_of(dataset, REMEMBERED)
    first = store.get(name)
    if not isinstance(first, dict):
        known = list(ids) if len(ids) <= IDS_KEPT else None
        store.set(name, {"count": len(ids), "ids": known})
        return None
    if first["ids"] is None:
        gone, new = max(0, first["count"] - len(ids)), max(0, len(ids) - first["count"])
    else:
        before, now = set(first["ids"]), set(ids)
        gone, new = len(before - now), len(now - before)
    if not gone and not new:
        return None
    return (
        f"the test set {name!r} has changed since it was first measured: {new:,} of its {len(ids):,} "
        f"samples are new and {gone:,} are gone, so metrics before and after do not compare"
    )
