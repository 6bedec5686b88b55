"""select_informative: what a model, or several, do not know."""

from __future__ import annotations

from typing import Any

import fiftyone.operators.types as types

from ..alcore import InvalidInput
from . import forms, informative, measures
from .selecting import SelectOperator


class SelectInformative(SelectOperator):
    label = "Active learning: select informative samples"
    about = (
        "Chooses samples a model, or several, know least about: images, objects or pixels. By score "
        "alone near-duplicates and outliers come together: draw the batch, or spread it."
    )
    options = (*informative.OPTIONS, "batch", "coldness", "samples", "embeddings", "budget")

    def strategy_inputs(self, ctx: Any, inputs: Any) -> None:
        forms.budget_input(inputs)
        params = informative.source_inputs(ctx, inputs)
        batch = params.get("batch") or "top"
        offered = self._batches(params)
        known = informative.measures_of(ctx.dataset, params)
        if batch != "batch_bald" or batch not in offered:
            name = informative.input_of("measure", known)
            forms.choice_input(inputs, name, "Measure", measures.told(known), next(iter(known)))
            informative.detail_inputs(ctx, inputs, params)
        self._temperature_input(ctx, inputs, params)
        forms.choice_input(inputs, "batch", "Batch", measures.told(offered), "top")
        if batch == "batch_bald":
            inputs.int(
                "samples",
                label="Outcomes",
                description="How many joint labels are kept: more is more exact, and slower",
                default=10_000,
                min=1,
            )
        elif batch != "top":
            inputs.float(
                "coldness",
                label="Coldness",
                description="The higher, the nearer to the best by score",
                default=1.0,
            )
        else:
            forms.spread_input(ctx, inputs)

    def _batches(self, params: dict[str, Any]) -> dict[str, measures.Words]:
        """BatchBALD is for members."""
        if informative.source_of(params) in ("members", "several fields"):
            return measures.BATCHES
        return {name: one for name, one in measures.BATCHES.items() if name != "batch_bald"}

    def _temperature_input(self, ctx: Any, inputs: Any, params: dict[str, Any]) -> None:
        source = informative.source_of(params)
        if source not in ("one field", "costs"):
            return
        if informative.kind_of(ctx.dataset, params.get("predictions")) != "samples":
            return
        if source == "one field" and params.get("label_field", "ground_truth"):
            inputs.bool(
                "fit_temperature",
                label="Fit the temperature on the labelled samples",
                description="A model is often too sure. Fit it on samples it was not trained on",
                default=False,
                view=types.CheckboxView(),
            )
        if not params.get("fit_temperature"):
            forms.temperature_input(inputs)

    def fill(self, dataset: Any, params: dict[str, Any], pick: informative.Pick) -> dict[str, Any]:
        return informative.fill(dataset, params, pick)

    def recipe_of(self, dataset: Any, params: dict[str, Any]) -> dict[str, Any]:
        batch = params.get("batch") or "top"
        entry = informative.entry_of(dataset, params)
        if batch == "batch_bald":
            if entry["strategy"] != "disagreement":
                raise InvalidInput("batch: 'batch_bald' is for members or several fields")
            entry = {"strategy": "batch_bald", "column": entry["column"]}
            entry["samples"] = params.get("samples") or 10_000
        strategies = [entry]
        if params.get("embeddings"):
            strategies.append({"strategy": "diversity", "column": params["embeddings"]})
        recipe = {
            "budget": forms.budget_of(params),
            "strategies": strategies,
            "seed": params.get("seed", 0),
        }
        if batch not in ("top", "batch_bald"):
            recipe |= {"batch": batch, "coldness": params.get("coldness") or 1.0}
        return recipe
