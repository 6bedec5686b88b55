"""Embeddings on a dataset: embed images or objects, write in parts, go on where a run broke off."""

from __future__ import annotations

import hashlib
import json
import time
from collections.abc import Iterator
from contextlib import closing
from dataclasses import dataclass
from datetime import datetime, timezone
from typing import Any

import fiftyone as fo
import numpy as np
import torch
from fiftyone import ViewField as F

from ...alcore import InvalidInput
from ...alcore.data.device import resolve_device
from ...alcore.data.errors import name_samples
from ...alcore.geometry.reduction import Basis
from ...alcore.images.crops import PADDING
from ...alcore.networks.layers import embed_batches
from ...alcore.networks.networks import fingerprint
from ..dataset.brain_runs import check_brain_key, index
from ..dataset.fields import detection_fields, document_type
from ..dataset.fiftyone_private import dataset_of
from ..dataset.object_fields import list_path
from ..dataset.resumable_field import (
    EMBEDDINGS,
    Parts,
    check_field_name,
    check_images,
    check_kind,
    record_of,
)
from ..runs.run import Progress, throttled
from . import pca
from .embedders import Embedder
from .images import Cuts, prepare_of, read_batches, read_crops
from .models import describe
from .pooling import pool_on_samples

KIND = EMBEDDINGS
EMBED_SHARE = 0.9
NOT_FINITE = "NaN or infinite vectors"
PCA = "pca"  # of a field's record: its vectors have been brought to fewer dimensions


@dataclass
class EmbeddingRequest:
    """How to embed, and into which field.

    With ``objects``, a field of Detections, each box is cut out with ``padding`` (a share of its sides)
    and embedded, and ``field`` is an attribute of the objects; ``pool`` ("mean" or "max") then also
    gives each image a vector of its objects', in ``pool_field``.
    """

    field: str = "embeddings"
    batch_size: int = 32
    components: int | None = None
    brain_key: str | None = None
    objects: str | None = None
    padding: float = PADDING
    pool: str | None = None
    pool_field: str | None = None
    seed: int = 0
    overwrite: bool = False
    device: str = "auto"


def check_request(dataset: Any, request: EmbeddingRequest) -> None:
    """Refuse numbers and names that cannot be, before any model is loaded.

    Raises:
        InvalidInput: what is wrong.
    """
    check_field_name(request.field)
    if request.batch_size < 1:
        raise InvalidInput(f"batch_size: {request.batch_size} is not a size; give 1 or more")
    if request.components is not None and request.components < 1:
        raise InvalidInput(f"components: {request.components} leave nothing; give 1 or more")
    if not 0 <= request.padding <= 10:
        raise InvalidInput(f"padding: {request.padding} is not a share of a box's sides; give 0 to 10")
    if request.seed < 0:
        raise InvalidInput(f"seed: {request.seed} is negative; give 0 or more")
    resolve_device(request.device)
    path = path_of(dataset, request)
    check_kind(dataset, path, KIND)
    if request.components is not None:
        pca.check_run_key(dataset, path)
    if request.pool and not request.objects:
        raise InvalidInput("pool: is over the objects of an image; name their field (objects)")
    if request.pool and request.pool not in ("mean", "max"):
        raise InvalidInput(f"pool: there is no {request.pool!r}; choose 'mean' or 'max'")
    if request.pool:
        check_field_name(pool_field_of(request))
        check_kind(dataset, pool_field_of(request), KIND)
    if request.brain_key:
        check_brain_key(dataset, request.brain_key, request.field, request.objects)


def path_of(dataset: Any, request: EmbeddingRequest) -> str:
    """Where the vectors go: the field, or the attribute of the objects.

    Raises:
        InvalidInput: there are no such objects, or they have no boxes.
    """
    if not request.objects:
        return request.field
    return f"{boxes_path(dataset, request.objects)}.{request.field}"


def boxes_path(dataset: Any, objects: str) -> str:
    """Where a field keeps its list of objects that have boxes.

    Raises:
        InvalidInput: there are no such objects, or they have no boxes.
    """
    root = list_path(dataset, objects)
    if document_type(dataset.get_field(objects)) is not fo.Detections:
        fitting = [choice.path for choice in detection_fields(dataset)]
        told = f"; {', '.join(fitting)} do" if fitting else ""
        raise InvalidInput(f"objects: those of {objects!r} have no boxes to cut out{told}")
    return root


def pool_field_of(request: EmbeddingRequest) -> str:
    return request.pool_field or f"{request.objects}_{request.pool}"


def embed_view(
    view: Any, embedder: Embedder, request: EmbeddingRequest, progress: Progress | None = None
) -> dict[str, Any]:
    """Embed every image of a view, or every object, and write as it goes.

    What holds vectors of the same network and settings is left as it is. Nothing is written before the
    first vectors are there; what is written stays if the run breaks off, and the same call goes on
    from it. With ``components`` all vectors of the field are brought to them once those of the view are
    there; those that come later are brought to the same basis.

    Raises:
        InvalidInput: what is wrong; nothing was written.
        Unfinished: the run broke off after something was written.
    """
    started = time.perf_counter()
    report = throttled(progress)
    check_request(dataset_of(view), request)
    check_images(view, "embed")
    work = _Objects(view, embedder, request) if request.objects else _Images(view, embedder, request)
    parts = work.parts
    todo, skipped = work.what_is_left()
    left_out: list[str] = []
    length: int | None = work.length()
    held = work.held()
    home = next((p.device for p in embedder.module.parameters()), torch.device("cpu"))
    try:
        with closing(work.read(todo)) as batches:
            for ids, vectors in _vectors(embedder, batches, request):
                length = length or vectors.shape[1]
                if vectors.shape[1] != length:
                    raise InvalidInput(
                        f"the network gave vectors of {vectors.shape[1]} and of {length} dimensions, "
                        "which images of different sizes may lead to; give a transform that resizes"
                    )
                if work.basis is None:
                    _check_components(request, len(todo) + held, length)
                fine = np.isfinite(vectors).all(1)
                left_out += [ids[row] for row in np.flatnonzero(~fine)]
                if work.basis is not None:
                    vectors = work.basis.apply(vectors)
                parts.put({ids[row]: vectors[row] for row in np.flatnonzero(fine)})
                done = parts.count + len(left_out)
                report(EMBED_SHARE * min(1, done / len(todo)), f"Embedded {done} of {len(todo)}")
        if todo and parts.count == 0 and not skipped:
            raise InvalidInput(work.nothing(len(todo), len(left_out)))
        if parts.count and work.basis is None:
            _check_components(request, parts.count + held, length or 0)
        parts.flush()
    except BaseException as error:
        parts.break_off(error)
        raise
    finally:
        embedder.module.to(home)
    report(EMBED_SHARE, "Finishing")
    notes = work.notes(skipped)
    if left_out:
        notes.append(f"{name_samples(left_out, np.arange(len(left_out)))} with {NOT_FINITE}: left out")
    notes += _finish(view, work, request)
    record = record_of(dataset_of(view), work.path, KIND.method) or {}
    return {
        "field": request.field,
        "path": work.path,
        "model": embedder.name,
        "layer": embedder.layer,
        "dimensions": request.components or length or 0,
        "embedded": parts.count,
        "skipped": skipped,
        "left_out": len(work.broken) + len(work.empty) + len(left_out),
        "made": record.get("made"),
        "notes": notes,
        "seconds": round(time.perf_counter() - started, 3),
    }


def _vectors(
    embedder: Embedder, batches: Iterator[tuple[list[str], Any]], request: EmbeddingRequest
) -> Iterator[tuple[list[str], np.ndarray]]:
    """Ids and (B, d) float32, batch by batch."""
    names: list[str] = []

    def given() -> Iterator[Any]:
        for ids, batch in batches:
            names[:] = ids
            yield batch

    device = resolve_device(request.device)
    prepare = prepare_of(embedder.transform)
    for vectors in embed_batches(embedder.module, given(), embedder.layer, device, prepare):
        if len(vectors) != len(names):
            raise InvalidInput(
                f"layer: {embedder.layer!r} gives {len(vectors)} vectors for {len(names)} images; name "
                "another"
            )
        yield list(names), vectors.numpy()


def _check_components(request: EmbeddingRequest, count: int, length: int) -> None:
    components = request.components or 0
    if components > min(count, length):
        raise InvalidInput(
            f"components: {count} vectors of {length} dimensions cannot be brought to {components}; "
            f"choose {min(count, length)} or fewer"
        )


def _finish(view: Any, work: _Images, request: EmbeddingRequest) -> list[str]:
    """What is done once all vectors are there."""
    dataset = dataset_of(view)
    notes = []
    if request.components is not None:
        notes.append(_reduce(work, request))
    if request.pool:
        record = record_of(dataset, work.path, KIND.method) or {}
        info = {**record, "pooled_from": work.path, "pool": request.pool}
        done, without = pool_on_samples(view, work.path, pool_field_of(request), request.pool, info)
        told = f"{pool_field_of(request)}: the {request.pool} over objects, for {done} images"
        notes.append(f"{told}; {without} without objects have none" if without else told)
    if request.brain_key:
        index(view, request.brain_key, request.field, request.objects)
    return notes


def _reduce(work: _Images, request: EmbeddingRequest) -> str:
    """Bring all vectors of the field to its PCA basis; once they are, its record says so."""
    dataset, path, components = work.dataset, work.path, int(request.components or 0)
    field, basis = dataset.get_field(path), work.basis
    if basis is None or PCA not in field.info:
        ids, vectors = work.stored()
        # A run that broke off right here has left some that were brought to the basis.
        raw = [row for row, one in enumerate(vectors) if basis is None or len(one) != components]
        if basis is None:
            basis = pca.fit_basis(vectors, components, request.seed)
            pca.keep_basis(dataset, path, basis)
        if raw:
            small = basis.apply(np.stack([vectors[row] for row in raw]))
            work.write({ids[row]: vector for row, vector in zip(raw, small, strict=True)})
        made = _digest({"made": field.info["made"], "basis": pca.digest_of(basis)})
        fit = {"components": components, "seed": request.seed, "explained": basis.explained}
        field.info = {**field.info, "made": made, PCA: fit, "fitted_on": len(vectors)}
        field.save()
    return f"PCA keeps {basis.explained:.0%} of the variance in {components} dimensions"


def _digest(settings: dict[str, Any]) -> str:
    return hashlib.sha256(json.dumps(settings, sort_keys=True).encode()).hexdigest()[:16]


class _Images:
    """Vectors of samples: what is left to embed, and where it is written."""

    thing = "samples"

    def __init__(self, view: Any, embedder: Embedder, request: EmbeddingRequest) -> None:
        self.broken: list[str] = []
        self.empty: list[str] = []
        self.path = path_of(dataset_of(view), request)
        self._view, self._embedder, self._request = view, embedder, request
        self.dataset = dataset_of(view)
        self._settings = {
            "model": fingerprint(embedder.module),
            "layer": embedder.layer,
            "transform": describe(embedder.transform),
            "components": request.components,
            **({"padding": request.padding} if request.objects else {}),
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
            request.components or 1,
        )
        self.basis = self._kept_basis()

    def what_is_left(self) -> tuple[list[Any], int]:
        """What to embed, and how much is there already."""
        ids, paths = self._view.values(["id", "filepath"])
        there = set(self._there(self._view).values("id")) if self.parts.resumes else set()
        todo = [(one, path) for one, path in zip(ids, paths, strict=True) if one not in there]
        return todo, len(ids) - len(todo)

    def read(self, todo: list[Any]) -> Any:
        size, embedder = self._request.batch_size, self._embedder
        return read_batches(todo, embedder.transform, size, self.broken, embedder.collate)

    def write(self, values: dict[str, Any]) -> None:
        self.dataset.set_values(self.path, values, key_field="id")

    def stored(self) -> tuple[list[str], list[np.ndarray]]:
        """Ids and vectors of all in the dataset that have one."""
        return tuple(self._there(self._whole()).values(["id", self.path]))

    def held(self) -> int:
        """How many in the dataset have a vector."""
        return int(self._whole().count(self.path)) if self.parts.resumes else 0

    def length(self) -> int | None:
        """Of the vectors that are there, before they were brought to fewer dimensions."""
        if not self.parts.resumes:
            return None
        if self.basis is not None:
            return len(self.basis.mean)
        first = self._there(self._whole()).limit(1).values(self.path, unwind=True)
        return next((len(one) for one in first if one is not None), None)

    def notes(self, skipped: int) -> list[str]:
        told = []
        if skipped:
            told.append(
                f"{skipped} {self.thing} held embeddings of the same settings: left as they are"
            )
        if self.broken:
            named = name_samples(self.broken, np.arange(len(self.broken)))
            told.append(f"{named} with images that cannot be opened: left out")
        return told

    def nothing(self, todo: int, not_finite: int) -> str:
        what = f"{len(self.broken)} cannot be opened as images" if self.broken else ""
        what += " and " if self.broken and not_finite else ""
        what += f"for {not_finite} the network gives {NOT_FINITE}" if not_finite else ""
        first = f" (the first is {self.broken[0]})" if self.broken else ""
        return f"nothing could be embedded: of {todo} {self.thing} {what}{first}"

    def _there(self, view: Any) -> Any:
        """What of a view has vectors."""
        return view.exists(self.path)

    def _whole(self) -> Any:
        """All images of the dataset."""
        grouped = self.dataset.media_type == "group"
        return self.dataset.select_group_slices(media_type="image") if grouped else self.dataset

    def _kept_basis(self) -> Basis | None:
        """What the field's vectors are brought to, once that has begun."""
        if not self.parts.resumes or self._request.components is None:
            return None
        basis = pca.kept_basis(self.dataset, self.path)
        turned = basis is not None and len(basis.mean) == self._request.components
        if turned and PCA not in (self.parts.known or {}):
            # Broken off while they were turned, and nothing tells which were: they are made anew.
            self.parts.resumes = False
            return None
        return basis

    def _make(self) -> None:
        pca.forget_basis(self.dataset, self.path)  # of a field that was deleted by hand
        embedder = self._embedder
        about = f"Embeddings: {embedder.name}, layer {embedder.layer}"
        if self._request.components is not None:
            about += f", PCA to {self._request.components} dimensions"
        info = {
            "method": KIND.method,
            "model": embedder.name,
            "layer": embedder.layer,
            "settings": self._settings,
            "date": datetime.now(timezone.utc).isoformat(timespec="seconds"),
            "made": _digest(self._settings),
            **({"trained": embedder.trained} if embedder.trained else {}),
        }
        self.dataset.add_sample_field(self.path, fo.VectorField, description=about, info=info)

    def _remove(self) -> None:
        if self.dataset.get_field(self.path) is not None:
            self.dataset.delete_sample_field(self.path)
        pca.forget_basis(self.dataset, self.path)


class _Objects(_Images):
    """Vectors of objects, which are written by label id."""

    thing = "objects"

    def __init__(self, view: Any, embedder: Embedder, request: EmbeddingRequest) -> None:
        super().__init__(view, embedder, request)
        self._root = list_path(self.dataset, str(request.objects))
        self._sample_of: dict[str, str] = {}

    def what_is_left(self) -> tuple[list[str], int]:
        root = self._root
        rows = self._view.values(["id", "filepath", f"{root}.id", f"{root}.bounding_box"])
        there = set()
        if self.parts.resumes:
            there = set(self._there(self._view).values(f"{root}.id", unwind=True))
        todo, total = [], 0
        self._cuts = []
        for sample, path, ids, boxes in zip(*rows, strict=True):
            pairs = [(one, box) for one, box in zip(ids or [], boxes or [], strict=True)]
            total += len(pairs)
            left = [(one, box) for one, box in pairs if one not in there]
            self._sample_of |= {one: sample for one, _ in left}
            todo += [one for one, _ in left]
            if left:
                ids, boxes = map(list, zip(*left, strict=True))
                self._cuts.append(Cuts(path, ids, boxes, self._request.padding))
        if not total:
            raise InvalidInput(
                f"objects: none of the {len(rows[0])} samples has one in {self._request.objects!r}"
            )
        return todo, total - len(todo)

    def read(self, todo: list[Any]) -> Any:
        size, embedder = self._request.batch_size, self._embedder
        return read_crops(
            self._cuts, embedder.transform, size, self.broken, self.empty, embedder.collate
        )

    def write(self, values: dict[str, Any]) -> None:
        rows = [
            {"sample_id": self._sample_of[one], "label_id": one, "value": value}
            for one, value in values.items()
        ]
        self.dataset.set_label_values(self.path, rows)

    def stored(self) -> tuple[list[str], list[np.ndarray]]:
        found = self._there(self._whole())
        samples, ids, vectors = found.values(["id", f"{self._root}.id", self.path])
        for sample, labels in zip(samples, ids, strict=True):
            self._sample_of |= dict.fromkeys(labels, sample)
        return [one for several in ids for one in several], [
            one for several in vectors for one in several
        ]

    def notes(self, skipped: int) -> list[str]:
        told = super().notes(skipped)
        if self.broken:
            told[-1] = (
                f"{len(self.broken)} images cannot be opened (the first is {self.broken[0]}): their "
                "objects are left out"
            )
        if self.empty:
            named = name_samples(self.empty, np.arange(len(self.empty)))
            named = named.replace("sample", "object", 1)
            told.append(f"{named} without area inside the image: left out")
        return told

    def _there(self, view: Any) -> Any:
        return view.filter_labels(str(self._request.objects), F(self._request.field).exists())
