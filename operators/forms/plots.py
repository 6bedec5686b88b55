"""Plots of selections, as data and layout for Plotly. They have few points, drawn as SVG."""

from __future__ import annotations

from typing import Any

import numpy as np

from ...alcore import Maps, Pool, Recipe, Selection, score
from ...alcore.geometry.distance_statistics import distances_to
from ...alcore.geometry.projection import plane
from ...alcore.strategies import Family, Strategy

POOL, LABELED, CHOSEN, TARGET = "#8a8f98", "#4c9be8", "#ff6d04", "#59b36b"
BINS = 40
REST = 5000  # the maximum of points per group; more cannot be distinguished in a plot
SHARES = np.linspace(0, 1, 101)
CLASSES = 30
LETTERS = 18

LAYOUT: dict[str, Any] = {
    "paper_bgcolor": "rgba(0,0,0,0)",
    "plot_bgcolor": "rgba(0,0,0,0)",
    "font": {"color": "#9aa0a8", "size": 11},
    "margin": {"l": 50, "r": 10, "t": 10, "b": 50},
    # Above the axes, and growing upward where the plot is narrow, so that it covers no data.
    "legend": {"orientation": "h", "y": 1.02, "yanchor": "bottom", "x": 0, "traceorder": "normal"},
    "bargap": 0.05,
    "dragmode": False,
}
LOW = {"margin": {"l": 50, "r": 10, "t": 35, "b": 30}}  # of a plot that is not high
AXIS = {"gridcolor": "rgba(128,128,128,0.25)", "zeroline": False}


def score_plot(pool: Pool, recipe: Recipe, chosen: Selection) -> dict[str, Any]:
    """Plot the distribution of scores of the unlabeled samples and of the chosen.

    The scores are those of the first strategy of uncertainty or value. If there is none that can be
    computed at low cost, the gain of each pick is plotted instead.
    """
    entry = _informativeness(recipe, pool)
    if entry is None:
        return _gains(chosen)
    values = score(pool, entry)
    everyone = values[~pool.labeled & np.isfinite(values)]
    mine = values[chosen.indices]
    high = max(entry.highest or 0.0, float(everyone.max(initial=0)))
    edges = np.linspace(0, high or 1.0, BINS + 1)
    middle = ((edges[1:] + edges[:-1]) / 2).round(4).tolist()
    traces = [
        _bars("pool", middle, np.histogram(everyone, edges)[0] / max(1, len(everyone)), POOL),
        _bars("chosen", middle, np.histogram(mine, edges)[0] / max(1, len(mine)), CHOSEN),
    ]
    measure = entry.measure_name().replace("_", " ")
    label = f"{entry.strategy.replace('_', ' ')}" + (f" ({measure})" if measure else "")
    return {"data": traces, "layout": _layout(label, "share of samples", barmode="overlay")}


def class_plot(pool: Pool, recipe: Recipe, chosen: Selection) -> dict[str, Any] | None:
    """Plot class shares: of the labeled samples, with and without the chosen, and of the target.

    Without a target, the predicted classes of the unlabeled and the chosen samples are compared. None
    if there are no class predictions either.
    """
    reached = chosen.report["stages"][-1]["reached"]
    balance = next((r for r in reached.values() if "target" in r["after"]), None)
    if balance is not None:
        names = list(balance["after"]["target"])
        before, after = balance["before"]["counts"], balance["after"]["counts"]
        series = [
            ("labeled", _shares([before[n] for n in names]), LABELED),
            ("labeled and chosen", _shares([after[n] for n in names]), CHOSEN),
            ("target", _shares(list(balance["after"]["target"].values())), TARGET),
        ]
    else:
        columns = (c for c in pool.classes if getattr(pool.columns[c], "ndim", 0) == 2)
        column = next(columns, None)
        if column is None:
            return None
        names = pool.classes[column]
        predicted = pool.columns[column].argmax(1)
        here = ~pool.labeled & ~pool.missing[column]
        count = len(names)
        series = [
            ("pool", _shares(np.bincount(predicted[here], minlength=count)), POOL),
            ("chosen", _shares(np.bincount(predicted[chosen.indices], minlength=count)), CHOSEN),
        ]
    shown = np.argsort(-np.max([s[1] for s in series], axis=0), kind="stable")[:CLASSES]
    short = _distinct([names[index] for index in shown])
    traces = [_bars(name, short, np.asarray(values)[shown], color) for name, values, color in series]
    return {"data": traces, "layout": _layout("", "share", barmode="group")}


def plane_plot(
    pool: Pool, recipe: Recipe, chosen: Selection, method: str = "pca", most: int = REST
) -> dict[str, Any] | None:
    """Plot the embeddings in the plane: the rest of the pool, the labeled and the chosen samples.

    Args:
        pool: the samples.
        recipe: the recipe, by which the column of embeddings is found.
        chosen: the selection.
        method: the projection, one of ``projection.methods()``.
        most: the maximum number of samples drawn of each of the three groups.

    Returns:
        the plot, whose traces hold the ids of their points; None if the recipe compares no embeddings,
        or if there are fewer than two samples.
    """
    found = _embeddings(recipe)
    if found is None:
        return None
    column, metric = found
    rng = np.random.default_rng(0)
    here = ~pool.missing[column]
    is_chosen = np.zeros(pool.n, dtype=bool)
    is_chosen[chosen.indices] = True
    groups = {
        "pool": (here & ~pool.labeled & ~is_chosen, POOL, 4),
        "labeled": (here & pool.labeled, LABELED, 6),
        "chosen": (here & is_chosen, CHOSEN, 7),
    }
    rows = {name: _draw(rng, np.flatnonzero(mask), most) for name, (mask, _, _) in groups.items()}
    everyone = np.concatenate(list(rows.values()))
    if len(everyone) < 2:
        return None
    vectors = pool.columns[column][everyone]
    if metric == "cosine":
        vectors = vectors / np.linalg.norm(vectors, axis=1, keepdims=True)
    points = dict(
        zip(
            rows,
            np.split(plane(vectors, method), np.cumsum([len(one) for one in rows.values()])[:-1]),
            strict=True,
        )
    )
    traces = []
    for name, (mask, color, size) in groups.items():
        if len(rows[name]):
            traces.append(
                {
                    "type": "scatter",
                    "mode": "markers",
                    "name": _of_all(name, len(rows[name]), int(mask.sum())),
                    "x": _rounded(points[name][:, 0]),
                    "y": _rounded(points[name][:, 1]),
                    "marker": {"color": color, "size": size, "opacity": 0.8},
                    "hoverinfo": "name",
                    "ids": [str(pool.ids[row]) for row in rows[name].tolist()],
                }
            )
    axes = ("first component", "second component") if method == "pca" else ("", "")
    return {"data": traces, "layout": _layout(*axes, dragmode="lasso")}


def distance_plot(pool: Pool, recipe: Recipe, chosen: Selection) -> dict[str, Any] | None:
    """Plot the share of the unlabeled samples that have a labeled one within each distance.

    The three lines are for the samples labeled now, for these and the chosen, and for these and as many
    drawn at random. The distances of at most ``REST`` samples are computed. None if the recipe compares
    no embeddings, if nothing is chosen, or if every distance is 0.
    """
    found = _embeddings(recipe)
    if found is None or len(chosen) == 0:
        return None
    column, metric = found
    rng = np.random.default_rng(0)
    here = ~pool.missing[column]
    labeled = np.flatnonzero(here & pool.labeled)
    rest = np.flatnonzero(here & ~pool.labeled)
    mine = chosen.indices[here[chosen.indices]]
    by_chance = rng.choice(rest, min(len(mine), len(rest)), replace=False)
    drawn = _draw(rng, rest, REST)
    series = [
        ("labeled now", labeled, LABELED),
        ("with as many by chance", np.sort(np.append(labeled, by_chance)), POOL),
        ("with the chosen", np.sort(np.append(labeled, mine)), CHOSEN),
    ]
    traces = []
    for name, centers, color in series:
        if len(centers):
            values = distances_to(pool.columns[column], drawn, centers, metric)
            traces.append(
                {
                    "type": "scatter",
                    "mode": "lines",
                    "name": name,
                    "x": _rounded(np.quantile(values, SHARES)),
                    "y": SHARES.round(4).tolist(),
                    "line": {"color": color},
                }
            )
    if not any(any(trace["x"]) for trace in traces):
        return None  # every distance is 0, for example if all samples are chosen
    share = _of_all("share of the pool", len(drawn), len(rest))
    label = "cosine distance" if metric == "cosine" else "distance"
    return {"data": traces, "layout": _layout(f"{label} within which one is labeled", share)}


def nearest_plot(distances: np.ndarray, limit: float, metric: str) -> dict[str, Any]:
    """Plot the distribution of distances to the nearest other sample; mark those below a limit."""
    edges = np.linspace(0, max(float(distances.max(initial=0)), limit) or 1.0, BINS + 1)
    middle = (edges[1:] + edges[:-1]) / 2
    near = distances < limit
    count = max(1, len(distances))
    traces = [
        _bars(name, _rounded(middle), np.histogram(distances[mask], edges)[0] / count, color)
        for name, mask, color in (("nearer", near, CHOSEN), ("farther", ~near, POOL))
    ]
    label = ("cosine distance" if metric == "cosine" else "distance") + " to the nearest other"
    return {"data": traces, "layout": _layout(label, "share of samples", barmode="stack")}


def beside_chance_plot(chosen: float, random: list[float], label: str) -> dict[str, Any]:
    """Plot a figure of the chosen set, and its distribution over random sets of the same size."""
    edges = np.linspace(0, max([chosen, *random]) * 1.05 or 1.0, BINS + 1)
    middle = (edges[1:] + edges[:-1]) / 2
    counts = np.histogram(random, edges)[0] / len(random)
    mark = {
        "type": "scatter",
        "mode": "lines",
        "name": "chosen",
        "x": _rounded(np.array([chosen, chosen])),
        "y": [0, float(counts.max())],
        "line": {"color": CHOSEN, "width": 3},
    }
    name = f"{len(random)} sets as large, by chance"
    traces = [_bars(name, _rounded(middle), counts, POOL), mark]
    return {"data": traces, "layout": _layout(label, "share of sets")}


def strata_plot(strata: list[dict[str, Any]]) -> dict[str, Any]:
    """Plot the share of each stratum in the target and in the chosen set.

    Only the first ``CLASSES`` strata are drawn; the largest must come first.
    """
    few = strata[:CLASSES]
    short = _distinct([one["stratum"] for one in few])
    traces = [
        _bars("target", short, [one["target"] for one in few], TARGET),
        _bars("chosen", short, [one["reached"] for one in few], CHOSEN),
    ]
    label = "" if len(few) == len(strata) else f"the {len(few)} largest of {len(strata)} strata"
    return {"data": traces, "layout": _layout(label, "share", barmode="group")}


def value_plot(values: np.ndarray, is_chosen: np.ndarray, label: str) -> dict[str, Any]:
    """Plot the distribution of finite ``values``, (N,); ``is_chosen``, (N,) bool, marks the chosen."""
    edges = np.linspace(float(values.min()), float(values.max()) or 1.0, BINS + 1)
    middle = (edges[1:] + edges[:-1]) / 2
    traces = [
        _bars(name, _rounded(middle), np.histogram(values[mask], edges)[0] / len(values), color)
        for name, mask, color in (("chosen", is_chosen, CHOSEN), ("others", ~is_chosen, POOL))
    ]
    return {"data": traces, "layout": _layout(label, "share of samples", barmode="stack")}


def histogram_plot(
    x: list[Any], counts: list[int], kept: list[bool], worth: list[float] | None, limits: list[Any]
) -> dict[str, Any]:
    """Plot the distribution of a field: the values kept, those left out, and the preference.

    Args:
        x: the centers of the bins, or the names of the categories.
        counts: the number of values in each bin or category.
        kept: whether each bin or category passes the filters.
        worth: the preference of each, in [0, 1], drawn as a line; 1 is the height of the highest bar.
            None if nothing is preferred.
        limits: the ends of the kept range on the x axis, drawn as vertical lines.
    """
    names = _distinct(x) if x and isinstance(x[0], str) and not limits else x
    traces = [
        _bars(name, names, np.where(mask, counts, 0), color)
        for name, mask, color in (
            ("kept", np.array(kept, dtype=bool), CHOSEN),
            ("left out", ~np.array(kept, dtype=bool), POOL),
        )
        if mask.any()
    ]
    if worth is not None:
        line = np.array(worth) * max(counts, default=0)
        traces.append(
            {
                "type": "scatter",
                "mode": "lines+markers",
                "name": "preferred",
                "x": names,
                "y": _rounded(line),
                "line": {"color": TARGET, "width": 2},
                "marker": {"size": 4},
            }
        )
    upright = {
        "type": "line",
        "yref": "paper",
        "y0": 0,
        "y1": 1,
        "line": {"color": CHOSEN, "dash": "dot"},
    }
    shapes = [{**upright, "x0": at, "x1": at} for at in limits]
    return {"data": traces, "layout": _layout("", "samples", barmode="stack", shapes=shapes, **LOW)}


def money_plot(names: list[str], series: dict[str, list[float]], unit: str) -> dict[str, Any]:
    """Plot the money that each class or slice brings, in the given order, the lowest first.

    Only the first ``CLASSES`` are drawn.
    """
    short = _distinct(names[:CLASSES])
    colors = dict(zip(series, (CHOSEN, TARGET), strict=False))
    traces = [_bars(name, short, values[:CLASSES], colors[name]) for name, values in series.items()]
    label = "" if len(names) == len(short) else f"the {len(short)} lowest of {len(names)}"
    return {"data": traces, "layout": _layout(label, unit, barmode="group", showlegend=len(series) > 1)}


def worth_plot(at: list[int], gains: list[float], price: float) -> dict[str, Any]:
    """Plot the expected savings of labels, the highest first, and the price of a label.

    ``at`` are the positions of the labels in that order, and ``gains`` their savings, in money.
    """
    traces = [
        {"type": "scatter", "mode": "lines", "name": name, "x": at, "y": y, "line": {"color": color}}
        for name, y, color in (
            ("expected to save", gains, CHOSEN),
            ("price of a label", [price] * len(at), LABELED),
        )
    ]
    return {"data": traces, "layout": _layout("label", "money")}


def curve_plot(
    labels: list[int], values: list[float], errors: list[float], name: str
) -> dict[str, Any]:
    """Plot a metric by the number of labels, with its standard errors; all lists have an entry each."""
    trace = {
        "type": "scatter",
        "mode": "lines+markers",
        "name": name,
        "x": labels,
        "y": _rounded(np.array(values)),
        "error_y": {"type": "data", "array": _rounded(np.array(errors)), "color": POOL},
        "line": {"color": CHOSEN},
    }
    return {"data": [trace], "layout": _layout("labels", name, showlegend=False)}


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


def _informativeness(recipe: Recipe, pool: Pool) -> Strategy | None:
    """Return the first strategy of uncertainty or value, if its scores can be computed at low cost.

    Strategies that depend on earlier picks are skipped. None if there is none, or if it reads maps of
    pixels, which are large.
    """
    for entry in recipe.in_stages()[-1].strategies or []:
        for one in (entry, *entry.nested()):
            judges = one.about.family in (Family.UNCERTAINTY, Family.VALUE)
            if judges and not (one.alone or one.depends_on_picks):
                columns = [pool.columns.get(name) for name in one.judged_by()]
                return None if any(isinstance(c, Maps) for c in columns) else one
    return None


def _embeddings(recipe: Recipe) -> tuple[str, str] | None:
    """Return the first column of vectors that a recipe compares, and its metric; None without any."""
    return next((pair for pair in (one.compared_by() for one in recipe.all_strategies()) if pair), None)


def _draw(rng: np.random.Generator, rows: np.ndarray, most: int) -> np.ndarray:
    return rows if len(rows) <= most else np.sort(rng.choice(rows, most, replace=False))


def _of_all(name: str, drawn: int, count: int) -> str:
    return name if drawn == count else f"{name} ({drawn:,} of {count:,} drawn)"


def _rounded(values: np.ndarray) -> list[float]:
    """Round to four significant digits, so that fewer bytes are sent to the App."""
    return [float(f"{value:.4g}") for value in values]


def _shares(counts: Any) -> np.ndarray:
    values = np.asarray(counts, dtype=np.float64)
    return values / values.sum() if values.sum() > 0 else values


def _distinct(names: list[str]) -> list[str]:
    """Shorten names for an axis, and number those that are then equal."""
    short = [_plain(n if len(n) <= LETTERS else f"{n[: LETTERS - 1]}…") for n in names]
    return [s if short.count(s) == 1 else f"{s} ({i})" for i, s in enumerate(short, start=1)]


def _plain(text: str) -> str:
    """Return a text from data in which Plotly finds no tags, such as those of bold text or links."""
    return text.replace("&", "&amp;").replace("<", "&lt;")


def _bars(name: str, x: list[Any], y: Any, color: str) -> dict[str, Any]:
    return {
        "type": "bar",
        "name": name,
        "x": x,
        "y": np.asarray(y, dtype=float).round(5).tolist(),
        "marker": {"color": color, "opacity": 0.75},
    }


def _layout(x: str, y: str, **more: Any) -> dict[str, Any]:
    return {
        **LAYOUT,
        "xaxis": {**AXIS, "title": {"text": _plain(x)}, "automargin": True},
        "yaxis": {**AXIS, "title": {"text": _plain(y)}, "automargin": True},
        "showlegend": True,
        **more,
    }
