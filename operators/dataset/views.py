"""The views on which operators work."""

from __future__ import annotations

from typing import Any

from .fiftyone_private import has_dynamic_groups


def target_of(ctx: Any) -> Any:
    """Return the view that a form names, as single samples. Dynamic groups are flattened in order."""
    view = ctx.target_view()
    # FiftyOne's own method asks for the active slice, which dynamic groups do not have.
    return view.flatten() if has_dynamic_groups(view) else ctx.target_view(require_flat=True)


def samples_of(collection: Any) -> Any:
    """Return the samples of a dataset or view as a view of single samples."""
    view = collection.view()
    return view.flatten() if has_dynamic_groups(view) else view
