"""The operator find_near_duplicates: it groups near-duplicates, and tags all but one per group."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from ..alcore import InvalidInput
from ..alcore.geometry.distance_statistics import duplicate_groups, neighborhood
from .dataset.fields import label_fields
from .find_base import FindOperator, Found
from .forms import pieces, plots
from .reading.read import ReadPool


class FindNearDuplicates(FindOperator):
    """Groups samples that are nearer to each other than a distance, and tags all but one per group.

    Options, besides those of ``FindOperator``:
        distance: the distance between embeddings, above 0; by default it is suggested from the data.
            Where none can be suggested, exact copies alone are grouped. They always are.
        label_field: if a group has labeled samples, one of these stays without the tag.

    The group number of each sample is written to ``field``; the largest group has number 1.
    """

    icon = "content_copy"
    label = "Active learning: find near-duplicates"
    about = (
        "Groups samples whose embeddings are nearer to each other than a distance, tags all but one of "
        "each group, and shows the groups one after the other. Nothing is deleted."
    )
    description = (
        "Find near duplicates and exact duplicates by embeddings: deduplicate, leaks between splits"
    )
    options = ("distance", "label_field")
    comparable = False  # the groups of different views have the same numbers
    usual_tag = "near-duplicate"
    usual_field = "near_duplicate_group"
    field_holds = "The number of the group, the largest first; the sample that stays comes first"

    def find_inputs(self, ctx: Any, inputs: Any) -> None:
        about = "Nearer samples are near-duplicates; left empty, the one the preview suggests"
        pieces.optional_number_input(inputs, "distance", "Distance", about)
        about = "Of a group, a sample with a value here stays, if there is one"
        pieces.optional_field_input(
            ctx, inputs, "label_field", "Labels", label_fields(ctx.dataset), about
        )

    def check_numbers(self, params: dict[str, Any]) -> None:
        distance = params.get("distance")
        if distance is not None and not 0 < distance < np.inf:
            raise InvalidInput(f"distance: {distance} is not a number above 0")

    def find(self, reading: ReadPool, params: dict[str, Any], tick: Callable[[], None]) -> Found:
        pool, column, metric = reading.pool, params["embeddings"], params["metric"]
        device = params.get("device") or "auto"
        here = np.flatnonzero(~pool.missing[column])
        # Labeled samples come first, because the first sample of a group is not tagged.
        here = here[np.argsort(~pool.labeled[here], kind="stable")]
        X = pool.columns[column][here]
        around = neighborhood(X, metric, device, tick=tick)
        suggested = around.suggested
        given = params.get("distance") or suggested
        # Without a distance, only rounding may part the samples of a group.
        distance = around.rounding if given is None else float(given)
        groups = duplicate_groups(X, None if given is None else distance, metric, device, tick)
        grouped = np.flatnonzero(groups)
        order = grouped[np.argsort(groups[grouped], kind="stable")]
        numbers = np.full(pool.n, np.nan)
        numbers[here[grouped]] = groups[grouped]
        figures = {
            "groups": int(groups.max(initial=0)),
            "samples": len(order),
            "tagged": len(order) - int(groups.max(initial=0)),
            "distance": distance,
            "suggested": suggested,
        }
        entry = {
            "strategy": "near_duplicates",
            "column": column,
            "metric": metric,
            "distance": distance,
        }
        return Found(
            rows=here[order],
            tagged=np.diff(groups[order], prepend=0) == 0,
            numbers=numbers,
            whole=True,
            recipe={"budget": max(1, len(order)), "strategies": [entry]},
            figures=figures,
            text=_text(figures, None if given else around.why_none(column)),
            plots={
                "Distance to the nearest other": plots.nearest_plot(around.distances, distance, metric)
            },
        )


def _text(figures: dict[str, Any], why_none: str | None) -> str:
    """Return a summary; ``why_none`` says why there is no distance."""
    suggested, distance = figures["suggested"], figures["distance"]
    other = "" if suggested in (None, distance) else f"; suggested distance: {suggested:.3g}"
    if why_none is not None:
        other = f"; {why_none}, so that exact copies alone are grouped"
    within = f"within {distance:.3g} of another" if why_none is None else "with an exact copy"
    return (
        f"{figures['groups']:,} groups, of {figures['samples']:,} samples {within}; all but one of "
        f"each, {figures['tagged']:,} samples, are near-duplicates{other}"
    )
