"""Reads samples: one query gives all values, and passes them row by row to the reader of each field."""

from __future__ import annotations

from collections.abc import Callable, Hashable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from bson import ObjectId

from ...alcore import InvalidInput, Pool, Recipe
from ...alcore.recipe.default import strategies_for
from ...alcore.strategies import Reads, Strategy
from ...alcore.strategies.random import Random
from ...alcore.strategies.uncertainty import Uncertainty
from ..dataset.fields import (
    Choice,
    declared_classes,
    document_type,
    embedding_fields,
    inside_list,
    only,
    prediction_fields,
    similarity_runs,
)
from ..dataset.fiftyone_private import dataset_of, in_parts, raw_rows, shows_parts
from ..dataset.selection_records import earlier_ranks, next_round
from ..dataset.stored_schema import schema_of
from ..dataset.views import all_slices
from .column import Bad, BadValues, Column, Declared
from .completion import DeclaredColumns, Labeled, with_columns, with_default, with_labels, with_round
from .field_readers import Embeddings, FieldReader, Scalars, StoredEmbeddings, align
from .kept import Kept, Rows, kept_of
from .reads import FITTING, reader_of, reads_of

Progress = Callable[[float], None]
ROWS_A_REPORT = 2000
MEMBERS = (Reads.MEMBER, Reads.CLASS_MEMBER)


@dataclass
class ReadPool:
    """A pool, and remarks for the user about what was read."""

    pool: Pool
    notes: list[str]


@dataclass(kw_only=True)
class Reading(ReadPool):
    """A pool that was read for a recipe.

    Attributes:
        recipe: the recipe with its default strategies, labels and members filled in.
        samples: (M,) the id of each object's sample if the rows are objects, else None.
    """

    recipe: Recipe
    samples: np.ndarray | None = None


class SampleReader:
    """Reads a view once, with samples as rows.

    Args:
        view: a view of samples.
        labeled: which samples count as labeled.
        bad: what happens to values that cannot be used.
        progress: called now and then with the share that is done, from 0 to 1.

    Raises:
        InvalidInput: if the view shows patches, frames or clips.
    """

    thing = "sample"
    keeps = True

    def __init__(self, view: Any, labeled: Labeled, bad: Bad, progress: Progress) -> None:
        if shows_parts(view):
            raise InvalidInput(
                "the view shows patches, frames or clips, and what is written to these does not reach "
                "the dataset; choose from a view of samples, or among the objects of a field"
            )
        self.view = view
        self.dataset = dataset_of(view)
        self.flat = schema_of(self.dataset)
        self.labeled = labeled
        self.bad = bad
        self.progress = progress
        self.n = 0  # until ``count`` is called; a check needs no space for values
        self.ids: list[str] = []
        self.deleted = np.zeros(0, dtype=bool)
        self.notes: list[str] = []

    def read(self, recipe: Recipe) -> Reading:
        """Read a pool with all columns that a recipe needs.

        Raises:
            InvalidInput: if a field is unknown or of the wrong type, or if values cannot be used.
        """
        self.count()
        given, recipe = recipe, self.complete(recipe)
        columns, mask = self._columns(reads_of(recipe), DeclaredColumns.by(recipe))
        notes = [note for one in columns.values() for note in one.notes]
        by_default = any(stage.by_default for stage in given.in_stages())
        if by_default and any(isinstance(one, Random) for one in recipe.all_strategies()):
            notes.append(
                f"no predictions and no embeddings were found, so {self.thing}s are chosen at random"
            )
        notes += self.notes + self._lacking(columns, recipe, mask)
        notes += self.leave_unsure(columns, recipe)
        self._align_members(columns, recipe)
        notes += self._leave_strange_labels(columns, recipe, mask)
        elsewhere = self._elsewhere(recipe)
        return Reading(self._pool(columns, mask, elsewhere), notes, recipe=recipe)

    def read_columns(self, reads: dict[str, Reads]) -> ReadPool:
        """Read a pool with the given columns.

        Raises:
            InvalidInput: as in ``read``.
        """
        self.count()
        columns, mask = self._columns(_by_column(reads), DeclaredColumns())
        notes = [note for one in columns.values() for note in one.notes]
        return ReadPool(self._pool(columns, mask, {}), notes)

    def check(self, recipe: Recipe) -> None:
        """Check that the fields of a recipe exist and fit, without reading any sample.

        Raises:
            InvalidInput: if a field is unknown or of the wrong type.
        """
        recipe = self.complete(recipe)
        self.readers(reads_of(recipe), DeclaredColumns.by(recipe))
        self.label_readers()

    def check_columns(self, reads: dict[str, Reads]) -> None:
        """Check that columns exist and fit, without reading any sample.

        Raises:
            InvalidInput: as in ``check``.
        """
        self.readers(_by_column(reads), DeclaredColumns())
        self.label_readers()

    def count(self) -> None:
        """Count the rows, before readers are created.

        Raises:
            InvalidInput: if the view is empty.
        """
        self.n = len(self.view)
        if self.n == 0:
            raise InvalidInput("the view is empty: there is nothing to choose from")

    # What to read

    def complete(self, recipe: Recipe) -> Recipe:
        """Return the recipe with default strategies, labels and the columns of members filled in."""
        recipe = with_default(recipe, self.default_strategies)
        recipe = with_round(recipe, lambda: next_round(self.dataset, self.labeled.but))
        return with_columns(with_labels(recipe, self.labeled.field, self.flat), self.column_for)

    def default_strategies(self) -> list[Strategy]:
        """Return the strategies for a recipe without any. Their columns are found by usual names."""
        predictions, embeddings = prediction_fields(self.dataset), embedding_fields(self.dataset)
        if self.labeled.field:
            predictions = [c for c in predictions if c.path != self.labeled.field]
        return strategies_for(
            only(embeddings, "embeddings") if embeddings else None,
            Uncertainty(column=only(predictions, "predictions")) if predictions else None,
            balanced=True,
        )

    def column_for(self, column: str, reads: Reads) -> str:
        """Return the column to read for a field: its ``members`` if these exist and are read."""
        members = f"{column}.members"
        return members if reads is Reads.MEMBERS and members in self.flat else column

    def readers(
        self, reads: dict[str, tuple[Reads, str]], declared: DeclaredColumns
    ) -> dict[str, FieldReader]:
        """Return a reader for each column.

        Raises:
            InvalidInput: if a field is unknown or of the wrong type.
        """
        return {
            column: self._reader(column, one, user, self._declared(column, declared))
            for column, (one, user) in reads.items()
        }

    def _declared(self, column: str, declared: DeclaredColumns) -> Declared:
        return declared.of(self.dataset, column, self.declared_classes(column))

    def declared_classes(self, column: str) -> list[str]:
        """Return the class names that the dataset declares for a field, else its default classes."""
        return declared_classes(self.dataset, column)

    def _reader(self, column: str, reads: Reads, user: str, declared: Declared) -> FieldReader:
        if column == "id":
            raise InvalidInput(f"{user}: 'id' is for filters alone")
        field_ = self.flat.get(column)
        if field_ is None and column in self.similarity_runs():
            if reads is not Reads.VECTORS:
                raise InvalidInput(f"{user}: {column!r} is a similarity run, which has only vectors")
            return self.similarity_reader(column)
        if field_ is None and column.startswith("frames."):
            raise InvalidInput(
                f"{user}: {column!r} holds values of frames, and samples are chosen; compute a value "
                "for each video from it, or make a dataset of its frames"
            )
        if field_ is None:
            raise InvalidInput(
                f"{user}: {self.dataset.name!r} has no field {column!r}{_suggest(self.fitting(reads))}"
            )
        found = self.field_reader(column, reads, user, declared)
        if found is not None:
            return found
        raise InvalidInput(
            f"{user}: field {column!r} is {_kind(field_)}; it takes {FITTING[reads].takes}"
            + _suggest(self.fitting(reads))
        )

    def fitting(self, reads: Reads) -> list[Choice]:
        """Return the fields that can be read in this way."""
        return FITTING[reads].fields(self.dataset)

    def similarity_runs(self) -> list[str]:
        """Return the keys of the similarity runs that can be read as vectors."""
        return similarity_runs(self.dataset)

    def similarity_reader(self, key: str) -> FieldReader:
        """Return a reader for the vectors of a similarity run."""
        path = getattr(self.dataset.get_brain_info(key).config, "embeddings_field", None)
        return Embeddings(self.n, path) if path else StoredEmbeddings(self.n, self.dataset, key)

    def field_reader(
        self, column: str, reads: Reads, user: str, declared: Declared
    ) -> FieldReader | None:
        """Return a reader for an existing field, or None if the field cannot be read in this way.

        Raises:
            InvalidInput: if the field has several values per sample.
        """
        if inside_list(self.dataset, column):
            raise InvalidInput(
                f"{user}: field {column!r} has several values a sample; name one with a single value, "
                "or choose among objects instead of samples"
            )
        return reader_of(self.n, self.view, self.flat, column, reads, declared)

    def label_readers(self) -> list[Scalars]:
        """Return the readers of the values that tell which rows are labeled.

        Raises:
            InvalidInput: if the label field is unknown or has several values per sample.
        """
        readers: list[Scalars] = []
        if self.labeled.tag:
            readers.append(Scalars(self.n, "tags", numbers=False))
        if self.labeled.chosen:
            readers += [
                Scalars(self.n, path, numbers=False)
                for path in earlier_ranks(self.dataset, but=self.labeled.but)
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
                readers.append(Scalars(self.n, path, numbers=False))
        return readers

    # Reading

    def _columns(
        self, reads: dict[str, tuple[Reads, str]], declared: DeclaredColumns
    ) -> tuple[dict[str, Column], np.ndarray]:
        """Return the columns, and (N,) bool: which rows are labeled. What is kept is not read again."""
        readers, labels = self.readers(reads, declared), self.label_readers()
        kept = self._find_kept(readers, reads, declared, labels)
        unread = {path: one for path, one in readers.items() if path not in kept.columns}
        if kept.rows is not None and not unread:
            self.ids, self.n = list(kept.rows.ids), len(kept.rows.ids)
            return {path: kept.columns[path] for path in readers}, kept.rows.labeled.copy()
        self.one_pass([*unread.values(), *labels])
        if kept.rows is not None and self.ids != kept.rows.ids:
            # Samples were changed just now: what is kept belongs to others.
            kept, self.ids = Kept(), []
            unread, labels = self.readers(reads, declared), self.label_readers()
            self.one_pass([*unread.values(), *labels])
        columns = kept.columns | {path: self.column_of(path, one) for path, one in unread.items()}
        mask = self.mask_labeled(labels)
        if not self.deleted.any():
            kept.put(Rows(list(self.ids), mask.copy()), columns)
        columns = {path: columns[path] for path in readers}
        if self.deleted.any():
            here = np.flatnonzero(~self.deleted)
            columns = {path: one.take(here) for path, one in columns.items()}
            mask = mask[here]
            self.n, self.ids = len(here), self.ids[: len(here)]
        if self.n == 0:
            raise InvalidInput(
                "the samples of the view were deleted meanwhile: there is none to choose"
            )
        return columns, mask

    def _find_kept(
        self,
        readers: dict[str, FieldReader],
        reads: dict[str, tuple[Reads, str]],
        declared: DeclaredColumns,
        labels: list[Scalars],
    ) -> Kept:
        if not self.keeps:
            return Kept()
        how = {
            path: (one, (reads[path][0], self._declared(path, declared), self.bad))
            for path, one in readers.items()
        }
        return kept_of(self.view, how, (self.labeled, [one.paths for one in labels]))

    def one_pass(self, readers: list[FieldReader]) -> None:
        """Query all paths at once, and pass to each reader its own values."""
        paths = list(dict.fromkeys(path for reader in readers for path in reader.paths))
        place = {path: index + 1 for index, path in enumerate(paths)}
        feeds = [(reader, [place[path] for path in reader.paths]) for reader in readers]
        seen: set[Any] = set()
        for values in raw_rows(self.view, ["_id", *paths]):
            row = len(self.ids)
            if row == self.n:
                break  # samples were added to the dataset during reading
            if values[0] in seen:
                continue  # a view may show a sample twice; it is a candidate once
            seen.add(values[0])
            self.ids.append(str(values[0]))
            for reader, places in feeds:
                reader.put(row, self.ids[row], [values[p] for p in places])
            if row % ROWS_A_REPORT == 0:
                self.progress(row / self.n)
        self.pad()

    def pad(self) -> None:
        """Fill the rows of samples that were deleted since they were counted, or that came twice.

        They are dropped once the columns are made.
        """
        gone = self.n - len(self.ids)
        self.ids += [f"deleted-{number}" for number in range(gone)]
        self.deleted = np.arange(self.n) >= self.n - gone

    def column_of(self, path: str, reader: FieldReader) -> Column:
        """Return the column that a reader has read."""
        bad = BadValues(path, self.ids, self.thing, self.bad)
        column = reader.column(bad)
        column.notes[:0] = bad.notes
        column.left_out = bad.left_out
        return column

    def mask_labeled(self, readers: list[Scalars]) -> np.ndarray:
        """Return (N,) bool: which rows are labeled."""
        mask = self.deleted.copy()
        for reader in readers:
            mask |= known(reader, self.labeled.tag if reader.paths == ["tags"] else None)
        name = self.labeled.field
        if name and not any(r.paths[0].split(".")[0] == name.split(".")[0] for r in readers):
            with_value = set(self.view.exists(name).values("id"))
            mask |= np.array([one in with_value for one in self.ids], dtype=bool)
        return mask

    def _lacking(self, columns: dict[str, Column], recipe: Recipe, mask: np.ndarray) -> list[str]:
        """Return notes on rows that cannot be chosen because they have no value in a column."""
        judged = [path for one in recipe.all_strategies() for path in one.judged_by()]
        notes = []
        for path in dict.fromkeys(judged):
            column = columns[path]
            lacking = int((column.missing & ~mask).sum()) - column.left_out
            if lacking > 0:
                total = int((~mask).sum())
                notes.append(
                    f"{lacking:,} of {total:,} {self.thing}s have no {path!r}, and are not chosen"
                )
        return notes

    def leave_unsure(self, columns: dict[str, Column], recipe: Recipe) -> list[str]:
        """Mark objects of low confidence as missing, and return notes. Samples are all kept."""
        return []

    def _leave_strange_labels(
        self, columns: dict[str, Column], recipe: Recipe, mask: np.ndarray
    ) -> list[str]:
        """Mark labels whose class is unknown to the predictions as missing, and return notes."""
        notes = []
        for one in recipe.all_strategies():
            judged = [columns[name] for name in one.judged_by()]
            classes = set(judged[0].classes or []) if len(one.columns()) > 1 and judged else set()
            for labels in one.of_labeled():
                column = columns[labels]
                if not classes or not isinstance(column.values, np.ndarray):
                    continue
                unknown = np.array([value not in classes for value in column.values], dtype=bool)
                strange = mask & ~column.missing & unknown
                column.missing |= strange
                if strange.any():
                    notes.append(
                        f"{int(strange.sum())} labeled {self.thing}s are of classes that "
                        f"{one.judged_by()[0]!r} does not know; {one.strategy} does not count them"
                    )
        return notes

    def _align_members(self, columns: dict[str, Column], recipe: Recipe) -> None:
        """Give members that come from several fields the same classes, matched by name."""
        for one in recipe.all_strategies():
            members = [c for c, reads in one.columns().items() if reads in MEMBERS]
            named = {
                name: columns[name]
                for name in members
                if columns[name].classes is not None and isinstance(columns[name].values, np.ndarray)
            }
            if len({tuple(column.classes or []) for column in named.values()}) > 1:
                align(named)

    def _pool(
        self, columns: dict[str, Column], mask: np.ndarray, elsewhere: dict[str, dict[Hashable, Any]]
    ) -> Pool:
        return Pool(
            self.n,
            ids=self.ids,
            labeled=mask,
            columns={name: one.values for name, one in columns.items()},
            classes={name: one.classes for name, one in columns.items() if one.classes is not None},
            missing={name: one.missing for name, one in columns.items()},
            given={name: one.given for name, one in columns.items() if one.given is not None},
            independent=[name for name, one in columns.items() if one.independent],
            elsewhere=elsewhere,
        )

    def _elsewhere(self, recipe: Recipe) -> dict[str, dict[Hashable, Any]]:
        """Return the vectors of examples that are not in the view, by column and id.

        Raises:
            InvalidInput: if an example is not in the dataset, or has no vector.
        """
        found: dict[str, dict[Hashable, Any]] = {}
        here: set[str] | None = None
        for column, given in recipe.examples():
            ids = [str(one) for one in given if not isinstance(one, list)]
            here = set(self.ids) if here is None and ids else here
            if ids and not (here or set()).issuperset(ids):
                found.setdefault(column, {}).update(self._vectors_of(column, ids))
        return found

    def _vectors_of(self, column: str, ids: list[str]) -> dict[str, Any]:
        vectors: dict[str, Any] = {}
        for part in in_parts([one for one in ids if ObjectId.is_valid(one)]):
            reader = self.holding(part)
            if len(reader.view):
                pool = reader.read_columns({column: Reads.VECTORS}).pool
                X, usable = pool.columns[column], ~pool.missing[column]
                vectors |= {one: X[row] for row, one in enumerate(pool.ids) if usable[row]}
        unusable = [one for one in ids if one not in vectors]
        if unusable:
            raise InvalidInput(
                f"examples: {len(unusable)} of {len(ids)} are not in {self.dataset.name!r}, or have no "
                f"{column!r}: {', '.join(unusable[:3])}"
            )
        return {one: vectors[one] for one in ids}

    def holding(self, ids: Sequence[str]) -> SampleReader:
        """Return a reader of the rows with these ids, from the whole dataset."""
        view = all_slices(self.dataset).select(ids)
        return SampleReader(view, Labeled(), "leave_out", self.progress)


def _by_column(reads: dict[str, Reads]) -> dict[str, tuple[Reads, str]]:
    """Add to each column its own name as the user of the column, for error messages."""
    return {column: (one, column) for column, one in reads.items()}


def known(reader: Scalars, tag: str | None = None) -> np.ndarray:
    """Return (n,) bool: which rows have a value. With ``tag``: which rows have this tag."""
    if tag is not None:
        return np.array([bool(v) and tag in v for v in reader.values], dtype=bool)
    return np.array([v is not None for v in reader.values], dtype=bool)


def _suggest(choices: list[Choice]) -> str:
    names = ", ".join(repr(choice.path) for choice in choices[:6])
    return f"; fields that fit: {names}" if names else "; the dataset has none that fits"


def _kind(field_: Any) -> str:
    document = document_type(field_)
    return f"a {document.__name__}" if document is not None else f"a {type(field_).__name__}"
