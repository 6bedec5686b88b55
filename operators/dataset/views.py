"""The samples that an operator is to work on."""

from __future__ import annotations

from typing import Any

from .fiftyone_private import has_dynamic_groups


def target_of(ctx: Any) -> Any:
    """The view that a form names, its samples one by one: those of dynamic groups in their order."""
    view = ctx.target_view()
    # FiftyOne's own way asks a dynamic group for its active slice, which it has not.
    return view.flatten() if has_dynamic_groups(view) else ctx.target_view(require_flat=True)


def samples_of(collection: Any) -> Any:
    """The samples of a dataset or view, one by one, as a view."""
    view = collection.view()
    return view.flatten() if has_dynamic_groups(view) else view
