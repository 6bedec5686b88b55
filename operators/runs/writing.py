"""Writes and undoes selections of a dataset, such that a process may be killed at any point.

The record of a selection is written first and removed last. It tells the state of the selection, so
that ``undo``, or the same call again, can complete or remove what a killed process left. A selection
that replaces another one is first written completely under staged names; only then the other one is
removed, and the names are changed.
"""

from __future__ import annotations

import uuid
from collections.abc import Collection
from contextlib import suppress
from typing import Any

from ...alcore import InvalidInput, Selection
from ..dataset.fiftyone_private import dataset_of, delete_saved_view, refresh, saved_view_like
from ..dataset.selection_records import (
    COMPLETE,
    METHOD,
    RENAMING,
    REPLACING,
    UNDOING,
    WHOLE,
    WRITING,
    claims_of_tag,
    record_of_selection,
    records_of_key,
    results_of,
    selections,
    state_of,
)
from ..dataset.views import values_elsewhere
from .checks import check_names
from .lock import locked
from .marks import (
    TOKEN,
    Step,
    add_marks,
    copy_fields,
    own_saved_view,
    owns_field,
    pairs_of,
    remove_fields,
    remove_marks,
    save_chosen_view,
    to_be_tagged,
)
from .names import Names
from .records import config_of, results_of_selection, set_record


def write(
    view: Any,
    chosen: Selection,
    names: Names,
    recipe: dict[str, Any],
    details: dict[str, Any],
    overwrite: bool = False,
    samples: list[str] | None = None,
    to_tag: list[str] | None = None,
    numbers: dict[str, float] | None = None,
    measured: Collection[str] | None = None,
    held_out: list[str] | None = None,
    known: Collection[str] | None = None,
) -> None:
    """Write a selection completely or not at all: run record, ranks, tag and saved view.

    Args:
        view: the view from which the selection was chosen.
        chosen: the selection.
        names: the names under which it is written.
        recipe: the recipe as plain values.
        details: further entries of the record.
        overwrite: whether an earlier selection with this run key is replaced.
        samples: if objects were chosen, the sample id of each one. If ``names.objects`` is None, the
            ranks and the tag are written on these samples, in the order in which they first occur.
        to_tag: the ids of the chosen samples that get the tag; None for all.
        numbers: maps sample ids to the values of ``names.number_field``.
        measured: the ids of all samples that were measured. If the field is replaced, the values of all
            other samples stay; None if no values stay.
        held_out: the ids of samples that were not chosen and that later selections must not choose.
        known: the tokens of the selections whose samples were not to be chosen; see ``tokens``. None if
            samples may be chosen twice.

    Raises:
        InvalidInput: if a name is taken, or if another selection has chosen some of these samples
            meanwhile.
    """
    dataset = dataset_of(view)
    results = results_of_selection(chosen, names, samples, to_tag, held_out)
    with locked(dataset) as step:
        refresh(dataset)
        _settle(dataset, names.run_key, step)
        check_names(dataset, names, overwrite)
        _check_not_taken(dataset, names, results, known)
        replaced = record_of_selection(dataset, names.run_key)
        numbers = {**_numbers_elsewhere(dataset, names, replaced, measured), **(numbers or {})}
        token = uuid.uuid4().hex
        staged = names.staged(token[:8]) if replaced else None
        key = (staged or names).run_key
        _add_claims(dataset, names, results, key)
        config = config_of(names, staged, token, recipe, results, details)
        try:
            step()
            view.register_run(key, dataset.init_run(**config))
            stored = dataset.init_run_results(key, **results)
            dataset.save_run_results(key, stored, overwrite=True, cache=False)
            described = details.get("number_description")
            add_marks(dataset, staged or names, token, results, numbers, described, step)
            set_record(dataset, key, state=REPLACING if replaced else WHOLE)
        except BaseException:
            with suppress(InvalidInput):
                _remove(dataset, key)
            raise
        if replaced:
            _finish(dataset, key, step)


def undo(dataset: Any, run_key: str) -> int:
    """Remove exactly what a selection added; what the user has changed since then stays.

    Returns:
        The number of samples or objects that the selection had marked.

    Raises:
        InvalidInput: if there is no such selection.
    """
    with locked(dataset) as step:
        refresh(dataset)
        check_there(dataset, run_key)
        found = records_of_key(dataset, run_key)
        counts = []
        for one in found:
            step()
            counts.append(_remove(dataset, one["run_key"]))
        return max(counts)


def check_there(dataset: Any, run_key: str | None) -> None:
    """Check that a selection exists, whole or not.

    Raises:
        InvalidInput: if not; it lists those that exist.
    """
    if not records_of_key(dataset, run_key or ""):
        known = ", ".join(map(repr, dataset.list_runs(method=METHOD))) or "none"
        raise InvalidInput(f"there is no selection {run_key!r}; there are: {known}")


def tokens(dataset: Any) -> set[str]:
    """Return what identifies each selection that a dataset has now; a replaced one counts as new."""
    return {_token_of(one) for one in selections(dataset)}


def _token_of(record: dict[str, Any]) -> str:
    return record.get(TOKEN) or f"{record['run_key']} {record['created_at']}"


def _settle(dataset: Any, run_key: str, step: Step) -> None:
    """Complete or remove what killed processes left of the selections of a key."""
    for one in records_of_key(dataset, run_key):
        state = state_of(one)
        if state in (WRITING, UNDOING):
            step()
            _remove(dataset, one["run_key"])
        elif state in (REPLACING, RENAMING):
            _finish(dataset, one["run_key"], step)


def _finish(dataset: Any, key: str, step: Step) -> None:
    """Remove the selection that another one replaces, and give the latter its names.

    Args:
        dataset: the dataset.
        key: the key of the selection that replaces the other one; it is complete.
        step: called before each command that writes.
    """
    record = record_of_selection(dataset, key) or {}
    names, staged, token = Names(**record["names"]), Names(**record["staged"]), record[TOKEN]
    if state_of(record) == REPLACING:
        if record_of_selection(dataset, names.run_key) is not None:
            step()
            _remove(dataset, names.run_key)
        step()
        results = vars(results_of(dataset, key))
        copy_fields(dataset, staged, names, token, results)
        if names.saved_view and saved_view_like(dataset, names.saved_view) is None:
            step()
            save_chosen_view(dataset, names, len(results["ids"]))
        set_record(dataset, key, state=RENAMING)
    step()
    shown = own_saved_view(dataset, staged)
    if shown is not None:
        delete_saved_view(dataset, shown)
    remove_fields(dataset, staged, token)
    if key != names.run_key:
        step()
        dataset.rename_run(key, names.run_key)
    set_record(dataset, names.run_key, state=WHOLE, staged=None)


def _remove(dataset: Any, key: str) -> int:
    """Remove a selection, in whatever state it is; return the number of ranks it had."""
    record = record_of_selection(dataset, key)
    if record is None:
        return 0
    results, token = results_of(dataset, key), record.get(TOKEN)
    set_record(dataset, key, state=UNDOING)

    def others(tag: str, objects: str | None) -> set[Any]:
        return claims_of_tag(dataset, tag, objects, key)

    names, staged = Names(**record["names"]), record.get("staged")
    if staged:
        remove_marks(dataset, Names(**staged), token, results, others)
    # Until the other selection is removed, marks under the final names are those of the other one.
    if not staged or key == names.run_key or record_of_selection(dataset, names.run_key) is None:
        remove_marks(dataset, names, token, results, others)
    dataset.delete_run(key)
    return len(results.ids) if results is not None else 0


def _add_claims(dataset: Any, names: Names, results: dict[str, Any], key: str) -> None:
    """Add to the results which samples or objects the tags belong to this selection on."""
    if names.tag and names.objects:
        pairs = pairs_of(results)
        results["tagged"] = to_be_tagged(dataset, names.tag, names.objects, pairs, key)
    elif names.tag:
        wanted = results["ids"] if results["to_tag"] is None else results["to_tag"]
        results["tagged"] = to_be_tagged(dataset, names.tag, None, wanted, key)
    if names.held_out_tag:
        held_out = results["held_out"]
        results["held_out_tagged"] = to_be_tagged(dataset, names.held_out_tag, None, held_out, key)


def _numbers_elsewhere(
    dataset: Any, names: Names, replaced: dict[str, Any] | None, measured: Collection[str] | None
) -> dict[str, Any]:
    """Return the values of a field that is replaced, of the samples that were not measured again."""
    field = names.number_field
    if replaced is None or field is None or measured is None:
        return {}
    if not owns_field(dataset, field, replaced.get(TOKEN)):
        return {}
    return values_elsewhere(dataset, field, measured)


def _check_not_taken(
    dataset: Any, names: Names, results: dict[str, Any], known: Collection[str] | None
) -> None:
    """Check that no selection made since then has chosen, or held out, what was chosen.

    Raises:
        InvalidInput: if one has.
    """
    if known is None:
        return
    for one in selections(dataset):
        mine = one["run_key"] == names.run_key
        same = one["names"].get("objects") == names.objects
        is_known = _token_of(one) in known or state_of(one) not in COMPLETE
        if mine or is_known or not same or not one.get("to_label", True):
            continue
        theirs = results_of(dataset, one["run_key"])
        taken = {*theirs.ids, *theirs.held_out} & {*results["ids"], *results["held_out"]}
        if taken:
            raise InvalidInput(
                f"the selection {one['run_key']!r} has chosen {len(taken):,} of these "
                f"{len(results['ids']):,} meanwhile; choose again, and others will be chosen"
            )
