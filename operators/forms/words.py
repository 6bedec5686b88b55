"""The descriptions of strategies and their options, grouped as the forms of the operators show them.

Most of them are defined with the strategies, in ``alcore.strategies``.
"""

from __future__ import annotations

from collections.abc import Mapping

from ...alcore.recipe import BATCHES as OF_A_STAGE
from ...alcore.strategies import Words as Words
from ...alcore.strategies import (
    badge,
    balance,
    batch_bald,
    class_balanced,
    coverage,
    determinantal,
    disagreement,
    diversity,
    expected_cost,
    minority,
    representative_informative,
    representatives,
    similarity,
    typicality,
    typiclust,
    uncertainty,
)
from ...alcore.strategies.common.pixels import AGGREGATES as OF_PIXELS

SINGLE = uncertainty.MEASURES
STORED = uncertainty.STORED
OVER_OBJECTS = uncertainty.OF_OBJECTS
OVER_PIXELS = OF_PIXELS
EMPTY = uncertainty.EMPTY
COSTS = {
    "risk": expected_cost.MEASURES["risk"],
    "cost_margin": expected_cost.MEASURES["margin"],
}
MEMBERS = disagreement.MEASURES
OTHERS = {
    "variance": disagreement.VARIANCE,
    "detection": disagreement.DETECTION,
    "predicted_loss": Words(
        "the model's loss is expected to be large", "worth only what its held-out correlation says"
    ),
}
BATCHES = {**OF_A_STAGE, "batch_bald": batch_bald.BatchBald.about}
DIVERSE = {
    "coverage": coverage.Coverage.about,
    "probcover": coverage.KERNELS["ball"],
    "diversity": diversity.Diversity.about,
    "determinantal": determinantal.Determinantal.about,
    **representatives.METHODS,
    "badge": badge.Badge.about,
}
REPRESENTATIVE = {
    "typiclust": typiclust.TypiClust.about,
    "coverage": coverage.KERNELS["cosine"],
    "typicality": typicality.Typicality.about,
    "outliers": Words("far from all others: the edge case", "broken and mislabeled images come first"),
    "representative_informative": representative_informative.RepresentativeInformative.about,
}
BALANCED = {
    "balance": balance.Balance.about,
    "class_balanced": class_balanced.ClassBalanced.about,
    "minority": minority.Minority.about,
}
VARIANTS = minority.VARIANTS
SIMILARITY = similarity.Similarity.about


def lines(words: Mapping[str, Words]) -> dict[str, str]:
    """Return the line of each option, as radio buttons show it."""
    return {name: one.line for name, one in words.items()}
