"""Scores of all samples on a dataset, each a field of numbers with a description."""

from __future__ import annotations

import uuid
from dataclasses import dataclass
from functools import partial
from typing import Any

import fiftyone as fo
import numpy as np

from ...alcore import InvalidInput, Recipe, score
from ..dataset.fiftyone_private import dataset_of
from ..dataset.resumable_field import check_field_name, check_free
from ..reading.read import Bad, Labeled, check, read
from ..runs.run import Progress, throttled

METHOD = "alcore/score"
READ_SHARE, SCORE_SHARE = 0.4, 0.4


@dataclass
class Wanted:
    """One score: the field it goes to, the recipe's entry, and what the field says of itself."""

    field: str
    entry: dict[str, Any]
    description: str = ""


def compute_scores(
    view: Any,
    wanted: list[Wanted],
    labeled: Labeled | None = None,
    bad: Bad = "error",
    overwrite: bool = False,
    device: str = "auto",
    seed: int = 0,
    progress: Progress | None = None,
) -> dict[str, Any]:
    """Write what each entry says of every sample into a field: all of the fields, or none.

    Raises:
        InvalidInput: what is wrong; nothing was written.
    """
    report = throttled(progress)
    dataset = dataset_of(view)
    recipe = check_scores(view, wanted, labeled, overwrite)
    reading = read(view, recipe, labeled, bad, lambda share: report(READ_SHARE * share, "Reading"))
    found = []
    for number, (one, entry) in enumerate(zip(wanted, reading.recipe.strategies or [], strict=True)):
        share = READ_SHARE + SCORE_SHARE * number / len(wanted)
        tell = partial(_tell, report, share, f"Computing {one.field}")
        found.append(score(reading.pool, entry, device, tell, seed))
    report(READ_SHARE + SCORE_SHARE, "Writing")
    ids = np.array(reading.pool.ids, dtype=object)
    columns = {}
    for one, values in zip(wanted, found, strict=True):
        here = np.isfinite(values)
        columns[one.field] = dict(zip(ids[here].tolist(), values[here].tolist(), strict=True))
    write_scores(
        dataset,
        columns,
        {one.field: one.description for one in wanted},
        {one.field: {"method": METHOD, "entry": one.entry} for one in wanted},
    )
    return {
        "fields": [one.field for one in wanted],
        "scored": {name: len(values) for name, values in columns.items()},
        "samples": reading.pool.n,
        "notes": reading.notes,
    }


def _tell(report: Progress, share: float, label: str, done: int, total: int) -> None:
    report(share, label)


def check_scores(view: Any, wanted: list[Wanted], labeled: Labeled | None, overwrite: bool) -> Recipe:
    """Refuse what cannot be computed or written, without reading any sample.

    Raises:
        InvalidInput: no score, an unknown field, or the name of a field that is taken.
    """
    if not wanted:
        raise InvalidInput("scores: name at least one measure")
    names = [one.field for one in wanted]
    for name in names:
        check_score_field(dataset_of(view), name, METHOD, overwrite)
        if names.count(name) > 1:
            raise InvalidInput(f"field: {name!r} is named for two scores; give each a name of its own")
    named = [{"name": one.field, **one.entry} for one in wanted]
    recipe = Recipe.of({"budget": 1, "strategies": named})
    for one, entry in zip(wanted, recipe.strategies or [], strict=True):
        if entry.depends_on_picks and not entry.alone:
            raise InvalidInput(
                f"{one.field}: the values of {entry.strategy!r} change with every sample chosen, so "
                "that there is no score to compute; select by it instead"
            )
    check(view, recipe, labeled)
    return recipe


def check_score_field(dataset: Any, name: str, method: str, overwrite: bool) -> None:
    """Refuse the name of a field that is no identifier, or taken.

    Raises:
        InvalidInput: what is wrong; with ``overwrite``, only where the field is not of this method.
    """
    check_field_name(name)
    check_free(dataset, name, method, "something else", overwrite)


def write_scores(
    dataset: Any,
    columns: dict[str, dict[str, float]],
    descriptions: dict[str, str],
    infos: dict[str, dict[str, Any]],
) -> None:
    """Write fields of numbers by sample id, each with its description: all of them, or none.

    Fields of these names stay as they were until all is written.
    """
    earlier = [name for name in columns if dataset.get_field(name) is not None]
    spare = {name: f"{name}_{uuid.uuid4().hex[:8]}" for name in earlier}
    try:
        for name, values in columns.items():
            field = spare.get(name, name)
            dataset.add_sample_field(
                field, fo.FloatField, description=descriptions[name], info=infos[name]
            )
            dataset.set_values(field, values, key_field="id")
        if earlier:
            _replace(dataset, spare)
    except BaseException:
        _delete(dataset, [spare.get(name, name) for name in columns])
        raise


def _replace(dataset: Any, spare: dict[str, str]) -> None:
    """Put each field's spare in its place."""
    aside = {name: f"{field}_old" for name, field in spare.items()}
    try:
        dataset.rename_sample_fields(aside)
        dataset.rename_sample_fields({field: name for name, field in spare.items()})
    except BaseException:
        back = {old: name for name, old in aside.items() if dataset.get_field(old) is not None}
        _delete(dataset, list(back.values()))
        if back:
            dataset.rename_sample_fields(back)
        raise
    _delete(dataset, list(aside.values()))


def _delete(dataset: Any, names: list[str]) -> None:
    there = [name for name in names if dataset.get_field(name) is not None]
    if there:
        dataset.delete_sample_fields(there)
