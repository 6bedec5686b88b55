"""The input for the samples to work on: the dataset, the view, or what is selected in the grid."""

from __future__ import annotations

from typing import Any

from ..dataset.fiftyone_private import dataset_of, has_dynamic_groups, shows_parts
from ..dataset.selection_records import selections
from ..runs.marks import shows
from ..runs.names import Names

TARGET = "view_target"


def target_input(ctx: Any, inputs: Any) -> None:
    """Add the input for the samples to work on.

    What an earlier selection chose, and the App shows, is offered and not the default: who selects
    again wants to choose from the same samples as before.
    """
    shown = shown_selection(ctx)
    more: dict[str, Any] = {}
    if shown is not None:
        parts = shows_parts(ctx.view)
        whole = "DATASET_VIEW" if parts else "DATASET"
        more = {
            "default_target": whole,
            "allow_dataset_view": parts,
            "current_view_description": f"Only what the selection {shown} chose, which is shown now",
        }
        if not ctx.params.get(TARGET) and not ctx.request_params.get(TARGET):
            ctx.params[TARGET] = whole  # at first the App has not sent the default yet
    described(inputs.view_target(ctx, require_flat=not has_dynamic_groups(ctx.view), **more))


def described(target: Any) -> Any:
    """Say what the target is. FiftyOne does not where the form hides it, and a schema shows it."""
    target.view.label = target.view.label or "Target"
    about = "The samples to work on: the dataset, the view, or what is selected"
    target.view.description = target.view.description or about
    return target


def shown_selection(ctx: Any) -> str | None:
    """Return the key of the selection that the App shows; None if it shows something else."""
    if not ctx.has_custom_view:
        return None
    for one in reversed(selections(dataset_of(ctx.view))):
        if shows(ctx.view, Names(**one["names"])):
            return str(one["run_key"])
    return None
