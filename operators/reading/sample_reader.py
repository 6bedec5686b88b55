"""Reads samples: each source is fed the values of one query, row by row."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any, Literal

import fiftyone as fo
import fiftyone.core.fields as fof
import numpy as np
from bson import ObjectId

from ...alcore import InvalidInput, Pool, Recipe
from ...alcore.data.errors import name_samples
from ...alcore.recipe import recipe as entries
from ...alcore.recipe.default import strategies_for
from ..dataset.fields import (
    LIST_OF,
    Choice,
    category_fields,
    class_fields,
    document_type,
    embedding_fields,
    inside_list,
    map_paths,
    member_fields,
    number_fields,
    only,
    prediction_fields,
    similarity_runs,
    uncertain_fields,
)
from ..dataset.fiftyone_private import dataset_of, raw_rows, shows_parts
from ..dataset.object_labels import all_slices
from ..dataset.selection_records import earlier_ranks
from .columns import Embeddings, Loaded, Predictions, Scalars, Source, align
from .examples import with_examples
from .label_columns import Members, ObjectList, PixelMaps, TagList
from .recipe_columns import declared_in, judges_of, map_entries, uses_of

Bad = Literal["error", "leave_out"]
Progress = Callable[[float], None]
ROWS_A_REPORT = 2000


@dataclass
class Labeled:
    """Which samples count as labeled.

    Those with a value in ``field``, those with ``tag``, and with ``chosen`` those of earlier
    selections, whose labels are on their way.
    """

    field: str | None = None
    tag: str | None = None
    chosen: bool = False


@dataclass
class Reading:
    """A pool, the recipe as it applies to it, and what was noticed on the way.

    ``samples`` is (M,), the id of each object's sample, where the pool is of objects.
    """

    pool: Pool
    recipe: Recipe
    notes: list[str] = field(default_factory=list)
    samples: np.ndarray | None = None


class SampleReader:
    """Reads a view once. What it has read so far is what its sources may ask of it."""

    thing = "sample"

    def __init__(self, view: Any, labeled: Labeled, bad: Bad, progress: Progress) -> None:
        if shows_parts(view):
            raise InvalidInput(
                "the view shows patches, frames or clips, and what is written to these does not reach "
                "the dataset; choose from a view of samples, or among the objects of a field"
            )
        self.view = view
        self.dataset = dataset_of(view)
        self.flat = self.dataset.get_field_schema(flat=True)
        self.labeled = labeled
        self.bad = bad
        self.progress = progress
        self.notes: list[str] = []
        self.n = 0  # until samples are read: a check makes its sources without room for any
        self.ids: list[str] = []
        self.deleted = np.zeros(0, dtype=bool)
        self.columns: dict[str, Any] = {}
        self.missing: dict[str, np.ndarray] = {}
        self.classes: dict[str, list[str]] = {}
        self.logits: set[str] = set()
        self.independent: set[str] = set()
        self.maps: set[str] = set()

    def read(self, recipe: Recipe) -> Reading:
        self.count()
        recipe = self.complete(recipe)
        logits, independent = declared_in(recipe)
        self.logits |= logits
        self.independent |= independent
        sources = self.sources(recipe)
        labels = self.label_sources()
        self.one_pass([*sources.values(), *labels])
        self.finish(sources, recipe)
        self._align_members(recipe)
        pool = Pool(
            self.n,
            ids=self.ids,
            labeled=self.mask_labeled(labels),
            columns=self.columns,
            classes=self.classes,
            missing=self.missing,
        )
        self._drop_unknown_labels(pool, recipe)
        recipe = with_examples(self._as_read(recipe), pool, self.vectors_of)
        return Reading(pool, recipe, self.notes)

    def check(self, recipe: Recipe) -> None:
        """Refuse what does not fit, without reading any sample."""
        self.sources(self.complete(recipe))
        self.label_sources()

    def count(self) -> None:
        """Make room."""
        self.n = len(self.view)
        if self.n == 0:
            raise InvalidInput("the view is empty: there is nothing to choose from")

    # What to read

    def complete(self, recipe: Recipe) -> Recipe:
        """The recipe with its strategies, where it leaves them to the default, and with labels."""
        if not all(stage.strategies for stage in recipe.in_stages()):
            recipe = self._with_default(recipe)
        return map_entries(self.with_labels(recipe), self.with_members)

    def _with_default(self, recipe: Recipe) -> Recipe:
        chosen = self.default_strategies()
        stages = [
            s if s.strategies else s.model_copy(update={"strategies": chosen})
            for s in recipe.in_stages()
        ]
        if recipe.stages is None:
            return recipe.model_copy(update={"strategies": chosen})
        return recipe.model_copy(update={"stages": stages})

    def default_strategies(self) -> list[Any]:
        """The default recipe, whose columns alcore finds by their usual names."""
        predictions, embeddings = prediction_fields(self.dataset), embedding_fields(self.dataset)
        if self.labeled.field:
            predictions = [c for c in predictions if c.path != self.labeled.field]
        return strategies_for(
            only(embeddings, "embeddings") if embeddings else None,
            entries.Uncertainty(column=only(predictions, "predictions")) if predictions else None,
            balanced=True,
        )

    def with_labels(self, recipe: Recipe) -> Recipe:
        """Let balance count the labeled samples by their labels, and a temperature be fitted to them.

        Where the labels are classes, that is.
        """
        label = self.labeled.field
        if label is None:
            return recipe

        def use_labels(entry: Any) -> Any:
            weights = getattr(entry, "weights", None)
            if isinstance(weights, entries.Uncertainty):
                entry = entry.model_copy(update={"weights": use_labels(weights)})
            fits = getattr(entry, "temperature", None) == "fit"
            if not (fits or isinstance(entry, _COUNTS_LABELS)) or entry.labels is not None:
                return entry
            found = self.labels_like(entry.column, label, fits)
            return entry.model_copy(update={"labels": found}) if found else entry

        return map_entries(recipe, use_labels)

    def labels_like(self, column: Any, label: str, fits: bool) -> str | None:
        """Where a label field holds the truth of what a column predicts, if it does.

        Where a temperature fits to it, it has to.
        """
        if not isinstance(column, str):
            return None
        declared = self.flat.get(column)
        if document_type(declared) in LIST_OF:
            return label if document_type(self.flat.get(label)) in LIST_OF else None
        # A label alone may be of another kind, such as the weather.
        predicts = document_type(declared) or is_vector(declared)
        path = f"{label}.label"
        return path if path in self.flat and (predicts or fits) else None

    def with_members(self, entry: Any) -> Any:
        """Let a classification that holds members stand for these where members are asked for."""
        judges_members = isinstance(entry, (entries.Disagreement, entries.BatchBald))
        if judges_members and f"{entry.column}.members" in self.flat:
            return entry.model_copy(update={"column": f"{entry.column}.members"})
        return entry

    def sources(self, recipe: Recipe) -> dict[str, Source]:
        """What reads each column of a completed recipe.

        Raises:
            InvalidInput: an unknown field, or one of the wrong type.
        """
        return {
            column: self._source(column, use, who) for column, (use, who) in uses_of(recipe).items()
        }

    def _source(self, column: str, use: str, who: str) -> Source:
        if column == "id":
            raise InvalidInput(f"{who}: 'id' is for filters alone")
        declared = self.flat.get(column)
        if declared is None and column in self.similarity_runs():
            if use != "vectors":
                raise InvalidInput(f"{who}: {column!r} is a similarity run, which has only vectors")
            return self.similarity_source(column)
        if declared is None:
            raise InvalidInput(
                f"{who}: {self.dataset.name!r} has no field {column!r}{_suggest(self.fitting(use))}"
            )
        found = self.field_source(column, use, declared, who)
        if found is not None:
            return found
        raise InvalidInput(
            f"{who}: field {column!r} is {_kind(declared)}; it takes {_TAKES[use]}"
            + _suggest(self.fitting(use))
        )

    def fitting(self, use: str) -> list[Choice]:
        """The fields that fit a use."""
        return FITTING[use](self.dataset)

    def similarity_runs(self) -> list[str]:
        return similarity_runs(self.dataset)

    def similarity_source(self, key: str) -> Source:
        config = self.dataset.get_brain_info(key).config
        path = getattr(config, "embeddings_field", None)
        return Embeddings(self.n, path) if path else Loaded(self.n, self.dataset, key)

    def field_source(self, column: str, use: str, declared: Any, who: str) -> Source | None:
        """The source of a field that there is, None where it does not fit the use."""
        if inside_list(self.dataset, column):
            raise InvalidInput(
                f"{who}: field {column!r} has several values a sample; name one with a single value, "
                "or choose among objects instead of samples"
            )
        return source_of_field(self, column, use, declared)

    def label_sources(self) -> list[Source]:
        """What tells which are labeled."""
        sources: list[Source] = []
        if self.labeled.tag:
            sources.append(Scalars(self.n, "tags", numbers=False))
        if self.labeled.chosen:
            sources += [
                Scalars(self.n, path, numbers=False)
                for path in earlier_ranks(self.dataset)
                if path in self.flat
            ]
        name = self.labeled.field
        if name:
            if self.dataset.get_field(name) is None:
                raise InvalidInput(
                    f"{self.dataset.name!r} has no field {name!r} to tell which samples are labeled"
                )
            if inside_list(self.dataset, name):
                raise InvalidInput(
                    f"field {name!r} has several values a sample, which do not tell whether the sample "
                    "is labeled; name another"
                )
            path = f"{name}.label" if f"{name}.label" in self.flat else name
            if document_type(self.flat[name]) is None or path != name:
                sources.append(Scalars(self.n, path, numbers=False))
        return sources

    # Reading

    def one_pass(self, sources: list[Source]) -> None:
        paths = list(dict.fromkeys(path for source in sources for path in source.paths))
        place = {path: index + 1 for index, path in enumerate(paths)}
        feeds = [(source, [place[path] for path in source.paths]) for source in sources]
        for row, values in enumerate(raw_rows(self.view, ["_id", *paths])):
            if row == self.n:
                break  # the dataset has grown meanwhile
            self.ids.append(str(values[0]))
            for source, places in feeds:
                source.put(row, self.ids[row], [values[p] for p in places])
            if row % ROWS_A_REPORT == 0:
                self.progress(row / self.n)
        self.pad()

    def pad(self) -> None:
        """Stand in for rows that were deleted between counting and reading."""
        gone = self.n - len(self.ids)
        self.ids += [f"deleted-{number}" for number in range(gone)]
        self.deleted = np.arange(self.n) >= self.n - gone

    def finish(self, sources: dict[str, Source], recipe: Recipe) -> None:
        for column, source in sources.items():
            source.finish(self, column)

    def mask_labeled(self, sources: list[Source]) -> np.ndarray:
        """(N,) bool."""
        mask = self.deleted.copy()
        for source in sources:
            mask |= known(source, self.labeled.tag if source.paths == ["tags"] else None)
        name = self.labeled.field
        if name and not any(s.paths[0].split(".")[0] == name.split(".")[0] for s in sources):
            with_value = set(self.view.exists(name).values("id"))
            mask |= np.array([one in with_value for one in self.ids], dtype=bool)
        return mask

    def _drop_unknown_labels(self, pool: Pool, recipe: Recipe) -> None:
        for entry in judges_of(recipe):
            labels = getattr(entry, "labels", None)
            if labels is None or not isinstance(pool.columns.get(labels), np.ndarray):
                continue
            classes = (
                set(pool.classes.get(entry.column, [])) if isinstance(entry.column, str) else set()
            )
            if not classes:
                continue
            column = pool.columns[labels]
            here = pool.labeled & ~pool.missing[labels]
            strange = here & np.array([v not in classes for v in column], dtype=bool)
            pool.missing[labels] |= strange
            if strange.any():
                self.notes.append(
                    f"{int(strange.sum())} labeled {self.thing}s are of classes that "
                    f"{entry.column!r} does not know; {entry.strategy} does not count them"
                )

    def _align_members(self, recipe: Recipe) -> None:
        """Bring members that come from several fields to the same classes, by their names."""
        for entry in judges_of(recipe):
            if not isinstance(getattr(entry, "column", None), list):
                continue
            fields = [name for name in entry.column if name in self.classes]
            arrays = [n for n in fields if isinstance(self.columns[n], np.ndarray)]
            if len({tuple(self.classes[name]) for name in arrays}) > 1:
                align(self, arrays)

    def _as_read(self, recipe: Recipe) -> Recipe:
        """The recipe as it applies to columns that hold probabilities now."""

        def read(entry: Any) -> Any:
            if isinstance(entry, str) or not hasattr(entry, "given"):
                weights = getattr(entry, "weights", None)
                if hasattr(weights, "given"):
                    return entry.model_copy(update={"weights": read(weights)})
                return entry
            columns = set(entries.columns_of(entry))
            update: dict[str, Any] = {} if columns & self.maps else {"given": "probabilities"}
            if columns & self.independent and hasattr(entry, "multi_label"):
                update["multi_label"] = True
            return entry.model_copy(update=update)

        return map_entries(recipe, read)

    def vectors_of(self, column: str, ids: list[str]) -> list[list[float]]:
        """The vectors of examples, which may lie anywhere in the dataset.

        Raises:
            InvalidInput: there is no such sample, or it has no vector.
        """
        reader = self.holding([one for one in ids if ObjectId.is_valid(one)])
        recipe = Recipe.of({"budget": 1, "strategies": [{"strategy": "typicality", "column": column}]})
        pool = reader.read(recipe).pool if len(reader.view) else Pool(0, columns={column: []})
        place = {one: row for row, one in enumerate(pool.ids)}
        usable = {one for one, row in place.items() if not pool.missing[column][row]}
        unusable = [one for one in ids if one not in usable]
        if unusable:
            raise InvalidInput(
                f"examples: {len(unusable)} of {len(ids)} are not in {self.dataset.name!r}, or have no "
                f"{column!r}: {', '.join(unusable[:3])}"
            )
        vectors: list[list[float]] = pool.columns[column][[place[one] for one in ids]].tolist()
        return vectors

    def holding(self, ids: list[str]) -> SampleReader:
        """A reader of the samples of these ids, from all of the dataset."""
        view = all_slices(self.dataset).select(ids)
        return SampleReader(view, Labeled(), "leave_out", self.progress)

    def refuse(self, column: str, bad: np.ndarray, what: str) -> None:
        """Stop at values that cannot be used, or note that their samples are left out."""
        rows = np.flatnonzero(bad)
        if len(rows) == 0:
            return
        named = name_samples(self.ids, rows).replace("sample", self.thing, 1)
        told = f"field {column!r}: {named} with {what}"
        if self.bad == "error":
            raise InvalidInput(f"{told}; correct them, or choose to leave such {self.thing}s out")
        self.notes.append(f"{told}; left out")
        self.missing[column] = self.missing[column] | bad
        if self.missing[column].all():
            raise InvalidInput(f"{told}; no {self.thing} is left to choose")


def source_of_field(reader: SampleReader, column: str, use: str, declared: Any) -> Source | None:
    """The source of a field with one value a row, None where it does not fit the use."""
    n, flat = reader.n, reader.flat
    kind = document_type(declared)
    if use in ("classes", "numbers", "values") and kind in LIST_OF:
        return ObjectList(n, column, kind, flat, counted=True)
    if use == "classes":
        is_classes = kind is fo.Classification or is_vector(declared)
        use = "distribution" if is_classes else "categories"
    if use == "distribution":
        if kind is fo.Classification:
            return Predictions(n, column, flat)
        return Predictions(n, column, flat, plain=True) if is_vector(declared) else None
    if use in ("predictions", "member"):
        if kind is fo.Classification:
            return Predictions(n, column, flat)
        if is_vector(declared):
            return Predictions(n, column, flat, plain=True)
        if kind is fo.Regression and use == "member":
            return Scalars(n, f"{column}.value", numbers=True)
        if isinstance(declared, _NUMBERS) and use == "member":
            return Scalars(n, column, numbers=True)
        if kind is fo.Classifications:
            return TagList(n, column, flat)
        if kind in LIST_OF:
            return ObjectList(n, column, kind, flat, boxes=use == "member")
        if any(map_paths(flat, column)):
            return PixelMaps(n, reader.view, *map_paths(flat, column))
    elif use == "members" and isinstance(declared, (fo.ArrayField, fo.ListField)):
        return Members(n, column)
    elif use == "vectors" and is_vector(declared):
        return Embeddings(n, column)
    elif use == "numbers" and isinstance(declared, _NUMBERS):
        return Scalars(n, column, numbers=True)
    elif use in _SINGLE and isinstance(declared, _SINGLE[use]):
        return Scalars(n, column, numbers=False)
    return None


def known(source: Source, tag: str | None = None) -> np.ndarray:
    """(n,) bool: which rows have a value; with ``tag``, which have it among their tags."""
    assert isinstance(source, Scalars)
    if tag is not None:
        return np.array([bool(v) and tag in v for v in source.values], dtype=bool)
    return np.array([v is not None for v in source.values], dtype=bool)


def is_vector(declared: Any) -> bool:
    return isinstance(declared, (fof.VectorField, fof.ListField)) and not (
        isinstance(declared, fof.ListField)
        and not isinstance(declared.field, (fof.FloatField, fof.IntField))
    )


_COUNTS_LABELS = (entries.Balance, entries.ClassBalanced, entries.Minority)
_NUMBERS = (fo.FloatField, fo.IntField, fo.BooleanField, fo.DateField, fo.DateTimeField)
_SINGLE = {
    "categories": (*_NUMBERS, fo.StringField),
    "values": (*_NUMBERS, fo.StringField, fo.ObjectIdField),  # the last such as group.id
}
_TAKES = {
    "predictions": (
        "a Classification, a vector of probabilities or logits, objects with confidences, a Heatmap, "
        "or arrays of pixels"
    ),
    "distribution": "a Classification, or a vector of probabilities or logits",
    "members": "arrays of members, (T, C), or a list with a field for each member",
    "member": "predictions, as many as there are members",
    "classes": "predictions of classes or objects, a category, numbers in bins, or dates",
    "vectors": "a vector field or a similarity run",
    "numbers": "numbers, booleans or dates",
    "categories": "strings, numbers or booleans",
    "values": "strings, numbers, booleans or dates",
}
FITTING: dict[str, Callable[[Any], list[Choice]]] = {
    "predictions": uncertain_fields,
    "distribution": prediction_fields,
    "members": member_fields,
    "member": uncertain_fields,
    "vectors": embedding_fields,
    "numbers": number_fields,
    "classes": class_fields,
    "categories": category_fields,
    "values": category_fields,
}


def _suggest(choices: list[Choice]) -> str:
    names = ", ".join(repr(choice.path) for choice in choices[:6])
    return f"; fields that fit: {names}" if names else "; the dataset has none that fits"


def _kind(declared: Any) -> str:
    document = document_type(declared)
    return f"a {document.__name__}" if document is not None else f"a {type(declared).__name__}"
