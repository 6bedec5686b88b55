"""What a recipe leaves open, filled in from the dataset before anything is read."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

from ...alcore import Recipe
from ...alcore.strategies import Reads, Strategy
from ..dataset.fields import LIST_OF, document_type, is_vector
from .column import Declared

PREDICTED = (Reads.CLASSES, Reads.CLASS_PROBABILITIES, Reads.PREDICTIONS)


@dataclass
class Labeled:
    """Which samples count as labeled.

    Attributes:
        field: those with a value there.
        tag: those with that tag.
        chosen: whether those of earlier selections do, whose labels are on their way.
    """

    field: str | None = None
    tag: str | None = None
    chosen: bool = False


@dataclass
class DeclaredColumns:
    """What a recipe says of its columns: which hold logits, and which independent classes."""

    logits: set[str] = field(default_factory=set)
    independent: set[str] = field(default_factory=set)

    @classmethod
    def by(cls, recipe: Recipe) -> DeclaredColumns:
        """As a recipe says it."""
        declared = cls()
        for one in recipe.all_strategies():
            if one.declared_logits():
                declared.logits |= set(one.judged_by())
            if one.declared_independent():
                declared.independent |= set(one.judged_by())
        return declared

    def of(self, column: str, classes: list[str]) -> Declared:
        """What is said of one column, of which the dataset declares the classes."""
        return Declared(classes, column in self.logits, column in self.independent)


def with_default(recipe: Recipe, usual: Callable[[], list[Strategy]]) -> Recipe:
    """The recipe with the default strategies where it leaves them out."""
    if all(stage.strategies for stage in recipe.in_stages()):
        return recipe
    strategies = usual()
    if recipe.stages is None:
        return recipe.model_copy(update={"strategies": strategies})
    stages = [
        one if one.strategies else one.model_copy(update={"strategies": strategies})
        for one in recipe.stages
    ]
    return recipe.model_copy(update={"stages": stages})


def with_labels(recipe: Recipe, label: str | None, flat: dict[str, Any]) -> Recipe:
    """Let balance count the labeled samples by their labels, and a temperature be fitted to them.

    Where the labels are classes of the kind that is predicted, that is.

    Args:
        label: the field of the labels.
        flat: the dataset's flat schema.
    """
    if label is None:
        return recipe

    def with_truth(one: Strategy) -> Strategy:
        one = one.with_nested(with_truth)
        use = one.labels_use()
        if use is None:
            return one
        found = _labels_like(one, label, flat, needed=use == "needed")
        return one.with_labels(found) if found else one

    return recipe.mapped(with_truth)


def with_columns(recipe: Recipe, change: Callable[[str, Reads], str]) -> Recipe:
    """The recipe with columns that stand for others replaced by these."""
    return recipe.mapped(lambda one: one.with_columns(change))


def _labels_like(one: Strategy, label: str, flat: dict[str, Any], *, needed: bool) -> str | None:
    """Where a label field holds the truth of what a strategy's column predicts, if it does.

    Args:
        needed: whether the strategy cannot do without: a column of any kind is then taken as predicted.
    """
    predicted = [column for column, reads in one.columns().items() if reads in PREDICTED]
    if len(predicted) != 1:
        return None
    declared = flat.get(predicted[0])
    if document_type(declared) in LIST_OF:
        return label if document_type(flat.get(label)) in LIST_OF else None
    # A label alone may be of another kind, such as the weather.
    predicts = document_type(declared) or is_vector(declared)
    path = f"{label}.label"
    return path if path in flat and (predicts or needed) else None
