"""Image metadata as fields: what is left to measure, where values are written, which are copies."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable
from dataclasses import dataclass
from datetime import datetime, timezone
from typing import Any

import fiftyone as fo
import numpy as np
from bson import ObjectId
from fiftyone import ViewField as F
from pymongo import UpdateOne

from ...alcore import InvalidInput
from ...alcore.images import exact_copies, near_copies
from ..dataset.fiftyone_private import dataset_of
from ..dataset.resumable_field import Kind, Parts, record_of
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

KIND = Kind("alcore/image_metadata", "image metadata", "image metadata", "measured")
FIELD = "image_metadata"
DISTANCE = 4
GROUPS = (EXACT_GROUP, NEAR_GROUP)


@dataclass
class MetadataRequest:
    """What to measure, and into which field.

    With ``objects``, a field of Detections, each box is cut out and measured. Its values are attributes
    of the object, for the App filters labels by these alone; their names begin with ``field``, if it is
    not empty. ``measures`` are all that there are where none are named. ``distance`` is in how many of
    its 64 bits a near-duplicate's hash may differ.
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


def names_of(request: MetadataRequest) -> list[str]:
    """What is measured, in one order."""
    known = measures_for(request.objects)
    return [name for name in known if name in request.measures] if request.measures else known


def fields_of(dataset: Any, request: MetadataRequest) -> list[str]:
    """The fields of the dataset that a request takes for itself.

    Raises:
        InvalidInput: there are no such objects, or they have no boxes.
    """
    if not request.objects:
        return [request.field, *([location_field_of(request)] if request.exif else [])]
    root = boxes_path(dataset, request.objects)
    names = [*names_of(request), *([PIXEL_HASH, LOOK_HASH, *GROUPS] if request.duplicates else [])]
    return [f"{root}.{_attribute(request, name)}" for name in names]


def location_field_of(request: MetadataRequest) -> str:
    """Of samples, for the App's map knows no fields inside others."""
    return f"{request.field}_location"


def _attribute(request: MetadataRequest, name: str) -> str:
    return f"{request.field}_{name}" if request.field else name


class Images:
    """Metadata of samples: what is left to measure, where it is written, which are copies."""

    thing = "images"
    exact_hash = FILE_HASH

    def __init__(self, view: Any, request: MetadataRequest) -> None:
        self._view, self._request = view, request
        self.dataset = dataset_of(view)
        self.names = names_of(request)
        self._settings = {
            "measures": self.names,
            "exif": request.exif and not request.objects,
            "duplicates": request.duplicates,
        }
        self._marker = self._marked()
        self.parts = Parts(
            self.dataset,
            self._marker,
            KIND,
            self._settings,
            request.overwrite,
            self._make,
            self.write,
            self._remove,
        )

    @property
    def path(self) -> str:
        """Where to look for the values."""
        return self._request.field

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
        documents = {one: fo.DynamicEmbeddedDocument(**found) for one, found in values.items()}
        self.dataset.set_values(self.path, documents, key_field="id")

    def group(self, tick: Callable[[], None]) -> dict[str, Any]:
        """Write which are copies of each other, where that has changed; count the groups."""
        names = (self.exact_hash, LOOK_HASH, *GROUPS)
        ids, exact, look, *known = self._stored([self._path_of(name) for name in names])
        looks = np.array([int(one, 16) for one in look], dtype=np.uint64)
        found = (exact_copies(exact), near_copies(looks, self._request.distance, tick))
        counts = []
        for name, stands, before in zip(GROUPS, found, known, strict=True):
            sizes = np.bincount(stands, minlength=len(ids))
            firsts = [ids[row] if sizes[row] > 1 else None for row in stands.tolist()]
            pairs = zip(ids, firsts, before, strict=True)
            changed = {one: first for one, first, was in pairs if first != was}
            if changed:
                self._write_one(self._path_of(name), changed)
            counts.append((int((sizes > 1).sum()), int(sizes[sizes > 1].sum())))
        self._note_distance()
        (exact_groups, same), (near_groups, alike) = counts
        return {
            "exact_groups": exact_groups,
            "in_exact_groups": same,
            "near_groups": near_groups,
            "in_near_groups": alike,
        }

    def _path_of(self, name: str) -> str:
        return f"{self._request.field}.{name}"

    def _marked(self) -> str:
        """The field whose record says how the values were made."""
        return self._request.field

    def _stored(self, paths: list[str]) -> list[list[Any]]:
        """Ids, and values, of all in the dataset that have any."""
        return list(self._there(self._whole()).values(["id", *paths]))

    def _write_one(self, path: str, values: dict[str, Any]) -> None:
        self.dataset.set_values(path, values, key_field="id")

    def _there(self, view: Any) -> Any:
        """What of a view has been measured."""
        return view.exists(self._marker)

    def _whole(self) -> Any:
        """All images of the dataset."""
        grouped = self.dataset.media_type == "group"
        return self.dataset.select_group_slices(media_type="image") if grouped else self.dataset

    def _info(self) -> dict[str, Any]:
        date = datetime.now(timezone.utc).isoformat(timespec="seconds")
        return {"method": KIND.method, "settings": self._settings, "date": date}

    def _make(self) -> None:
        self.dataset.add_sample_field(
            self.path,
            fo.EmbeddedDocumentField,
            embedded_doc_type=fo.DynamicEmbeddedDocument,
            description="Measured on the image itself",
            info=self._info(),
        )
        self._make_missing([*self.names, *(GROUPS if self._request.duplicates else ())])

    def _make_missing(self, names: Collection[str]) -> None:
        """Fields of EXIF are made where a photo has any."""
        for name in ABOUT:
            path = self._path_of(name)
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
                info=self._info(),
            )

    def _note_distance(self) -> None:
        field = self.dataset.get_field(self._marker)
        if field.info.get("distance") != self._request.distance:
            field.info = {**field.info, "distance": self._request.distance}
            field.save()

    def _remove(self) -> None:
        place = location_field_of(self._request)
        ours = record_of(self.dataset, place, KIND.method) is not None
        self._delete([self._request.field, *([place] if ours else [])])

    def _delete(self, paths: Iterable[str]) -> None:
        there = [path for path in paths if self.dataset.get_field(path) is not None]
        if there:
            self.dataset.delete_sample_fields(there)


class Objects(Images):
    """Metadata of objects: attributes, which are written by label id."""

    thing = "objects"
    exact_hash = PIXEL_HASH

    def __init__(self, view: Any, request: MetadataRequest) -> None:
        self._root = boxes_path(dataset_of(view), str(request.objects))
        self._sample_of: dict[str, str] = {}
        super().__init__(view, request)

    @property
    def path(self) -> str:
        return self._root

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

    def write(self, values: dict[str, dict[str, Any]]) -> None:
        """All attributes of an object at once, for which FiftyOne itself has no call."""
        now, ids = datetime.now(timezone.utc), [self._sample_of[one] for one in values]
        writes = []
        for sample, (one, found) in zip(ids, values.items(), strict=True):
            named = {_attribute(self._request, name): value for name, value in found.items()}
            changed = {f"{self._root}.$.{name}": value for name, value in named.items()}
            at = {"_id": ObjectId(sample), f"{self._root}._id": ObjectId(one)}
            writes.append(UpdateOne(at, {"$set": {**changed, "last_modified_at": now}}))
        self.dataset._bulk_write(writes, ids=ids)

    def _path_of(self, name: str) -> str:
        return f"{self._root}.{_attribute(self._request, name)}"

    def _marked(self) -> str:
        return next(iter(self._recorded()), self._path_of(self.names[0]))

    def _recorded(self) -> list[str]:
        """The attributes that are there of an earlier run with the same names."""
        paths = [self._path_of(name) for name in ABOUT]
        return [path for path in paths if record_of(self.dataset, path, KIND.method)]

    def _stored(self, paths: list[str]) -> list[list[Any]]:
        found = self._there(self._whole())
        samples, *columns = found.values(["id", f"{self._root}.id", *paths])
        for sample, labels in zip(samples, columns[0], strict=True):
            self._sample_of |= dict.fromkeys(labels, sample)
        return [[one for several in column for one in several] for column in columns]

    def _write_one(self, path: str, values: dict[str, Any]) -> None:
        rows = [
            {"sample_id": self._sample_of[one], "label_id": one, "value": value}
            for one, value in values.items()
        ]
        self.dataset.set_label_values(path, rows)

    def _there(self, view: Any) -> Any:
        attribute = self._marker.removeprefix(f"{self._root}.")
        return view.filter_labels(str(self._request.objects), F(attribute).exists())

    def _make(self) -> None:
        for path in fields_of(self.dataset, self._request):
            name = next(one for one in ABOUT if self._path_of(one) == path)
            self.dataset.add_sample_field(
                path, type_of(name), description=ABOUT[name], info=self._info()
            )
        self._marker = self._marked()

    def _remove(self) -> None:
        self._delete(self._recorded())
