"""The operator select_uncertain: it selects samples on which the model is uncertain."""

from __future__ import annotations

from typing import Any, ClassVar

from .dataset.fields import prediction_fields
from .forms import pieces, selection_inputs, words
from .select_base import SelectOperator


class SelectUncertain(SelectOperator):
    """Chooses samples on which a model is uncertain.

    Options, besides those of ``SelectOperator``:
        predictions: the field of the predictions.
        measure: a measure of uncertainty; default: "margin".
        temperature: the temperature of the softmax, above 0; default: 1.
        embeddings: embeddings by which the chosen samples are kept apart.
        budget: a count, or below 1 a share of the candidates; default: 100.
    """

    # In the App it is a part of ``select_informative``, which is listed under this label.
    label = "Active learning: select uncertain samples"
    unlisted = True
    about = (
        "Chooses samples the model is unsure of. Alone it may choose near-duplicates, outliers and "
        "label noise: adding embeddings spreads the choice."
    )
    options = ("predictions", "measure", "temperature", "embeddings", "budget")
    fields: ClassVar = {"predictions": prediction_fields}

    def strategy_inputs(self, ctx: Any, inputs: Any) -> None:
        pieces.budget_input(inputs)
        pieces.predictions_input(
            ctx,
            inputs,
            "This dataset has no Classification field to judge",
            "Logits or probabilities are used in full. With label and confidence alone, least "
            "confidence is exact; margin and entropy take the other classes as equally likely",
        )
        pieces.choice_input(inputs, "measure", "Measure", words.lines(words.SINGLE), "margin")
        pieces.temperature_input(inputs)
        pieces.spread_input(ctx, inputs)

    def recipe_of(self, dataset: Any, params: dict[str, Any]) -> dict[str, Any]:
        strategies: list[dict[str, Any]] = [
            {
                "strategy": "uncertainty",
                "column": params.get("predictions", "predictions"),
                "measure": params.get("measure", "margin"),
                "temperature": params.get("temperature", 1.0),
            }
        ]
        if params.get("embeddings"):
            strategies.append({"strategy": "diversity", "column": params["embeddings"]})
        return {
            "budget": selection_inputs.budget_of(params),
            "strategies": strategies,
            "seed": params.get("seed", 0),
        }
