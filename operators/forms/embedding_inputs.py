"""What forms ask of embeddings: the field, its distance, balls, weights, near-duplicates."""

from __future__ import annotations

from typing import Any

import fiftyone.operators as foo
import fiftyone.operators.types as types

from ..dataset.fields import embedding_fields, label_fields, prediction_fields, uncertain_fields
from . import counts, pieces
from .cost_matrix import class_names

BALL = ("radius", "clusters")
DUPLICATES = ("duplicates_within",)
METRICS = {"euclidean": "as the vectors are", "cosine": "by direction alone, 0 to 2"}


def embeddings_input(ctx: Any, inputs: Any) -> None:
    """The input of the embeddings to choose by."""
    pieces.field_input(
        ctx,
        inputs,
        "embeddings",
        "Embeddings",
        pieces.fields_for(ctx, embedding_fields),
        missing="This dataset has no vector field and no similarity run: compute embeddings makes one",
    )


def metric_input(inputs: Any) -> None:
    """The input of the distance between embeddings."""
    pieces.choice_input(inputs, "metric", "Distance", METRICS, "euclidean")


def weights_input(ctx: Any, inputs: Any) -> None:
    """The input of the predictions that weigh the samples to be covered."""
    about = "Predictions: an uncertain sample counts more when it is covered (UHerding)"
    pieces.optional_field_input(
        ctx, inputs, "predictions", "Weigh by", pieces.fields_for(ctx, uncertain_fields), about
    )


def company_inputs(ctx: Any, inputs: Any, different: bool = False) -> None:
    """What a strategy may be combined with."""
    pieces.uncertain_input(ctx, inputs)
    inputs.bool(
        "different",
        label="Different from each other, too",
        description="Times the distance to the nearest labeled or chosen (k-center)",
        default=different,
        view=types.CheckboxView(),
    )


def company_of(params: dict[str, Any], metric: str, different: bool = False) -> list[dict[str, Any]]:
    """The entries of what is combined; ``different`` is what holds where nothing is said."""
    entries = []
    if params.get("predictions"):
        entries.append({"strategy": "uncertainty", "column": params["predictions"]})
    if params.get("different", different):
        apart = {"strategy": "diversity", "column": params.get("embeddings"), "metric": metric}
        entries.append(apart)
    return entries


def ball_inputs(ctx: Any, inputs: Any) -> None:
    """Ask for the radius, or for how many classes there are, by which it is found."""
    about = "Of the balls, between vectors of length 1; left out, it is found"
    pieces.optional_number_input(inputs, "radius", "Radius", about)
    if ctx.params.get("radius") is None:
        known = _count_shown(ctx, counts.view_key(ctx))
        inputs.int(
            "clusters",
            label="Classes",
            description="How many there are: the radius is such that 95% of the balls hold one alone",
            default=known or None,
            required=not known,
            min=2,
        )


def ball_of(dataset: Any, column: str, params: dict[str, Any]) -> dict[str, Any]:
    """The entry of ProbCover, whose radius is found by the number of classes where it is not given."""
    entry = {"strategy": "coverage", "kernel": "ball", "column": column}
    if params.get("radius") is not None:
        return {**entry, "radius": params["radius"]}
    known = params.get("clusters") or class_count(dataset)
    return {**entry, "clusters": known} if known else entry


def duplicates_input(inputs: Any) -> None:
    """The input of the distance below which only one of two samples is a candidate."""
    about = (
        "Of samples nearer to each other than this (Euclidean) one stays; find "
        "near-duplicates suggests a distance"
    )
    pieces.optional_number_input(inputs, "duplicates_within", "Remove near-duplicates first", about)


def duplicates_filter(params: dict[str, Any]) -> list[dict[str, Any]]:
    """The filter of a recipe that leaves near-duplicates out; empty where none is wanted."""
    within = params.get("duplicates_within")
    if within is None:
        return []
    return [{"column": params.get("embeddings"), "minimum_distance": within}]


def class_count(dataset: Any) -> int | None:
    """How many classes a dataset has, where it says so: for a field, for all, or by its labels."""
    declared = [dataset.default_classes, *dataset.classes.values()]
    counts = {len(names) for names in declared if names}
    if len(counts) == 1:
        return counts.pop()
    fields = [choice.path for choice in (*prediction_fields(dataset), *label_fields(dataset))]
    found = max((len(class_names(dataset, path)) for path in dict.fromkeys(fields)), default=0)
    return found if found > 1 else None


@foo.execution_cache(prompt_scoped=True, residency="ephemeral")
def _count_shown(ctx: Any, view: str) -> int:
    """The same, looked up once for a form. ``view`` is part of the key of the cache alone."""
    return class_count(ctx.dataset) or 0
