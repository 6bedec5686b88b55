"""select_diverse: samples different from each other and from what is labelled."""

from __future__ import annotations

from typing import Any, ClassVar

import fiftyone.operators.types as types

from . import forms
from .fields import embedding_fields
from .selecting import SelectOperator

METHODS = {
    "coverage": "each stands for many others; the better choice with few labels",
    "diversity": "the farthest from all chosen so far (k-center)",
}


class SelectDiverse(SelectOperator):
    label = "Active learning: select diverse samples"
    about = "Chooses samples that differ from each other and from what is labelled, by embeddings."
    options = ("embeddings", "method", "metric", "minimum_distance", "budget")
    fields: ClassVar = {"embeddings": embedding_fields}

    def strategy_inputs(self, ctx: Any, inputs: Any) -> None:
        forms.budget_input(inputs)
        forms.field_input(
            ctx,
            inputs,
            "embeddings",
            "Embeddings",
            forms.fields_for(ctx, embedding_fields),
            missing="This dataset has no vector field and no similarity run",
        )
        forms.choice_input(inputs, "method", "Method", METHODS, "coverage")
        if ctx.params.get("method") == "diversity":
            inputs.view(
                "misleads",
                types.Warning(
                    label="Farthest-first goes for outliers: with few labels it can do worse than "
                    "a random choice"
                ),
            )
            forms.choice_input(
                inputs,
                "metric",
                "Distance",
                {"euclidean": "as the vectors are", "cosine": "by direction alone, 0 to 2"},
                "euclidean",
            )
            inputs.float(
                "minimum_distance",
                label="Minimum distance",
                description="Stops where every other sample is nearer than this to a chosen one",
                required=False,
            )

    def recipe_of(self, dataset: Any, params: dict[str, Any]) -> dict[str, Any]:
        method = params.get("method", "coverage")
        entry: dict[str, Any] = {
            "strategy": method,
            "column": params.get("embeddings", "embeddings"),
        }
        if method == "diversity":
            entry["metric"] = params.get("metric", "euclidean")
            if params.get("minimum_distance") is not None:
                entry["minimum_distance"] = params["minimum_distance"]
        return {
            "budget": forms.budget_of(params),
            "strategies": [entry],
            "seed": params.get("seed", 0),
        }
