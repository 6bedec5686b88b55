"""The views on which operators work."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

from .fiftyone_private import every_slice, has_dynamic_groups, in_parts


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


def target_of(ctx: Any) -> Any:
    """Return the view that a form names, as single samples. Dynamic groups are flattened in order."""
    view = ctx.target_view()
    # FiftyOne's own method asks for the active slice, which dynamic groups do not have.
    return view.flatten() if has_dynamic_groups(view) else ctx.target_view(require_flat=True)


def samples_of(collection: Any) -> Any:
    """Return the samples of a dataset or view as a view of single samples."""
    view = collection.view()
    return view.flatten() if has_dynamic_groups(view) else view
