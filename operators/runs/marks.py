"""What a selection adds to a dataset: fields, tags and a saved view. Adds it and removes it."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Any

import fiftyone as fo

from ..dataset.fiftyone_private import (
    dataset_of,
    delete_saved_view,
    make_writable,
    plain_stages,
    pull_label_tag,
    pull_tag,
    saved_view_like,
    shows_parts,
    stages_of,
    unset,
)
from ..dataset.object_labels import (
    add_tag,
    chosen_objects,
    chosen_objects_stages,
    has_tag,
    set_ranks,
)
from ..dataset.selection_records import claims_of_tag
from ..dataset.views import all_slices, views_of
from .names import Names, counted

# The entry of ``field.info`` by which a selection recognizes its fields.
TOKEN = "selection"

Step = Callable[[], None]


def add_marks(
    dataset: Any,
    names: Names,
    token: str,
    results: dict[str, Any],
    numbers: dict[str, float],
    number_description: str | None,
    step: Step,
) -> None:
    """Add the fields, tags and saved view of a selection.

    Args:
        dataset: the dataset.
        names: the names of what is added.
        token: marks the fields as those of this selection.
        results: the results of the run; see ``records``.
        numbers: maps sample ids to the values of ``names.number_field``.
        number_description: the description of this field.
        step: called before each command that writes.
    """
    ids, held_out = results["ids"], results["held_out"]
    about = {"info": {TOKEN: token}}
    everyone = all_slices(dataset)
    step()
    _add_ranks(dataset, names, token, results)
    if names.number_field:
        step()
        dataset.add_sample_field(
            names.number_field, _type_of(numbers), description=number_description, **about
        )
        everyone.set_values(names.number_field, numbers, key_field="id")
    if names.held_out_field:
        step()
        dataset.add_sample_field(
            names.held_out_field,
            fo.BooleanField,
            description=f"Kept by {names.run_key} from being trained on",
            **about,
        )
        everyone.set_values(names.held_out_field, dict.fromkeys(held_out, True), key_field="id")
    step()
    if names.held_out_tag:
        _tag(dataset, names.held_out_tag, results["held_out_tagged"])
    if names.tag and names.objects:
        add_tag(dataset, names.objects, names.tag, results["tagged"])
    elif names.tag:
        _tag(dataset, names.tag, results["tagged"])
    if names.saved_view:
        step()
        save_chosen_view(dataset, names, len(ids))


def remove_marks(
    dataset: Any,
    names: Names,
    token: str | None,
    results: Any,
    others: Callable[[str, str | None], set[Any]],
) -> None:
    """Remove what a selection added, as far as it is still there and still what the selection made.

    Args:
        dataset: the dataset.
        names: the names of what was added.
        token: marks the fields of this selection; None for records of earlier versions.
        results: the results of the run; None if nothing was added yet, or if all was removed.
        others: returns the ids that other selections mark with a tag, of samples or of the objects of a
            field.
    """
    tagged = getattr(results, "tagged", None) or []
    if names.tag and names.objects:
        claimed = others(names.tag, names.objects)
        mine = [pair for pair in map(tuple, tagged) if pair not in claimed]
        pull_label_tag(dataset, names.rank_field.rpartition(".")[0], names.tag, mine)
    elif names.tag:
        _untag(dataset, names.tag, tagged, others)
    if names.held_out_tag:
        held_out = getattr(results, "held_out_tagged", None) or []
        _untag(dataset, names.held_out_tag, held_out, others)
    shown = own_saved_view(dataset, names)
    if shown is not None:
        delete_saved_view(dataset, shown)
    remove_fields(dataset, names, token)


def copy_fields(dataset: Any, names: Names, copies: Names, token: str, results: dict[str, Any]) -> None:
    """Copy the fields of a selection to other names. Copies that a killed process left are replaced."""
    remove_fields(dataset, copies, token)
    _add_ranks(dataset, copies, token, results)
    for path, copy in zip(names.fields(), copies.fields(), strict=True):
        if path != names.rank_field:
            dataset.clone_sample_field(path, copy)


def remove_fields(dataset: Any, names: Names, token: str | None) -> None:
    """Delete the fields of a selection; a field of the same name that it did not make stays."""
    for path in names.fields():
        unset(dataset, path)  # if a process was killed while FiftyOne copied or deleted it
        if not owns_field(dataset, path, token):
            continue
        field = dataset.get_field(path)
        if field.read_only:
            make_writable(field)
        dataset.delete_sample_field(path)


def owns_field(dataset: Any, path: str, token: str | None) -> bool:
    """Return whether a field exists and was made by the selection with this token."""
    field = dataset.get_field(path)
    return field is not None and (field.info or {}).get(TOKEN) == token


def save_chosen_view(dataset: Any, names: Names, count: int) -> None:
    """Save the view of what was chosen, in the order chosen."""
    dataset.save_view(
        names.saved_view,
        chosen_view(dataset, names),
        description=f"Selection {names.run_key}: {counted(count, names.objects)}, in the order chosen",
    )


def own_saved_view(dataset: Any, names: Names) -> str | None:
    """Return the name of the saved view that shows this selection; None if there is none.

    A saved view of that name that shows something else is not the one that the selection made.
    """
    found = saved_view_like(dataset, names.saved_view) if names.saved_view else None
    if found is None:
        return None
    # The field of the objects may be gone, and with it what tells whether they were shown as patches.
    both = [_chosen_stages(dataset, names, as_patches) for as_patches in (True, False)]
    return found[0] if any(found[1] == plain_stages(stages) for stages in both) else None


def chosen_view(dataset: Any, names: Names) -> Any:
    """Return a view of the chosen samples or objects, in the order in which they were chosen.

    The view does not list ids, so it stays small for any number of samples.
    """
    if names.objects:
        return chosen_objects(dataset, names.objects, names.rank_field)
    return all_slices(dataset).exists(names.rank_field).sort_by(names.rank_field)


def shows(view: Any, names: Names) -> bool:
    """Return whether a view is the one that shows this selection."""
    if not names.objects and shows_parts(view):
        return False
    return plain_stages(stages_of(view)) == plain_stages(_chosen_stages(dataset_of(view), names))


def pairs_of(results: dict[str, Any]) -> list[tuple[str, str]]:
    """Return the chosen objects as pairs of the sample's id and the label's id."""
    return list(zip(results["sample_ids"], results["ids"], strict=True))


def to_be_tagged(
    dataset: Any, tag: str, objects: str | None, ids: Iterable[Any], but: str
) -> list[Any]:
    """Return those of some samples or objects whose tag belongs to a selection from now on.

    Those that have the tag already, and not from another selection, keep it when the selection is
    undone.

    Args:
        dataset: the dataset.
        tag: the tag.
        objects: the field of the objects; None for samples.
        ids: the ids of samples, or pairs of the ids of sample and label.
        but: the key of the selection's own run.
    """
    wanted = list(ids)
    if objects:
        there = has_tag(dataset, objects, tag, wanted)
    else:
        there = {one for view in views_of(dataset, wanted) for one in view.match_tags(tag).values("id")}
    theirs = there - claims_of_tag(dataset, tag, objects, but) if there else there
    return [one for one in wanted if one not in theirs]


def _add_ranks(dataset: Any, names: Names, token: str, results: dict[str, Any]) -> None:
    dataset.add_sample_field(
        names.rank_field,
        fo.IntField,
        description=f"Place in the selection {names.run_key}",
        info={TOKEN: token},
    )
    if names.objects:
        set_ranks(dataset, names.rank_field, pairs_of(results))
    else:
        ranks = {one: rank for rank, one in enumerate(results["ids"], start=1)}
        all_slices(dataset).set_values(names.rank_field, ranks, key_field="id")


def _chosen_stages(dataset: Any, names: Names, as_patches: bool | None = None) -> list[Any]:
    """Return the stages of ``chosen_view``, without checking that the fields exist."""
    if names.objects:
        return chosen_objects_stages(dataset, names.objects, names.rank_field, as_patches)
    stages = stages_of(all_slices(dataset))
    return [*stages, fo.Exists(names.rank_field), fo.SortBy(names.rank_field)]


def _tag(dataset: Any, tag: str, ids: list[str]) -> None:
    for view in views_of(dataset, ids):
        view.tag_samples(tag)


def _untag(
    dataset: Any, tag: str, ids: list[str], others: Callable[[str, str | None], set[Any]]
) -> None:
    claimed = others(tag, None) if ids else set()
    pull_tag(dataset, tag, [one for one in ids if one not in claimed])


def _type_of(numbers: dict[str, float]) -> type:
    """Return the field type that fits all of the numbers."""
    kinds = set(map(type, numbers.values()))
    if kinds == {bool}:
        return fo.BooleanField
    return fo.IntField if kinds <= {int} else fo.FloatField
