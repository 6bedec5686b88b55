"""The names under which a selection is written, and their defaults."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Any

from fiftyone.core.utils import to_slug

from ...alcore import InvalidInput
from ..dataset.object_fields import list_path
from ..dataset.resumable_field import check_field_name
from ..dataset.selection_records import METHOD, record_of_selection, selections


class InvalidName(InvalidInput):
    """A name under which a selection cannot be written."""


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

    def fields(self) -> list[str]:
        """Return the fields that are written."""
        return [one for one in (self.rank_field, self.number_field, self.held_out_field) if one]

    def staged(self, suffix: str) -> Names:
        """Return other names with a suffix. The tags are the same; fields, view and run are not."""
        key = f"{self.run_key}_{suffix}"
        root = self.rank_field.rpartition(".")[0]
        return Names(
            run_key=key,
            tag=self.tag,
            saved_view=f"{self.saved_view} {suffix}" if self.saved_view else None,
            rank_field=f"{root}.{key}_rank" if root else f"{key}_rank",
            objects=self.objects,
            number_field=f"{key}_number" if self.number_field else None,
            held_out_tag=self.held_out_tag,
            held_out_field=f"{key}_held_out" if self.held_out_field else None,
        )


def name_selection(
    dataset: Any,
    run_key: str | None,
    tag: str | None,
    saved_view: str | None,
    objects: str | None = None,
) -> Names:
    """Fill in the names that are not given.

    A missing run key is made from the letters and digits of the tag or the saved view. If they have
    none from A to Z, it is the key of the selection with this tag, else the next free ``selection_1``,
    ``selection_2``, ... A missing tag is the run key. A missing saved view has the name of the tag if
    FiftyOne can use it, else the run key.

    Args:
        dataset: the dataset.
        run_key: the key of the run; None for a default.
        tag: the tag; None for a default, "" for no tag.
        saved_view: the saved view; None for a default, "" for no saved view.
        objects: the field of the labels on which the selection is written; None for samples.

    Raises:
        InvalidName: if a name cannot be used.
        InvalidInput: if the field does not hold a list of labels.
    """
    for option, name in (("tag", tag), ("saved_view", saved_view)):
        if name and not name.strip():
            raise InvalidName(f"{option}: {name!r} holds blanks alone; choose another, or none")
    if not run_key:
        run_key = _key_from(dataset, tag, saved_view)
    check_name("run_key", run_key)
    if saved_view and not _has_slug(saved_view):
        raise InvalidName(
            f"saved_view: FiftyOne needs a letter from A to Z or a digit in {saved_view!r}, at most "
            "1,551 characters; choose another name"
        )
    if saved_view is None:
        saved_view = tag if tag and _has_slug(tag) else run_key
    return Names(
        run_key=run_key,
        tag=(tag if tag is not None else run_key) or None,
        saved_view=saved_view or None,
        rank_field=f"{list_path(dataset, objects)}.{run_key}_rank" if objects else f"{run_key}_rank",
        objects=objects or None,
    )


def check_name(option: str, name: str) -> None:
    """Check that a text can be the key of a run or the name of a field.

    Raises:
        InvalidName: if it cannot; ``option`` is part of the message.
    """
    try:
        check_field_name(name, option)
    except InvalidInput as error:
        raise InvalidName(str(error)) from None


def _key_from(dataset: Any, tag: str | None, saved_view: str | None) -> str:
    key = re.sub(r"[^0-9A-Za-z]+", "_", tag or saved_view or "").strip("_").lower()
    if key:
        return key if key.isidentifier() else f"selection_{key}"
    same = [one["run_key"] for one in selections(dataset) if tag and one["names"]["tag"] == tag]
    if same:
        return str(same[0])
    taken = set(dataset.list_runs())
    number = 1
    while f"selection_{number}" in taken:
        number += 1
    return f"selection_{number}"


def _has_slug(name: str) -> bool:
    try:
        return bool(to_slug(name))
    except ValueError:
        return False


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


def counted(count: int, objects: str | None = None) -> str:
    """Return a count of samples, or of objects of a field, as text, such as "3 samples"."""
    thing = "object" if objects else "sample"
    return f"{count} {thing}{'s' if count != 1 else ''}{f' of {objects}' if objects else ''}"
