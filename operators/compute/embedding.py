"""Embeddings of a dataset: embed images or objects, write in parts, resume an interrupted run."""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import closing
from typing import Any

import numpy as np

from ...alcore import InvalidInput
from ...alcore.data.device import resolve_device
from ...alcore.data.errors import name_samples
from ...alcore.networks.layers import embed_batches
from ..dataset.brain_runs import check_brain_key, index
from ..dataset.fiftyone_private import dataset_of
from ..dataset.object_fields import boxes_path
from ..dataset.resumable_field import check_field_name, check_kind, record_of
from ..runs.run import Progress, throttled
from . import pca
from .embedders import Embedder
from .embedding_field import KIND, NOT_FINITE, PCA, EmbeddingField, EmbeddingRequest, digest
from .images import prepare_of
from .models import back_on_device
from .pooling import pool_on_samples

EMBED_SHARE = 0.9


def check_request(dataset: Any, request: EmbeddingRequest) -> None:
    """Check numbers and names, before any model is loaded.

    Raises:
        InvalidInput: if an option is wrong.
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
    """Return the path to which the vectors are written: a field, or an attribute of the objects.

    Raises:
        InvalidInput: if there is no such field of objects, or if its objects have no bounding boxes.
    """
    if not request.objects:
        return request.field
    return f"{boxes_path(dataset, request.objects)}.{request.field}"


def pool_field_of(request: EmbeddingRequest) -> str:
    """Return the field for the pooled vectors of a sample's objects; default: ``<objects>_<pool>``."""
    return request.pool_field or f"{request.objects}_{request.pool}"


def embed_view(
    view: Any, embedder: Embedder, request: EmbeddingRequest, progress: Progress | None = None
) -> dict[str, Any]:
    """Embed every image or object of a view, and write the vectors in parts.

    Images or objects that already hold vectors of the same network and settings are skipped. Nothing is
    written before there are vectors. If the run is interrupted, what was written stays, and the same
    call resumes from there.

    With ``components``, all vectors of the field are reduced by PCA once the view is embedded. Vectors
    that are added later are projected on the same PCA basis.

    Returns:
        Counts and notes as plain values.

    Raises:
        InvalidInput: if something is wrong; nothing was written.
        Unfinished: if the run was interrupted after some vectors were written.
    """
    started = time.perf_counter()
    report = throttled(progress)
    dataset = dataset_of(view)
    check_request(dataset, request)
    work = EmbeddingField(dataset, path_of(dataset, request), embedder, request)
    parts = work.parts
    todo, skipped = work.left(view)
    count = sum(len(one.ids) for one in todo)
    left_out: list[str] = []
    length: int | None = work.length()
    held = work.held()
    with back_on_device(embedder.module), parts.filling():
        with closing(work.read(todo)) as batches:
            for ids, vectors in _vectors(embedder, batches, request):
                length = length or vectors.shape[1]
                if vectors.shape[1] != length:
                    raise InvalidInput(
                        f"the network gave vectors of {vectors.shape[1]} and of {length} dimensions, "
                        "which images of different sizes may lead to; give a transform that resizes"
                    )
                if work.basis is None:
                    _check_components(request, count + held, length)
                fine = np.isfinite(vectors).all(1)
                left_out += [ids[row] for row in np.flatnonzero(~fine)]
                if work.basis is not None:
                    vectors = work.basis.apply(vectors)
                parts.put({ids[row]: vectors[row] for row in np.flatnonzero(fine)})
                done = parts.count + len(left_out)
                report(EMBED_SHARE * min(1, done / count), f"Embedded {done} of {count}")
        if todo and parts.count == 0 and not skipped:
            raise InvalidInput(work.nothing(count, len(left_out)))
        if parts.count and work.basis is None:
            _check_components(request, parts.count + held, length or 0)
    report(EMBED_SHARE, "Finishing")
    notes = work.notes(skipped)
    if left_out:
        notes.append(f"{name_samples(left_out, np.arange(len(left_out)))} with {NOT_FINITE}: left out")
    notes += _finish(view, work, request)
    record = record_of(dataset, work.path, KIND.method) or {}
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
    """Yield ids and (B, d) float32 vectors, batch by batch."""
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


def _finish(view: Any, work: EmbeddingField, request: EmbeddingRequest) -> list[str]:
    """Do the steps that need all vectors: PCA, pooling, brain runs. Return notes."""
    dataset = dataset_of(view)
    notes = []
    if request.components is not None:
        notes.append(_reduce(work, request))
    if request.pool:
        record = record_of(dataset, work.path, KIND.method) or {}
        info = {**record, "pooled_from": work.path, "pool": request.pool}
        done, without = pool_on_samples(view, work.path, pool_field_of(request), request.pool, info)
        note = f"{pool_field_of(request)}: the {request.pool} over objects, for {done} images"
        notes.append(f"{note}; {without} without objects have none" if without else note)
    if request.brain_key:
        index(view, request.brain_key, request.field, request.objects)
    return notes


def _reduce(work: EmbeddingField, request: EmbeddingRequest) -> str:
    """Project all vectors of the field on its PCA basis, then note this in the field's record."""
    dataset, path, components = work.dataset, work.path, int(request.components or 0)
    field, basis = dataset.get_field(path), work.basis
    if basis is None or PCA not in field.info:
        ids, vectors = work.place.stored(path)
        # If a run was interrupted at this point, some vectors are already reduced.
        raw = [row for row, one in enumerate(vectors) if basis is None or len(one) != components]
        if basis is None:
            basis = pca.fit_basis(vectors, components, request.seed)
            pca.keep_basis(dataset, path, basis)
        if raw:
            small = basis.apply(np.stack([vectors[row] for row in raw]))
            work.write({ids[row]: vector for row, vector in zip(raw, small, strict=True)})
        made = digest({"made": field.info["made"], "basis": pca.digest_of(basis)})
        fit = {"components": components, "seed": request.seed, "explained": basis.explained}
        field.info = {**field.info, "made": made, PCA: fit, "fitted_on": len(vectors)}
        field.save()
    return f"PCA keeps {basis.explained:.0%} of the variance in {components} dimensions"
