"""Checks that a selection can be written under its names."""

from __future__ import annotations

from typing import Any

from ..dataset.fiftyone_private import saved_view_like
from ..dataset.object_fields import list_path
from ..dataset.object_labels import count_tag, has_tag
from ..dataset.selection_records import (
    COMPLETE,
    record_of_selection,
    records_of_key,
    results_of,
    state_of,
)
from ..dataset.views import all_slices, views_of
from .marks import TOKEN, own_saved_view, owns_field
from .names import InvalidName, Names, check_name, counted


def check_names(dataset: Any, names: Names, overwrite: bool) -> None:
    """Check that names are free, and that FiftyOne allows to write the tag.

    Raises:
        InvalidName: if the tag, saved view, run or a field exists. With ``overwrite``, tags may be in
            use, and what this selection made itself may be replaced. What a killed process left of this
            selection does not count.
    """
    mine = records_of_key(dataset, names.run_key)
    is_whole = any(state_of(one) in COMPLETE for one in mine)
    if names.run_key in dataset.list_runs() and record_of_selection(dataset, names.run_key) is None:
        raise InvalidName(f"run_key: {names.run_key!r} is a run of another kind; choose another key")
    if is_whole and not overwrite:
        raise InvalidName(
            f"the selection {names.run_key!r} exists; choose another name, or set overwrite"
        )
    if names.number_field:
        check_name("field", names.number_field)
    for path in names.fields():
        if dataset.get_field(path) is not None and not any(
            owns_field(dataset, path, one.get(TOKEN)) for one in mine
        ):
            raise InvalidName(f"field {path!r} exists; choose another name")
    _check_saved_view(dataset, names, mine)
    _check_writable(dataset, names)
    if overwrite:
        return
    for tag, objects in ((names.tag, names.objects), (names.held_out_tag, None)):
        count = _count_tag(dataset, tag, objects, mine)
        if count:
            other = "another" if tag == names.tag else f"another tag than {names.tag!r}"
            raise InvalidName(
                f"tag: {tag!r} is in use, by {counted(count, objects)}; "
                f"choose {other}, or set overwrite"
            )


def _check_saved_view(dataset: Any, names: Names, mine: list[dict[str, Any]]) -> None:
    found = saved_view_like(dataset, names.saved_view) if names.saved_view else None
    if found is None:
        return
    written = [one[key] for one in mine for key in ("names", "staged") if one.get(key)]
    if any(own_saved_view(dataset, Names(**one)) == found[0] for one in written):
        return
    name, theirs = names.saved_view, found[0]
    same = "" if name == theirs else f" as {theirs!r}, which is the same to FiftyOne"
    raise InvalidName(
        f"saved_view: {name!r} exists{same}, and is not this selection's; choose another name"
    )


def _check_writable(dataset: Any, names: Names) -> None:
    """Check that the fields of the tags are not read-only.

    Raises:
        InvalidName: which is.
    """
    paths = ["tags"] if (names.tag and not names.objects) or names.held_out_tag else []
    if names.objects:
        root = list_path(dataset, names.objects)
        paths += [names.objects, root, *([f"{root}.tags"] if names.tag else [])]
    for path in paths:
        field = dataset.get_field(path)
        if field is not None and field.read_only:
            otherwise = "" if names.objects else ", or leave the tag empty"
            raise InvalidName(
                f"field {path!r} is read-only, so what is chosen cannot be marked in it; set its "
                f"read_only to False{otherwise}"
            )


def _count_tag(dataset: Any, tag: str | None, objects: str | None, mine: list[dict[str, Any]]) -> int:
    """Return the number of samples or objects with a tag that this selection has not tagged itself."""
    if not tag:
        return 0
    if objects:
        count = count_tag(dataset, objects, tag)
    elif tag not in all_slices(dataset).distinct("tags"):
        count = 0
    else:
        count = int(all_slices(dataset).match_tags(tag).count())
    return count - _count_own(dataset, tag, objects, mine) if count and mine else count


def _count_own(dataset: Any, tag: str, objects: str | None, mine: list[dict[str, Any]]) -> int:
    found: set[Any] = set()
    for one in mine:
        results = results_of(dataset, one["run_key"])
        listed = "tagged" if one["names"]["tag"] == tag else "held_out_tagged"
        ids = getattr(results, listed, None) or []
        if objects:
            found |= has_tag(dataset, objects, tag, list(map(tuple, ids)))
        else:
            found |= {s for view in views_of(dataset, ids) for s in view.match_tags(tag).values("id")}
    return len(found)
