"""The chosen samples as files, for tools that FiftyOne has no backend for."""

from __future__ import annotations

import csv
import json
import os
import shutil
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import fiftyone as fo
import fiftyone.types as fot
from fiftyone.core.utils import UniqueFilenameMaker

from ...alcore import InvalidInput
from ..dataset.fields import document_type
from ..dataset.selection_records import results_of
from .kinds import every_class

RANKS = "ranks"
LABEL = "label"
IMAGES = "images"


@dataclass(frozen=True)
class Format:
    """A format of files.

    Attributes:
        about: a line on it.
        exporter: FiftyOne's type of it; None where only the list is written.
        holds: the labels it holds; none for images alone.
        lists_classes: whether it lists the classes, also those without a label.
        by_stem: whether the labels of an image are in a file of their own, named as the image is but
            for its extension.
        filled_in: the labels that a person fills in, into a list that is written without any.
    """

    about: str
    exporter: Any = None
    holds: tuple[type, ...] = ()
    lists_classes: bool = False
    by_stem: bool = False
    filled_in: tuple[type, ...] = ()

    @property
    def returns(self) -> tuple[type, ...]:
        """The labels that come back in it."""
        return self.holds or self.filled_in


FORMATS: dict[str, Format] = {
    "csv": Format(
        "the list alone, as CSV and JSON, with a column for classes; images stay where they are",
        filled_in=(fo.Classification,),
    ),
    IMAGES: Format("a folder of the images", fot.ImageDirectory),
    "coco": Format(
        "COCO, boxes and polygons", fot.COCODetectionDataset, (fo.Detections, fo.Polylines), True
    ),
    "yolo": Format("YOLOv5, boxes", fot.YOLOv5Dataset, (fo.Detections,), True, True),
    "voc": Format("Pascal VOC, boxes", fot.VOCDetectionDataset, (fo.Detections,), by_stem=True),
    "cvat": Format(
        "CVAT for images 1.1",
        fot.CVATImageDataset,
        (fo.Classification, fo.Classifications, fo.Detections, fo.Polylines, fo.Keypoints),
    ),
}


def check_files(dataset: Any, form: str, folder: str | None, field: str | None) -> None:
    """Check that files can be written.

    Args:
        dataset: the dataset.
        form: the format; see ``FORMATS``.
        folder: a folder that is empty or does not exist.
        field: the labels that are written; None for none.

    Raises:
        InvalidInput: if not.
    """
    if form not in FORMATS:
        raise InvalidInput(f"format: there is no {form!r}; there are {', '.join(FORMATS)}")
    if not folder or not folder.strip():
        raise InvalidInput("folder: name a new folder for the files")
    path = folder_path(folder)
    if path.exists() and (not path.is_dir() or any(path.iterdir())):
        raise InvalidInput(f"folder: {str(path)!r} exists and is not empty; name a new folder")
    holds = FORMATS[form].holds
    if not holds:
        return
    stored = dataset.get_field(field) if field else None
    if stored is None:
        raise InvalidInput(
            f"format: {form!r} holds labels, and there is no field {field!r}; name predictions in "
            f"prelabels, or take the format {IMAGES!r}"
        )
    document = document_type(stored)
    if document not in holds:
        held = document.__name__ if document is not None else type(stored).__name__
        takes = ", ".join(one.__name__ for one in holds)
        raise InvalidInput(f"format: {form!r} takes {takes}, and {field!r} holds {held}")


def write_files(
    view: Any,
    dataset: Any,
    run_key: str,
    form: str,
    folder: str,
    field: str | None,
    classes: Sequence[str] | None = None,
) -> Path:
    """Write the chosen samples into a new folder, and return its path. If it fails, nothing is left.

    Beside what FiftyOne's exporter writes are ``ranks.csv`` and ``ranks.json``: for each sample its
    rank, id, name among the exported files, path, and the reasons for which it was chosen. In the CSV
    is an empty column too, into which a person may write the class.

    Args:
        view: the samples, in the order of rank.
        dataset: the dataset.
        run_key: the selection.
        form: the format; see ``FORMATS``.
        folder: the folder.
        field: the labels that are written, where the format holds labels.
        classes: the names that labels may have; None for those declared for the field.

    Raises:
        InvalidInput: if an image is missing, if two would share a file of labels, or if the folder
            cannot be written.
    """
    path, known = folder_path(folder), FORMATS[form]
    ids, media = view.values(["id", "filepath"])
    absent = [one for one in media if known.exporter is not None and not os.path.isfile(one)]
    if absent:
        raise InvalidInput(
            f"{len(absent):,} of {len(media):,} image files are missing; the first is {absent[0]!r}"
        )
    root = os.path.commonpath([os.path.dirname(one) for one in media])
    names = _names(media, root, form)
    rows = [
        {"rank": rank, "id": one, "name": name, "filepath": file, "reasons": why}
        for rank, (one, name, file, why) in enumerate(
            zip(ids, names, media, _reasons(dataset, run_key, ids), strict=True), start=1
        )
    ]
    try:
        # At its place at once, because some formats hold the path of the folder.
        path.mkdir(parents=True, exist_ok=True)
        try:
            if known.exporter is not None:
                labels: dict[str, Any] = {"label_field": field} if known.holds else {}
                if known.lists_classes:
                    labels["classes"] = every_class(dataset, field or "", classes)
                view.export(str(path), known.exporter, rel_dir=root, progress=False, **labels)
            _write_ranks(path, rows)
        except BaseException:
            shutil.rmtree(path)  # it was empty before
            raise
    except OSError as error:
        raise InvalidInput(f"folder: {str(path)!r} cannot be written: {error.strerror}") from error
    return path


def _names(media: Sequence[str], root: str, form: str) -> list[str]:
    """Return the names of the files among those exported, as FiftyOne's exporters make them."""
    by_stem = FORMATS[form].by_stem
    maker = UniqueFilenameMaker(rel_dir=root, ignore_exts=form == "yolo", ignore_existing=True)
    names = [maker.get_output_path(one) for one in media]
    owner: dict[str, str] = {}
    for name in names if by_stem else []:
        other = owner.setdefault(os.path.splitext(name)[0], name)
        if other != name:
            raise InvalidInput(
                f"format: in {form!r} {other!r} and {name!r} would share one file of labels; take "
                "another format"
            )
    return names


def _reasons(dataset: Any, run_key: str, ids: list[str]) -> list[dict[str, Any]]:
    """Return the reasons of each sample; of several objects in it, those of the first chosen."""
    results = results_of(dataset, run_key)
    found: dict[str, dict[str, Any]] = {}
    if results is not None:
        owners = getattr(results, "sample_ids", None) or results.ids
        for one, why in zip(owners, results.reasons, strict=True):
            found.setdefault(one, why)
    return [found.get(one, {}) for one in ids]


def _write_ranks(folder: Path, rows: list[dict[str, Any]]) -> None:
    text = json.dumps(rows, indent=1, ensure_ascii=False, default=str)
    (folder / f"{RANKS}.json").write_text(text, encoding="utf-8")
    reasons = list(dict.fromkeys(name for row in rows for name in row["reasons"]))
    columns = ["rank", "id", "name", "filepath", LABEL, *[f"reason_{one}" for one in reasons]]
    with open(folder / f"{RANKS}.csv", "w", newline="", encoding="utf-8") as stream:
        writer = csv.writer(stream)
        writer.writerow(columns)
        for row in rows:
            first = [row["rank"], row["id"], row["name"], row["filepath"], ""]
            writer.writerow(first + [row["reasons"].get(one, "") for one in reasons])


def folder_path(folder: str) -> Path:
    """Return the absolute path of a folder."""
    return Path(os.path.abspath(os.path.expanduser(folder.strip())))
