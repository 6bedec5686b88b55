"""Inputs for embeddings: the field, the distance, balls, weights, near-duplicates."""

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
    """Add the input for the field of the embeddings."""
    pieces.field_input(
        ctx,
        inputs,
        "embeddings",
        "Embeddings",
        pieces.fields_for(ctx, embedding_fields),
        missing="This dataset has no vector field and no similarity run: compute embeddings makes one",
        description="Vectors of the samples, by which they are compared",
    )


def metric_input(inputs: Any) -> None:
    """Add the input for the distance between embeddings."""
    pieces.choice_input(inputs, "metric", "Distance", METRICS, "euclidean")


def weights_input(ctx: Any, inputs: Any) -> None:
    """Add the input for the predictions by which the samples to be covered are weighted."""
    about = "Predictions: an uncertain sample counts more when it is covered (UHerding)"
    pieces.optional_field_input(
        ctx, inputs, "predictions", "Weigh by", pieces.fields_for(ctx, uncertain_fields), about
    )


def company_inputs(ctx: Any, inputs: Any, different: bool = False) -> None:
    """Add the inputs for the strategies that may be combined with the main one.

    ``different`` is the initial state of the checkbox for diversity.
    """
    pieces.uncertain_input(ctx, inputs)
    inputs.bool(
        "different",
        label="Different from each other, too",
        description="Times the distance to the nearest labeled or chosen (k-center)",
        default=different,
        view=types.CheckboxView(),
    )


def company_of(params: dict[str, Any], metric: str, different: bool = False) -> list[dict[str, Any]]:
    """Return the recipe's entries of the combined strategies.

    ``different`` tells whether diversity is among them if the options do not say so.
    """
    entries = []
    if params.get("predictions"):
        entries.append({"strategy": "uncertainty", "column": params["predictions"]})
    if params.get("different", different):
        apart = {"strategy": "diversity", "column": params.get("embeddings"), "metric": metric}
        entries.append(apart)
    return entries


def ball_inputs(ctx: Any, inputs: Any) -> None:
    """Add the input for the radius. If it is empty, also ask for the number of classes.

    The radius is then estimated from the number of classes.
    """
    about = "Of the balls, between vectors of length 1; left empty, it is found"
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
    """Return the recipe's entry of ProbCover.

    Without a radius it has the number of classes, from which the radius is estimated.
    """
    entry = {"strategy": "coverage", "kernel": "ball", "column": column}
    if params.get("radius") is not None:
        return {**entry, "radius": params["radius"]}
    known = params.get("clusters") or class_count(dataset)
    return {**entry, "clusters": known} if known else entry


def duplicates_input(inputs: Any) -> None:
    """Add the input for the distance below which only one of two samples is a candidate."""
    about = (
        "Of samples nearer to each other than this (Euclidean) one stays; find "
        "near-duplicates suggests a distance; left empty, all stay"
    )
    pieces.optional_number_input(inputs, "duplicates_within", "Remove near-duplicates first", about)


def duplicates_filter(params: dict[str, Any]) -> list[dict[str, Any]]:
    """Return the filter of a recipe that removes near-duplicates; empty if no distance is given."""
    within = params.get("duplicates_within")
    if within is None:
        return []
    return [{"column": params.get("embeddings"), "minimum_distance": within}]


def class_count(dataset: Any) -> int | None:
    """Return the number of classes of a dataset, or None if it cannot be determined.

    It is taken from the classes that the dataset declares, if all declared lists have the same length;
    else it is the largest number of classes in a field of predictions or labels.
    """
    declared = [dataset.default_classes, *dataset.classes.values()]
    counts = {len(names) for names in declared if names}
    if len(counts) == 1:
        return counts.pop()
    fields = [choice.path for choice in (*prediction_fields(dataset), *label_fields(dataset))]
    found = max((len(class_names(dataset, path)) for path in dict.fromkeys(fields)), default=0)
    return found if found > 1 else None


@foo.execution_cache(prompt_scoped=True, residency="ephemeral")
def _count_shown(ctx: Any, view: str) -> int:
    """Return ``class_count``, or 0, computed once for a form. ``view`` is used only as a cache key."""
    return class_count(ctx.dataset) or 0
