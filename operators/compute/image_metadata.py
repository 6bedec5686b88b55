"""Image metadata of a dataset: measure images or objects, write in parts, find duplicates."""

from __future__ import annotations

import time
from contextlib import closing
from functools import partial
from typing import Any

import numpy as np

from ...alcore import InvalidInput
from ...alcore.data.errors import name_samples
from ...alcore.images import (
    MEASURES,
    Photo,
    Pixels,
    hash_pixels,
    measure,
    opened_photo,
    perceptual_hash,
)
from ...alcore.images.crops import crop_box
from ..dataset.fiftyone_private import dataset_of
from ..dataset.resumable_field import check_field_name, check_kind
from ..dataset.value_places import Todo
from ..runs.run import Progress, throttled
from .images import Broken, Refused, ahead, made_of, note_of
from .metadata_fields import FILE_HASH, LOOK_HASH, PIXEL_HASH, measures_for
from .metadata_writing import KIND, ImageMetadata, MetadataRequest, fields_of, names_of

FARTHEST = 16
MEASURE_SHARE = 0.9
AHEAD = 16  # images per thread that are read ahead
LISTED = 1000


def check_request(dataset: Any, request: MetadataRequest) -> None:
    """Check numbers and names, before any image is opened.

    Raises:
        InvalidInput: if an option is wrong.
    """
    if request.field or not request.objects:
        check_field_name(request.field)
    known = measures_for(request.objects)
    for name in request.measures:
        if name not in known:
            what = "objects" if request.objects else "images"
            raise InvalidInput(
                f"measures: there is no {name!r} of {what}; there are {', '.join(known)}"
            )
    if not 0 <= request.distance <= FARTHEST:
        raise InvalidInput(
            f"distance: {request.distance} is not a number of bits; give 0 to {FARTHEST}, beyond which "
            "different images are alike"
        )
    if request.workers < 1:
        raise InvalidInput(f"workers: {request.workers} open nothing; give 1 or more")
    for path in fields_of(dataset, request):
        check_kind(dataset, path, KIND)


def measure_view(
    view: Any, request: MetadataRequest, progress: Progress | None = None
) -> dict[str, Any]:
    """Measure every image or object of a view, and write the values in parts.

    What was already measured with the same settings is skipped. Nothing is written before something is
    measured. If the run is interrupted, what was written stays, and the same call resumes from there.
    When the view is measured, duplicates are searched among all images or objects with metadata in the
    dataset.

    Returns:
        Counts and notes as plain values.

    Raises:
        InvalidInput: if something is wrong; nothing was written.
        Unfinished: if the run was interrupted after some values were written.
    """
    started = time.perf_counter()
    report = throttled(progress)
    check_request(dataset_of(view), request)
    work = ImageMetadata(dataset_of(view), request)
    jobs, skipped = work.left(view)
    parts = work.parts
    broken: list[Broken] = []
    empty: list[str] = []
    read: Any = ahead(jobs, partial(measured, request), AHEAD * request.workers, request.workers)
    with parts.filling():
        with closing(read) as opened:
            for number, (job, found) in enumerate(zip(jobs, opened, strict=True), 1):
                if isinstance(found, Refused):
                    broken.append(Broken(job.sample, found.why))
                else:
                    empty += [one for one, values in found.items() if values is None]
                    parts.put({one: values for one, values in found.items() if values is not None})
                report(MEASURE_SHARE * number / len(jobs), f"Measured {number} of {len(jobs)} images")
        if jobs and parts.count == 0 and not skipped:
            raise InvalidInput(_nothing(len(jobs), broken, empty))
    notes = _notes(work.thing, skipped, broken, empty)
    groups = {}
    if request.duplicates:
        report(MEASURE_SHARE, "Looking for duplicates")
        groups = work.group(lambda: report(MEASURE_SHARE, "Looking for duplicates"))
    return {
        "field": request.field,
        "path": work.path,
        "measures": work.names,
        "measured": parts.count,
        "skipped": skipped,
        "left_out": len(broken) + len(empty),
        "broken": [one.id for one in broken[:LISTED]],
        **groups,
        "notes": notes,
        "seconds": round(time.perf_counter() - started, 3),
    }


def measured(request: MetadataRequest, job: Todo) -> dict[str, dict[str, Any] | None] | Refused:
    """Measure an image, or its objects.

    Returns:
        The values by id, with None for a box without area inside the image. If the image cannot be
        opened, why.
    """

    def measure_photo(photo: Photo) -> dict[str, dict[str, Any] | None]:
        if job.boxes is None:
            return {job.ids[0]: _of_image(photo, request)}
        height, width = photo.pixels.shape[:2]
        edges = [crop_box(box, width, height, padding=0) for box in job.boxes]
        return {
            one: None if edge is None else _of_object(photo.pixels, edge, request)
            for one, edge in zip(job.ids, edges, strict=True)
        }

    return made_of(opened_photo(job.path), measure_photo)


def _of_image(photo: Photo, request: MetadataRequest) -> dict[str, Any]:
    names = names_of(request)
    found = _of_pixels(photo.pixels, request)
    if "size_bytes" in names:
        found["size_bytes"] = photo.size_bytes
    if request.duplicates:
        found[FILE_HASH] = photo.file_hash
    if request.exif:
        found |= photo.exif
    return found


def _of_object(
    image: np.ndarray, edge: tuple[int, int, int, int], request: MetadataRequest
) -> dict[str, Any]:
    left, upper, right, lower = edge
    crop = np.ascontiguousarray(image[upper:lower, left:right])
    found = _of_pixels(crop, request)
    if request.duplicates:
        found[PIXEL_HASH] = hash_pixels(crop)
    return found


def _of_pixels(image: np.ndarray, request: MetadataRequest) -> dict[str, Any]:
    names, pixels = names_of(request), Pixels(image)
    height, width = image.shape[:2]
    sizes = {"width": width, "height": height, "aspect_ratio": width / height}
    found: dict[str, Any] = {**measure(pixels, [name for name in names if name in MEASURES])}
    found |= {name: value for name, value in sizes.items() if name in names}
    if request.duplicates:
        found[LOOK_HASH] = f"{perceptual_hash(pixels.gray):016x}"
    return found


def _notes(thing: str, skipped: int, broken: list[Broken], empty: list[str]) -> list[str]:
    notes = []
    if skipped:
        notes.append(f"{skipped} {thing} were measured with the same settings before: left as they are")
    if broken:
        notes.append(note_of(broken))
    if empty:
        named = name_samples(empty, np.arange(len(empty))).replace("sample", "object", 1)
        notes.append(f"{named} without area inside the image: left out")
    return notes


def _nothing(jobs: int, broken: list[Broken], empty: list[str]) -> str:
    reasons = []
    if broken:
        first = f"the first is {broken[0].id}: {broken[0].why}"
        reasons.append(f"{len(broken)} cannot be opened as images ({first})")
    reasons += [f"{len(empty)} objects have no area inside them"] if empty else []
    return f"nothing could be measured: of {jobs} samples {' and '.join(reasons)}"
