"""The preview in a form: plots of the samples that would be chosen. Nothing is written."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

import fiftyone.operators.types as types

from ...alcore import Selection
from ...alcore.geometry import projection
from ..reading.read import Reading
from . import counts, pieces, plots
from .markdown import bold, escaped, paragraphs

OPTIONS = ("preview", "show_preview", "plane")
PLANES = {
    "pca": "the two largest components, at once",
    "umap": "neighbors stay neighbors; takes a while",
    "pacmap": "neighbors and distant groups; takes a while",
}
# Options of a form on which a preview does not depend, so that they are not part of its cache key.
BESIDE = ("tag", "saved_view", "run_key", "overwrite", *OPTIONS)


def dry_run_input(inputs: Any) -> None:
    """Add the input for a dry run, which a schema shows, and the App does not: it draws the preview."""
    inputs.bool(
        "preview",
        label="Dry run",
        description="Nothing is written: the result holds the picks and the reasons for each",
        default=False,
        view=types.HiddenView(),
    )


def preview_inputs(
    ctx: Any, inputs: Any, compute: Callable[[Any, str, str, str], Any], *, in_plane: bool = True
) -> None:
    """Add the checkbox of a preview and, if it is checked, the plots.

    Args:
        ctx: the context of the operator.
        inputs: the inputs of the form.
        compute: returns the preview, as ``draw`` takes it, for the context, the key of the target view,
            the key of the options and the method of projection.
        in_plane: whether the preview has a plane, for which a projection can be chosen.
    """
    about = "Compute it, and show what it would be; nothing is written"
    if not wants_preview(ctx, inputs, "Preview", about):
        return
    methods = projection.methods()
    method = ctx.params.get("plane") or methods[0]
    if in_plane and len(methods) > 1:
        preview = {name: PLANES[name] for name in methods}
        pieces.choice_input(inputs, "plane", "Plane", preview, methods[0])
    answers = {name: value for name, value in ctx.params.items() if name not in BESIDE}
    draw(inputs, compute(ctx, counts.view_key(ctx), key_of(ctx, answers), method))


def wants_preview(ctx: Any, inputs: Any, label: str, description: str) -> bool:
    """Add the checkbox of a preview, and return whether it is checked."""
    inputs.bool(
        "show_preview",
        label=label,
        description=description,
        default=False,
        view=types.CheckboxView(),
    )
    return bool(ctx.params.get("show_preview"))


def key_of(ctx: Any, answers: dict[str, Any]) -> str:
    """Return the options and the selected samples as JSON, which is a cache key."""
    return json.dumps({**answers, "selected": ctx.selected}, sort_keys=True, default=str)


def draw(inputs: Any, preview: dict[str, Any]) -> None:
    """Draw a preview: its ``error`` if there is one; else its ``text`` and its named ``plots``."""
    if "error" in preview:
        inputs.view("preview_error", types.Error(label=preview["error"]))
        return
    inputs.md(preview["text"], name="preview_text")
    for number, (name, plot) in enumerate(preview["plots"].items()):
        inputs.md(bold(name), name=f"plot_{number}_label")
        inputs.plot(f"plot_{number}", **plot, height=320, config={"displayModeBar": False})


def shown(reading: Reading, chosen: Selection, method: str) -> dict[str, Any]:
    """Return the preview of a selection, as ``draw`` takes it.

    It plots the plane and the distances; if the recipe compares no embeddings, scores and classes.
    """
    pool, recipe = reading.pool, reading.recipe
    found = {
        "Embedding plane": plots.plane_plot(pool, recipe, chosen, method),
        "Distance to the nearest labeled": plots.distance_plot(pool, recipe, chosen),
    }
    if found["Embedding plane"] is None:
        found = {
            "What the model is unsure of": plots.score_plot(pool, recipe, chosen),
            "Classes": plots.class_plot(pool, recipe, chosen),
        }
    return {
        "text": paragraphs([counted(chosen), *map(escaped, reading.notes)]),
        "plots": {name: plot for name, plot in found.items() if plot},
    }


def counted(chosen: Selection) -> str:
    """Return a line with the number of samples that would be chosen."""
    of = f"{chosen.report['pool']:,}"
    return f"**{len(chosen):,}** of {of} would be chosen; nothing is written yet"
