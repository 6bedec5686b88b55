"""The operator find_near_duplicates: it groups near-duplicates, and tags all but one per group."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from ..alcore import InvalidInput
from ..alcore.geometry.distance_statistics import (
    distances_to_others,
    duplicate_groups,
    suggested_distance,
)
from .dataset.fields import label_fields
from .find_base import FindOperator, Found
from .forms import pieces, plots
from .reading.read import ReadPool


class FindNearDuplicates(FindOperator):
    """Groups samples that are nearer to each other than a distance, and tags all but one per group.

    Options, besides those of ``FindOperator``:
        distance: the distance between embeddings, above 0; by default it is suggested from the data.
        label_field: if a group has labeled samples, one of these stays without the tag.

    The group number of each sample is written to ``field``; the largest group has number 1.
    """

    icon = "content_copy"
    label = "Active learning: find near-duplicates"
    about = (
        "Groups samples whose embeddings are nearer to each other than a distance, tags all but one of "
        "each group, and shows the groups one after the other. Nothing is deleted."
    )
    options = ("distance", "label_field")
    comparable = False  # the groups of different views have the same numbers
    usual_tag = "near-duplicate"
    usual_field = "near_duplicate_group"
    field_holds = "The number of the group, the largest first; the sample that stays comes first"

    def find_inputs(self, ctx: Any, inputs: Any) -> None:
        about = "Nearer samples are near-duplicates; left out, the one the preview suggests"
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
        nearest = distances_to_others(X, metric, device, tick=tick)
        suggested = suggested_distance(nearest)
        given = params.get("distance") or suggested
        if given is None:
            raise InvalidInput("distance: all samples are the same, so that none can be suggested")
        distance = float(given)
        groups = duplicate_groups(X, distance, metric, device, tick)
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
            text=_text(figures),
            plots={"Distance to the nearest other": plots.nearest_plot(nearest, distance, metric)},
        )


def _text(figures: dict[str, Any]) -> str:
    suggested, distance = figures["suggested"], figures["distance"]
    other = "" if suggested in (None, distance) else f"; suggested distance: {suggested:.3g}"
    return (
        f"{figures['groups']:,} groups, of {figures['samples']:,} samples within {distance:.3g} of "
        f"another; all but one of each, {figures['tagged']:,} samples, are near-duplicates{other}"
    )
