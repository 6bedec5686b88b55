"""The operator select_diverse: it selects samples that differ from each other and from labeled ones."""

from __future__ import annotations

from typing import Any, ClassVar

from ..alcore import InvalidInput
from .base import Pick
from .dataset.fields import embedding_fields, prediction_fields
from .dataset.object_fields import nearest
from .forms import embedding_inputs, pieces, selection_inputs, words
from .select_base import SelectOperator

KERNELS = {
    "gaussian": "one near is worth much more than one far (MaxHerding)",
    "cosine": "by cosine similarity (facility location)",
}
SYNONYMS = {"k_center": "diversity"}


class SelectDiverse(SelectOperator):
    """Chooses samples that differ from each other and from labeled samples, by embeddings.

    Options, besides those of ``SelectOperator``:
        embeddings: a field of vectors or a similarity run.
        method: "coverage" (default), "probcover", "diversity" (also "k_center"), "determinantal",
            "k_means", "k_medoids" or "badge".
        kernel: for "coverage": "gaussian" (default) or "cosine".
        metric: for "diversity", "k_means" and "k_medoids": "euclidean" (default) or "cosine".
        minimum_distance, ignore_outliers: for "diversity": stop when all candidates are nearer than
            this to a chosen sample; the share of outliers that are not candidates.
        predictions: for "badge", whose gradients are used; for "coverage" and "probcover", weights by
            which uncertain samples count more.
        radius, clusters: for "probcover": the radius of the balls, or the number of classes by which it
            is estimated.
        duplicates_within: near-duplicates within this Euclidean distance are removed first.
        budget: a count, or below 1 a share of the candidates; default: 100.
    """

    label = "Active learning: select diverse samples"
    about = "Chooses samples that differ from each other and from what is labeled, by embeddings."
    description = "Choose for diversity by embeddings: k-center, coreset, coverage, clusters, BADGE"
    options = (
        "embeddings",
        "method",
        "kernel",
        "metric",
        "minimum_distance",
        "ignore_outliers",
        "predictions",
        *embedding_inputs.BALL,
        *embedding_inputs.DUPLICATES,
        "budget",
    )
    fields: ClassVar = {"embeddings": embedding_fields}

    def fill(self, dataset: Any, params: dict[str, Any], pick: Pick) -> dict[str, Any]:
        filled = super().fill(dataset, params, pick)
        method = filled.get("method") or "coverage"
        filled["method"] = SYNONYMS.get(method, method)
        if method == "badge" and not filled.get("predictions"):
            find = nearest(prediction_fields, filled.get("objects") or None)
            filled["predictions"] = pick(find(dataset), "predictions")
        return filled

    def strategy_inputs(self, ctx: Any, inputs: Any) -> None:
        pieces.budget_input(inputs)
        embedding_inputs.embeddings_input(ctx, inputs)
        methods = words.lines(words.DIVERSE)
        pieces.choice_input(inputs, "method", "Method", methods, "coverage")
        method = ctx.params.get("method") or "coverage"
        if method == "coverage":
            pieces.choice_input(inputs, "kernel", "Kernel", KERNELS, "gaussian")
        if method == "probcover":
            embedding_inputs.ball_inputs(ctx, inputs)
        if method in ("diversity", "k_means", "k_medoids"):
            embedding_inputs.metric_input(inputs)
        if method == "diversity":
            _distance_inputs(inputs)
        if method in ("coverage", "probcover"):
            embedding_inputs.weights_input(ctx, inputs)
        elif method == "badge":
            pieces.predictions_input(
                ctx, inputs, "This dataset has no predictions, without which there are no gradients"
            )
        embedding_inputs.duplicates_input(inputs)

    def recipe_of(self, dataset: Any, params: dict[str, Any]) -> dict[str, Any]:
        return {
            "budget": selection_inputs.budget_of(params),
            "filters": embedding_inputs.duplicates_filter(params),
            "strategies": [_entry_of(dataset, params)],
            "seed": params.get("seed", 0),
        }


def _distance_inputs(inputs: Any) -> None:
    about = "Stops where every other sample is nearer than this to a chosen one; left empty, nowhere"
    pieces.optional_number_input(inputs, "minimum_distance", "Minimum distance", about)
    inputs.float(
        "ignore_outliers",
        label="Ignore outliers",
        description="This share of the pool, the farthest from its neighbors, is not chosen",
        default=0.0,
        min=0,
        max=0.99,
    )


def _entry_of(dataset: Any, params: dict[str, Any]) -> dict[str, Any]:
    method = params.get("method") or "coverage"
    column = params.get("embeddings", "embeddings")
    entry: dict[str, Any] = {"strategy": method, "column": column}
    if method in ("coverage", "probcover"):
        if method == "probcover":
            entry = embedding_inputs.ball_of(dataset, column, params)
        elif params.get("kernel"):
            entry["kernel"] = params["kernel"]
        if params.get("predictions"):
            entry["weights"] = {"column": params["predictions"]}
    elif method == "diversity":
        entry["metric"] = params.get("metric") or "euclidean"
        for name in ("minimum_distance", "ignore_outliers"):
            if params.get(name) is not None:
                entry[name] = params[name]
    elif method in ("k_means", "k_medoids"):
        entry |= {"strategy": "representatives", "method": method}
        entry["metric"] = params.get("metric") or "euclidean"
    elif method == "badge":
        entry |= {"column": params.get("predictions"), "embeddings": column}
    elif method != "determinantal":
        known = ", ".join([*words.DIVERSE, *SYNONYMS])
        raise InvalidInput(f"method: there is no {method!r}; choose one of {known}")
    return entry
