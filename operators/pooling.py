"""A vector an image, from those of its objects."""

from __future__ import annotations

from typing import Any

import fiftyone as fo
import numpy as np

from ..alcore.embed import pool_objects


def pool_on_samples(
    view: Any, path: str, field: str, how: Any, info: dict[str, Any]
) -> tuple[int, int]:
    """Write the mean or maximum over each image's objects into a field of vectors.

    Args:
        path: of the vectors on the objects.
        field: written to it; made anew.
        how: "mean" or "max".
        info: the field's record.

    Returns:
        how many images have a vector now, and how many have none, for they have no object.
    """
    dataset = view._dataset
    ids, lists = view.values(["id", path])
    kept = [[one for one in vectors or [] if one is not None] for vectors in lists]
    offsets = np.append(0, np.cumsum([len(one) for one in kept]))
    rows = np.flatnonzero(np.diff(offsets))
    if dataset.get_field(field) is not None:
        dataset.delete_sample_field(field)
    if not len(rows):
        return 0, len(ids)
    pooled = pool_objects(np.stack([one for several in kept for one in several]), offsets, how)
    dataset.add_sample_field(
        field, fo.VectorField, description=f"The {how} of {path} over an image's objects", info=info
    )
    dataset.set_values(field, {ids[row]: pooled[row] for row in rows.tolist()}, key_field="id")
    return len(rows), len(ids) - len(rows)
