"""FiftyOne brain runs over stored vectors, for sorting by similarity and the embeddings panel."""

from __future__ import annotations

from typing import Any

import fiftyone.brain as fob

from ...alcore import InvalidInput
from .fiftyone_private import dataset_of

PLANE = "_plane"
UNFINISHED = "_unfinished"


def check_brain_key(dataset: Any, key: str, field: str, objects: str | None) -> None:
    """Check that a brain key is valid and free.

    Raises:
        InvalidInput: if the key is not an identifier, or if a run over another field uses it.
    """
    if not key.isidentifier():
        raise InvalidInput(
            f"brain_key: {key!r} must start with a letter and hold letters, digits and _ alone"
        )
    for one in (key, key + PLANE, key + UNFINISHED, key + PLANE + UNFINISHED):
        if one in dataset.list_brain_runs() and not _is_ours(dataset, one, field, objects):
            raise InvalidInput(f"brain_key: {one!r} is a run over something else; choose another key")


def index(view: Any, key: str, field: str, objects: str | None) -> None:
    """Create a similarity run ``key``, and a visualization run ``key_plane`` for the embeddings panel.

    The visualization shows the first two principal components. Earlier runs with these keys are deleted
    only when both new runs are complete.

    Args:
        view: the samples to index.
        key: the brain key.
        field: the field of the vectors, or the attribute of the objects.
        objects: the field of the objects; None for samples.
    """
    dataset = dataset_of(view)
    keys = (key, key + PLANE)
    beside = tuple(one + UNFINISHED for one in keys)
    _delete(dataset, beside)
    if not objects:
        view = view.exists(field)
    options = {"embeddings": field, "patches_field": objects, "progress": False}
    try:
        fob.compute_similarity(view, brain_key=beside[0], backend="sklearn", **options)
        fob.compute_visualization(view, brain_key=beside[1], method="pca", **options)
    except BaseException:
        _delete(dataset, beside)
        raise
    _delete(dataset, keys)
    for made, one in zip(beside, keys, strict=True):
        dataset.rename_brain_run(made, one)


def _delete(dataset: Any, keys: tuple[str, ...]) -> None:
    for one in set(keys) & set(dataset.list_brain_runs()):
        dataset.delete_brain_run(one)


def _is_ours(dataset: Any, key: str, field: str, objects: str | None) -> bool:
    config = dataset.get_brain_info(key).config
    stored = getattr(config, "embeddings_field", None)
    return (stored, getattr(config, "patches_field", None)) == (field, objects)
