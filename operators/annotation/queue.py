"""The samples of a selection in the order in which they were chosen, and how many are labeled."""

from __future__ import annotations

from typing import Any

import fiftyone as fo
from fiftyone import ViewField

from ...alcore import InvalidInput
from ..dataset.selection_records import record_of_selection, results_of, selections
from ..dataset.views import all_slices
from ..runs.marks import chosen_view
from ..runs.names import Names, names_in_record
from ..runs.records import set_record
from ..runs.writing import check_there


def chosen_samples(dataset: Any, run_key: str) -> Any:
    """Return a view of the samples of a selection, in the order of rank.

    Of a selection of objects, these are the samples that they lie in, in the order first chosen.

    Raises:
        InvalidInput: if there is no such selection, or if none of its samples is left.
    """
    check_there(dataset, run_key)
    names = names_in_record(dataset, run_key)
    if names.objects:
        ids = list(dict.fromkeys(results_of(dataset, run_key).sample_ids))
        view = all_slices(dataset).select(ids, ordered=True)
    else:
        view = chosen_view(dataset, names)
    if not len(view):
        raise InvalidInput(f"{run_key!r} has no sample any more: there is nothing to annotate")
    return view


def note_sent(dataset: Any, run_key: str, sent: dict[str, Any]) -> None:
    """Note in the record of a selection where it was sent.

    What was sent to a tool stays known, so that its labels can come back whatever is sent afterwards.
    """
    before = record_of_selection(dataset, run_key) or {}
    earlier = before.get("sent")
    if earlier and earlier.get("anno_key") and not sent.get("anno_key"):
        set_record(dataset, run_key, sent_also=sent)
        return
    known = list(before.get("sent_before") or [])
    if earlier and earlier.get("anno_key"):
        known.append(earlier)
    set_record(dataset, run_key, sent=sent, sent_before=known, returned=None)


def all_sent(record: dict[str, Any]) -> list[dict[str, Any]]:
    """Return all that a record says was sent, the latest first."""
    return [one for one in (record.get("sent"), *(record.get("sent_before") or [])[::-1]) if one]


def selection_of_key(dataset: Any, anno_key: str) -> str:
    """Return the selection that was sent under an annotation key.

    Raises:
        InvalidInput: if none was.
    """
    by_key = {
        sent["anno_key"]: one["run_key"]
        for one in selections(dataset)
        for sent in all_sent(one)
        if sent.get("anno_key")
    }
    if anno_key not in by_key:
        known = ", ".join(map(repr, by_key)) or "none"
        raise InvalidInput(f"anno_key: nothing was sent under {anno_key!r}; there are: {known}")
    return str(by_key[anno_key])


def count_labeled(dataset: Any, names: Names, field: str | None) -> tuple[int, int]:
    """Return how many samples of a selection there are now, and how many have a label, by one query."""
    chosen = _chosen(dataset, names)
    if chosen is None:
        return 0, 0
    view = all_slices(dataset).match(chosen)
    if not field or dataset.get_field(field) is None:
        return len(view), 0
    total, labeled = view.aggregate([fo.Count(), fo.Count(field)])
    return int(total), int(labeled)


def _chosen(dataset: Any, names: Names) -> Any:
    """Return the expression that is true of the samples of a selection; None if it has no marks."""
    if dataset.get_field(names.rank_field) is None:
        return None
    if not names.objects:
        return ViewField(names.rank_field).exists()
    root, _, rank = names.rank_field.rpartition(".")
    return ViewField(root).filter(ViewField(rank).exists()).length() > 0
