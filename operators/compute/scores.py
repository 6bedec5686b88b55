"""Scores of all samples of a dataset, each written to a field of numbers with a description."""

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
    """A score to compute.

    Attributes:
        field: the field to write.
        entry: the strategy, as an entry of a recipe.
        description: the description of the field in the App.
    """

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
    """Compute scores of all samples and write them to fields, all of the fields or none.

    Args:
        view: the samples.
        wanted: the scores.
        labeled: which samples count as labeled.
        bad: what happens to values that cannot be used: "error" or "leave_out".
        overwrite: whether earlier score fields are replaced.
        device: "auto", "cpu" or "cuda".
        seed: the seed of the random numbers.
        progress: called with the share that is done and a text.

    Returns:
        Counts and notes as plain values.

    Raises:
        InvalidInput: if something is wrong; nothing was written.
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
        columns[one.field] = NewField(
            by_id, one.description, {"method": METHOD, "entry": one.entry}, computed=reading.pool.ids
        )
    reading.notes += write_fields(dataset, columns)
    return {
        "fields": [one.field for one in wanted],
        "scored": {name: len(one.values) for name, one in columns.items()},
        "samples": reading.pool.n,
        "notes": reading.notes,
    }


def _report(report: Progress, share: float, label: str, done: int, total: int) -> None:
    report(share, label)


def check_scores(view: Any, wanted: list[Wanted], labeled: Labeled | None, overwrite: bool) -> Recipe:
    """Check that scores can be computed and written, without reading any sample.

    Returns:
        A recipe with one strategy for each score.

    Raises:
        InvalidInput: if there is no score, if a column is unknown, or if the name of a field is taken.
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
    """Check that the name of a field is valid and free.

    Raises:
        InvalidInput: if it is not an identifier, or if the field exists. With ``overwrite``, an
            existing field is an error only if it was made by another method.
    """
    check_field_name(name)
    check_free(dataset, name, method, "something else", overwrite)
