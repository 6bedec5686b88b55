"""What a recipe reads: its columns, what each is read for, and how its entries are changed."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from ...alcore import InvalidInput, Recipe
from ...alcore.recipe import recipe as entries

_OF_DISTRIBUTIONS = (
    entries.ExpectedCost,
    entries.Badge,
    entries.RepresentativeInformative,
    entries.ClassBalanced,
    entries.Minority,
)
_OF_VECTORS = (
    entries.Diversity,
    entries.Coverage,
    entries.Typicality,
    entries.TypiClust,
    entries.Representatives,
    entries.Determinantal,
    entries.Similarity,
)


def uses_of(recipe: Recipe) -> dict[str, tuple[str, str]]:
    """What each column is read for, and which entry asks for it first."""
    uses: dict[str, tuple[str, str]] = {}

    def use(column: str, purpose: str, who: str) -> None:
        known = uses.get(column)
        both = {known[0] if known else purpose, purpose}
        # A class distribution serves uncertainty and balance alike, as true classes do any use.
        if known is None:
            uses[column] = (purpose, who)
        elif both == {"classes", "categories"}:
            uses[column] = ("classes", who)
        elif both <= {"classes", "predictions", "distribution"}:
            uses[column] = ("distribution" if "distribution" in both else "predictions", who)
        elif both <= {"classes", "predictions", "distribution", "member"}:
            uses[column] = ("member", who)
        elif purpose not in (known[0], "values"):
            raise InvalidInput(
                f"{who}: field {column!r} is used as {purpose} here and as {known[0]} by {known[1]}; "
                "name the path of what is meant, such as predictions.label"
            )

    for stage in recipe.in_stages():
        for entry in stage.strategies or []:
            _use_entry(entry, use)
        if stage.cost is not None:
            use(stage.cost.column, "numbers", "cost")
        if stage.groups is not None:
            use(stage.groups.column, "values", "groups")
    for one in filters_of(recipe):
        compares = one.similar_to is not None or one.minimum_distance is not None
        if one.column != "id":
            use(one.column, "vectors" if compares else "values", "a filter")
    return uses


def filters_of(recipe: Recipe) -> list[Any]:
    """Every filter, those of the stages last."""
    return [*recipe.filters, *(one for stage in recipe.in_stages() for one in stage.filters)]


def judges_of(recipe: Recipe) -> list[Any]:
    """Every entry, and every uncertainty by which an entry weighs."""
    judges: list[Any] = [entry for stage in recipe.in_stages() for entry in stage.strategies or []]
    weights = [getattr(entry, "weights", None) for entry in judges]
    return judges + [one for one in weights if one is not None and not isinstance(one, str)]


def declared_in(recipe: Recipe) -> tuple[set[str], set[str]]:
    """The columns said to be logits, and those said to be of classes that do not exclude each other."""
    logits: set[str] = set()
    independent: set[str] = set()
    for one in judges_of(recipe):
        if getattr(one, "given", None) == "logits":
            logits |= set(entries.columns_of(one))
        if getattr(one, "multi_label", False):
            independent |= set(entries.columns_of(one))
    return logits, independent


def map_entries(recipe: Recipe, change: Callable[[Any], Any]) -> Recipe:
    """The recipe with every entry changed."""
    if recipe.stages is None:
        changed = [change(entry) for entry in recipe.strategies or []]
        return recipe.model_copy(update={"strategies": changed})
    stages = [
        stage.model_copy(update={"strategies": [change(e) for e in stage.strategies or []]})
        for stage in recipe.stages
    ]
    return recipe.model_copy(update={"stages": stages})


def map_filters(recipe: Recipe, change: Callable[[Any], Any]) -> Recipe:
    """The recipe with every filter changed."""
    changed = {"filters": [change(one) for one in recipe.filters]}
    if recipe.stages is None:
        return recipe.model_copy(update=changed)
    stages = [
        stage.model_copy(update={"filters": [change(one) for one in stage.filters]})
        for stage in recipe.stages
    ]
    return recipe.model_copy(update={**changed, "stages": stages})


def _use_entry(entry: Any, use: Callable[[str, str, str], None]) -> None:
    who = entry.strategy
    if isinstance(entry, entries.Uncertainty):
        use(entry.column, "predictions", who)
    elif isinstance(entry, _OF_DISTRIBUTIONS):
        use(entry.column, "distribution", who)
    elif isinstance(entry, (entries.Disagreement, entries.BatchBald)):
        several = isinstance(entry.column, list)
        for column in entries.columns_of(entry):
            use(column, "member" if several else "members", who)
    elif isinstance(entry, _OF_VECTORS):
        use(entry.column, "vectors", who)
    elif isinstance(entry, entries.Balance):
        for column in entries.columns_of(entry):
            use(column, "classes", who)
    elif isinstance(entry, entries.Weight):
        use(entry.column, "categories" if entry.by_category else "numbers", who)
    if getattr(entry, "embeddings", None):
        use(entry.embeddings, "vectors", who)
    if getattr(entry, "labels", None):
        # The labels of a balance may be of objects.
        use(entry.labels, "classes" if isinstance(entry, entries.Balance) else "categories", who)
    weights = getattr(entry, "weights", None)
    if isinstance(weights, str):
        use(weights, "numbers", who)
    elif weights is not None:
        _use_entry(weights, use)
