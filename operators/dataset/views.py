"""The views on which operators work."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from typing import Any

from .fiftyone_private import dataset_of, every_slice, has_dynamic_groups, in_parts


def all_slices(dataset: Any) -> Any:
    """Return the samples of a dataset; for a grouped dataset, those of all slices."""
    if dataset.media_type == "group":
        return every_slice(dataset)
    return dataset.view()


def views_of(dataset: Any, ids: Sequence[str]) -> Iterator[Any]:
    """Iterate over views of the samples with these ids, in parts; of all slices of groups.

    Ids that no longer exist are ignored.
    """
    for part in in_parts(ids):
        yield all_slices(dataset).select(part)


def count_outside(view: Any, path: str) -> int:
    """Return the number of values that a field has in samples that are not in a view."""
    return int(all_slices(dataset_of(view)).count(path) - view.count(path))


def values_elsewhere(dataset: Any, path: str, ids: Iterable[str]) -> dict[str, Any]:
    """Return the values of a field by sample id, without those of the given samples."""
    left_out = set(ids)
    found = zip(*all_slices(dataset).values(["id", path]), strict=True)
    return {one: value for one, value in found if value is not None and one not in left_out}


def target_of(ctx: Any) -> Any:
    """Return the view that a form names, as single samples. Dynamic groups are flattened in order."""
    view = ctx.target_view()
    # FiftyOne's own method asks for the active slice, which dynamic groups do not have.
    return view.flatten() if has_dynamic_groups(view) else ctx.target_view(require_flat=True)


def samples_of(collection: Any) -> Any:
    """Return the samples of a dataset or view as a view of single samples."""
    view = collection.view()
    return view.flatten() if has_dynamic_groups(view) else view
