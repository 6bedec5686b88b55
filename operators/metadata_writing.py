"""Image metadata as fields: what is left to measure, where values are written, which are copies."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime, timezone
from typing import Any

import fiftyone as fo
import numpy as np
from fiftyone import ViewField as F

from ..alcore import InvalidInput
from ..alcore.images import exact_copies, near_copies
from .embedding import boxes_path
from .images import THREADS, Box
from .metadata_fields import (
    ABOUT,
    EXACT_GROUP,
    FILE_HASH,
    LOOK_HASH,
    NEAR_GROUP,
    PIXEL_HASH,
    measures_for,
    type_of,
)
from .parts import Kind, Parts

KIND = Kind("alcore/image_metadata", "image metadata", "image metadata", "measured")
FIELD = "image_metadata"
DISTANCE = 4


@dataclass
class Request:
    """What to measure, and into which field.

    With ``objects``, a field of Detections, each box is cut out and measured, and ``field`` is an
    attribute of the objects. ``measures`` are all that there are where none are named. ``distance`` is
    in how many of its 64 bits a near-duplicate's hash may differ.
    """

    field: str = FIELD
    measures: tuple[str, ...] = ()
    objects: str | None = None
    exif: bool = True
    duplicates: bool = True
    distance: int = DISTANCE
    workers: int = THREADS
    overwrite: bool = False


@dataclass(frozen=True)
class Job:
    """An image, and what of it is measured: the whole under its sample's id, or objects in boxes."""

    sample: str
    path: str
    ids: list[str]
    boxes: list[Box | None] | None = None


def path_of(dataset: Any, request: Request) -> str:
    """Where the values go: the field, or the attribute of the objects.

    Raises:
        InvalidInput: there are no such objects, or they have no boxes.
    """
    if not request.objects:
        return request.field
    return f"{boxes_path(dataset, request.objects)}.{request.field}"


def names_of(request: Request) -> list[str]:
    """What is measured, in one order."""
    known = measures_for(request.objects)
    return [name for name in known if name in request.measures] if request.measures else known


def location_field_of(request: Request) -> str:
    """Of samples, for the App's map knows no fields inside others."""
    return f"{request.field}_location"


class Images:
    """Metadata of samples: what is left to measure, where it is written, which are copies."""

    thing = "images"
    exact_hash = FILE_HASH

    def __init__(self, view: Any, request: Request) -> None:
        self._view, self._request = view, request
        self.dataset = view._dataset
        self.path = path_of(self.dataset, request)
        self.names = names_of(request)
        self._settings = {
            "measures": self.names,
            "exif": request.exif and not request.objects,
            "duplicates": request.duplicates,
        }
        self.parts = Parts(
            self.dataset,
            self.path,
            KIND,
            self._settings,
            request.overwrite,
            self._make,
            self.write,
            self._remove,
        )

    def what_is_left(self) -> tuple[list[Job], int]:
        """What to measure, and how much has been."""
        ids, paths = self._view.values(["id", "filepath"])
        there = set(self._there(self._view).values("id")) if self.parts.resumes else set()
        pairs = zip(ids, paths, strict=True)
        jobs = [Job(one, path, [one]) for one, path in pairs if one not in there]
        return jobs, len(ids) - len(jobs)

    def write(self, values: dict[str, dict[str, Any]]) -> None:
        """Places first, for what has metadata is not measured again."""
        places = {
            one: fo.GeoLocation(point=list(found.pop("place")))
            for one, found in values.items()
            if "place" in found
        }
        if places:
            self._make_place()
            self.dataset.set_values(location_field_of(self._request), places, key_field="id")
        self._make_missing({name for found in values.values() for name in found})
        self._set(
            self.path, {one: fo.DynamicEmbeddedDocument(**found) for one, found in values.items()}
        )

    def group(self, tick: Callable[[], None]) -> dict[str, Any]:
        """Write which are copies of each other, where that has changed; count the groups."""
        paths = [
            f"{self.path}.{name}" for name in (self.exact_hash, LOOK_HASH, EXACT_GROUP, NEAR_GROUP)
        ]
        ids, exact, look, *known = self._stored(paths)
        looks = np.array([int(one, 16) for one in look], dtype=np.uint64)
        found = (exact_copies(exact), near_copies(looks, self._request.distance, tick))
        counts = []
        for path, stands, before in zip(paths[2:], found, known, strict=True):
            sizes = np.bincount(stands, minlength=len(ids))
            firsts = [ids[row] if sizes[row] > 1 else None for row in stands.tolist()]
            pairs = zip(ids, firsts, before, strict=True)
            changed = {one: first for one, first, was in pairs if first != was}
            if changed:
                self._set(path, changed)
            counts.append((int((sizes > 1).sum()), int(sizes[sizes > 1].sum())))
        self._note_distance()
        (exact_groups, same), (near_groups, alike) = counts
        return {
            "exact_groups": exact_groups,
            "in_exact_groups": same,
            "near_groups": near_groups,
            "in_near_groups": alike,
        }

    def _stored(self, paths: list[str]) -> list[list[Any]]:
        """Ids, and values, of all in the dataset that have any."""
        return list(self._there(self._whole()).values(["id", *paths]))

    def _set(self, path: str, values: dict[str, Any]) -> None:
        self.dataset.set_values(path, values, key_field="id")

    def _there(self, view: Any) -> Any:
        """What of a view has been measured."""
        return view.exists(self.path)

    def _whole(self) -> Any:
        """All images of the dataset."""
        grouped = self.dataset.media_type == "group"
        return self.dataset.select_group_slices(media_type="image") if grouped else self.dataset

    def _make(self) -> None:
        info = {
            "method": KIND.method,
            "settings": self._settings,
            "date": datetime.now(timezone.utc).isoformat(timespec="seconds"),
        }
        self.dataset.add_sample_field(
            self.path,
            fo.EmbeddedDocumentField,
            embedded_doc_type=fo.DynamicEmbeddedDocument,
            description="Measured on the image itself",
            info=info,
        )
        groups = {EXACT_GROUP, NEAR_GROUP} if self._request.duplicates else set()
        self._make_missing({*self.names, *groups})

    def _make_missing(self, names: set[str]) -> None:
        """Fields of EXIF are made where a photo has any."""
        for name in ABOUT:
            path = f"{self.path}.{name}"
            if name in names and self.dataset.get_field(path) is None:
                self.dataset.add_sample_field(path, type_of(name), description=ABOUT[name])

    def _make_place(self) -> None:
        path = location_field_of(self._request)
        if self.dataset.get_field(path) is None:
            self.dataset.add_sample_field(
                path,
                fo.EmbeddedDocumentField,
                embedded_doc_type=fo.GeoLocation,
                description=ABOUT["place"],
                info={"method": KIND.method, "settings": self._settings},
            )

    def _note_distance(self) -> None:
        field = self.dataset.get_field(self.path)
        if field.info.get("distance") != self._request.distance:
            field.info = {**field.info, "distance": self._request.distance}
            field.save()

    def _remove(self) -> None:
        for path in (self.path, location_field_of(self._request)):
            if self.dataset.get_field(path) is not None:
                self.dataset.delete_sample_field(path)


class Objects(Images):
    """Metadata of objects, which is written by label id."""

    thing = "objects"
    exact_hash = PIXEL_HASH

    def __init__(self, view: Any, request: Request) -> None:
        super().__init__(view, request)
        self._root = boxes_path(self.dataset, str(request.objects))
        self._sample_of: dict[str, str] = {}

    def what_is_left(self) -> tuple[list[Job], int]:
        root = self._root
        rows = self._view.values(["id", "filepath", f"{root}.id", f"{root}.bounding_box"])
        there = set()
        if self.parts.resumes:
            there = set(self._there(self._view).values(f"{root}.id", unwind=True))
        jobs, total, left = [], 0, 0
        for sample, path, ids, boxes in zip(*rows, strict=True):
            pairs = list(zip(ids or [], boxes or [], strict=True))
            total += len(pairs)
            pairs = [(one, box) for one, box in pairs if one not in there]
            left += len(pairs)
            self._sample_of |= {one: sample for one, _ in pairs}
            if pairs:
                jobs.append(Job(sample, path, *map(list, zip(*pairs, strict=True))))
        if not total:
            raise InvalidInput(
                f"objects: none of the {len(rows[0])} samples has one in {self._request.objects!r}"
            )
        return jobs, total - left

    def _stored(self, paths: list[str]) -> list[list[Any]]:
        found = self._there(self._whole())
        samples, *columns = found.values(["id", f"{self._root}.id", *paths])
        for sample, labels in zip(samples, columns[0], strict=True):
            self._sample_of |= dict.fromkeys(labels, sample)
        return [[one for several in column for one in several] for column in columns]

    def _set(self, path: str, values: dict[str, Any]) -> None:
        rows = [
            {"sample_id": self._sample_of[one], "label_id": one, "value": value}
            for one, value in values.items()
        ]
        self.dataset.set_label_values(path, rows)

    def _there(self, view: Any) -> Any:
        return view.filter_labels(str(self._request.objects), F(self._request.field).exists())
