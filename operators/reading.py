"""From a FiftyOne collection to a pool: whole columns, in one pass, never sample by sample."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from datetime import date, datetime
from functools import cached_property
from typing import Any, Literal

import fiftyone as fo
import fiftyone.core.fields as fof
import numpy as np

from ..alcore import InvalidInput, Pool, Recipe
from ..alcore import recipe as entries
from ..alcore.defaults import strategies_for
from ..alcore.errors import name_samples
from ..alcore.probabilities import SUM_TOLERANCE
from .fields import (
    Choice,
    category_fields,
    class_vector_path,
    document_type,
    embedding_fields,
    number_fields,
    prediction_fields,
    similarity_runs,
)
from .vectors import VectorColumn
from .writing import selections

Bad = Literal["error", "leave_out"]
Progress = Callable[[float], None]
ROWS_A_REPORT = 2000


@dataclass
class Labelled:
    """Which samples count as labelled.

    Those with a value in ``field``, those with ``tag``, and with ``chosen`` those of earlier
    selections, whose labels are on their way.
    """

    field: str | None = None
    tag: str | None = None
    chosen: bool = False


@dataclass
class Reading:
    """A pool, the recipe as it applies to it, and what was noticed on the way."""

    pool: Pool
    recipe: Recipe
    notes: list[str] = field(default_factory=list)


def read(
    view: Any,
    recipe: Recipe,
    labelled: Labelled | None = None,
    bad: Bad = "error",
    progress: Progress | None = None,
) -> Reading:
    """Read what a recipe needs of a collection.

    A recipe's columns are field paths, or keys of similarity runs. Predictions come as
    probabilities: a label's vector that already sums to 1 is taken as it is, another is put through
    softmax; a plain vector is put through softmax only where the recipe says ``given: logits``; where
    a label has only a confidence, the rest is shared evenly by the other classes.

    Args:
        bad: what happens to samples whose values cannot be used: "error", or "leave_out".

    Raises:
        InvalidInput: an unknown field, one of the wrong type, or values that cannot be used.
    """
    return _Reader(view, labelled or Labelled(), bad, progress or (lambda share: None)).read(recipe)


def check(view: Any, recipe: Recipe, labelled: Labelled | None = None) -> None:
    """Refuse a recipe whose fields are not there or do not fit, without reading any sample.

    Raises:
        InvalidInput: an unknown field, or one of the wrong type.
    """
    reader = _Reader(view, labelled or Labelled(), "error", lambda share: None)
    for column, (use, who) in _uses(reader.complete(recipe)).items():
        reader.source(column, use, who)
    reader.label_source()


class _Reader:
    def __init__(self, view: Any, labelled: Labelled, bad: Bad, progress: Progress) -> None:
        self.view = view
        self.dataset = view._dataset
        self.flat = self.dataset.get_field_schema(flat=True)
        self.labelled = labelled
        self.bad = bad
        self.progress = progress
        self.notes: list[str] = []
        self.n = 0  # until samples are read: a check makes its sources without room for any
        self.ids: list[str] = []
        self.columns: dict[str, Any] = {}
        self.missing: dict[str, np.ndarray] = {}
        self.classes: dict[str, list[str]] = {}
        self.logits: set[str] = set()

    def read(self, recipe: Recipe) -> Reading:
        self.n = len(self.view)
        if self.n == 0:
            raise InvalidInput("the view is empty: there is nothing to choose from")
        recipe = self.complete(recipe)
        self.logits = _declared_logits(recipe)
        uses = _uses(recipe)
        sources = {column: self.source(column, use, who) for column, (use, who) in uses.items()}
        labels = self.label_source()
        self._one_pass([*sources.values(), *labels])
        for column, source in sources.items():
            source.finish(self, column)
        pool = Pool(
            self.n,
            ids=self.ids,
            labelled=self._mask_labelled(labels),
            columns=self.columns,
            classes=self.classes,
            missing=self.missing,
        )
        self._drop_unknown_labels(pool, recipe)
        return Reading(pool, _read_as_probabilities(recipe), self.notes)

    # What to read

    def complete(self, recipe: Recipe) -> Recipe:
        """The recipe with its strategies, where it leaves them to the default, and with labels."""
        if not all(stage.strategies for stage in recipe.in_stages()):
            recipe = self._with_default(recipe)
        return self._with_labels(recipe)

    def _with_default(self, recipe: Recipe) -> Recipe:
        """Name the columns of the default recipe, which alcore finds by their usual names."""
        predictions, embeddings = prediction_fields(self.dataset), embedding_fields(self.dataset)
        if self.labelled.field:
            predictions = [c for c in predictions if c.path != self.labelled.field]
        chosen = strategies_for(
            only(embeddings, "embeddings") if embeddings else None,
            entries.Uncertainty(column=only(predictions, "predictions")) if predictions else None,
            balanced=True,
        )
        stages = [
            s if s.strategies else s.model_copy(update={"strategies": chosen})
            for s in recipe.in_stages()
        ]
        if recipe.stages is None:
            return recipe.model_copy(update={"strategies": chosen})
        return recipe.model_copy(update={"stages": stages})

    def _with_labels(self, recipe: Recipe) -> Recipe:
        """Let balance count the labelled samples by their labels, where these are classes."""
        label = self.labelled.field
        if label is None or f"{label}.label" not in self.flat:
            return recipe

        def count_labels(entry: Any) -> Any:
            if isinstance(entry, entries.Balance) and entry.labels is None:
                return entry.model_copy(update={"labels": f"{label}.label"})
            return entry

        return _map_entries(recipe, count_labels)

    def source(self, column: str, use: str, who: str) -> _Source:
        if column == "id":
            raise InvalidInput(f"{who}: 'id' is for filters alone")
        declared = self.flat.get(column)
        if declared is None and column in similarity_runs(self.dataset):
            if use != "vectors":
                raise InvalidInput(f"{who}: {column!r} is a similarity run, which has only vectors")
            return self._similarity_source(column)
        if declared is None:
            raise InvalidInput(
                f"{who}: {self.dataset.name!r} has no field {column!r}"
                + _suggest(_fitting(self.dataset, use))
            )
        if use == "classes":
            is_classes = document_type(declared) is fo.Classification or _is_vector(declared)
            use = "predictions" if is_classes else "categories"
        if use == "predictions":
            if document_type(declared) is fo.Classification:
                return _Predictions(self.n, column, self.flat)
            if _is_vector(declared):
                return _Predictions(self.n, column, self.flat, plain=True)
        elif use == "vectors" and _is_vector(declared):
            return _Embeddings(self.n, column)
        elif use == "numbers" and isinstance(declared, _NUMBERS):
            return _Scalars(self.n, column, numbers=True)
        elif use in ("categories", "values") and isinstance(declared, (*_NUMBERS, fo.StringField)):
            return _Scalars(self.n, column, numbers=False)
        raise InvalidInput(
            f"{who}: field {column!r} is {_kind(declared)}; it takes {_TAKES[use]}"
            + _suggest(_fitting(self.dataset, use))
        )

    def _similarity_source(self, key: str) -> _Source:
        config = self.dataset.get_brain_info(key).config
        path = getattr(config, "embeddings_field", None)
        return _Embeddings(self.n, path) if path else _Loaded(self.n, self.dataset, key)

    def label_source(self) -> list[_Scalars]:
        sources = []
        if self.labelled.tag:
            sources.append(_Scalars(self.n, "tags", numbers=False))
        if self.labelled.chosen:
            ranks = [one["names"]["rank_field"] for one in selections(self.dataset)]
            sources += [_Scalars(self.n, path, numbers=False) for path in ranks if path in self.flat]
        name = self.labelled.field
        if name:
            if self.dataset.get_field(name) is None:
                raise InvalidInput(
                    f"{self.dataset.name!r} has no field {name!r} to tell which samples are labelled"
                )
            path = f"{name}.label" if f"{name}.label" in self.flat else name
            if document_type(self.flat[name]) is None or path != name:
                sources.append(_Scalars(self.n, path, numbers=False))
        return sources

    # Reading

    def _one_pass(self, sources: list[Any]) -> None:
        paths = list(dict.fromkeys(path for source in sources for path in source.paths))
        place = {path: index + 1 for index, path in enumerate(paths)}
        feeds = [(source, [place[path] for path in source.paths]) for source in sources]
        for row, values in enumerate(_rows(self.view, ["_id", *paths])):
            if row == self.n:
                break  # the dataset has grown meanwhile
            self.ids.append(str(values[0]))
            for source, places in feeds:
                source.put(row, self.ids[row], [values[p] for p in places])
            if row % ROWS_A_REPORT == 0:
                self.progress(row / self.n)
        gone = self.n - len(self.ids)
        self.ids += [f"deleted-{number}" for number in range(gone)]
        self.deleted = np.arange(self.n) >= self.n - gone

    def _mask_labelled(self, sources: list[_Scalars]) -> np.ndarray:
        mask = self.deleted.copy()
        for source in sources:
            values = source.values
            if source.paths == ["tags"]:
                tag = self.labelled.tag
                mask |= np.array([bool(v) and tag in v for v in values], dtype=bool)
            else:
                mask |= np.array([v is not None for v in values], dtype=bool)
        name = self.labelled.field
        if name and not any(s.paths[0].split(".")[0] == name.split(".")[0] for s in sources):
            known = set(self.view.exists(name).values("id"))
            mask |= np.array([one in known for one in self.ids], dtype=bool)
        return mask

    def _drop_unknown_labels(self, pool: Pool, recipe: Recipe) -> None:
        for stage in recipe.in_stages():
            for entry in stage.strategies or []:
                if isinstance(entry, entries.Balance) and entry.labels in pool.columns:
                    classes = set(pool.classes.get(entry.column, []))
                    column = pool.columns[entry.labels]
                    here = pool.labelled & ~pool.missing[entry.labels]
                    if classes:
                        strange = here & np.array([v not in classes for v in column], dtype=bool)
                        pool.missing[entry.labels] |= strange
                        if strange.any():
                            self.notes.append(
                                f"{int(strange.sum())} labelled samples are of classes that "
                                f"{entry.column!r} does not know; balance does not count them"
                            )

    def refuse(self, column: str, bad: np.ndarray, what: str) -> None:
        """Stop at values that cannot be used, or note that their samples are left out."""
        rows = np.flatnonzero(bad)
        if len(rows) == 0:
            return
        told = f"field {column!r}: {name_samples(self.ids, rows)} with {what}"
        if self.bad == "error":
            raise InvalidInput(f"{told}; correct them, or choose to leave such samples out")
        self.notes.append(f"{told}; left out")
        self.missing[column] = self.missing[column] | bad
        if self.missing[column].all():
            raise InvalidInput(f"{told}; no sample is left to choose")


# One source a column: it is fed rows, and at the end gives its column to the reader.


class _Source:
    paths: list[str]

    def put(self, row: int, sample: str, values: list[Any]) -> None:
        raise NotImplementedError

    def finish(self, reader: _Reader, column: str) -> None:
        raise NotImplementedError


class _Scalars(_Source):
    def __init__(self, n: int, path: str, *, numbers: bool) -> None:
        self.paths = [path]
        self.values: list[Any] = [None] * n
        self._numbers = numbers

    def put(self, row: int, sample: str, values: list[Any]) -> None:
        self.values[row] = values[0]

    def finish(self, reader: _Reader, column: str) -> None:
        missing = np.array([value is None for value in self.values], dtype=bool)
        reader.missing[column] = missing
        known = next((value for value in self.values if value is not None), None)
        if isinstance(known, (date, datetime)):
            moments = [None if v is None else np.datetime64(v, "us") for v in self.values]
            reader.columns[column] = np.array(moments, dtype="datetime64[us]")
        elif self._numbers or isinstance(known, (bool, int, float)):
            numbers = np.array([np.nan if v is None else v for v in self.values], dtype=np.float64)
            reader.columns[column] = numbers
            if self._numbers:
                reader.refuse(column, ~missing & ~np.isfinite(numbers), "NaN or infinite values")
            else:
                reader.missing[column] |= np.isnan(numbers)
        else:
            reader.columns[column] = np.array(self.values, dtype=object)


class _Embeddings(_Source):
    def __init__(self, n: int, path: str) -> None:
        self.paths = [path]
        self._vectors = VectorColumn(n)

    def put(self, row: int, sample: str, values: list[Any]) -> None:
        self._vectors.put(row, values[0])

    def finish(self, reader: _Reader, column: str) -> None:
        matrix = self._vectors.matrix()
        reader.columns[column] = matrix
        reader.missing[column] = self._vectors.missing
        _need_some(reader, column, "embedding")
        width = self._vectors.width
        reader.refuse(column, self._vectors.odd, f"a vector that has not the length {width} of most")
        here = ~reader.missing[column]
        with np.errstate(over="ignore", invalid="ignore"):
            length = np.einsum("nd,nd->n", matrix, matrix)
        reader.refuse(column, here & ~np.isfinite(length), "NaN or infinite values")
        here = ~reader.missing[column]
        reader.refuse(column, here & (length == 0), "a zero vector")


class _Loaded(_Embeddings):
    """Vectors that a similarity run keeps itself, by sample id."""

    def __init__(self, n: int, dataset: Any, key: str) -> None:
        super().__init__(n, key)
        self.paths = []
        self._dataset = dataset
        self._key = key

    @cached_property
    def _by_id(self) -> dict[str, np.ndarray]:
        # Loaded anew, for a search in the App shifts the vectors of the instance it keeps.
        index = self._dataset.load_brain_results(self._key, cache=False)
        vectors, sample_ids, _ = index.get_embeddings()
        return dict(zip(map(str, sample_ids), np.asarray(vectors), strict=True))

    def put(self, row: int, sample: str, values: list[Any]) -> None:
        self._vectors.put(row, self._by_id.get(sample))


class _Predictions(_Source):
    """A Classification's vector, or its label and confidence; or a plain vector."""

    def __init__(self, n: int, path: str, flat: dict[str, Any], *, plain: bool = False) -> None:
        self._plain = plain
        vector = path if plain else class_vector_path(flat, path)
        self.paths = [vector or f"{path}.logits"]
        if not plain:
            self.paths += [f"{path}.label", f"{path}.confidence"]
        self._vectors = VectorColumn(n)
        self._labels: list[Any] = [None] * n
        self._confidences = np.full(n, np.nan)

    def put(self, row: int, sample: str, values: list[Any]) -> None:
        self._vectors.put(row, values[0])
        if not self._plain:
            self._labels[row] = values[1]
            if values[2] is not None:
                self._confidences[row] = values[2]

    def finish(self, reader: _Reader, column: str) -> None:
        if self._vectors.missing.all() and not self._plain:
            self._from_confidences(reader, column)
        else:
            self._from_vectors(reader, column)

    def _from_vectors(self, reader: _Reader, column: str) -> None:
        matrix = self._vectors.matrix()
        reader.missing[column] = self._vectors.missing
        reader.columns[column] = matrix
        _need_some(reader, column, "prediction")
        width = self._vectors.width
        what = f"a vector that has not the {width} classes of most"
        reader.refuse(column, self._vectors.odd, what)
        here = ~reader.missing[column]
        reader.refuse(column, here & ~np.isfinite(matrix).all(1), "NaN or infinite values")
        here = ~reader.missing[column]
        total = matrix.sum(1, dtype=np.float64)
        sums_to_one = (matrix >= 0).all(1) & (np.abs(total - 1) <= SUM_TOLERANCE)
        declared = column in reader.logits
        if not declared and (self._plain or (sums_to_one & here).sum() * 2 > here.sum()):
            negative = here & (matrix < 0).any(1)
            reader.refuse(column, negative, "negative probabilities (logits need given: logits)")
            here = ~reader.missing[column]
            reader.refuse(column, here & ~sums_to_one, "probabilities that do not sum to 1")
        else:
            _softmax_in_place(matrix)
        matrix[reader.missing[column]] = 1 / max(1, width)
        self._name_classes(reader, column, matrix)

    def _name_classes(self, reader: _Reader, column: str, matrix: np.ndarray) -> None:
        """Name the classes by the dataset's own list, else by the labels that go with them."""
        width = matrix.shape[1]
        names = [str(position) for position in range(width)]
        declared = reader.dataset.classes.get(column) or reader.dataset.default_classes
        if declared and len(declared) == width:
            names = list(map(str, declared))
        else:
            best = np.sort(matrix, axis=1)[:, -2:] if width > 1 else np.c_[matrix * 0, matrix]
            clear = best[:, 1] > best[:, 0]
            seen: dict[int, str] = {}
            for row, position in enumerate(matrix.argmax(1).tolist()):
                label = self._labels[row]
                if label is None or reader.missing[column][row] or not clear[row]:
                    continue
                if seen.setdefault(position, label) != label:
                    raise InvalidInput(
                        f"field {column!r}: the classes differ between samples: position {position} "
                        f"is {seen[position]!r} in one and {label!r} in sample {reader.ids[row]}; "
                        "predict all samples with one model"
                    )
            for position, label in seen.items():
                names[position] = label
            if len(set(names)) != width:
                raise InvalidInput(
                    f"field {column!r}: two positions of its vectors carry the same label; "
                    "set the dataset's classes for it"
                )
        reader.classes[column] = names

    def _from_confidences(self, reader: _Reader, column: str) -> None:
        missing = np.array([label is None for label in self._labels]) | np.isnan(self._confidences)
        known = {label for label in self._labels if label is not None}
        declared = reader.dataset.classes.get(column) or reader.dataset.default_classes or []
        classes = sorted(known | set(map(str, declared)))
        reader.missing[column] = missing
        reader.columns[column] = np.zeros((reader.n, 0))
        _need_some(reader, column, "prediction with logits, probabilities or a confidence")
        wrong = ~missing & ((self._confidences < 0) | (self._confidences > 1))
        reader.refuse(column, wrong, "a confidence outside 0 to 1")
        position = {name: index for index, name in enumerate(classes)}
        width = len(classes)
        confidences = np.where(reader.missing[column], 1 / width, self._confidences)
        rest = (1 - confidences) / max(1, width - 1)
        matrix = np.repeat(rest[:, None].astype(np.float32), width, axis=1)
        rows = np.flatnonzero(~reader.missing[column])
        matrix[rows, [position[self._labels[row]] for row in rows]] = confidences[rows]
        if width == 1:
            matrix[:] = 1
        reader.columns[column] = matrix
        reader.classes[column] = classes
        reader.notes.append(
            f"field {column!r} has label and confidence only: least confidence is exact, entropy and "
            "margin take the other classes as equally likely"
        )


_NUMBERS = (fo.FloatField, fo.IntField, fo.BooleanField, fo.DateField, fo.DateTimeField)
_TAKES = {
    "predictions": "a Classification, or a vector of probabilities or logits",
    "classes": "a Classification, a vector of probabilities, or a category",
    "vectors": "a vector field or a similarity run",
    "numbers": "numbers, booleans or dates",
    "categories": "strings, numbers or booleans",
    "values": "strings, numbers, booleans or dates",
}


def _declared_logits(recipe: Recipe) -> set[str]:
    judges: list[Any] = [entry for stage in recipe.in_stages() for entry in stage.strategies or []]
    judges += [getattr(entry, "weights", None) for entry in judges]
    return {one.column for one in judges if getattr(one, "given", None) == "logits"}


def _uses(recipe: Recipe) -> dict[str, tuple[str, str]]:
    """What each column is read for, and which entry asks for it first."""
    uses: dict[str, tuple[str, str]] = {}

    def use(column: str, purpose: str, who: str) -> None:
        known = uses.get(column)
        # A class distribution serves uncertainty and balance alike.
        if known is None or {known[0], purpose} == {"classes", "predictions"}:
            purpose = "predictions" if known else purpose
            uses[column] = (purpose, who)
        elif purpose not in (known[0], "values"):
            raise InvalidInput(
                f"{who}: field {column!r} is used as {purpose} here and as {known[0]} by {known[1]}; "
                "name the path of what is meant, such as predictions.label"
            )

    for stage in recipe.in_stages():
        for entry in stage.strategies or []:
            who = entry.strategy
            if isinstance(entry, entries.Uncertainty):
                use(entry.column, "predictions", who)
            elif isinstance(entry, (entries.Diversity, entries.Coverage)):
                use(entry.column, "vectors", who)
            elif isinstance(entry, entries.Balance):
                use(entry.column, "classes", who)
                if entry.labels:
                    use(entry.labels, "categories", who)
            elif isinstance(entry, entries.Weight):
                use(entry.column, "numbers", who)
            weights = getattr(entry, "weights", None)
            if isinstance(weights, str):
                use(weights, "numbers", who)
            elif weights is not None:
                use(weights.column, "predictions", who)
    for one in [*recipe.filters, *(f for s in recipe.in_stages() for f in s.filters)]:
        if one.column != "id":
            use(one.column, "values", "a filter")
    return uses


def _map_entries(recipe: Recipe, change: Callable[[Any], Any]) -> Recipe:
    if recipe.stages is None:
        changed = [change(entry) for entry in recipe.strategies or []]
        return recipe.model_copy(update={"strategies": changed})
    stages = [
        stage.model_copy(update={"strategies": [change(e) for e in stage.strategies or []]})
        for stage in recipe.stages
    ]
    return recipe.model_copy(update={"stages": stages})


def _read_as_probabilities(recipe: Recipe) -> Recipe:
    def read(entry: Any) -> Any:
        update: dict[str, Any] = {}
        if hasattr(entry, "given"):
            update["given"] = "probabilities"
        if isinstance(getattr(entry, "weights", None), entries.Uncertainty):
            update["weights"] = entry.weights.model_copy(update={"given": "probabilities"})
        return entry.model_copy(update=update)

    return _map_entries(recipe, read)


def _rows(view: Any, paths: list[str]) -> Iterator[Any]:
    """The values of several fields, sample by sample, as MongoDB holds them, in one query."""
    try:
        rows = view._iter_values(paths, _raw=True, _allow_missing=True)
    except (AttributeError, TypeError):
        # Another version of FiftyOne, without the private way: its public one, all at once.
        public = ["id" if path == "_id" else path for path in paths]
        return zip(*view.values(public), strict=True)
    # Of a single field FiftyOne gives the bare values.
    return ((value,) for value in rows) if len(paths) == 1 else iter(rows)


def _need_some(reader: _Reader, column: str, what: str) -> None:
    if reader.missing[column].all():
        raise InvalidInput(f"field {column!r}: none of the {reader.n} samples has a {what}")


def only(choices: list[Choice], what: str) -> str:
    """The one field that fits, or among several the one with the usual name.

    Raises:
        InvalidInput: there is none, or it cannot be told which.
    """
    if not choices:
        raise InvalidInput(f"{what}: the dataset has no field that fits; name one")
    usual = [choice.path for choice in choices if choice.path == what]
    if usual or len(choices) == 1:
        return (usual or [choices[0].path])[0]
    names = ", ".join(repr(choice.path) for choice in choices)
    raise InvalidInput(f"several fields could be the {what}: {names}; name the one")


def _fitting(dataset: Any, use: str) -> list[Choice]:
    find = {
        "predictions": prediction_fields,
        "vectors": embedding_fields,
        "numbers": number_fields,
        "classes": prediction_fields,
        "categories": category_fields,
        "values": category_fields,
    }
    return find[use](dataset)


def _suggest(choices: list[Choice]) -> str:
    names = ", ".join(repr(choice.path) for choice in choices[:6])
    return f"; fields that fit: {names}" if names else "; the dataset has none that fits"


def _is_vector(declared: Any) -> bool:
    return isinstance(declared, (fof.VectorField, fof.ListField)) and not (
        isinstance(declared, fof.ListField)
        and not isinstance(declared.field, (fof.FloatField, fof.IntField))
    )


def _kind(declared: Any) -> str:
    document = document_type(declared)
    return f"a {document.__name__}" if document is not None else f"a {type(declared).__name__}"


def _softmax_in_place(matrix: np.ndarray) -> None:
    matrix -= matrix.max(axis=1, keepdims=True)
    np.exp(matrix, out=matrix)
    matrix /= matrix.sum(axis=1, keepdims=True)
