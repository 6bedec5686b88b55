"""The names under which a selection is written: defaults, and checks that they are free."""

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
    """The names under which a selection is written; None for what is not written.

    Attributes:
        run_key: the key of the FiftyOne run that records the selection.
        tag: the tag of what was chosen.
        saved_view: the saved view of what was chosen.
        rank_field: the field of the ranks, from 1, in the order chosen.
        objects: a field of label lists. If given, the tag and the ranks are written on its labels,
            else on samples.
        number_field: a field of numbers that belong to the selection. Samples that were not chosen may
            have such a number too.
        held_out_tag: the tag of samples that later selections must not choose.
        held_out_field: the field that marks these samples.
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
    """Fill in the names that are not given.

    A missing run key is made from the tag or the saved view, else it is the next free ``selection_1``,
    ``selection_2``, ... A missing tag or saved view is named after the others.

    Args:
        dataset: the dataset.
        run_key: the key of the run; None for a default.
        tag: the tag; None for a default, "" for no tag.
        saved_view: the saved view; None for a default, "" for no saved view.
        objects: the field of the labels on which the selection is written; None for samples.

    Raises:
        InvalidInput: if the run key is not an identifier, or if the field does not hold a list of
            labels.
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
    """Check that names are free.

    Raises:
        InvalidInput: if the tag, saved view, run or a field exists. With ``overwrite``, tags may be in
            use, and what this selection made itself may be replaced.
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
    """Return the names under which a selection was written.

    Raises:
        InvalidInput: if there is no such selection.
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
    """Return the number of samples or objects that already have the tag."""
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
    """Return a count of samples, or of objects of a field, as text, such as "3 samples"."""
    thing = "object" if objects else "sample"
    return f"{count} {thing}{'s' if count != 1 else ''}{f' of {objects}' if objects else ''}"
