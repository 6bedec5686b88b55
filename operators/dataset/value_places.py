"""Where values are kept: in fields of samples, or in attributes of the labels of a list.

Both places are read and written by id in the same way: what computes values need not know which it is.
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
    """An image, and what is left to do of it: the whole, under its sample's id, or objects in boxes."""

    sample: str
    path: str
    ids: list[str]
    boxes: list[Box | None] | None = None


class SamplePlace:
    """Fields of samples."""

    thing = "samples"

    def __init__(self, dataset: Any) -> None:
        self.dataset = dataset

    def left(self, view: Any, path: str | None) -> tuple[list[Todo], int]:
        """What of a view has no value at a path, and how many have one.

        Without a path none has one.

        Raises:
            InvalidInput: the view has nothing that could have a value.
        """
        ids, files = view.values(["id", "filepath"])
        there = set(self.having(view, path).values("id")) if path else set()
        pairs = zip(ids, files, strict=True)
        todo = [Todo(one, file, [one]) for one, file in pairs if one not in there]
        return todo, len(ids) - len(todo)

    def having(self, view: Any, path: str) -> Any:
        """What of a view has a value at a path."""
        return view.exists(path)

    def everything(self) -> Any:
        """All images of the dataset."""
        grouped = self.dataset.media_type == "group"
        return self.dataset.select_group_slices(media_type="image") if grouped else self.dataset

    def stored(self, path: str, others: Sequence[str] = ()) -> list[list[Any]]:
        """Ids of all in the dataset that have a value at a path, their values there and at others."""
        return list(self.having(self.everything(), path).values(["id", path, *others]))

    def write(self, path: str, values: dict[str, Any]) -> None:
        """Write values by id."""
        self.dataset.set_values(path, values, key_field="id")


class LabelPlace(SamplePlace):
    """Attributes of the labels that a field of Detections lists, by label id."""

    thing = "objects"

    def __init__(self, dataset: Any, objects: str) -> None:
        super().__init__(dataset)
        self.objects = objects
        self.root = boxes_path(dataset, objects)
        # By label id the sample's: with both MongoDB need not look through all samples.
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
