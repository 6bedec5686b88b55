"""Which strategy chooses best on a dataset: a replay on the samples whose labels are known."""

from __future__ import annotations

import os
from collections.abc import Iterator, MutableMapping
from dataclasses import dataclass, field
from typing import Any

import fiftyone as fo
import numpy as np

from ...alcore import InvalidInput, Pool, Recipe, replay, replay_outcomes
from ...alcore.replaying import Comparison, rarest, usual_recipes
from ...alcore.replaying.learners import learner_of
from ...alcore.replaying.one_run import named_recipe
from ...alcore.scores.cost import cost_matrix
from ...alcore.strategies import Reads
from ..dataset.fields import document_type, prediction_fields, truth_path
from ..dataset.fiftyone_private import dataset_of, store_of
from ..dataset.object_fields import list_path
from ..forms.plots import AXIS, LAYOUT
from ..reading.read import Bad, check_columns, read, read_columns
from ..runs.installed import installed_engine, not_sendable, sendable, written
from ..runs.run import READ_SHARE, Progress, throttled
from ..runs.saved_recipes import saved_recipes

STORE = "alcore.replays"
SECONDS_KEPT = 30 * 24 * 60 * 60
PREDICTIONS = "the predictions of each round"
SHOWN = 7  # curves in a plot; more cannot be told apart
PREDICTED = (
    *(Reads.CLASS_PROBABILITIES, Reads.PREDICTIONS),
    *(Reads.MEMBERS, Reads.MEMBER, Reads.CLASS_MEMBER),
)
COLORS = ("#ff6d04", "#4c9be8", "#59b36b", "#c678dd", "#e0b000", "#e06c75", "#56b6c2", "#8a8f98")


@dataclass
class ComparisonRequest:
    """The options of a comparison.

    Attributes:
        label_field: the field of true labels: of classes, or of detections.
        recipes: by name, the recipes; or names of usual and saved ones; empty for all usual ones.
        embeddings: the vectors on which models learn, and which usual recipes compare.
        predictions: for detections, the field of the detector's predictions.
        eval_key: for detections, the evaluation that tells its errors.
        learner: "logistic", "neighbors", "head", or a pair of functions.
        first: the number of labels before the first round.
        batch: the number of labels of each round; for detections, that of images to choose.
        rounds: the number of rounds.
        seeds: how often it is repeated.
        matrix: ``{"cost": ...}`` or ``{"gain": ...}``, ``[truth][decision]``; empty if money does not
            count.
        price: what a label costs; None if money does not count.
        bad: what happens to values that cannot be used: "error" or "leave_out".
    """

    label_field: str
    recipes: dict[str, Any] | list[str] = field(default_factory=list)
    embeddings: str | None = None
    predictions: str | None = None
    eval_key: str | None = None
    learner: Any = "logistic"
    first: int = 20
    batch: int = 20
    rounds: int = 5
    seeds: int = 10
    matrix: dict[str, Any] = field(default_factory=dict)
    price: float | None = None
    bad: Bad = "error"


class KeptRuns(MutableMapping[str, Any]):
    """The runs of earlier comparisons of a dataset, in FiftyOne's store; they go when it is deleted."""

    def __init__(self, dataset: Any) -> None:
        self._store = store_of(dataset, STORE)

    def __getitem__(self, key: str) -> Any:
        found = self._store.get(key)
        if found is None:
            raise KeyError(key)
        return found

    def __setitem__(self, key: str, value: Any) -> None:
        self._store.set(key, value, ttl=SECONDS_KEPT)

    def __delitem__(self, key: str) -> None:
        self._store.delete(key)

    def __iter__(self) -> Iterator[str]:
        return iter(self._store.list_keys())

    def __len__(self) -> int:
        return len(self._store.list_keys())


def compare_view(
    view: Any, request: ComparisonRequest, progress: Progress | None = None
) -> dict[str, Any]:
    """Replay active learning on the labeled samples of a view, and compare recipes.

    Returns:
        Verdicts, tables and curves for each measure, and notes, as plain values.

    Raises:
        InvalidInput: if the labels are too few, or if an option, a field or a recipe cannot be used.
    """
    check_request(view, request)
    report = throttled(progress)
    known = view.exists(request.label_field)
    if holds_boxes(view, request.label_field):
        found, notes = _of_boxes(known, request, report)
    else:
        found, notes = _of_classes(known, request, report)
    return _result(found, notes, request.price)


def check_request(view: Any, request: ComparisonRequest) -> None:
    """Check the options and fields, without reading any sample.

    Raises:
        InvalidInput: if an option is wrong, or if a field is unknown or does not fit.
    """
    dataset = dataset_of(view)
    if request.seeds < 1:
        raise InvalidInput(f"seeds: {request.seeds} is not a count of at least 1")
    if request.price is not None and request.price < 0:
        raise InvalidInput(f"price: {request.price} is no price; give a number of 0 or more")
    learner_of(request.learner)
    if not holds_boxes(view, request.label_field):
        truth_path(dataset, request.label_field)
        columns, _ = _columns(view, request, _named(dataset_of(view), request))
        check_columns(view, columns)
        return
    if not request.predictions or not request.eval_key:
        raise InvalidInput(
            "eval_key: to compare by a detector's errors, name the field of its predictions and the "
            "evaluation of them; run evaluate_detections with an eval_key first"
        )
    _check_evaluation(dataset, request)


def holds_boxes(view: Any, label_field: str) -> bool:
    """Return whether a field holds lists of labels, such as boxes."""
    return document_type(dataset_of(view).get_field(label_field)) in (fo.Detections, fo.Polylines)


def usual_of(request: ComparisonRequest) -> dict[str, Any]:
    """Return the usual recipes by name; for boxes, those that judge by the detector's predictions.

    Raises:
        InvalidInput: if models of classes are to learn, and there are no embeddings.
    """
    if request.eval_key:
        found = dict(usual_recipes(request.embeddings, request.predictions))
        found.pop("BADGE", None)  # it is not for boxes
        return found | {"PAL": [{"strategy": "pal", "column": request.predictions}]}
    if request.embeddings is None:
        raise InvalidInput(
            "embeddings: are missing; models learn on them, so compute embeddings first, or name their "
            "field"
        )
    return dict(usual_recipes(request.embeddings, PREDICTIONS))


def _named(dataset: Any, request: ComparisonRequest) -> dict[str, Any]:
    """Return the recipes by name: those of a call, or usual and saved ones that are named.

    Raises:
        InvalidInput: if no recipe has such a name.
    """
    if isinstance(request.recipes, dict) and request.recipes:
        return request.recipes
    usual = usual_of(request)
    saved = saved_recipes(dataset)
    for name in request.recipes:
        if name not in usual and name not in saved:
            known = ", ".join(map(repr, [*usual, *saved]))
            raise InvalidInput(f"recipes: there is no {name!r}; there are {known}")
    names = list(request.recipes) or list(usual)
    return {name: saved[name] if name in saved else usual[name] for name in names}


def _parsed(recipes: dict[str, Any], budget: int) -> dict[str, Recipe]:
    """Return the recipes of a call or a form.

    Raises:
        InvalidInput: if one cannot be used; the message begins with its name.
    """
    return {name: named_recipe(given, name, budget, "recipes") for name, given in recipes.items()}


# Classification: models are trained on the labels that are shown


def _columns(
    view: Any, request: ComparisonRequest, recipes: dict[str, Any]
) -> tuple[dict[str, Reads], set[str]]:
    """Return the columns to read, and those that the models of the replay predict.

    Raises:
        InvalidInput: if a recipe reads predictions of objects or pixels.
    """
    dataset = dataset_of(view)
    if request.embeddings is None:
        raise InvalidInput("embeddings: name the field of the vectors on which the models learn")
    predicts = {one.path for one in prediction_fields(dataset)}
    columns = {request.embeddings: Reads.VECTORS}
    predicted = set()
    for name, recipe in _parsed(recipes, request.batch).items():
        for column, reads, user in recipe.reads():
            held = document_type(dataset.get_field(column)) if column != PREDICTIONS else None
            if held in (fo.Detections, fo.Polylines, fo.Heatmap, fo.Segmentation):
                raise InvalidInput(
                    f"recipes: {name!r} ({user}) reads {column!r}, predictions of objects or pixels; "
                    "models of classes are trained here, which make none"
                )
            shown = column in (PREDICTIONS, request.label_field) or column in predicts
            if reads in PREDICTED or shown:
                predicted.add(column)
            else:
                columns[column] = reads
    return columns, predicted


def _of_classes(
    view: Any, request: ComparisonRequest, report: Progress
) -> tuple[Comparison, list[str]]:
    recipes = _named(dataset_of(view), request)
    columns, predicted = _columns(view, request, recipes)
    path = truth_path(dataset_of(view), request.label_field)
    wanted = {**columns, path: Reads.CATEGORIES}
    reading = read_columns(
        view, wanted, None, request.bad, lambda share: report(READ_SHARE * share, "Reading")
    )
    pool, truth = reading.pool, reading.pool.columns[path]
    truth = [None if gone else one for one, gone in zip(truth, pool.missing[path], strict=True)]
    # Of what the models predict the column must exist; what is in it is replaced in every round.
    pool = pool.with_columns({name: np.zeros((pool.n, 1)) for name in predicted})

    def tell(done: int, total: int) -> None:
        report(READ_SHARE + (1 - READ_SHARE) * done / total, f"Run {done} of {total}")

    options = {
        "vectors": request.embeddings,
        "learner": request.learner,
        "first": request.first,
        "batch": request.batch,
        "rounds": request.rounds,
        "seeds": request.seeds,
        "gain": _gain(request.matrix, truth),
        "kept": None if isinstance(request.learner, tuple) else KeptRuns(dataset_of(view)),
        "progress": tell,
    }
    found = _replayed(pool, truth, _parsed(recipes, request.batch), options)
    return found, [*reading.notes, *found.notes]


def _gain(matrix: dict[str, Any], truth: list[Any]) -> list[list[float]] | None:
    """Return ``gain[truth][decision]`` for the classes that occur, in their order in a replay."""
    if not matrix:
        return None
    classes = sorted({str(one) for one in truth if one is not None})
    kind, given = next(iter(matrix.items()))
    found = cost_matrix(given, classes, kind)
    rows: list[list[float]] = (-found if kind == "cost" else found).tolist()
    return rows


def _replayed(
    pool: Pool, truth: list[Any], recipes: dict[str, Recipe], options: dict[str, Any]
) -> Comparison:
    """Return what ``replay`` finds, in several processes where these know the engine."""
    engine = installed_engine()
    if engine is None or not_sendable(pool):
        return replay(pool, truth, recipes, **options)
    plain = {name: written(one) for name, one in recipes.items()}
    try:
        found: Comparison = engine.replay(
            engine.Pool(**sendable(pool)), truth, plain, processes=os.cpu_count() or 1, **options
        )
    except engine.InvalidInput as error:
        raise InvalidInput(str(error)) from None
    return found


# Detections: what is chosen is judged by the errors of the stored detector


def _check_evaluation(dataset: Any, request: ComparisonRequest) -> None:
    """Check that an evaluation compares the two fields.

    Raises:
        InvalidInput: if there is no such evaluation, or if it is of other fields.
    """
    key = request.eval_key
    if key not in dataset.list_evaluations():
        known = ", ".join(map(repr, dataset.list_evaluations())) or "none"
        raise InvalidInput(f"eval_key: there is no evaluation {key!r}; those of the dataset: {known}")
    config = dataset.get_evaluation_info(key).config
    fields = (config.pred_field, config.gt_field)
    if fields != (request.predictions, request.label_field):
        raise InvalidInput(
            f"eval_key: {key!r} compares {fields[0]!r} with {fields[1]!r}, not {request.predictions!r} "
            f"with {request.label_field!r}; evaluate these, or name the others"
        )


def _of_boxes(view: Any, request: ComparisonRequest, report: Progress) -> tuple[Comparison, list[str]]:
    key, dataset = request.eval_key, dataset_of(view)
    recipes = _parsed(_named(dataset_of(view), request), request.batch)
    pools, notes = [], []
    for number, (name, recipe) in enumerate(recipes.items()):
        report(READ_SHARE * number / len(recipes), f"Reading for {name}")
        reading = read(view, recipe, None, request.bad)
        pools.append(reading.pool)
        recipes[name] = reading.recipe
        notes += [note for note in reading.notes if note not in notes]
    path = f"{list_path(dataset, request.label_field)}.label"
    false, missed, classes = view.values([f"{key}_fp", f"{key}_fn", path])
    evaluated = np.array([one is not None for one in false], dtype=bool)
    if not evaluated.any():
        raise InvalidInput(f"eval_key: {key!r} has evaluated none of these samples")
    rare = rarest(classes)
    rows = np.flatnonzero(evaluated)
    outcomes = {
        "errors": [(f or 0) + (m or 0) for f, m in zip(false, missed, strict=True)],
        "rare objects": [sum(one in rare for one in each or []) for each in classes],
        "boxes": [len(each or []) for each in classes],
    }
    if len(rows) < len(evaluated):
        notes.append(f"not evaluated by {key!r}, and left out: {len(evaluated) - len(rows)} samples")

    def tell(done: int, total: int) -> None:
        report(READ_SHARE + (1 - READ_SHARE) * done / total, f"Run {done} of {total}")

    found = replay_outcomes(
        _merged(pools).take(rows),
        {name: np.array(values)[rows] for name, values in outcomes.items()},
        recipes,
        budget=request.batch,
        seeds=request.seeds,
        progress=tell,
    )
    if rare:
        notes.append(f"rare objects are those of {', '.join(map(repr, sorted(rare)))}")
    return found, [*notes, *found.notes]


def _merged(pools: list[Pool]) -> Pool:
    """Return the pool with the columns of all, which are of the same samples in the same order."""
    state = pools[0].__getstate__()
    for pool in pools[1:]:
        other = pool.__getstate__()
        for name in ("columns", "missing", "classes", "given", "elsewhere"):
            state[name] = {**state[name], **other[name]}
        state["independent"] = state["independent"] | other["independent"]
    return Pool(**state)


# The result


def _result(found: Comparison, notes: list[str], price: float | None) -> dict[str, Any]:
    return {
        "verdict": found.verdict(found.measures[0]),
        "measures": found.measures,
        "verdicts": {measure: found.verdict(measure) for measure in found.measures},
        "rows": {measure: _rows(found, measure, price) for measure in found.measures},
        "curves": {measure: _curves(found, measure) for measure in found.measures},
        "labels": found.labels.tolist(),
        "unit": found.unit,
        "failures": found.failures,
        "notes": notes,
    }


def _rows(found: Comparison, measure: str, price: float | None) -> list[dict[str, Any]]:
    rows = []
    for row in found.table(measure):
        saved = None if row.saved is None else [_finite(one) for one in row.saved]
        rows.append(
            {
                "recipe": row.name,
                "seeds": row.seeds,
                "last": row.last,
                "area": row.area,
                "difference": [_finite(one) for one in row.difference],
                "p": row.p,
                "saved": saved,
                "money_saved": saved[0] * price if saved and price and saved[0] is not None else None,
                "seconds": row.seconds,
            }
        )
    return rows


def _finite(value: float) -> float | None:
    return float(value) if np.isfinite(value) else None


def _curves(found: Comparison, measure: str) -> dict[str, dict[str, list[float | None]]]:
    curves = {}
    for row in found.table(measure):
        mean, low, high = found.curve(row.name, measure)
        curves[row.name] = {
            "mean": [_finite(one) for one in mean],
            "low": [_finite(one) for one in low],
            "high": [_finite(one) for one in high],
        }
    return curves


def table_rows(result: dict[str, Any], measure: str) -> tuple[list[str], list[list[str]]]:
    """Return the head and the rows of a table of a comparison, as texts."""
    unit = result["unit"]
    head = ["recipe", "last round", "mean", "over random (95%)", "p", f"{unit} saved", "seconds"]
    money = any(row["money_saved"] is not None for row in result["rows"][measure])
    rows = []
    for row in result["rows"][measure]:
        value, low, high = row["difference"]
        spread = "" if low is None else f" ({low:+.3f} to {high:+.3f})"
        saved = "never as good" if row["saved"] is None else f"{row['saved'][0]:.0f}"
        cells = [row["recipe"], f"{row['last']:.3f}", f"{row['area']:.3f}", f"{value:+.3f}{spread}"]
        cells += [f"{row['p']:.3f}", saved, f"{row['seconds']:.1f}"]
        if row["recipe"] == "random":  # it is what the others are compared with
            cells[3:6] = ["", "", ""]
        if money:
            cells.append("" if row["money_saved"] is None else f"{row['money_saved']:,.2f}")
        rows.append(cells)
    return head + (["money saved"] if money else []), rows


def curve_plot(result: dict[str, Any], measure: str) -> dict[str, Any]:
    """Plot the curves of the best recipes and of random; of the best and random, the 95% intervals."""
    names = list(result["curves"][measure])
    shown = [name for name in names if name != "random"][: SHOWN - 1]
    shown += ["random"] * ("random" in names)
    x, traces = result["labels"], []
    for name, color in zip(shown, COLORS, strict=False):
        color = COLORS[-1] if name == "random" else color
        curve = result["curves"][measure][name]
        line = {"type": "scatter", "x": x, "name": name, "legendgroup": name, "line": {"color": color}}
        if name in (shown[0], "random") and None not in curve["low"]:
            band = {**line, "mode": "lines", "showlegend": False, "hoverinfo": "skip"}
            thin = {"color": color, "width": 0}
            traces.append({**band, "y": curve["high"], "line": thin})
            fill = {"fill": "tonexty", "fillcolor": f"{color}22"}
            traces.append({**band, "y": curve["low"], "line": thin, **fill})
        traces.append({**line, "mode": "lines+markers", "y": curve["mean"]})
    layout = {
        **LAYOUT,
        "margin": {**LAYOUT["margin"], "t": 60},
        "showlegend": True,
        "xaxis": {**AXIS, "title": {"text": result["unit"]}},
        "yaxis": {**AXIS, "title": {"text": measure}},
    }
    return {"data": traces, "layout": layout}
