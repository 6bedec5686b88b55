"""Fills in what a recipe leaves open, from the dataset, before anything is read."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

from ...alcore import Recipe
from ...alcore.strategies import Asks, Reads, Strategy, asks_for
from ..dataset.fields import document_type, evaluation_of, is_vector
from ..dataset.stored_schema import LIST_OF
from .column import Declared

PREDICTED = (Reads.CLASSES, Reads.CLASS_PROBABILITIES, Reads.PREDICTIONS, Reads.OBJECTS)


@dataclass
class Labeled:
    """Which samples count as labeled.

    Attributes:
        field: samples with a value in this field are labeled.
        tag: samples with this tag are labeled.
        chosen: whether the samples of earlier selections count too, since their labels are expected.
        but: the key of a selection whose samples do not count, since it is replaced.
    """

    field: str | None = None
    tag: str | None = None
    chosen: bool = False
    but: str | None = None

    def record(self) -> dict[str, Any]:
        """Return what the record of a selection keeps of it."""
        return {"field": self.field, "tag": self.tag, "chosen": self.chosen}


@dataclass
class DeclaredColumns:
    """The columns that a recipe declares to hold logits, those with independent classes, and those of
    which it needs to know what an evaluation says of each object.
    """

    logits: set[str] = field(default_factory=set)
    independent: set[str] = field(default_factory=set)
    evaluated: set[str] = field(default_factory=set)

    @classmethod
    def by(cls, recipe: Recipe) -> DeclaredColumns:
        """Collect what a recipe declares."""
        declared = cls()
        for one in recipe.all_strategies():
            if one.declared_logits():
                declared.logits |= set(one.judged_by())
            if one.declared_independent():
                declared.independent |= set(one.judged_by())
            if one.takes_evaluation():
                declared.evaluated |= set(one.judged_by())
        return declared

    def of(self, dataset: Any, column: str, classes: list[str]) -> Declared:
        """Return what is declared about one column, given the classes that the dataset declares."""
        evaluation = evaluation_of(dataset, column) if column in self.evaluated else None
        return Declared(classes, column in self.logits, column in self.independent, evaluation)


def with_default(recipe: Recipe, usual: Callable[[], list[Strategy]]) -> Recipe:
    """Return the recipe with default strategies in each stage that names none.

    Args:
        recipe: the recipe to complete.
        usual: returns the default strategies; called only if they are needed.
    """
    if not any(stage.by_default for stage in recipe.in_stages()):
        return recipe
    strategies = usual()
    if recipe.stages is None:
        return recipe.model_copy(update={"strategies": strategies})
    stages = [
        one.model_copy(update={"strategies": strategies}) if one.by_default else one
        for one in recipe.stages
    ]
    return recipe.model_copy(update={"stages": stages})


def with_round(recipe: Recipe, number: Callable[[], int]) -> Recipe:
    """Return the recipe with the number of this round given to each strategy that leaves it open.

    Args:
        recipe: the recipe to complete.
        number: returns the number of this round, from 1; called only if it is needed.
    """

    def numbered(one: Strategy) -> Strategy:
        one = one.with_nested(numbered)
        asking = [
            name
            for name, info in type(one).model_fields.items()
            if asks_for(info) is Asks.ROUND and name not in one.model_fields_set
        ]
        return one.model_copy(update=dict.fromkeys(asking, number())) if asking else one

    return recipe.mapped(numbered)


def with_labels(recipe: Recipe, label: str | None, flat: dict[str, Any]) -> Recipe:
    """Return the recipe with the label field given to each strategy that uses labels.

    Balance then counts the labeled samples by their labels, and a temperature is fitted to the labels.
    This is done only where the labels and the predictions hold classes of the same kind.

    Args:
        recipe: the recipe to complete.
        label: the field of the labels; None leaves the recipe unchanged.
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
    """Return the recipe with each column name replaced by ``change(column, reads)``."""
    return recipe.mapped(lambda one: one.with_columns(change))


def _labels_like(one: Strategy, label: str, flat: dict[str, Any], *, needed: bool) -> str | None:
    """Return the path of the true classes for a strategy's predictions, or None if there is none.

    Args:
        one: the strategy.
        label: the label field.
        flat: the dataset's flat schema.
        needed: whether the strategy requires labels. If so, a column of any type counts as predictions.
    """
    predicted = [column for column, reads in one.columns().items() if reads in PREDICTED]
    if len(predicted) != 1:
        return None
    declared = flat.get(predicted[0])
    if document_type(declared) in LIST_OF:
        return label if document_type(flat.get(label)) in LIST_OF else None
    # A plain label may hold something that is not predicted, such as the weather.
    predicts = document_type(declared) or is_vector(declared)
    path = f"{label}.label"
    return path if path in flat and (predicts or needed) else None
