"""Strategies that take predictions of samples, of objects or of pixels: uncertainty, expected cost."""

from collections.abc import Iterator
from contextlib import contextmanager
from functools import partial
from typing import Any

import numpy as np

from .. import scores
from ..data.errors import InvalidInput
from ..data.objects import Objects
from ..data.pixel_maps import Maps
from ..data.probabilities import as_independent, as_probabilities
from ..objectives import Objective
from ..recipe import recipe as entries
from ..scores.cost import cost_of_gain
from ..scores.objects import AGGREGATES as OVER_OBJECTS
from ..scores.pixels import AGGREGATES as OVER_PIXELS
from ..scores.pixels import pixel_decision
from .task import IdsOf, Task, class_name, class_names, listed, score

NUMBERS_A_CHUNK = 1 << 21
OVER_CLASSES = ("mean", "max", "sum")


def uncertainty(entry: entries.Uncertainty, task: Task) -> Objective:
    told: dict[str, Any] = {}
    if entry.temperature == "fit":
        temperature = fitted_temperature(entry, task)
        told["temperature"] = temperature
        entry = entry.model_copy(update={"temperature": temperature})
    values = measured(entry, task, task.candidates)
    # Sums over objects, stored numbers and the like have no bound of their own.
    return score(values, task, max(1.0, float(values.max(initial=0))), told)


def expected_cost(entry: entries.ExpectedCost, task: Task) -> Objective:
    width = array_column(entry.column, task).shape[-1]
    classes = class_names(entry.column, width, task)
    name = "cost" if entry.cost is not None else "gain"
    matrix = scores.cost_matrix(getattr(entry, name), classes, f"{task.user}: {name}")
    if entry.gain is not None:
        matrix = cost_of_gain(matrix)
    elif (matrix < 0).any():
        raise InvalidInput(
            f"{task.user}: cost: {int((matrix < 0).sum())} costs are below 0; what a decision brings "
            "in is a gain: give the matrix as gain, with the sign turned round"
        )
    measure = scores.expected_cost if entry.measure == "risk" else scores.cost_margin
    parts = [measure(p, matrix) for p in probabilities(entry, task, task.candidates)]
    highest = matrix.max(0).min() if entry.measure == "risk" else np.ptp(matrix, axis=1).max()
    return score(np.concatenate(parts), task, float(highest))


def measured(entry: entries.Uncertainty, task: Task, rows: np.ndarray) -> np.ndarray:
    """(R,) float64, the uncertainty of some rows of the pool; higher = more worth labeling."""
    column = task.pool.column(entry.column, task.user)
    if isinstance(column, Objects):
        return _of_objects(entry, task, column)[rows]
    if isinstance(column, Maps):
        return _of_maps(entry, task, column, rows)
    if entry.measure == "stored":
        raise InvalidInput(f"{task.user}: measure: 'stored' is for maps; for a number use 'weight'")
    if entry.temperature == "fit":
        entry = entry.model_copy(update={"temperature": fitted_temperature(entry, task)})
    measure = getattr(scores, entry.measure)
    if entry.multi_label:
        how = _aggregate_of(entry, task, OVER_CLASSES, "classes", "mean")
        measure = partial(scores.multi_label, measure=entry.measure, aggregate=how)
    else:
        _aggregate_of(entry, task, (), "classes that exclude each other", None)
    parts = [measure(p) for p in probabilities(entry, task, rows)]
    return np.concatenate(parts) if parts else np.zeros(0)


def fitted_temperature(entry: entries.Uncertainty, task: Task) -> float:
    """The temperature that fits the labeled samples' predictions best."""
    pool = task.pool
    if entry.labels is None:
        raise InvalidInput(
            f"{task.user}: temperature: 'fit' needs labels, the column of the labeled samples' classes"
        )
    if entry.multi_label:
        raise InvalidInput(f"{task.user}: temperature: 'fit' is for classes that exclude each other")
    truth = pool.column(entry.labels, task.user)
    if not isinstance(truth, np.ndarray) or truth.ndim != 1:
        raise InvalidInput(f"{task.user}: labels: column {entry.labels!r} must hold one class a sample")
    column = array_column(entry.column, task)
    if column.ndim == 3:
        raise InvalidInput(
            f"{task.user}: temperature: 'fit' is for one prediction a sample; {entry.column!r} holds "
            "members"
        )
    width = column.shape[-1]
    classes = class_names(entry.column, width, task)
    position = {name: index for index, name in enumerate(classes)}
    known = np.flatnonzero(pool.labeled & pool.present([entry.column, entry.labels]))
    codes = np.array(
        [position.get(class_name(truth[row]), -1) for row in known.tolist()], dtype=np.int64
    )
    if (codes < 0).any():
        odd = truth[known[codes < 0][0]]
        raise InvalidInput(
            f"{task.user}: column {entry.labels!r} holds {class_name(odd)!r}, which is no class; "
            f"the classes are {listed(classes)}"
        )
    as_they_are = entry.model_copy(update={"temperature": 1.0})
    parts = list(probabilities(as_they_are, task, known)) or [np.zeros((0, width))]  # checked here
    values = column[known] if entry.given == "logits" else np.concatenate(parts)
    try:
        return scores.fit_temperature(values, codes, entry.given)
    except InvalidInput as error:
        raise InvalidInput(f"{task.user}: {error}") from None


def array_column(name: str, task: Task) -> np.ndarray:
    """A column of predictions, (N, C) or (T, N, C).

    Raises:
        InvalidInput: a column of another kind.
    """
    column = task.pool.column(name, task.user)
    if not isinstance(column, np.ndarray) or column.ndim == 1 or column.dtype == object:
        raise InvalidInput(f"{task.user}: column {name!r} must hold probabilities or logits, (N, C)")
    return column


def probabilities(entry: Any, task: Task, rows: np.ndarray) -> Iterator[np.ndarray]:
    """(R, C) float64 probabilities, some rows at a time."""
    column = array_column(entry.column, task)
    assert entry.temperature != "fit"
    convert = as_independent if getattr(entry, "multi_label", False) else as_probabilities
    step = max(1, NUMBERS_A_CHUNK // (column[..., :1, :].size or 1))
    for start in range(0, len(rows), step):
        part = rows[start : start + step]
        yield convert(
            column[..., part, :],
            given=entry.given,
            temperature=entry.temperature,
            name=f"{task.user}: column {entry.column!r}",
            ids=IdsOf(task.pool.ids, part),
        )


def _of_objects(entry: entries.Uncertainty, task: Task, objects: Objects) -> np.ndarray:
    """(N,) for the whole pool, whose other samples say what one without objects is taken as."""
    _refuse_temperature(entry, task)
    how = _aggregate_of(entry, task, OVER_OBJECTS, "objects", "max")
    here = ~task.pool.missing[entry.column]
    if not here.all():
        out = np.zeros(len(objects))
        out[here] = _aggregated(entry, task, objects.take(here), how)
        return out
    return _aggregated(entry, task, objects, how)


def _aggregated(entry: entries.Uncertainty, task: Task, objects: Objects, how: str) -> np.ndarray:
    # Whether vectors are distributions is seen from their sums, unless it is said.
    each = scores.object_scores(objects, _named(entry, task), entry.multi_label or None)
    keep = None
    if objects.confidences is not None and entry.min_confidence > 0:
        keep = ~(objects.confidences < entry.min_confidence)
    return scores.aggregate(
        each,
        objects.offsets,
        how,
        top_k=entry.top_k,
        weights=_class_weights(entry, task, objects),
        keep=keep,
        empty=entry.empty,
    )


def _class_weights(entry: entries.Uncertainty, task: Task, objects: Objects) -> np.ndarray | None:
    if not entry.class_weights:
        return None
    labels, classes = objects.labels, objects.classes or []
    if labels is None and objects.probabilities is not None:
        bare = np.isnan(objects.probabilities[:, 0])
        labels = np.where(bare, -1, objects.probabilities.argmax(1))
    unknown = [name for name in entry.class_weights if name not in classes]
    if labels is None or unknown:
        what = f"{unknown[0]!r} is no class" if unknown else "the objects have no classes"
        raise InvalidInput(
            f"{task.user}: class_weights: {what}; the classes are {listed(classes) or 'not known'}"
        )
    factors = np.array([*(entry.class_weights.get(name, 1.0) for name in classes), 1.0])
    return factors[labels]  # a label of -1, of no known class, takes the last


def _of_maps(entry: entries.Uncertainty, task: Task, maps: Maps, rows: np.ndarray) -> np.ndarray:
    _refuse_temperature(entry, task)
    how = _aggregate_of(entry, task, OVER_PIXELS, "pixels", "mean")
    out = np.empty(len(rows))
    for place, row in enumerate(rows.tolist()):
        task.tick()
        one = maps[row]
        with naming(task, row):
            pixels = scores.pixel_scores(one, entry.measure, entry.given, entry.multi_label)
            if entry.measure == "stored" and (pixels < 0).any():
                raise InvalidInput("its stored uncertainty is below 0 in places; it must be 0 or more")
            out[place] = over_pixels(entry, pixels, one, how)
    return out


@contextmanager
def naming(task: Task, row: int) -> Iterator[None]:
    """Let what is wrong with a sample's map say which sample it is."""
    try:
        yield
    except InvalidInput as error:
        raise InvalidInput(f"{task.user}: sample {task.pool.ids[row]}: {error}") from None


def over_pixels(
    entry: entries.Uncertainty | entries.Disagreement, pixels: np.ndarray, one: np.ndarray, how: str
) -> float:
    """One number of a map's (H, W) scores."""
    decision = pixel_decision(one, entry.given) if how == "boundary" else None
    return scores.aggregate_pixels(
        pixels,
        how,
        quantile=entry.quantile,
        share=entry.share,
        threshold=entry.threshold,
        decision=decision,
    )


def _named(entry: entries.Uncertainty, task: Task) -> str:
    if entry.measure == "stored":
        raise InvalidInput(f"{task.user}: measure: 'stored' is for maps")
    return entry.measure


def _aggregate_of(entry: Any, task: Task, known: tuple[str, ...], of: str, default: str | None) -> str:
    """The entry's aggregate, refused where it is of another kind of prediction."""
    if entry.aggregate is not None and entry.aggregate not in known:
        takes = f"over {of} take {', '.join(known)}" if known else f"of {of} there is none to take"
        raise InvalidInput(f"{task.user}: aggregate: {entry.aggregate!r} does not fit; {takes}")
    return entry.aggregate or default or ""


def _refuse_temperature(entry: entries.Uncertainty, task: Task) -> None:
    if entry.temperature != 1.0:
        raise InvalidInput(
            f"{task.user}: temperature: is for predictions of whole samples; {entry.column!r} holds "
            "predictions of objects or pixels"
        )
