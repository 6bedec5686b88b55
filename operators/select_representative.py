"""The operator select_representative: it selects samples that represent the others, or edge cases."""

from __future__ import annotations

from typing import Any

import fiftyone.operators.types as types

from ..alcore import InvalidInput
from .base import Pick
from .dataset.fields import embedding_fields, prediction_fields
from .dataset.object_fields import nearest
from .forms import embedding_inputs, pieces, selection_inputs, words
from .select_base import SelectOperator

COLD_START = (
    "Cold start, no label and no model yet: typiclust chooses well, as soon as there are embeddings; "
    "so does coverage, of select diverse samples"
)
# Methods that would choose near-duplicates together. For them ``different`` is True by default.
DIFFERENT = ("typicality",)


class SelectRepresentative(SelectOperator):
    """Chooses samples that represent the others, or edge cases.

    Options, besides those of ``SelectOperator``:
        method: "typiclust" (default), "coverage", "typicality", "outliers" or
            "representative_informative".
        embeddings: a field of vectors or a similarity run, for all methods but the last.
        metric: for "typicality" and "outliers": "euclidean" (default) or "cosine". It also measures
            the distance of ``different``.
        neighbors: the number of nearest neighbors that measure the density, at least 1.
        predictions: the predictions of "representative_informative". With other methods, predictions
            by which uncertain samples are preferred; not with "typiclust".
        beta: for "representative_informative": the weight of uncertainty, from 0.
        different: whether the chosen samples are also kept apart from each other; not with
            "typiclust" and "representative_informative".
        budget: a count, or below 1 a share of the candidates; default: 100.
    """

    label = "Active learning: select representative samples"
    about = "Chooses samples that stand for the others: the common cases, or the edge cases."
    description = "Choose representative samples, a cold start, or edge cases: typiclust, typicality"
    options = (
        "method",
        "embeddings",
        "metric",
        "neighbors",
        "predictions",
        "beta",
        "different",
        "budget",
    )

    def fill(self, dataset: Any, params: dict[str, Any], pick: Pick) -> dict[str, Any]:
        filled = super().fill(dataset, params, pick)
        by_model = filled.get("method") == "representative_informative"
        name, find = (
            ("predictions", prediction_fields) if by_model else ("embeddings", embedding_fields)
        )
        if not filled.get(name):
            filled[name] = pick(nearest(find, filled.get("objects") or None)(dataset), name)
        return filled

    def strategy_inputs(self, ctx: Any, inputs: Any) -> None:
        pieces.budget_input(inputs)
        inputs.view("cold_start", types.Notice(label=COLD_START))
        method = ctx.params.get("method") or "typiclust"
        methods = words.lines(words.REPRESENTATIVE)
        if method != "coverage":  # a call may name it; its own form is that of ``select_diverse``
            del methods["coverage"]
        pieces.choice_input(inputs, "method", "Method", methods, "typiclust")
        if method == "representative_informative":
            pieces.predictions_input(ctx, inputs, "This dataset has no field of predictions")
            inputs.float(
                "beta",
                label="Uncertainty",
                description="How much being uncertain counts beside being like the others",
                default=1.0,
                min=0,
            )
            return
        embedding_inputs.embeddings_input(ctx, inputs)
        if method in ("typicality", "outliers"):
            embedding_inputs.metric_input(inputs)
        if method in ("typicality", "outliers", "typiclust"):
            inputs.int(
                "neighbors",
                label="Neighbors",
                description="So many of the nearest say how dense the surroundings are",
                default=20,
                min=1,
            )
        if method == "typiclust":
            return
        embedding_inputs.company_inputs(ctx, inputs, different=method in DIFFERENT)

    def __call__(self, sample_collection: Any, delegate: bool = False, **options: Any) -> Any:
        # A form keeps inputs of another method, which are ignored. In a call they are a mistake.
        method = options.get("method") or "typiclust"
        if method not in ("typiclust", "representative_informative"):
            return super().__call__(sample_collection, delegate, **options)
        surplus = [name for name in ("predictions", "different") if options.get(name)]
        if method == "representative_informative":
            surplus = [name for name in surplus if name == "different"]
        if surplus:
            raise InvalidInput(
                f"{surplus[0]}: {method!r} chooses by itself, and does not take it; leave it out"
            )
        return super().__call__(sample_collection, delegate, **options)

    def recipe_of(self, dataset: Any, params: dict[str, Any]) -> dict[str, Any]:
        return {
            "budget": selection_inputs.budget_of(params),
            "strategies": _entries_of(params),
            "seed": params.get("seed", 0),
        }


def _entries_of(params: dict[str, Any]) -> list[dict[str, Any]]:
    method = params.get("method") or "typiclust"
    if method == "representative_informative":
        beta = params.get("beta")
        more = {} if beta is None else {"beta": beta}
        return [{"strategy": method, "column": params.get("predictions"), **more}]
    entry = {"column": params.get("embeddings"), **_more_of(method, params)}
    if method == "typiclust":
        return [entry]
    metric = params.get("metric") or "euclidean"
    return [entry, *embedding_inputs.company_of(params, metric, different=method in DIFFERENT)]


def _more_of(method: str, params: dict[str, Any]) -> dict[str, Any]:
    """Return the name of a method's strategy, and its options.

    Raises:
        InvalidInput: if the method is unknown.
    """
    if method == "coverage":
        return {"strategy": "coverage", "kernel": "cosine"}
    if method not in ("typicality", "outliers", "typiclust"):
        known = ", ".join(words.REPRESENTATIVE)
        raise InvalidInput(f"method: there is no {method!r}; choose one of {known}")
    more: dict[str, Any] = {"neighbors": params["neighbors"]} if params.get("neighbors") else {}
    if method == "typiclust":
        return {"strategy": method, **more}
    if method == "outliers":
        more["strength"] = -1
    return {"strategy": "typicality", "metric": params.get("metric") or "euclidean", **more}
