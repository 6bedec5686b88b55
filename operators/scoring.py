"""Scores of all samples on a dataset, each a field of numbers with a description."""

from __future__ import annotations

from dataclasses import dataclass
from functools import partial
from typing import Any

import fiftyone as fo
import numpy as np

from ..alcore import InvalidInput, Recipe, score
from ..alcore import recipe as entries
from .reading import Bad, Labelled, check, read
from .running import Progress, throttled

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
    labelled: Labelled | None = None,
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
    dataset = view._dataset
    recipe = check_scores(view, wanted, labelled, overwrite)
    reading = read(view, recipe, labelled, bad, lambda share: report(READ_SHARE * share, "Reading"))
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


def check_scores(view: Any, wanted: list[Wanted], labelled: Labelled | None, overwrite: bool) -> Recipe:
    """Refuse what cannot be computed or written, without reading any sample.

    Raises:
        InvalidInput: no score, an unknown field, or the name of a field that is taken.
    """
    if not wanted:
        raise InvalidInput("scores: name at least one measure")
    names = [one.field for one in wanted]
    for name in names:
        check_score_field(view._dataset, name, METHOD, overwrite)
        if names.count(name) > 1:
            raise InvalidInput(f"field: {name!r} is named for two scores; give each a name of its own")
    named = [{"name": one.field, **one.entry} for one in wanted]
    recipe = Recipe.of({"budget": 1, "strategies": named})
    for one, entry in zip(wanted, recipe.strategies or [], strict=True):
        if isinstance(entry, (entries.Diversity, entries.Coverage, entries.Balance, entries.BatchBald)):
            raise InvalidInput(
                f"{one.field}: the values of {entry.strategy!r} change with every sample chosen, so "
                "that there is no score to compute; select by it instead"
            )
    check(view, recipe, labelled)
    return recipe


def check_score_field(dataset: Any, name: str, method: str, overwrite: bool) -> None:
    """Refuse the name of a field that is no identifier, or taken.

    Raises:
        InvalidInput: what is wrong; with ``overwrite``, only where the field is not of this method.
    """
    if not name.isidentifier():
        raise InvalidInput(
            f"field: {name!r} must start with a letter and hold letters, digits and _ alone"
        )
    taken = dataset.get_field(name)
    if taken is None:
        return
    if (taken.info or {}).get("method") != method:
        raise InvalidInput(f"field: {name!r} exists and holds something else; choose another name")
    if not overwrite:
        raise InvalidInput(f"field: {name!r} exists; choose another name, or set overwrite")


def write_scores(
    dataset: Any,
    columns: dict[str, dict[str, float]],
    descriptions: dict[str, str],
    infos: dict[str, dict[str, Any]],
) -> None:
    """Write fields of numbers by sample id, each with its description: all of them, or none."""
    for name in columns:
        if dataset.get_field(name) is not None:
            dataset.delete_sample_field(name)
    try:
        for name, values in columns.items():
            dataset.add_sample_field(
                name, fo.FloatField, description=descriptions[name], info=infos[name]
            )
            dataset.set_values(name, values, key_field="id")
    except BaseException:
        for name in columns:
            if dataset.get_field(name) is not None:
                dataset.delete_sample_field(name)
        raise
