"""The preview in a form: what would be chosen, on demand, as plots. Nothing is written."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

import fiftyone.operators.types as types

from ...alcore import Selection
from ...alcore.geometry import projection
from ..reading.read import Reading
from . import counts, pieces, plots

OPTIONS = ("preview", "plane")
PLANES = {
    "pca": "the two largest components, at once",
    "umap": "neighbors stay neighbors; takes a while",
    "pacmap": "neighbors and distant groups; takes a while",
}
# What a preview does not depend on, though a form sends it.
BESIDE = ("tag", "saved_view", "run_key", "overwrite", *OPTIONS)


def preview_inputs(
    ctx: Any, inputs: Any, compute: Callable[[Any, str, str, str], Any], *, in_plane: bool = True
) -> None:
    """A checkbox, and below it the plots of what ``compute`` gives for this view and these options."""
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
    """Add the checkbox that a preview is computed by; whether it is checked."""
    inputs.bool(
        "preview",
        label=label,
        description=description,
        default=False,
        view=types.CheckboxView(),
    )
    return bool(ctx.params.get("preview"))


def key_of(ctx: Any, answers: dict[str, Any]) -> str:
    """What tells one preview from another, for the cache."""
    return json.dumps({**answers, "selected": ctx.selected}, sort_keys=True, default=str)


def draw(inputs: Any, preview: dict[str, Any]) -> None:
    """Draw what was computed: a line, and plots with their names."""
    if "error" in preview:
        inputs.view("preview_error", types.Error(label=preview["error"]))
        return
    inputs.md(preview["text"], name="preview_text")
    for number, (name, plot) in enumerate(preview["plots"].items()):
        inputs.md(f"**{name}**", name=f"plot_{number}_label")
        inputs.plot(f"plot_{number}", **plot, height=320, config={"displayModeBar": False})


def shown(reading: Reading, chosen: Selection, method: str) -> dict[str, Any]:
    """The plots of a selection: the plane and the distances, else scores and classes."""
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
        "text": "\n\n".join([counted(chosen), *reading.notes]),
        "plots": {name: plot for name, plot in found.items() if plot},
    }


def counted(chosen: Selection) -> str:
    """How many would be chosen, in a line."""
    of = f"{chosen.report['pool']:,}"
    return f"**{len(chosen):,}** of {of} would be chosen; nothing is written yet"
