"""Reads objects: each label of a list is a row, with what it holds itself and what its sample does."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Any

import numpy as np

from ...alcore import InvalidInput, Recipe
from ...alcore.recipe import recipe as entries
from ...alcore.recipe.default import strategies_for
from ..dataset.fields import Choice, class_vector_path, document_type, embedding_fields, only
from ..dataset.fiftyone_private import dataset_of, label_path, raw_rows, shows_patches
from ..dataset.object_fields import list_path, nearest, of_objects, patch_runs, several_an_object
from ..dataset.object_labels import all_slices, count_objects
from ..dataset.selection_records import earlier_ranks
from .columns import Embeddings, Scalars, Source
from .label_columns import ObjectList, PixelMaps
from .object_columns import EachClass, EachObject, EachPrediction, LoadedPatches
from .recipe_columns import judges_of, map_entries
from .sample_reader import (
    FITTING,
    ROWS_A_REPORT,
    Bad,
    Labeled,
    Progress,
    Reading,
    SampleReader,
    known,
    source_of_field,
)

# Judge an object by its whole class vector.
_OF_CLASS_VECTORS = (
    entries.ExpectedCost,
    entries.Badge,
    entries.RepresentativeInformative,
    entries.ClassBalanced,
    entries.Minority,
)


class ObjectReader(SampleReader):
    """Reads a view once, with the M labels of a list field as rows; their ids are the labels' ids.

    A column may be
        the field itself: under uncertainty each object alone, by its class vector or confidence;
            under balance its class, by its vector where most sum to 1, else by its label; under
            expected cost, badge and representative_informative its class vector, or its label and
            confidence,
        a path inside the list, such as ``predictions.detections.embedding``: a value an object,
        any other field or similarity run: what the sample has, for each of its objects.

    Labeled are those that have the tag or whose sample has it, those in samples with a value in
    ``labeled.field`` (for an image whose truth is known needs no label for its boxes), or with one
    themselves where that is a path inside the list, and those chosen earlier, or their sample.

    Of a view of patches, the objects shown are read.
    """

    thing = "object"

    def __init__(self, view: Any, objects: str, labeled: Labeled, bad: Bad, progress: Progress) -> None:
        view, self._shown = _unpatched(view, objects)
        super().__init__(view, labeled, bad, progress)
        self._objects = objects
        self._root = list_path(self.dataset, objects)
        if labeled.field == objects:
            raise InvalidInput(
                f"objects: {objects!r} is the field of labels too, which leaves no object to label; "
                "name another one, or none"
            )
        if labeled.field and self._is_inside(labeled.field):
            labeled = replace(labeled, field=None)
        self._whole = SampleReader(view, labeled, bad, progress)
        self._whole.notes = self.notes
        self._whole.logits, self._whole.independent = self.logits, self.independent
        # Which sources are fed object by object: the others are the samples'.
        self._each: set[Source] = set()
        self._owner = np.zeros(0, dtype=np.int64)

    def read(self, recipe: Recipe) -> Reading:
        reading = super().read(recipe)
        reading.samples = np.array(self._whole.ids, dtype=object)[self._owner]
        return reading

    def count(self) -> None:
        self._whole.count()
        shown = self._shown
        self.n = count_objects(self.view, self._objects) if shown is None else len(shown)
        if self.n == 0:
            raise InvalidInput(
                f"objects: none of the {self._whole.n} samples has one in {self._objects!r}: there is "
                "nothing to choose from"
            )

    # What to read

    def complete(self, recipe: Recipe) -> Recipe:
        return map_entries(super().complete(recipe), self._with_classes)

    def default_strategies(self) -> list[Any]:
        embeddings = nearest(embedding_fields, self._objects)(self.dataset)
        inside = [choice for choice in embeddings if self._is_of_objects(choice.path)]
        return strategies_for(
            only(inside, f"{self._root}.embedding") if inside else None,
            entries.Uncertainty(column=self._objects),
            balanced=True,
        )

    def with_labels(self, recipe: Recipe) -> Recipe:
        return recipe  # a sample's label is none of its objects'

    def with_members(self, entry: Any) -> Any:
        if isinstance(entry, (entries.Disagreement, entries.BatchBald)):
            columns = entry.column if isinstance(entry.column, list) else [entry.column]
            columns = [self._root if column == self._objects else column for column in columns]
            several = isinstance(entry.column, list)
            entry = entry.model_copy(update={"column": columns if several else columns[0]})
        return super().with_members(entry)

    def _with_classes(self, entry: Any) -> Any:
        """Name the objects' classes, where the field itself stands for the objects."""
        if getattr(entry, "column", None) != self._objects:
            return entry
        if isinstance(entry, _OF_CLASS_VECTORS):
            return entry.model_copy(update={"column": self._root})
        if isinstance(entry, entries.Balance):
            column = self._root if class_vector_path(self.flat, self._root) else f"{self._root}.label"
            return entry.model_copy(update={"column": column})
        return entry

    def fitting(self, use: str) -> list[Choice]:
        return of_objects(FITTING[use], self._objects)(self.dataset)

    def similarity_runs(self) -> list[str]:
        return super().similarity_runs() + patch_runs(self.dataset, self._objects)

    def similarity_source(self, key: str) -> Source:
        if key not in patch_runs(self.dataset, self._objects):
            return self._whole.similarity_source(key)
        name = getattr(self.dataset.get_brain_info(key).config, "embeddings_field", None)
        if name:
            return self._of_each(Embeddings(self.n, f"{self._root}.{name}"))
        return self._of_each(LoadedPatches(self.n, self.dataset, key))

    def field_source(self, column: str, use: str, declared: Any, who: str) -> Source | None:
        kind = document_type(declared)
        if column == self._objects:
            if use != "predictions":
                return None
            return self._of_each(EachObject(self.n, column, kind, self.flat))
        if column == self._root:
            if use not in ("predictions", "distribution", "classes", "member"):
                return None
            source = EachClass if use == "classes" else EachPrediction
            return self._of_each(source(self.n, column, self.flat))
        if self._is_inside(column):
            if several_an_object(self.dataset, self._root, column):
                raise InvalidInput(
                    f"{who}: field {column!r} has several values an object; name another"
                )
            found = source_of_field(self, column, use, declared)
            if found is None or isinstance(found, (ObjectList, PixelMaps)):
                return None
            return self._of_each(found)
        found = self._whole.field_source(column, use, declared, who)
        if isinstance(found, (ObjectList, PixelMaps)):
            raise InvalidInput(
                f"{who}: field {column!r} has several predictions a sample, which say nothing of one "
                f"object of {self._objects!r}; compute scores of it, and use these as a weight"
            )
        return found

    def label_sources(self) -> list[Source]:
        paths = []
        if self.labeled.tag:
            paths.append(self._tags)
        if self.labeled.chosen:
            ranks = earlier_ranks(self.dataset, self._objects)
            paths += [path for path in ranks if path in self.flat]
        name = self.labeled.field
        if name and self._is_inside(name):
            if name not in self.flat:
                raise InvalidInput(
                    f"{self.dataset.name!r} has no field {name!r} to tell which objects are labeled"
                )
            paths.append(name)
        mine = [self._of_each(Scalars(self.n, path, numbers=False)) for path in paths]
        return [*mine, *self._whole.label_sources()]

    @property
    def _tags(self) -> str:
        return f"{self._root}.tags"

    def _of_each(self, source: Source) -> Source:
        self._each.add(source)
        return source

    def _is_inside(self, path: str) -> bool:
        return path.startswith(f"{self._root}.")

    def _is_of_objects(self, column: str) -> bool:
        return self._is_inside(column) or column in patch_runs(self.dataset, self._objects)

    # Reading

    def one_pass(self, sources: list[Source]) -> None:
        paths = list(dict.fromkeys(path for source in sources for path in source.paths))
        place = {path: index + 2 for index, path in enumerate(paths)}
        feeds = [(s, [place[path] for path in s.paths]) for s in sources]
        each = [feed for feed in feeds if feed[0] in self._each]
        whole = [feed for feed in feeds if feed[0] not in self._each]
        counts = np.zeros(self._whole.n, dtype=np.int64)
        for row, values in enumerate(raw_rows(self.view, ["_id", f"{self._root}._id", *paths])):
            ids, kept = self._kept(values[1] or [])
            start = len(self.ids)
            if row == self._whole.n or start + len(ids) > self.n:
                break  # the dataset has grown meanwhile
            self._whole.ids.append(str(values[0]))
            if row % ROWS_A_REPORT == 0:
                self.progress(row / self._whole.n)
            if not ids:
                continue  # what is wrong with a sample without objects is of no matter
            counts[row] = len(ids)
            self.ids += ids
            for source, places in whole:
                source.put(row, self._whole.ids[row], [values[p] for p in places])
            for source, places in each:
                source.put_several(start, ids, [kept(values[p]) for p in places])
        self._owner = np.repeat(np.arange(self._whole.n), counts)
        self._owner = np.append(self._owner, np.zeros(self.n - len(self.ids), dtype=np.int64))
        self._whole.pad()
        self.pad()

    def _kept(self, ids: list[Any]) -> tuple[list[str], Callable[[list[Any]], list[Any]]]:
        """The ids of the objects to read, and what picks their values from a list of all."""
        names = list(map(str, ids))
        if self._shown is None:
            return names, lambda values: values
        places = [place for place, name in enumerate(names) if name in self._shown]
        return [names[place] for place in places], lambda values: [values[place] for place in places]

    def finish(self, sources: dict[str, Source], recipe: Recipe) -> None:
        for column, source in sources.items():
            if source in self._each:
                source.finish(self, column)
            else:
                source.finish(self._whole, column)
                self._spread(column)
        judged = sources.get(self._objects)
        if isinstance(judged, EachObject):
            self._leave_unsure(judged, recipe)

    def _spread(self, column: str) -> None:
        """Give each object what its sample has."""
        values = self._whole.columns.pop(column)
        self.columns[column] = values[:, self._owner] if values.ndim == 3 else values[self._owner]
        self.missing[column] = self._whole.missing.pop(column)[self._owner]
        if column in self._whole.classes:
            self.classes[column] = self._whole.classes.pop(column)

    def _leave_unsure(self, judged: EachObject, recipe: Recipe) -> None:
        """Leave out objects that do not count: alone in its row such a one would pass for median."""
        column = self._objects
        least = max(
            entry.min_confidence
            for entry in judges_of(recipe)
            if isinstance(entry, entries.Uncertainty) and entry.column == column
        )
        below = judged.below(least) & ~self.missing[column]
        if not below.any():
            return
        self.missing[column] = self.missing[column] | below
        told = f"field {column!r}: {int(below.sum())} objects with a confidence below {least:g}"
        if self.missing[column].all():
            raise InvalidInput(f"{told}, and no other; lower min_confidence")
        self.notes.append(f"{told} are not chosen (min_confidence)")

    def holding(self, ids: list[str]) -> SampleReader:
        view = all_slices(self.dataset).match_labels(ids=ids, fields=self._objects)
        return ObjectReader(view, self._objects, Labeled(), "leave_out", self.progress)

    def mask_labeled(self, sources: list[Source]) -> np.ndarray:
        of_samples = [source for source in sources if source not in self._each]
        mask = self._whole.mask_labeled(of_samples)[self._owner] | self.deleted
        for source in sources:
            if source in self._each:
                mask |= known(source, self.labeled.tag if source.paths == [self._tags] else None)
        return np.asarray(mask)


def _unpatched(view: Any, objects: str) -> tuple[Any, set[str] | None]:
    """The samples of a view of patches, and the ids of the objects it shows; None for all of them."""
    if not shows_patches(view):
        return view, None
    dataset = dataset_of(view)
    list_path(dataset, objects)
    if view.get_field(objects) is None:
        raise InvalidInput(
            f"objects: the view shows patches, but not of {objects!r}; choose among the objects that "
            "it shows, or from another view"
        )
    samples, labels = view.values(["sample_id", label_path(view, objects, "id")])
    # A patch of an evaluation holds a list of labels.
    lists = [one if isinstance(one, list) else [one] for one in labels]
    shown = {label for one in lists for label in one if label is not None}
    return all_slices(dataset).select(list(dict.fromkeys(samples))), shown
