"""Labels that come back in files: each onto the sample whose file it names, never by position."""

from __future__ import annotations

import csv
import json
import os
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import fiftyone as fo
from fiftyone.utils.coco import COCODetectionDatasetImporter, load_coco_detection_annotations
from fiftyone.utils.cvat import CVATImageDatasetImporter, load_cvat_image_annotations
from fiftyone.utils.voc import VOCDetectionDatasetImporter
from fiftyone.utils.yolo import YOLOv5DatasetImporter

from ...alcore import InvalidInput
from ..dataset.stored_schema import LIST_OF
from .files import FORMATS, LABEL, RANKS, folder_path

# The name of a file, as the format has it, and the labels on it; several kinds of them by their names.
Labeled = Iterator[tuple[str, Any]]


def labels_in_files(
    folder: str, ranks: str, form: str, document: Any, empty_is_done: bool, notes: list[str]
) -> dict[str, Any]:
    """Return the labels in a folder by the ids of the samples that were sent.

    Args:
        folder: the folder.
        ranks: the folder that was written when the samples were sent; it lists their files.
        form: the format; see ``FORMATS``.
        document: the class of the labels, such as ``fo.Detections``.
        empty_is_done: whether there is nothing on an image without an object. If not, it is not
            labeled yet: files do not tell who has looked at it.
        notes: gets a line on files that were not sent.

    Raises:
        InvalidInput: if the format holds no such labels, or if the files cannot be read.
    """
    check_format(form)
    holds = FORMATS[form].returns
    if document not in holds:
        takes = ", ".join(one.__name__ for one in holds)
        raise InvalidInput(f"format: {form!r} holds {takes}, and {document.__name__} are wanted")
    path, sent = folder_path(folder), _sent(folder_path(folder), folder_path(ranks), form)
    found: dict[str, Any] = {}
    unknown = []
    try:
        for name, labels in READERS[form](path, document):
            label = _of_kind(labels, document, empty_is_done, name)
            if name not in sent:
                unknown.append(name)
            elif label is not None:
                found |= {one: label.copy() for one in sent[name]}
    except InvalidInput:
        raise
    except Exception as error:
        raise InvalidInput(f"folder: {str(path)!r} cannot be read as {form!r}: {error}") from error
    if unknown:
        notes.append(
            f"{len(unknown):,} of the files were not sent with this selection, and are left out; the "
            f"first is {min(unknown)!r}"
        )
    return found


def check_format(form: str) -> None:
    """Check that labels can be read from a format.

    Raises:
        InvalidInput: if not.
    """
    if form not in READERS:
        raise InvalidInput(
            f"format: no labels are read from {form!r}; name the format that your tool has written: "
            f"{', '.join(READERS)}"
        )


def _sent(folder: Path, ranks: Path, form: str) -> dict[str, list[str]]:
    """Return the ids of the samples that were sent by the names of their files.

    Several samples may have the same file.
    """
    listed = next((one for one in (folder, ranks) if (one / f"{RANKS}.json").is_file()), None)
    if listed is None:
        raise InvalidInput(
            f"folder: there is no {RANKS}.json in {str(ranks)!r}; it was written there when the "
            "samples were sent, and tells which file is of which sample"
        )
    found: dict[str, list[str]] = {}
    for row in json.loads((listed / f"{RANKS}.json").read_text(encoding="utf-8")):
        name = os.path.splitext(row["name"])[0] if FORMATS[form].by_stem else row["name"]
        found.setdefault(name, []).append(row["id"])
    return found


def _of_kind(labels: Any, document: Any, empty_is_done: bool, name: str) -> Any:
    """Return the labels of a class among those of a file; None if there are none."""
    several = labels.values() if isinstance(labels, dict) else [labels]
    if document is not fo.Classification:
        label = next((one for one in several if isinstance(one, document)), None)
        if label is None or not label[LIST_OF[document]]:
            return document() if empty_is_done else None
        return label
    classes = next((one for one in several if isinstance(one, fo.Classifications)), None)
    if classes is None or not classes.classifications:
        return None
    if len(classes.classifications) > 1:
        raise InvalidInput(f"{name!r} has {len(classes.classifications)} classes, and one is wanted")
    return classes.classifications[0]


# FiftyOne's importers look for the images too. A tool may leave these out, so each name stands for
# itself.


def _coco(folder: Path, document: Any) -> Labeled:
    path = str(folder / "labels.json")
    images = load_coco_detection_annotations(path)[3]
    names = {one["file_name"]: one["file_name"] for one in images.values()}
    polygons = document is fo.Polylines
    importer = COCODetectionDatasetImporter(
        data_path=names,
        labels_path=path,
        label_types="segmentations" if polygons else "detections",
        use_polylines=polygons,
    )
    return _read(importer)


def _cvat(folder: Path, document: Any) -> Labeled:
    path = str(folder / "labels.xml")
    names = {one.name: one.name for one in load_cvat_image_annotations(path)[2]}
    return _read(CVATImageDatasetImporter(data_path=names, labels_path=path))


def _voc(folder: Path, document: Any) -> Labeled:
    path = folder / "labels"
    stems = [str(one.relative_to(path).with_suffix("")) for one in sorted(path.rglob("*.xml"))]
    names = {f"{one}.xml": one for one in stems}
    return _read(VOCDetectionDatasetImporter(data_path=names, labels_path=str(path)))


def _yolo(folder: Path, document: Any) -> Labeled:
    images = folder / "images" / "val"
    for path, labels in _read(YOLOv5DatasetImporter(dataset_dir=str(folder))):
        if labels is not None:  # the image has a file of labels
            yield str(Path(path).relative_to(images).with_suffix("")), labels


def _csv(folder: Path, document: Any) -> Labeled:
    """Read the list as a spreadsheet may have saved it: with a byte order mark, or semicolons."""
    with open(folder / f"{RANKS}.csv", newline="", encoding="utf-8-sig") as stream:
        header = stream.readline()
        stream.seek(0)
        delimiter = max(",;\t", key=header.count)
        rows = csv.DictReader(stream, delimiter=delimiter)
        lacks = [one for one in ("name", LABEL) if one not in (rows.fieldnames or ())]
        if lacks:
            raise InvalidInput(f"folder: {RANKS}.csv has no column {lacks[0]!r}")
        for row in rows:
            name = (row[LABEL] or "").strip()
            made = [fo.Classification(label=name)] if name else []
            yield row["name"], fo.Classifications(classifications=made)


def _read(importer: Any) -> Labeled:
    with importer:
        for path, _, labels in importer:
            yield path, labels


READERS: dict[str, Callable[[Path, Any], Labeled]] = {
    "coco": _coco,
    "yolo": _yolo,
    "voc": _voc,
    "cvat": _cvat,
    "csv": _csv,
}
