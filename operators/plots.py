"""Plots of a selection that is not written yet: what would be chosen, and why. Few points, as SVG."""

from __future__ import annotations

from typing import Any

import numpy as np
from sklearn.decomposition import PCA

from ..alcore import Maps, Pool, Recipe, Selection, score
from ..alcore import recipe as entries

POOL, LABELLED, CHOSEN, TARGET = "#8a8f98", "#4c9be8", "#ff6d04", "#59b36b"
BINS = 40
POINTS = 1500  # of each kind in the plane; more can be drawn, but not told apart
CLASSES = 30
LETTERS = 18

LAYOUT: dict[str, Any] = {
    "paper_bgcolor": "rgba(0,0,0,0)",
    "plot_bgcolor": "rgba(0,0,0,0)",
    "font": {"color": "#9aa0a8", "size": 11},
    "margin": {"l": 50, "r": 10, "t": 10, "b": 50},
    "legend": {"orientation": "h", "y": 1.12, "x": 0},
    "bargap": 0.05,
}
AXIS = {"gridcolor": "rgba(128,128,128,0.25)", "zeroline": False}


def score_plot(pool: Pool, recipe: Recipe, chosen: Selection) -> dict[str, Any]:
    """The distribution of what is not known of the pool, with the chosen marked; else gains by pick."""
    entry = _informativeness(recipe, pool)
    if entry is None:
        return _gains(chosen)
    values = score(pool, entry)
    everyone = values[~pool.labelled & np.isfinite(values)]
    mine = values[chosen.indices]
    high = max(1.0 if entry.strategy == "uncertainty" else 0.0, float(everyone.max(initial=0)))
    edges = np.linspace(0, high or 1.0, BINS + 1)
    middle = ((edges[1:] + edges[:-1]) / 2).round(4).tolist()
    traces = [
        _bars("pool", middle, np.histogram(everyone, edges)[0] / max(1, len(everyone)), POOL),
        _bars("chosen", middle, np.histogram(mine, edges)[0] / max(1, len(mine)), CHOSEN),
    ]
    measure = (getattr(entry, "measure", None) or "").replace("_", " ")
    label = f"{entry.strategy.replace('_', ' ')}" + (f" ({measure})" if measure else "")
    return {"data": traces, "layout": _layout(label, "share of samples", barmode="overlay")}


def class_plot(pool: Pool, recipe: Recipe, chosen: Selection) -> dict[str, Any] | None:
    """Class shares of the labelled before, and with the chosen after, beside the target."""
    reached = chosen.report["stages"][-1]["reached"]
    balance = next((r for r in reached.values() if "target" in r["after"]), None)
    if balance is not None:
        names = list(balance["after"]["target"])
        before, after = balance["before"]["counts"], balance["after"]["counts"]
        series = [
            ("labelled", _shares([before[n] for n in names]), LABELLED),
            ("labelled and chosen", _shares([after[n] for n in names]), CHOSEN),
            ("target", _shares(list(balance["after"]["target"].values())), TARGET),
        ]
    else:
        columns = (c for c in pool.classes if getattr(pool.columns[c], "ndim", 0) == 2)
        column = next(columns, None)
        if column is None:
            return None
        names = pool.classes[column]
        predicted = pool.columns[column].argmax(1)
        here = ~pool.labelled & ~pool.missing[column]
        count = len(names)
        series = [
            ("pool", _shares(np.bincount(predicted[here], minlength=count)), POOL),
            ("chosen", _shares(np.bincount(predicted[chosen.indices], minlength=count)), CHOSEN),
        ]
    shown = np.argsort(-np.max([s[1] for s in series], axis=0), kind="stable")[:CLASSES]
    short = _distinct([names[index] for index in shown])
    traces = [_bars(name, short, np.asarray(values)[shown], colour) for name, values, colour in series]
    return {"data": traces, "layout": _layout("", "share", barmode="group")}


def plane_plot(pool: Pool, recipe: Recipe, chosen: Selection) -> dict[str, Any] | None:
    """The embeddings in the plane of their two largest components: labelled, chosen and rest."""
    column = _embeddings(recipe)
    if column is None or pool.columns[column].shape[1] < 2:
        return None
    rng = np.random.default_rng(0)
    here = ~pool.missing[column]
    is_chosen = np.zeros(pool.n, dtype=bool)
    is_chosen[chosen.indices] = True
    groups = {
        "pool": (here & ~pool.labelled & ~is_chosen, POOL, 4),
        "labelled": (here & pool.labelled, LABELLED, 6),
        "chosen": (here & is_chosen, CHOSEN, 7),
    }
    rows = {name: _draw(rng, np.flatnonzero(mask)) for name, (mask, _, _) in groups.items()}
    everyone = np.concatenate(list(rows.values()))
    if len(everyone) < 2:
        return None
    plane = PCA(2, random_state=0).fit(pool.columns[column][everyone])
    traces = []
    for name, (_, colour, size) in groups.items():
        if len(rows[name]):
            points = plane.transform(pool.columns[column][rows[name]]).round(4)
            traces.append(
                {
                    "type": "scatter",
                    "mode": "markers",
                    "name": name,
                    "x": points[:, 0].tolist(),
                    "y": points[:, 1].tolist(),
                    "marker": {"color": colour, "size": size, "opacity": 0.8},
                    "hoverinfo": "name",
                }
            )
    return {"data": traces, "layout": _layout("first component", "second component")}


def _gains(chosen: Selection) -> dict[str, Any]:
    trace = {
        "type": "scatter",
        "mode": "lines",
        "name": "gain",
        "x": list(range(1, len(chosen) + 1)),
        "y": np.nan_to_num(chosen.gains, posinf=0, neginf=0).tolist(),
        "line": {"color": CHOSEN},
    }
    return {"data": [trace], "layout": _layout("pick", "gain", showlegend=False)}


def _informativeness(recipe: Recipe, pool: Pool) -> Any:
    """The first entry that judges what is not known, if computing it anew for all is not dear."""
    for entry in recipe.in_stages()[-1].strategies or []:
        for one in (entry, getattr(entry, "weights", None)):
            if isinstance(one, (entries.Uncertainty, entries.ExpectedCost, entries.Disagreement)):
                columns = [pool.columns.get(name) for name in entries.columns_of(one)]
                return None if any(isinstance(c, Maps) for c in columns) else one
    return None


def _embeddings(recipe: Recipe) -> str | None:
    for stage in recipe.in_stages():
        for entry in stage.strategies or []:
            if isinstance(entry, (entries.Coverage, entries.Diversity)):
                return entry.column
    return None


def _draw(rng: np.random.Generator, rows: np.ndarray) -> np.ndarray:
    return rows if len(rows) <= POINTS else np.sort(rng.choice(rows, POINTS, replace=False))


def _shares(counts: Any) -> np.ndarray:
    values = np.asarray(counts, dtype=np.float64)
    return values / values.sum() if values.sum() > 0 else values


def _distinct(names: list[str]) -> list[str]:
    """Names short enough for an axis, still told apart."""
    short = [n if len(n) <= LETTERS else f"{n[: LETTERS - 1]}…" for n in names]
    return [s if short.count(s) == 1 else f"{s} ({i})" for i, s in enumerate(short, start=1)]


def _bars(name: str, x: list[Any], y: Any, colour: str) -> dict[str, Any]:
    return {
        "type": "bar",
        "name": name,
        "x": x,
        "y": np.asarray(y, dtype=float).round(5).tolist(),
        "marker": {"color": colour, "opacity": 0.75},
    }


def _layout(x: str, y: str, **more: Any) -> dict[str, Any]:
    return {
        **LAYOUT,
        "xaxis": {**AXIS, "title": {"text": x}, "automargin": True},
        "yaxis": {**AXIS, "title": {"text": y}, "automargin": True},
        "showlegend": True,
        **more,
    }
