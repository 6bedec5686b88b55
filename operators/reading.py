"""From a FiftyOne collection to a pool: whole columns, in one pass, never sample by sample."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from typing import Any, Literal

import fiftyone as fo
import fiftyone.core.fields as fof
import numpy as np

from ..alcore import InvalidInput, Pool, Recipe
from ..alcore import recipe as entries
from ..alcore.defaults import strategies_for
from ..alcore.errors import name_samples
from .fields import (
    LIST_OF,
    Choice,
    category_fields,
    document_type,
    embedding_fields,
    map_paths,
    member_fields,
    number_fields,
    prediction_fields,
    similarity_runs,
    uncertain_fields,
)
from .label_sources import Members, ObjectList, PixelMaps, TagList
from .sources import Embeddings, Loaded, Predictions, Scalars, Source, align
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
        self.independent: set[str] = set()
        self.maps: set[str] = set()

    def read(self, recipe: Recipe) -> Reading:
        self.n = len(self.view)
        if self.n == 0:
            raise InvalidInput("the view is empty: there is nothing to choose from")
        recipe = self.complete(recipe)
        self.logits, self.independent = _declared(recipe)
        uses = _uses(recipe)
        sources = {column: self.source(column, use, who) for column, (use, who) in uses.items()}
        labels = self.label_source()
        self._one_pass([*sources.values(), *labels])
        for column, source in sources.items():
            source.finish(self, column)
        self._align_members(recipe)
        pool = Pool(
            self.n,
            ids=self.ids,
            labelled=self._mask_labelled(labels),
            columns=self.columns,
            classes=self.classes,
            missing=self.missing,
        )
        self._drop_unknown_labels(pool, recipe)
        return Reading(pool, self._as_read(recipe), self.notes)

    # What to read

    def complete(self, recipe: Recipe) -> Recipe:
        """The recipe with its strategies, where it leaves them to the default, and with labels."""
        if not all(stage.strategies for stage in recipe.in_stages()):
            recipe = self._with_default(recipe)
        return self._with_members(self._with_labels(recipe))

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
        """Let balance count the labelled samples by their labels, and a temperature be fitted to them.

        Where the labels are classes, that is.
        """
        label = self.labelled.field
        if label is None or f"{label}.label" not in self.flat:
            return recipe

        def use_labels(entry: Any) -> Any:
            weights = getattr(entry, "weights", None)
            if isinstance(weights, entries.Uncertainty):
                entry = entry.model_copy(update={"weights": use_labels(weights)})
            fits = getattr(entry, "temperature", None) == "fit" or isinstance(entry, entries.Balance)
            if fits and entry.labels is None:
                return entry.model_copy(update={"labels": f"{label}.label"})
            return entry

        return _map_entries(recipe, use_labels)

    def _with_members(self, recipe: Recipe) -> Recipe:
        """Let a classification that holds members stand for these where members are asked for."""

        def use_members(entry: Any) -> Any:
            judges_members = isinstance(entry, (entries.Disagreement, entries.BatchBald))
            if judges_members and f"{entry.column}.members" in self.flat:
                return entry.model_copy(update={"column": f"{entry.column}.members"})
            return entry

        return _map_entries(recipe, use_members)

    def source(self, column: str, use: str, who: str) -> Source:
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
        found = self._field_source(column, use, declared)
        if found is not None:
            return found
        raise InvalidInput(
            f"{who}: field {column!r} is {_kind(declared)}; it takes {_TAKES[use]}"
            + _suggest(_fitting(self.dataset, use))
        )

    def _field_source(self, column: str, use: str, declared: Any) -> Source | None:
        """The source of a field that there is, None where it does not fit the use."""
        kind = document_type(declared)
        if use == "classes":
            is_classes = kind is fo.Classification or _is_vector(declared)
            use = "predictions" if is_classes else "categories"
        if use in ("predictions", "member"):
            if kind is fo.Classification:
                return Predictions(self.n, column, self.flat)
            if _is_vector(declared):
                return Predictions(self.n, column, self.flat, plain=True)
            if kind is fo.Regression and use == "member":
                return Scalars(self.n, f"{column}.value", numbers=True)
            if isinstance(declared, _NUMBERS) and use == "member":
                return Scalars(self.n, column, numbers=True)
            if kind is fo.Classifications:
                return TagList(self.n, column, self.flat)
            if kind in LIST_OF:
                return ObjectList(self.n, column, kind, self.flat, boxes=use == "member")
            if any(map_paths(self.flat, column)):
                return PixelMaps(self.n, self.view, *map_paths(self.flat, column))
        elif use == "members" and isinstance(declared, (fo.ArrayField, fo.ListField)):
            return Members(self.n, column)
        elif use == "vectors" and _is_vector(declared):
            return Embeddings(self.n, column)
        elif use == "numbers" and isinstance(declared, _NUMBERS):
            return Scalars(self.n, column, numbers=True)
        elif use in ("categories", "values") and isinstance(declared, (*_NUMBERS, fo.StringField)):
            return Scalars(self.n, column, numbers=False)
        return None

    def _similarity_source(self, key: str) -> Source:
        config = self.dataset.get_brain_info(key).config
        path = getattr(config, "embeddings_field", None)
        return Embeddings(self.n, path) if path else Loaded(self.n, self.dataset, key)

    def label_source(self) -> list[Scalars]:
        sources = []
        if self.labelled.tag:
            sources.append(Scalars(self.n, "tags", numbers=False))
        if self.labelled.chosen:
            ranks = [one["names"]["rank_field"] for one in selections(self.dataset)]
            sources += [Scalars(self.n, path, numbers=False) for path in ranks if path in self.flat]
        name = self.labelled.field
        if name:
            if self.dataset.get_field(name) is None:
                raise InvalidInput(
                    f"{self.dataset.name!r} has no field {name!r} to tell which samples are labelled"
                )
            path = f"{name}.label" if f"{name}.label" in self.flat else name
            if document_type(self.flat[name]) is None or path != name:
                sources.append(Scalars(self.n, path, numbers=False))
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

    def _mask_labelled(self, sources: list[Scalars]) -> np.ndarray:
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
        for entry in _judges(recipe):
            labels = getattr(entry, "labels", None)
            if labels is None or labels not in pool.columns:
                continue
            classes = set(pool.classes.get(entry.column, []))
            if not classes:
                continue
            column = pool.columns[labels]
            here = pool.labelled & ~pool.missing[labels]
            strange = here & np.array([v not in classes for v in column], dtype=bool)
            pool.missing[labels] |= strange
            if strange.any():
                self.notes.append(
                    f"{int(strange.sum())} labelled samples are of classes that "
                    f"{entry.column!r} does not know; {entry.strategy} does not count them"
                )

    def _align_members(self, recipe: Recipe) -> None:
        """Bring members that come from several fields to the same classes, by their names."""
        for entry in _judges(recipe):
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

        return _map_entries(recipe, read)

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


_NUMBERS = (fo.FloatField, fo.IntField, fo.BooleanField, fo.DateField, fo.DateTimeField)
_TAKES = {
    "predictions": (
        "a Classification, a vector of probabilities or logits, objects with confidences, a Heatmap, "
        "or arrays of pixels"
    ),
    "members": "arrays of members, (T, C), or a list with a field for each member",
    "member": "predictions, as many as there are members",
    "classes": "a Classification, a vector of probabilities, or a category",
    "vectors": "a vector field or a similarity run",
    "numbers": "numbers, booleans or dates",
    "categories": "strings, numbers or booleans",
    "values": "strings, numbers, booleans or dates",
}


def _judges(recipe: Recipe) -> list[Any]:
    """Every entry, and every uncertainty by which an entry weighs."""
    judges: list[Any] = [entry for stage in recipe.in_stages() for entry in stage.strategies or []]
    weights = [getattr(entry, "weights", None) for entry in judges]
    return judges + [one for one in weights if one is not None and not isinstance(one, str)]


def _declared(recipe: Recipe) -> tuple[set[str], set[str]]:
    """The columns said to be logits, and those said to be of classes that do not exclude each other."""
    logits: set[str] = set()
    independent: set[str] = set()
    for one in _judges(recipe):
        if getattr(one, "given", None) == "logits":
            logits |= set(entries.columns_of(one))
        if getattr(one, "multi_label", False):
            independent |= set(entries.columns_of(one))
    return logits, independent


def _uses(recipe: Recipe) -> dict[str, tuple[str, str]]:
    """What each column is read for, and which entry asks for it first."""
    uses: dict[str, tuple[str, str]] = {}

    def use(column: str, purpose: str, who: str) -> None:
        known = uses.get(column)
        # A class distribution serves uncertainty and balance alike.
        if known is None or {known[0], purpose} == {"classes", "predictions"}:
            purpose = "predictions" if known else purpose
            uses[column] = (purpose, who)
        elif {known[0], purpose} <= {"classes", "predictions", "member"}:
            uses[column] = ("member", who)
        elif purpose not in (known[0], "values"):
            raise InvalidInput(
                f"{who}: field {column!r} is used as {purpose} here and as {known[0]} by {known[1]}; "
                "name the path of what is meant, such as predictions.label"
            )

    for stage in recipe.in_stages():
        for entry in stage.strategies or []:
            _use_entry(entry, use)
    for one in [*recipe.filters, *(f for s in recipe.in_stages() for f in s.filters)]:
        if one.column != "id":
            use(one.column, "values", "a filter")
    return uses


def _use_entry(entry: Any, use: Callable[[str, str, str], None]) -> None:
    who = entry.strategy
    if isinstance(entry, (entries.Uncertainty, entries.ExpectedCost)):
        use(entry.column, "predictions", who)
    elif isinstance(entry, (entries.Disagreement, entries.BatchBald)):
        several = isinstance(entry.column, list)
        for column in entries.columns_of(entry):
            use(column, "member" if several else "members", who)
    elif isinstance(entry, (entries.Diversity, entries.Coverage)):
        use(entry.column, "vectors", who)
    elif isinstance(entry, entries.Balance):
        use(entry.column, "classes", who)
    elif isinstance(entry, entries.Weight):
        use(entry.column, "numbers", who)
    if getattr(entry, "labels", None):
        use(entry.labels, "categories", who)
    weights = getattr(entry, "weights", None)
    if isinstance(weights, str):
        use(weights, "numbers", who)
    elif weights is not None:
        _use_entry(weights, use)


def _map_entries(recipe: Recipe, change: Callable[[Any], Any]) -> Recipe:
    if recipe.stages is None:
        changed = [change(entry) for entry in recipe.strategies or []]
        return recipe.model_copy(update={"strategies": changed})
    stages = [
        stage.model_copy(update={"strategies": [change(e) for e in stage.strategies or []]})
        for stage in recipe.stages
    ]
    return recipe.model_copy(update={"stages": stages})


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


def first(choices: list[Choice], what: str) -> str:
    """The first field that fits, as a form proposes it.

    Raises:
        InvalidInput: there is none.
    """
    return choices[0].path if choices else only(choices, what)


def _fitting(dataset: Any, use: str) -> list[Choice]:
    find = {
        "predictions": uncertain_fields,
        "members": member_fields,
        "member": uncertain_fields,
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
