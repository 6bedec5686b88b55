"""The operator find_outliers: it finds samples far from all others, by the density around them."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from ..alcore import InvalidInput, score
from ..alcore.scores.typicality import NEIGHBORS
from .find_base import FindOperator, Found
from .forms import plots
from .reading.read import ReadPool

SHARE = 0.02


class FindOutliers(FindOperator):
    """Measures how typical each sample is, and tags the least typical samples.

    Options, besides those of ``FindOperator``:
        share: the share of the samples that is tagged, above 0 and at most 1.
        neighbors: the number of nearest neighbors, at least 1.

    The typicality, 1 / (mean distance to the nearest neighbors), is written to ``field``. A low value
    means an outlier.
    """

    icon = "scatter_plot"
    label = "Active learning: find outliers"
    about = (
        "Measures how typical each sample is, by its nearest neighbors, and tags the least typical: "
        "edge cases, broken images, what does not belong. Nothing is deleted."
    )
    description = "Find outliers, anomalies and edge cases by embeddings, and tag them"
    options = ("share", "neighbors")
    usual_tag = "outlier"
    usual_field = "typicality"
    field_holds = "Typicality, 1 / mean distance to the nearest others: low = outlier"

    def find_inputs(self, ctx: Any, inputs: Any) -> None:
        inputs.float(
            "share",
            label="Share",
            description="Of the samples, the least typical; 0.02 is one in fifty",
            default=SHARE,
            min=0,
            max=1,
        )
        inputs.int(
            "neighbors",
            label="Neighbors",
            description="So many of the nearest say how dense the surroundings are",
            default=NEIGHBORS,
            min=1,
        )

    def check_numbers(self, params: dict[str, Any]) -> None:
        share = params.get("share", SHARE)
        if not 0 < share <= 1:
            raise InvalidInput(f"share: {share} is not a share above 0 and at most 1")
        if params.get("neighbors", NEIGHBORS) < 1:
            raise InvalidInput(f"neighbors: {params['neighbors']} is not a count of at least 1")

    def find(self, reading: ReadPool, params: dict[str, Any], tick: Callable[[], None]) -> Found:
        entry = {
            "strategy": "typicality",
            "column": params["embeddings"],
            "metric": params["metric"],
            "neighbors": params.get("neighbors", NEIGHBORS),
        }
        device = params.get("device") or "auto"
        values = score(reading.pool, entry, device, lambda done, total: tick())
        here = np.flatnonzero(np.isfinite(values))
        count = max(1, round(params.get("share", SHARE) * len(here)))
        rows = here[np.argsort(values[here], kind="stable")[:count]]
        highest = float(values[rows[-1]])
        figures = {"samples": len(here), "tagged": count, "typicality": highest}
        is_found = np.zeros(reading.pool.n, dtype=bool)
        is_found[rows] = True
        plot = plots.value_plot(values[here], is_found[here], "typicality")
        return Found(
            rows=rows,
            tagged=np.ones(count, dtype=bool),
            numbers=values,
            whole=False,
            recipe={"budget": count, "strategies": [{**entry, "strength": -1}]},
            figures=figures,
            text=f"{count:,} of {len(here):,} samples have a typicality of {highest:.3g} or less",
            plots={"Typicality": plot},
        )
