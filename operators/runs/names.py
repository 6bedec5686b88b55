"""The names under which a selection is written: filled in, and refused where they are taken."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Any

from ...alcore import InvalidInput
from ..dataset.object_fields import list_path
from ..dataset.object_labels import count_tag
from ..dataset.selection_records import METHOD, record_of_selection


@dataclass
class Names:
    """Under which names a selection is written; None for what is not wanted.

    With ``objects``, the field of a list of labels, tag and rank are those of labels, else of samples.
    ``number_field`` holds numbers that come with the selection, of samples that it may not have chosen.
    ``held_out_tag`` and ``held_out_field`` mark samples that it keeps from being chosen later.
    """

    run_key: str
    tag: str | None
    saved_view: str | None
    rank_field: str
    objects: str | None = None
    number_field: str | None = None
    held_out_tag: str | None = None
    held_out_field: str | None = None


def name_selection(
    dataset: Any,
    run_key: str | None,
    tag: str | None,
    saved_view: str | None,
    objects: str | None = None,
) -> Names:
    """Fill in the names that are not given: one from another, else the next free number.

    An empty tag or saved view means that none is wanted.

    Args:
        objects: the field whose labels are to be written on; None for samples.

    Raises:
        InvalidInput: a run key that FiftyOne does not take, or a field that holds no list of labels.
    """
    if not run_key:
        run_key = re.sub(r"\W+", "_", tag or saved_view or "").strip("_").lower()
        if run_key and not run_key.isidentifier():
            run_key = f"selection_{run_key}"
    if not run_key:
        taken = set(dataset.list_runs())
        number = 1
        while f"selection_{number}" in taken:
            number += 1
        run_key = f"selection_{number}"
    if not run_key.isidentifier():
        raise InvalidInput(
            f"run_key: {run_key!r} must start with a letter and hold letters, digits and _ alone"
        )
    return Names(
        run_key=run_key,
        tag=(tag if tag is not None else run_key) or None,
        saved_view=(saved_view if saved_view is not None else tag or run_key) or None,
        rank_field=f"{list_path(dataset, objects)}.{run_key}_rank" if objects else f"{run_key}_rank",
        objects=objects or None,
    )


def check_names(dataset: Any, names: Names, overwrite: bool) -> None:
    """Refuse names that are taken.

    Raises:
        InvalidInput: the tag, saved view, run or field exists; with ``overwrite``, only where it is
            not a selection's own.
    """
    ours = record_of_selection(dataset, names.run_key)
    if names.run_key in dataset.list_runs():
        if ours is None:
            raise InvalidInput(
                f"run_key: {names.run_key!r} is a run of another kind; choose another key"
            )
        if not overwrite:
            raise InvalidInput(
                f"the selection {names.run_key!r} exists; choose another name, or set overwrite"
            )
    own = ours is not None and ours["names"]["rank_field"] == names.rank_field
    if not own and dataset.get_field(names.rank_field) is not None:
        raise InvalidInput(f"field {names.rank_field!r} exists; choose another name")
    _check_number_field(dataset, names, ours["names"].get("number_field") if ours else None)
    held_out = names.held_out_field
    own = ours is not None and ours["names"].get("held_out_field") == held_out
    if held_out and not own and dataset.get_field(held_out) is not None:
        raise InvalidInput(f"field {held_out!r} exists; choose another name")
    shown = ours["names"].get("saved_view") if ours else None
    if overwrite and names.saved_view != shown and dataset.has_saved_view(names.saved_view or ""):
        raise InvalidInput(
            f"saved_view: {names.saved_view!r} exists, and is not this selection's; choose another name"
        )
    if overwrite:
        return
    count = _count_tag(dataset, names)
    if count:
        raise InvalidInput(
            f"tag: {names.tag!r} is in use, by {counted(count, names.objects)}; "
            "choose another, or set overwrite"
        )
    count = _count_sample_tag(dataset, names.held_out_tag)
    if count:
        raise InvalidInput(
            f"tag: {names.held_out_tag!r} is in use, by {counted(count)}; choose another tag than "
            f"{names.tag!r}, or set overwrite"
        )
    if names.saved_view and dataset.has_saved_view(names.saved_view):
        raise InvalidInput(
            f"saved_view: {names.saved_view!r} exists; choose another name, or set overwrite"
        )


def names_in_record(dataset: Any, run_key: str) -> Names:
    """The names under which a selection was written.

    Raises:
        InvalidInput: there is no such selection.
    """
    record = record_of_selection(dataset, run_key)
    if record is None:
        known = ", ".join(map(repr, dataset.list_runs(method=METHOD))) or "none"
        raise InvalidInput(f"there is no selection {run_key!r}; there are: {known}")
    return Names(**record["names"])


def _check_number_field(dataset: Any, names: Names, own: str | None) -> None:
    field = names.number_field
    if field is None:
        return
    if not field.isidentifier():
        raise InvalidInput(
            f"field: {field!r} must start with a letter and hold letters, digits and _ alone"
        )
    if field != own and dataset.get_field(field) is not None:
        raise InvalidInput(f"field {field!r} exists; choose another name")


def _count_tag(dataset: Any, names: Names) -> int:
    """How many have the tag already."""
    if not names.tag:
        return 0
    if names.objects:
        return count_tag(dataset, names.objects, names.tag)
    return _count_sample_tag(dataset, names.tag)


def _count_sample_tag(dataset: Any, tag: str | None) -> int:
    if not tag or tag not in dataset.distinct("tags"):
        return 0
    return int(dataset.match_tags(tag).count())


def counted(count: int, objects: str | None = None) -> str:
    """How many samples, or objects of a field, in words."""
    thing = "object" if objects else "sample"
    return f"{count} {thing}{'s' if count != 1 else ''}{f' of {objects}' if objects else ''}"
