"""Two rounds side by side: what they share, how balanced their classes are, what they cover."""

from __future__ import annotations

from typing import Any

import numpy as np

from ...alcore.geometry.distance_statistics import distances_to
from ...alcore.strategies import Reads
from ..dataset.fields import embedding_fields
from ..dataset.views import all_slices
from ..reading.read import read_columns
from ..runs.run import Progress
from .audit import read_labels
from .rounds import Round, ranked

REST = 5000  # so many samples of the rest of the pool are drawn, whose distances are computed


def compare(
    dataset: Any, one: Round, other: Round, report: Progress = lambda share, label: None
) -> list[list[str]]:
    """Return a table of two rounds: rows of a name and a text for each of the two.

    Args:
        dataset: the dataset.
        one: a round.
        other: another one.
        report: called with the share that is done, from 0 to 1, and a text.
    """
    both = (one, other)
    ids = [ranked(dataset, each).values("id") for each in both]
    shared = len(set(ids[0]) & set(ids[1]))
    rows = [
        ["samples", *(f"{len(mine):,}" for mine in ids)],
        ["also in the other", *(_share(shared, len(mine)) for mine in ids)],
        ["labeled", *(_share(each.labeled, each.samples) for each in both)],
    ]
    report(0.2, "Reading the labels")
    labels = [read_labels(dataset, each) if each.labeled else None for each in both]
    if all(labels):
        classes = [found.classes for found in labels if found is not None]
        rows.append(["classes", *(f"{len(+mine)}" for mine in classes)])
        rows.append(
            ["balance of classes (1: all alike)", *(f"{evenness(mine):.2f}" for mine in classes)]
        )
        for name, _ in (classes[0] + classes[1]).most_common(5):
            shares = [_share(mine[name], mine.total()) for mine in classes]
            rows.append([f"labels of {name}", *shares])
    report(0.5, "Measuring distances")
    rows += _coverage(dataset, one, other, ids)
    return rows


def evenness(counts: Any) -> float:
    """Return the entropy of class counts over the largest possible one: 1 if all are alike.

    It is 0 for a single class, and for none.
    """
    values = np.array([count for count in counts.values() if count], dtype=np.float64)
    if len(values) < 2:
        return 0.0
    shares = values / values.sum()
    return float(-(shares * np.log(shares)).sum() / np.log(len(values)))


def _coverage(dataset: Any, one: Round, other: Round, ids: list[list[str]]) -> list[list[str]]:
    """Return the mean distance of the rest of the pool to the nearest sample of each round.

    The rest is in neither round. There is no row without embeddings, or without a rest.
    """
    column = _column(dataset, one, other)
    if column is None:
        return []
    chosen = set(ids[0]) | set(ids[1])
    rest = [sample for sample in all_slices(dataset).values("id") if sample not in chosen]
    draw = np.random.default_rng(0).permutation(len(rest))[:REST]
    wanted = [*chosen, *(rest[row] for row in draw.tolist())]
    pool = read_columns(
        all_slices(dataset).select(wanted), {column: Reads.VECTORS}, bad="leave_out"
    ).pool
    here = ~pool.missing[column]
    names = np.array(pool.ids, dtype=object)
    left = np.flatnonzero(here & ~np.isin(names, list(chosen)))
    centers = [np.flatnonzero(here & np.isin(names, mine)) for mine in ids]
    if not len(left) or not all(len(mine) for mine in centers):
        return []
    vectors = pool.columns[column]
    means = [distances_to(vectors, left, mine).mean() for mine in centers]
    return [[f"mean distance of the rest to the nearest, by {column}", *(f"{m:.3g}" for m in means)]]


def _column(dataset: Any, one: Round, other: Round) -> str | None:
    """Return the embeddings by which the rounds compare: those a recipe names, else the first."""
    known = [choice.path for choice in embedding_fields(dataset)]
    named = str(one.recipe) + str(other.recipe)
    return next((path for path in known if repr(path) in named), next(iter(known), None))


def _share(count: int, of: int) -> str:
    return f"{count:,} ({count / of:.0%})" if of else "0"
