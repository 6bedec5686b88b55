"""Places to store values: fields of samples, or attributes of the labels in a list.

Both have the same methods to read and write values by id, so code that computes values works with both.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from fiftyone import ViewField

from ...alcore import InvalidInput
from .object_fields import boxes_path

Box = Sequence[float]


@dataclass(frozen=True)
class Todo:
    """An image that still needs values: one for the whole image, or one for each listed object.

    Attributes:
        sample: the sample's id.
        path: the path of the image file.
        ids: the sample's id, or the ids of the objects.
        boxes: the bounding boxes of the objects; None for the whole image.
    """

    sample: str
    path: str
    ids: list[str]
    boxes: list[Box | None] | None = None


class SamplePlace:
    """Stores values in fields of samples."""

    thing = "samples"

    def __init__(self, dataset: Any) -> None:
        self.dataset = dataset

    def left(self, view: Any, path: str | None) -> tuple[list[Todo], int]:
        """Return what in a view has no value at a path, and the number of those that have one.

        Args:
            view: the view.
            path: the path of the values. Without a path, nothing counts as having a value.

        Raises:
            InvalidInput: if objects are wanted and the view has none.
        """
        ids, files = view.values(["id", "filepath"])
        there = set(self.having(view, path).values("id")) if path else set()
        pairs = zip(ids, files, strict=True)
        todo = [Todo(one, file, [one]) for one, file in pairs if one not in there]
        return todo, len(ids) - len(todo)

    def having(self, view: Any, path: str) -> Any:
        """Return the part of a view that has a value at a path."""
        return view.exists(path)

    def everything(self) -> Any:
        """Return all images of the dataset; for a grouped dataset, those of all image slices."""
        grouped = self.dataset.media_type == "group"
        return self.dataset.select_group_slices(media_type="image") if grouped else self.dataset

    def stored(self, path: str, others: Sequence[str] = ()) -> list[list[Any]]:
        """Return all values at a path in the dataset.

        Returns:
            The list of the ids, the list of the values at ``path``, and one such list for each of
            ``others``.
        """
        return list(self.having(self.everything(), path).values(["id", path, *others]))

    def write(self, path: str, values: dict[str, Any]) -> None:
        """Write values by id."""
        self.dataset.set_values(path, values, key_field="id")


class LabelPlace(SamplePlace):
    """Stores values in attributes of the labels of a Detections field, by label id."""

    thing = "objects"

    def __init__(self, dataset: Any, objects: str) -> None:
        super().__init__(dataset)
        self.objects = objects
        self.root = boxes_path(dataset, objects)
        # Maps label ids to sample ids, so that MongoDB need not search all samples for a label.
        self.sample_of: dict[str, str] = {}

    def left(self, view: Any, path: str | None) -> tuple[list[Todo], int]:
        root = self.root
        rows = view.values(["id", "filepath", f"{root}.id", f"{root}.bounding_box"])
        there = set(self.having(view, path).values(f"{root}.id", unwind=True)) if path else set()
        todo, total, left = [], 0, 0
        for sample, file, ids, boxes in zip(*rows, strict=True):
            pairs = list(zip(ids or [], boxes or [], strict=True))
            total += len(pairs)
            pairs = [(one, box) for one, box in pairs if one not in there]
            left += len(pairs)
            self.sample_of |= {one: sample for one, _ in pairs}
            if pairs:
                todo.append(Todo(sample, file, *map(list, zip(*pairs, strict=True))))
        if not total:
            raise InvalidInput(
                f"objects: none of the {len(rows[0])} samples has one in {self.objects!r}"
            )
        return todo, total - left

    def having(self, view: Any, path: str) -> Any:
        attribute = path.removeprefix(f"{self.root}.")
        return view.filter_labels(self.objects, ViewField(attribute).exists())

    def stored(self, path: str, others: Sequence[str] = ()) -> list[list[Any]]:
        found = self.having(self.everything(), path)
        samples, *columns = found.values(["id", f"{self.root}.id", path, *others])
        for sample, labels in zip(samples, columns[0], strict=True):
            self.sample_of |= dict.fromkeys(labels, sample)
        return [[one for several in column for one in several] for column in columns]

    def write(self, path: str, values: dict[str, Any]) -> None:
        rows = [
            {"sample_id": self.sample_of[one], "label_id": one, "value": value}
            for one, value in values.items()
        ]
        self.dataset.set_label_values(path, rows)
