"""The operator select_informative: it selects samples on which one or more models are uncertain."""

from __future__ import annotations

from typing import Any

import fiftyone.operators.types as types

from ..alcore import InvalidInput
from .forms import pieces, selection_inputs, uncertainty_inputs, words
from .select_base import SelectOperator


class SelectInformative(SelectOperator):
    """Chooses samples on which one model is uncertain, or on which several models disagree.

    Options, besides those of ``SelectOperator``:
        source: "one field", "costs", "several fields", "members" or "predicted loss". By default, the
            field that is given decides.
        predictions, several, members, predicted_loss: the field or fields of the source. A list in
            ``predictions`` is the same as ``several``.
        measure: a measure that the source offers.
        cost, gain: for "costs": a matrix ``[truth][decision]``.
        temperature, fit_temperature, multi_label, given: how predictions of samples are read.
        aggregate, empty, top_k, quantile, share, threshold, min_confidence, class_weights: how values
            of objects or pixels are combined to a value of the sample.
        batch: how the batch is chosen: "top" (default); "power", "softmax" or "softrank", which draw
            at random and more often the best with a higher ``coldness``; or "batch_bald" with
            ``samples``, the number of joint labels to keep.
        embeddings: embeddings by which the chosen samples are kept apart.
        budget: a count, or below 1 a share of the candidates; default: 100.
    """

    label = "Active learning: select uncertain samples"
    about = (
        "Chooses samples a model, or several, know least about: images, objects or pixels. By score "
        "alone near-duplicates and outliers come together: draw the batch, or spread it."
    )
    description = (
        "Choose by uncertainty, disagreement, expected cost or predicted loss of a model or several"
    )
    options = (*uncertainty_inputs.OPTIONS, "batch", "coldness", "samples", "embeddings", "budget")

    def strategy_inputs(self, ctx: Any, inputs: Any) -> None:
        pieces.budget_input(inputs)
        params = uncertainty_inputs.source_inputs(ctx, inputs)
        batch = params.get("batch") or "top"
        offered = self._batches(params)
        known = uncertainty_inputs.measures_of(ctx.dataset, params)
        if batch != "batch_bald" or batch not in offered:
            name = uncertainty_inputs.input_of("measure", known)
            pieces.choice_input(inputs, name, "Measure", words.lines(known), next(iter(known)))
            uncertainty_inputs.detail_inputs(ctx, inputs, params)
        self._temperature_input(ctx, inputs, params)
        pieces.choice_input(inputs, "batch", "Batch", words.lines(offered), "top")
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
            pieces.spread_input(ctx, inputs)

    def _batches(self, params: dict[str, Any]) -> dict[str, words.Words]:
        """Return the batches that a form offers. BatchBALD needs several predictions per sample."""
        if uncertainty_inputs.source_of(params) in ("members", "several fields"):
            return words.BATCHES
        return {name: one for name, one in words.BATCHES.items() if name != "batch_bald"}

    def _temperature_input(self, ctx: Any, inputs: Any, params: dict[str, Any]) -> None:
        source = uncertainty_inputs.source_of(params)
        if source not in ("one field", "costs"):
            return
        if uncertainty_inputs.kind_of(ctx.dataset, params.get("predictions")) != "samples":
            return
        if source == "one field" and params.get("label_field", "ground_truth"):
            inputs.bool(
                "fit_temperature",
                label="Fit the temperature on the labeled samples",
                description="A model is often too sure. Fit it on samples it was not trained on",
                default=False,
                view=types.CheckboxView(),
            )
        if not params.get("fit_temperature"):
            pieces.temperature_input(inputs)

    def fill(
        self, dataset: Any, params: dict[str, Any], pick: uncertainty_inputs.Pick
    ) -> dict[str, Any]:
        return uncertainty_inputs.fill(dataset, params, pick)

    def recipe_of(self, dataset: Any, params: dict[str, Any]) -> dict[str, Any]:
        batch = params.get("batch") or "top"
        entry = uncertainty_inputs.entry_of(dataset, params)
        if batch == "batch_bald":
            if entry["strategy"] != "disagreement":
                raise InvalidInput("batch: 'batch_bald' is for members or several fields")
            entry = {"strategy": "batch_bald", "column": entry["column"]}
            entry["samples"] = params.get("samples", 10_000)
        strategies = [entry]
        if params.get("embeddings"):
            strategies.append({"strategy": "diversity", "column": params["embeddings"]})
        recipe = {
            "budget": selection_inputs.budget_of(params),
            "strategies": strategies,
            "seed": params.get("seed", 0),
        }
        if batch not in ("top", "batch_bald"):
            recipe |= {"batch": batch, "coldness": params.get("coldness", 1.0)}
        return recipe
