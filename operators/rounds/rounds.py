"""The rounds of a dataset: each selection made for labeling, and what became of it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from ..dataset.fields import Choice, label_fields
from ..dataset.fiftyone_private import count_each
from ..dataset.fiftyone_private import state_of as state_of_samples
from ..dataset.selection_records import current_names, is_round, selections
from ..dataset.views import all_slices
from .test_set import chosen_test_sets

# The last counts of each dataset by its name, with what they depend on.
_counts: dict[str, tuple[Any, dict[str, int]]] = {}


@dataclass(frozen=True)
class Round:
    """A selection for labeling, and what became of it.

    Attributes:
        number: 1 for the first round of the dataset.
        run_key: the key of the selection.
        when: the time at which it was made, in ISO format.
        chosen: the number of samples or objects chosen.
        objects: the field of the objects, if objects were chosen.
        rank_field: the field of the ranks.
        label_field: the field in which labels come back; "" if it is not known.
        samples: the number of samples that were chosen, or hold a chosen object, and still exist.
        labeled: the number of these that have a label.
        recipe: the recipe.
        sent: what was sent to annotation: ``backend``, ``anno_key``, ``label_field``, ``at`` and
            ``count``; None if it was not sent by the plugin.
        returned: what the annotation tool said of the labels, such as ``seconds``; None if nothing.
        model: what ``record_model`` recorded; None if nothing yet.
        audit: what ``record_audit`` recorded; None if nothing yet.
    """

    number: int
    run_key: str
    when: str
    chosen: int
    objects: str | None
    rank_field: str
    label_field: str
    samples: int
    labeled: int
    recipe: dict[str, Any]
    sent: dict[str, Any] | None = None
    returned: dict[str, Any] | None = None
    model: dict[str, Any] | None = None
    audit: dict[str, Any] | None = None


def rounds_of(dataset: Any, labels: str) -> list[Round]:
    """Return the rounds of a dataset, the oldest first.

    Test sets, selections that only list what was found, and selections that are not whole are no
    rounds. All are counted by one query, and only once while FiftyOne changes nothing.

    Args:
        dataset: the dataset.
        labels: the field of the labels, for rounds that were not sent to annotation with another one;
            "" for none.
    """
    found = [one for one in selections(dataset) if is_round(one)]
    fields = [_label_field(dataset, one, labels) for one in found]
    ranks = [current_names(one)["rank_field"] for one in found]
    paths: dict[str, list[str]] = {}
    for number, (rank, field) in enumerate(zip(ranks, fields, strict=True)):
        if dataset.get_field(rank) is not None:
            paths[f"samples_{number}"] = [rank]
            if field:
                paths[f"labeled_{number}"] = [rank, field]
    counts = _counted(dataset, paths)
    return [
        Round(
            number=number + 1,
            run_key=one["run_key"],
            when=one["created_at"],
            chosen=one["chosen"],
            objects=one["names"].get("objects"),
            rank_field=ranks[number],
            label_field=fields[number],
            samples=counts.get(f"samples_{number}", 0),
            labeled=counts.get(f"labeled_{number}", 0),
            recipe=one["recipe"],
            **{name: one.get(name) for name in ("sent", "returned", "model", "audit")},
        )
        for number, one in enumerate(found)
    ]


def came_back(dataset: Any, one: Round) -> Any:
    """Return a view of the samples of a round that are labeled now; of all slices of groups."""
    view = all_slices(dataset)
    if not one.label_field or dataset.get_field(one.rank_field) is None:
        return view.limit(0)
    return ranked(dataset, one).exists(one.label_field)


def ranked(dataset: Any, one: Round) -> Any:
    """Return a view of the samples of a round: those chosen, or those that hold a chosen object."""
    # A comparison with a number holds for any element of a list, too.
    return all_slices(dataset).match({one.rank_field: {"$gt": 0}})


def models_to_record(dataset: Any, rounds: list[Round], labels: str) -> list[Choice]:
    """Return the fields that may hold the predictions of a new model, the likeliest first.

    These are the fields of the same type as the labels. Those made since the last round was chosen come
    first, the newest of them before the others; then the one that was recorded last.
    """
    kinds = {one.path: one.holds for one in label_fields(dataset)}
    known = [one.model["predictions"] for one in rounds if one.model]
    since = rounds[-1].when if rounds else ""

    def likely(choice: Choice) -> tuple[bool, str, int]:
        made = dataset.get_field(choice.path).created_at
        text = "" if made is None else made.isoformat()
        is_new = choice.path not in known and text > since
        place = known.index(choice.path) if choice.path in known else -1
        return is_new, text if is_new else "", place

    wanted = kinds.get(labels)
    fitting = [
        Choice(path, holds)
        for path, holds in kinds.items()
        if path != labels and (wanted is None or holds == wanted)
    ]
    return sorted(fitting, key=likely, reverse=True)


def usual_test_set(dataset: Any, rounds: list[Round]) -> str | None:
    """Return the test set that was used last, else the one that was chosen last; None without any."""
    used = [one.model["test_set"] for one in rounds if one.model]
    return next(iter([*reversed(used), *chosen_test_sets(dataset)]), None)


def _counted(dataset: Any, paths: dict[str, list[str]]) -> dict[str, int]:
    """Return what ``count_each`` does, which is kept until a sample is changed or a field is added."""
    if not paths:
        return {}
    key = (state_of_samples(dataset), paths)
    known = _counts.get(dataset.name)
    if known is None or known[0] != key:
        known = _counts[dataset.name] = (key, count_each(dataset, paths))
    return known[1]


def _label_field(dataset: Any, record: dict[str, Any], labels: str) -> str:
    sent = (record.get("sent") or {}).get("label_field")
    candidates = [one for one in (sent, labels) if one]
    return next((one for one in candidates if dataset.get_field(one) is not None), "")
