"""Image metadata as fields: what is left to measure, where values are written, and duplicates."""

from __future__ import annotations

from collections.abc import Callable, Collection
from dataclasses import dataclass
from datetime import datetime, timezone
from typing import Any

import fiftyone as fo
import numpy as np

from ...alcore.images import exact_copies, near_copies
from ..dataset.field_swap import delete_fields
from ..dataset.fiftyone_private import set_label_attributes
from ..dataset.object_fields import boxes_path
from ..dataset.resumable_field import Kind, Parts, check_images, record_of
from ..dataset.value_places import LabelPlace, SamplePlace, Todo
from .images import THREADS
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

    Attributes:
        field: the field to write. With ``objects``, the prefix of the attribute names, or "" for none.
        measures: the names of the measures; empty for all.
        objects: a field of Detections, each box of which is cut out and measured; None for images. The
            values become attributes of the object, because the App filters labels only by attributes.
        exif: whether to read EXIF data; only for images.
        duplicates: whether to search for duplicates.
        distance: in how many of their 64 bits the hashes of near-duplicates may differ.
        workers: the number of threads.
        overwrite: whether metadata of other settings is replaced.
    """

    field: str = FIELD
    measures: tuple[str, ...] = ()
    objects: str | None = None
    exif: bool = True
    duplicates: bool = True
    distance: int = DISTANCE
    workers: int = THREADS
    overwrite: bool = False


def names_of(request: MetadataRequest) -> list[str]:
    """Return the names of the measures of a request, in a fixed order."""
    known = measures_for(request.objects)
    return [name for name in known if name in request.measures] if request.measures else known


def fields_of(dataset: Any, request: MetadataRequest) -> list[str]:
    """Return the fields of the dataset that a request writes.

    Raises:
        InvalidInput: if there is no such field of objects, or if its objects have no bounding boxes.
    """
    if not request.objects:
        return [request.field, *([location_field_of(request)] if request.exif else [])]
    root = boxes_path(dataset, request.objects)
    names = [*names_of(request), *([PIXEL_HASH, LOOK_HASH, *GROUPS] if request.duplicates else [])]
    return [f"{root}.{_attribute(request, name)}" for name in names]


def location_field_of(request: MetadataRequest) -> str:
    """Return the field of the locations. It is not nested, because the App's map needs it so."""
    return f"{request.field}_location"


def _attribute(request: MetadataRequest, name: str) -> str:
    return f"{request.field}_{name}" if request.field else name


class InSamples:
    """Metadata in a field of samples, one embedded document per sample."""

    thing = "images"
    exact_hash = FILE_HASH

    def __init__(self, dataset: Any, request: MetadataRequest) -> None:
        self._dataset, self._request = dataset, request
        self.place = SamplePlace(dataset)
        self.path = request.field  # where to look for the values

    @property
    def marker(self) -> str:
        """The field whose record tells how the values were computed."""
        return self._request.field

    def path_of(self, name: str) -> str:
        """Return the path of a value by its name."""
        return f"{self._request.field}.{name}"

    def make(self, info: dict[str, Any]) -> None:
        """Add the fields, with their record."""
        self._dataset.add_sample_field(
            self.path,
            fo.EmbeddedDocumentField,
            embedded_doc_type=fo.DynamicEmbeddedDocument,
            description="Measured on the image itself",
            info=info,
        )
        groups = GROUPS if self._request.duplicates else ()
        self._make_missing([*names_of(self._request), *groups])

    def write(self, values: dict[str, dict[str, Any]], info: dict[str, Any]) -> None:
        """Write the values of samples by id.

        Locations are written first. If the run is interrupted between the two writes, these samples
        have no metadata yet and are measured again.
        """
        places = {
            one: fo.GeoLocation(point=list(found.pop("place")))
            for one, found in values.items()
            if "place" in found
        }
        if places:
            self._make_place(info)
            self.place.write(location_field_of(self._request), places)
        self._make_missing({name for found in values.values() for name in found})
        documents = {one: fo.DynamicEmbeddedDocument(**found) for one, found in values.items()}
        self.place.write(self.path, documents)

    def remove(self) -> None:
        """Delete the fields."""
        location = location_field_of(self._request)
        ours = record_of(self._dataset, location, KIND.method) is not None
        delete_fields(self._dataset, [self.path, *([location] if ours else [])])

    def _make_missing(self, names: Collection[str]) -> None:
        """Add the named fields that do not exist yet. EXIF fields are added when a photo has them."""
        for name in ABOUT:
            path = self.path_of(name)
            if name in names and self._dataset.get_field(path) is None:
                self._dataset.add_sample_field(path, type_of(name), description=ABOUT[name])

    def _make_place(self, info: dict[str, Any]) -> None:
        path = location_field_of(self._request)
        if self._dataset.get_field(path) is None:
            self._dataset.add_sample_field(
                path,
                fo.EmbeddedDocumentField,
                embedded_doc_type=fo.GeoLocation,
                description=ABOUT["place"],
                info=info,
            )


class InLabels:
    """Metadata in attributes of objects, because the App filters labels only by attributes."""

    thing = "objects"
    exact_hash = PIXEL_HASH

    def __init__(self, dataset: Any, request: MetadataRequest) -> None:
        self._dataset, self._request = dataset, request
        self.place = LabelPlace(dataset, str(request.objects))
        self.path = self.place.root

    @property
    def marker(self) -> str:
        """The attribute whose record tells how the values were computed."""
        return next(iter(self._recorded()), self.path_of(names_of(self._request)[0]))

    def path_of(self, name: str) -> str:
        """Return the path of a value by its name."""
        return f"{self.path}.{_attribute(self._request, name)}"

    def make(self, info: dict[str, Any]) -> None:
        """Add the attributes, each with the record."""
        for path in fields_of(self._dataset, self._request):
            name = next(one for one in ABOUT if self.path_of(one) == path)
            self._dataset.add_sample_field(path, type_of(name), description=ABOUT[name], info=info)

    def write(self, values: dict[str, dict[str, Any]], info: dict[str, Any]) -> None:
        """Write the values of objects by id, all attributes of an object at once."""
        named = {
            one: {_attribute(self._request, name): value for name, value in found.items()}
            for one, found in values.items()
        }
        now = datetime.now(timezone.utc)
        set_label_attributes(self._dataset, self.path, named, self.place.sample_of, now)

    def remove(self) -> None:
        """Delete the attributes."""
        delete_fields(self._dataset, self._recorded())

    def _recorded(self) -> list[str]:
        """Return the attributes with these names that an earlier run wrote."""
        paths = [self.path_of(name) for name in ABOUT]
        return [path for path in paths if record_of(self._dataset, path, KIND.method)]


class ImageMetadata:
    """Metadata of samples or objects: what is left to measure, and which are duplicates."""

    def __init__(self, dataset: Any, request: MetadataRequest) -> None:
        self.dataset, self._request = dataset, request
        self._kept: InSamples | InLabels = (
            InLabels(dataset, request) if request.objects else InSamples(dataset, request)
        )
        self.thing, self.path = self._kept.thing, self._kept.path
        self.names = names_of(request)
        self._settings = {
            "measures": self.names,
            "exif": request.exif and not request.objects,
            "duplicates": request.duplicates,
        }
        self.parts = Parts(
            dataset,
            self._kept.marker,
            KIND,
            self._settings,
            request.overwrite,
            lambda: self._kept.make(self._info()),
            lambda values: self._kept.write(values, self._info()),
            self._kept.remove,
        )

    def left(self, view: Any) -> tuple[list[Todo], int]:
        """Return what in a view is left to measure, and the number of images or objects already done.

        Raises:
            InvalidInput: if the view holds no images.
        """
        check_images(view, "measure")
        self.parts.check_view(view)
        return self._kept.place.left(view, self._kept.marker if self.parts.resumes else None)

    def group(self, tick: Callable[[], None]) -> dict[str, Any]:
        """Find exact and near-duplicates, write the groups that changed, and return their counts.

        Args:
            tick: called now and then during the comparison.
        """
        names = (self._kept.exact_hash, LOOK_HASH, *GROUPS)
        marker = self._kept.marker
        ids, _, exact, look, *known = self._kept.place.stored(
            marker, [self._kept.path_of(name) for name in names]
        )
        looks = np.array([int(one, 16) for one in look], dtype=np.uint64)
        found = (exact_copies(exact), near_copies(looks, self._request.distance, tick))
        counts = []
        for name, stands, before in zip(GROUPS, found, known, strict=True):
            sizes = np.bincount(stands, minlength=len(ids))
            firsts = [ids[row] if sizes[row] > 1 else None for row in stands.tolist()]
            pairs = zip(ids, firsts, before, strict=True)
            changed = {one: first for one, first, was in pairs if first != was}
            if changed:
                self._kept.place.write(self._kept.path_of(name), changed)
            counts.append((int((sizes > 1).sum()), int(sizes[sizes > 1].sum())))
        self._note_distance()
        (exact_groups, in_exact), (near_groups, in_near) = counts
        return {
            "exact_groups": exact_groups,
            "in_exact_groups": in_exact,
            "near_groups": near_groups,
            "in_near_groups": in_near,
        }

    def _info(self) -> dict[str, Any]:
        date = datetime.now(timezone.utc).isoformat(timespec="seconds")
        return {"method": KIND.method, "settings": self._settings, "date": date}

    def _note_distance(self) -> None:
        field = self.dataset.get_field(self._kept.marker)
        if field.info.get("distance") != self._request.distance:
            field.info = {**field.info, "distance": self._request.distance}
            field.save()
