"""Pools the vectors of an image's objects into one vector per image."""

from __future__ import annotations

from typing import Any

import fiftyone as fo
import numpy as np

from ...alcore.geometry.reduction import pool_objects
from ..dataset.field_swap import NewField, write_fields
from ..dataset.fiftyone_private import dataset_of

# Two fields hold the same kind of vectors if these entries of their records are equal.
ALIKE = ("made", "pooled_from", "pool")


def pool_on_samples(
    view: Any, path: str, field: str, how: Any, info: dict[str, Any]
) -> tuple[int, int]:
    """Write the mean or maximum over each image's objects into a field of vectors.

    Args:
        view: the images.
        path: the path of the vectors of the objects.
        field: the field to write. If its record differs, it is replaced; otherwise it is updated for
            the images of the view.
        how: "mean" or "max".
        info: the record of the field.

    Returns:
        The number of images that got a vector, and the number of images without one because they have
        no objects with vectors.
    """
    dataset = dataset_of(view)
    ids, lists = view.values(["id", path])
    kept = [[one for one in vectors or [] if one is not None] for vectors in lists]
    offsets = np.append(0, np.cumsum([len(one) for one in kept]))
    rows = np.flatnonzero(np.diff(offsets))
    values: dict[str, Any] = dict.fromkeys(ids)
    if len(rows):
        pooled = pool_objects(np.stack([one for several in kept for one in several]), offsets, how)
        values |= {ids[row]: pooled[row] for row in rows.tolist()}
    held = getattr(dataset.get_field(field), "info", None) or {}
    if held and all(held.get(name) == info.get(name) for name in ALIKE):
        dataset.set_values(field, values, key_field="id")
    elif len(rows):
        about = f"The {how} of {path} over an image's objects"
        write_fields(dataset, {field: NewField(values, about, info, fo.VectorField)})
    elif dataset.get_field(field) is not None:
        dataset.delete_sample_field(field)
    return len(rows), len(ids) - len(rows)
