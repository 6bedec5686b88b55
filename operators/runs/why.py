"""Why each sample was chosen, in numbers that need no knowledge of the engine's units."""

from __future__ import annotations

import math
from collections.abc import Iterator
from typing import Any

import faiss
import numpy as np

from ...alcore import Maps, Pool, Recipe, Selection, score
from ...alcore.recipe.models import entry_names
from ...alcore.strategies import Strategy
from ..reading.read import Reading

EXPLAINED = 2000  # the first picks
# The most vectors that are searched for the nearest labeled one of each pick, times the picks.
MOST_PAIRS = 2 * 10**8


def why_of(reading: Reading, chosen: Selection) -> dict[str, Any]:
    """Return why each of the first ``EXPLAINED`` picks was chosen, as plain values.

    Returns:
        A dict with
            ids: the ids of the picks, in the order chosen;
            of: the number of all picks;
            values: for each strategy the value of each pick when it was chosen;
            higher: for each strategy whose values no pick changes, nested ones too, the share of the
                candidates with a lower value, in [0, 1], for each pick;
            classes: the predicted class of each pick; None without predictions of classes;
            short: the classes that have fewer labels than wanted before the selection;
            answered: for each pick that is like a failure, the id of the failure and the distance;
                None where no strategy chooses by failures;
            nearest_labeled, nearest_chosen: for each pick the id of, and the distance to, the nearest
                labeled sample and the nearest other pick; None where nothing was compared.
    """
    pool, recipe = reading.pool, reading.recipe
    rows = chosen.indices[:EXPLAINED]
    reasons = chosen.reasons[:EXPLAINED]
    names = list(dict.fromkeys(name for reason in reasons for name in reason))
    return {
        "ids": [pool.ids[row] for row in rows.tolist()],
        "of": len(chosen),
        "values": {name: [_plain(reason.get(name)) for reason in reasons] for name in names},
        "higher": {name: _share_below(pool, one, rows) for name, one in _scores(recipe, pool)},
        "classes": _classes(pool, rows),
        "short": _short_classes(chosen),
        "answered": _answered(chosen, pool, rows),
        **_nearest(reading, rows),
    }


def _scores(recipe: Recipe, pool: Pool) -> Iterator[tuple[str, Strategy]]:
    """Yield the strategies of the last stage whose scores cost little, nested ones too, by name."""
    strategies = recipe.in_stages()[-1].strategies or []
    for name, entry in zip(entry_names(strategies), strategies, strict=True):
        for one in (entry, *entry.nested()):
            maps = any(isinstance(pool.columns.get(column), Maps) for column in one.judged_by())
            if not (one.alone or one.depends_on_picks or maps or not one.judged_by()):
                yield name if one is entry else one.strategy, one


def _share_below(pool: Pool, entry: Strategy, rows: np.ndarray) -> list[float | None]:
    values = score(pool, entry)
    candidates = np.sort(values[~pool.labeled & np.isfinite(values)])
    below = np.searchsorted(candidates, values[rows], side="left") / max(1, len(candidates))
    return [_plain(one) for one in np.where(np.isfinite(values[rows]), below, np.nan)]


def _classes(pool: Pool, rows: np.ndarray) -> list[str] | None:
    for column, classes in pool.classes.items():
        values = pool.columns[column]
        if getattr(values, "ndim", 0) == 2 and len(classes) == values.shape[1]:
            best = np.asarray(values[rows]).argmax(1)
            missing = pool.missing[column][rows]
            return ["" if gone else classes[one] for one, gone in zip(best, missing, strict=True)]
    return None


def _short_classes(chosen: Selection) -> list[str]:
    """Return the classes whose share among the labeled samples was below the target."""
    short: list[str] = []
    for reached in chosen.report["stages"][-1]["reached"].values():
        target = reached["after"].get("target")
        counts = reached["before"].get("counts")
        if isinstance(target, dict) and isinstance(counts, dict):
            total = sum(counts.values()) or 1
            short += [name for name, share in target.items() if counts.get(name, 0) / total < share]
    return list(dict.fromkeys(short))


def _answered(chosen: Selection, pool: Pool, rows: np.ndarray) -> dict[str, list[Any]] | None:
    for reached in chosen.report["stages"][-1]["reached"].values():
        answers = reached["after"].get("answers")
        if answers:
            pairs = zip(rows.tolist(), answers, chosen.gains.tolist(), strict=False)
            return {
                str(pool.ids[row]): [str(failure), _plain(2 - 2 * similarity)]
                for row, failure, similarity in pairs
                if failure is not None
            }
    return None


def _nearest(reading: Reading, rows: np.ndarray) -> dict[str, Any]:
    pool = reading.pool
    found: dict[str, Any] = {"nearest_labeled": None, "nearest_chosen": None}
    compared = (one.compared_by() for one in reading.recipe.all_strategies())
    column, metric = next((pair for pair in compared if pair), (None, ""))
    if column is None or reading.samples is not None:
        return found
    rows = rows[~pool.missing[column][rows]]
    mine = _vectors(pool, column, rows, metric)
    labeled = np.flatnonzero(pool.labeled & ~pool.missing[column])
    if len(labeled) and len(labeled) * max(1, len(rows)) <= MOST_PAIRS:
        squared, places = faiss.knn(mine, _vectors(pool, column, labeled, metric), 1)
        near = zip(labeled[places[:, 0]], squared[:, 0], strict=True)
        found["nearest_labeled"] = _pairs(pool, rows, near, metric)
    if len(rows) > 1:
        squared, places = faiss.knn(mine, mine, 2)
        # Among copies, a pick need not be the first neighbor of itself.
        other = np.where(places[:, 0] == np.arange(len(rows)), 1, 0)
        each = np.arange(len(rows))
        near = zip(rows[places[each, other]], squared[each, other], strict=True)
        found["nearest_chosen"] = _pairs(pool, rows, near, metric)
    return found


def _vectors(pool: Pool, column: str, rows: np.ndarray, metric: str) -> np.ndarray:
    vectors = np.ascontiguousarray(pool.columns[column][rows], dtype=np.float32)
    if metric == "cosine":
        vectors = vectors / np.maximum(np.linalg.norm(vectors, axis=1, keepdims=True), 1e-30)
    return vectors


def _pairs(pool: Pool, rows: np.ndarray, near: Any, metric: str) -> dict[str, list[Any]]:
    """Return by id of the pick the id of what is near, and the distance."""
    found = {}
    for row, (other, squared) in zip(rows.tolist(), near, strict=True):
        apart = max(0.0, float(squared))
        distance = apart / 2 if metric == "cosine" else math.sqrt(apart)
        found[str(pool.ids[row])] = [str(pool.ids[other]), float(f"{distance:.4g}")]
    return found


def _plain(value: float | None) -> float | None:
    return None if value is None or not math.isfinite(value) else float(f"{value:.6g}")
