"""The recipes that a comparison tries where the user names none."""

from __future__ import annotations

from typing import Any

RANDOM = "random"
DEFAULT = "coverage weighted by margin"


def usual_recipes(
    embeddings: str | None, predictions: str | None, labels: str | None = None
) -> dict[str, list[dict[str, Any]]]:
    """By name, the strategies of recipes; a random choice is the first.

    Args:
        embeddings: a column of vectors; None leaves out what compares samples.
        predictions: a column of class probabilities; None leaves out what judges by predictions.
        labels: a column of true classes, which balance counts.
    """
    found: dict[str, list[dict[str, Any]]] = {RANDOM: [{"strategy": "random"}]}
    counted = {} if labels is None else {"labels": labels}
    if predictions is not None:
        margin = {"strategy": "uncertainty", "column": predictions}
        balance = {"strategy": "balance", "column": predictions, "beyond_chance": True, **counted}
        found["margin"] = [margin]
        found["entropy"] = [{**margin, "measure": "entropy"}]
        found["margin and balance"] = [margin, balance]
    if embeddings is not None:
        vectors = {"column": embeddings}
        coverage = {"strategy": "coverage", **vectors}
        found["diversity"] = [{"strategy": "diversity", **vectors}]
        found["coverage"] = [coverage]
        found["TypiClust"] = [{"strategy": "typiclust", **vectors}]
        if predictions is not None:
            found["BADGE"] = [{"strategy": "badge", "column": predictions, "embeddings": embeddings}]
            found["margin and diversity"] = [margin, {"strategy": "diversity", **vectors}]
            found[DEFAULT] = [{**coverage, "weights": margin}]
            found[f"{DEFAULT}, and balance"] = [{**coverage, "weights": margin}, balance]
    return found
