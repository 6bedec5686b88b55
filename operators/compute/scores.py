"""Scores of all samples on a dataset, each a field of numbers with a description."""

from __future__ import annotations

from dataclasses import dataclass
from functools import partial
from typing import Any

import numpy as np

from ...alcore import InvalidInput, Recipe, score
from ..dataset.field_swap import NewField, write_fields
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
        progress_of = partial(_report, report, share, f"Computing {one.field}")
        found.append(score(reading.pool, entry, device, progress_of, seed))
    report(READ_SHARE + SCORE_SHARE, "Writing")
    ids = np.array(reading.pool.ids, dtype=object)
    columns = {}
    for one, values in zip(wanted, found, strict=True):
        here = np.isfinite(values)
        by_id = dict(zip(ids[here].tolist(), values[here].tolist(), strict=True))
        columns[one.field] = NewField(by_id, one.description, {"method": METHOD, "entry": one.entry})
    write_fields(dataset, columns)
    return {
        "fields": [one.field for one in wanted],
        "scored": {name: len(one.values) for name, one in columns.items()},
        "samples": reading.pool.n,
        "notes": reading.notes,
    }


def _report(report: Progress, share: float, label: str, done: int, total: int) -> None:
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
