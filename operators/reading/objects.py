"""Reads objects: each label of a list is a row, with its own values and those of its sample."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import Any

import numpy as np

from ...alcore import InvalidInput, Recipe
from ...alcore.recipe.default import strategies_for
from ...alcore.strategies import Reads, Strategy
from ...alcore.strategies.uncertainty import Uncertainty
from ..dataset.fields import Choice, class_vector_path, document_type, embedding_fields, only
from ..dataset.fiftyone_private import IDS_A_COMMAND, dataset_of, label_path, raw_rows, shows_patches
from ..dataset.object_fields import list_path, nearest, of_objects, patch_runs, several_an_object
from ..dataset.object_labels import count_objects
from ..dataset.selection_records import earlier_ranks
from ..dataset.views import all_slices
from .column import Bad, BadValues, Column, Declared
from .completion import Labeled
from .field_readers import Embeddings, FieldReader, Scalars
from .label_readers import ObjectList, PixelMaps
from .object_readers import EachClass, EachObject, EachPrediction, StoredPatchEmbeddings
from .reads import FITTING, reader_of
from .samples import MEMBERS, ROWS_A_REPORT, Progress, Reading, SampleReader, known


class ObjectReader(SampleReader):
    """Reads a view once, with the M labels of a list field as rows. The row ids are the label ids.

    A column can be one of these:
        The field itself. Read as predictions, it gives each object's class vector or confidence. Read
            as classes, it gives each object's class vector if most vectors sum to 1, else its label.
            Read as class probabilities, it gives each object's class vector, else its label and
            confidence.
        A path inside the list, such as ``predictions.detections.embedding``. It gives one value per
            object.
        Any other field or similarity run. Each object gets the value of its sample.

    An object counts as labeled in these cases:
        The object or its sample has the tag ``labeled.tag``.
        Its sample has a value in ``labeled.field``, because the boxes of an image with known truth need
            no labels. If ``labeled.field`` is a path inside the list, the object itself has a value
            there.
        The object or its sample was chosen earlier, if ``labeled.chosen`` is set.

    If the view shows patches, only the objects that it shows are read.

    Args:
        view: as in ``SampleReader``; a view of patches is allowed too.
        objects: the field of the objects.
        labeled: which objects count as labeled.
        bad: as in ``SampleReader``.
        progress: as in ``SampleReader``.

    Raises:
        InvalidInput: if ``objects`` is not a field of objects, or is also the field of the labels.
    """

    thing = "object"
    keeps = False  # besides the columns it remembers the sample of each object

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
        # The readers that take the values of objects; all others take the values of samples.
        self._each: set[FieldReader] = set()
        self._judged: EachObject | None = None
        self._owner = np.zeros(0, dtype=np.int64)

    def read(self, recipe: Recipe) -> Reading:
        reading = super().read(recipe)
        reading.samples = np.array(self._whole.ids, dtype=object)[self._owner[: self.n]]
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
        # The label of a sample is not the label of its objects.
        labeled, self.labeled = self.labeled, replace(self.labeled, field=None)
        try:
            return super().complete(recipe)
        finally:
            self.labeled = labeled

    def default_strategies(self) -> list[Strategy]:
        embeddings = nearest(embedding_fields, self._objects)(self.dataset)
        inside = [choice for choice in embeddings if self._is_of_objects(choice.path)]
        return strategies_for(
            only(inside, f"{self._root}.embedding") if inside else None,
            Uncertainty(column=self._objects),
            balanced=True,
        )

    def column_for(self, column: str, reads: Reads) -> str:
        if column == self._objects:
            if reads in (Reads.MEMBERS, *MEMBERS, Reads.CLASS_PROBABILITIES):
                column = self._root
            elif reads is Reads.CLASSES:
                vector = class_vector_path(self.flat, self._root)
                column = self._root if vector else f"{self._root}.label"
        return super().column_for(column, reads)

    def declared_classes(self, column: str) -> list[str]:
        if column == self._root:
            column = self._objects
        return super().declared_classes(column)

    def fitting(self, reads: Reads) -> list[Choice]:
        return of_objects(FITTING[reads].fields, self._objects)(self.dataset)

    def similarity_runs(self) -> list[str]:
        return super().similarity_runs() + patch_runs(self.dataset, self._objects)

    def similarity_reader(self, key: str) -> FieldReader:
        if key not in patch_runs(self.dataset, self._objects):
            return self._whole.similarity_reader(key)
        name = getattr(self.dataset.get_brain_info(key).config, "embeddings_field", None)
        if name:
            return self._of_each(Embeddings(self.n, f"{self._root}.{name}"))
        return self._of_each(StoredPatchEmbeddings(self.n, self.dataset, key))

    def field_reader(
        self, column: str, reads: Reads, user: str, declared: Declared
    ) -> FieldReader | None:
        if column == self._objects:
            if reads is not Reads.PREDICTIONS:
                return None
            kind = document_type(self.flat[column])
            self._judged = EachObject(self.n, column, kind, self.flat, declared)
            return self._of_each(self._judged)
        if column == self._root:
            if reads is Reads.CLASSES:
                return self._of_each(EachClass(self.n, column, self.flat, declared))
            if reads in (Reads.PREDICTIONS, Reads.CLASS_PROBABILITIES, *MEMBERS):
                return self._of_each(EachPrediction(self.n, column, self.flat, declared))
            return None
        if self._is_inside(column):
            if several_an_object(self.dataset, self._root, column):
                raise InvalidInput(
                    f"{user}: field {column!r} has several values an object; name another"
                )
            found = reader_of(self.n, self.view, self.flat, column, reads, declared)
            if found is None or isinstance(found, (ObjectList, PixelMaps)):
                return None
            return self._of_each(found)
        found = self._whole.field_reader(column, reads, user, declared)
        if isinstance(found, (ObjectList, PixelMaps)):
            raise InvalidInput(
                f"{user}: field {column!r} has several predictions a sample, which say nothing of one "
                f"object of {self._objects!r}; compute scores of it, and use these as a weight"
            )
        return found

    def label_readers(self) -> list[Scalars]:
        paths = []
        if self.labeled.tag:
            paths.append(self._tags)
        if self.labeled.chosen:
            ranks = earlier_ranks(self.dataset, self._objects, self.labeled.but)
            paths += [path for path in ranks if path in self.flat]
        name = self.labeled.field
        if name and self._is_inside(name):
            if name not in self.flat:
                raise InvalidInput(
                    f"{self.dataset.name!r} has no field {name!r} to tell which objects are labeled"
                )
            paths.append(name)
        mine = [Scalars(self.n, path, numbers=False) for path in paths]
        self._each.update(mine)
        return [*mine, *self._whole.label_readers()]

    @property
    def _tags(self) -> str:
        return f"{self._root}.tags"

    def _of_each(self, reader: FieldReader) -> FieldReader:
        self._each.add(reader)
        return reader

    def _is_inside(self, path: str) -> bool:
        return path.startswith(f"{self._root}.")

    def _is_of_objects(self, column: str) -> bool:
        return self._is_inside(column) or column in patch_runs(self.dataset, self._objects)

    # Reading

    def one_pass(self, readers: list[FieldReader]) -> None:
        paths = list(dict.fromkeys(path for reader in readers for path in reader.paths))
        place = {path: index + 2 for index, path in enumerate(paths)}
        feeds = [(reader, [place[path] for path in reader.paths]) for reader in readers]
        each = [feed for feed in feeds if feed[0] in self._each]
        whole = [feed for feed in feeds if feed[0] not in self._each]
        counts = np.zeros(self._whole.n, dtype=np.int64)
        seen: set[Any] = set()
        for values in raw_rows(self.view, ["_id", f"{self._root}._id", *paths]):
            row = len(self._whole.ids)
            if values[0] in seen:
                continue  # a view may show a sample twice; its objects are candidates once
            seen.add(values[0])
            ids, kept = self._kept(values[1] or [])
            start = len(self.ids)
            if row == self._whole.n or start + len(ids) > self.n:
                break  # samples were added to the dataset during reading
            self._whole.ids.append(str(values[0]))
            if row % ROWS_A_REPORT == 0:
                self.progress(row / self._whole.n)
            if not ids:
                continue  # faults of a sample without objects do not matter
            counts[row] = len(ids)
            self.ids += ids
            for reader, places in whole:
                reader.put(row, self._whole.ids[row], [values[p] for p in places])
            for reader, places in each:
                reader.put_several(start, ids, [kept(values[p]) for p in places])
        self._owner = np.repeat(np.arange(self._whole.n), counts)
        self._owner = np.append(self._owner, np.zeros(self.n - len(self.ids), dtype=np.int64))
        self._whole.pad()
        self.pad()

    def _kept(self, ids: list[Any]) -> tuple[list[str], Callable[[list[Any]], list[Any]]]:
        """Return the ids of the objects to read, and a function that picks their values from a list.

        Args:
            ids: the ids of all objects of a sample.
        """
        names = list(map(str, ids))
        if self._shown is None:
            return names, lambda values: values
        places = [place for place, name in enumerate(names) if name in self._shown]
        return [names[place] for place in places], lambda values: [values[place] for place in places]

    def column_of(self, path: str, reader: FieldReader) -> Column:
        if reader in self._each:
            return super().column_of(path, reader)
        # Each object gets the value of its sample.
        return self._whole.column_of(path, reader).take(self._owner)

    def leave_unsure(self, columns: dict[str, Column], recipe: Recipe) -> list[str]:
        """Mark objects with a confidence below ``min_confidence`` as missing.

        Such objects do not count in the score of a sample. Where each object has its own row, it would
        have no score, and would be treated like an object with the median score.
        """
        if self._judged is None:
            return []
        column = columns[self._objects]
        least = max(
            one.ignored_below()
            for one in recipe.all_strategies()
            if one.columns().get(self._objects) is Reads.PREDICTIONS
        )
        below = self._judged.below(least)[: self.n] & ~column.missing
        if not below.any():
            return []
        column.missing |= below
        what = f"field {self._objects!r}: {int(below.sum())} objects with a confidence below {least:g}"
        if column.missing.all():
            raise InvalidInput(f"{what}, and no other; lower min_confidence")
        return [f"{what} are not chosen (min_confidence)"]

    def holding(self, ids: Sequence[str]) -> SampleReader:
        view = all_slices(self.dataset).match_labels(ids=ids, fields=self._objects)
        return ObjectReader(view, self._objects, Labeled(), "leave_out", self.progress)

    def mask_labeled(self, readers: list[Scalars]) -> np.ndarray:
        of_samples = [reader for reader in readers if reader not in self._each]
        mask = self._whole.mask_labeled(of_samples)[self._owner] | self.deleted
        for reader in readers:
            if reader in self._each:
                mask |= known(reader, self.labeled.tag if reader.paths == [self._tags] else None)
        return np.asarray(mask) | self._repeated()

    def _repeated(self) -> np.ndarray:
        """Return (N,) bool: the objects whose id another object has too; these are not chosen.

        FiftyOne can neither show nor mark such labels, for it finds them by their ids.

        Raises:
            InvalidInput: if there are some, unless what is bad is left out.
        """
        counts = Counter(self.ids)
        if len(counts) == len(self.ids):
            return np.zeros(len(self.ids), dtype=bool)
        repeated = np.array([counts[one] > 1 for one in self.ids], dtype=bool)
        bad = BadValues(self._objects, self.ids, self.thing, self.bad)
        what = "the id of another object (copied labels need new ids)"
        bad.refuse(repeated, what, np.zeros_like(repeated))
        self.notes += bad.notes
        return repeated


def _unpatched(view: Any, objects: str) -> tuple[Any, set[str] | None]:
    """Return the samples of a view of patches, and the ids of the objects that it shows.

    Any other view is returned as it is, with None for the ids, which stands for all objects.

    Raises:
        InvalidInput: if the view shows patches of another field.
    """
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
    ids = list(dict.fromkeys(samples))
    # A view of too many ids is more than MongoDB takes; objects that are not shown are not read anyway.
    whole = all_slices(dataset)
    return (whole.select(ids) if len(ids) <= IDS_A_COMMAND else whole), shown
