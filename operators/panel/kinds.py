"""The kinds of cards: what a user may want, in the user's words, and the strategies that answer it."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from ...alcore.strategies import BY_NAME
from ..dataset.fields import (
    OWN_FIELDS,
    Choice,
    category_fields,
    document_type,
    number_fields,
    object_fields,
)
from ..forms.markdown import escaped
from ..forms.options import AND, fields_of, takes_of

Fields = Callable[[Any], list[Choice]]

# How the names of fields end that selections have added.
MARKS = ("_rank", "_held_out", "_number")
MOST_NAMED = 5


@dataclass(frozen=True)
class Kind:
    """A kind of card.

    Attributes:
        title: what the user wants.
        promise: what it brings, in one line.
        strategies: those that answer it; the first that fits is used, the others are under More.
        needs: what must be there before it can be used.
        maker: the operator that computes what is missing; empty where none can.
        making: the name of the button that opens it.
        fields: finds the fields that fit, where not all that fit the strategy do.
    """

    title: str
    promise: str
    strategies: tuple[str, ...]
    needs: str
    maker: str = ""
    making: str = ""
    fields: Fields | None = None


def _places_and_times(dataset: Any) -> list[Choice]:
    """Return the fields of metadata: numbers, dates and categories that are not a model's."""
    own = {"metadata.size_bytes", "metadata.mime_type"}
    roots = {choice.path.split(".")[0] for choice in object_fields(dataset)}
    found = [one for one in [*category_fields(dataset), *number_fields(dataset)] if one.path not in own]
    told = ("label", "confidence")
    return [
        one
        for one in found
        if one.path.split(".")[0] not in roots
        and one.path.rsplit(".", 1)[-1] not in told
        and not one.path.endswith(MARKS)
    ]


OTHER, OBJECTS = "other", "objects"
KINDS = {
    "wrong": Kind(
        "What the model gets wrong",
        "Samples that the model is unsure of, where a label teaches it most.",
        ("uncertainty", "disagreement"),
        "predictions of a model, with confidences or logits",
    ),
    "unlike": Kind(
        "Unlike what you have",
        "Samples far from all that is labeled or chosen: new scenes, edge cases.",
        ("diversity", "determinantal"),
        "embeddings",
        "compute_embeddings",
        "Compute embeddings",
    ),
    "typical": Kind(
        "Typical of the pool",
        "Samples that stand for many others, so that few labels cover much.",
        ("coverage", "typicality", "representative_informative"),
        "embeddings",
        "compute_embeddings",
        "Compute embeddings",
    ),
    "rare": Kind(
        "Rare classes",
        "More of the classes that you have too few labels of.",
        ("balance",),
        "predictions of classes",
    ),
    "alike": Kind(
        "Like these examples",
        "Samples that look like some that you tagged.",
        ("similarity",),
        "embeddings, and a tag on the examples",
        "compute_embeddings",
        "Compute embeddings",
    ),
    "places": Kind(
        "Certain places or times",
        "Evenly over cities, hours or devices, or more where a number is high.",
        ("balance", "weight"),
        "metadata: a field of places, dates or numbers",
        "compute_image_metadata",
        "Measure the images",
        _places_and_times,
    ),
    "costly": Kind(
        "Costly mistakes",
        "Samples whose likely mistake costs most, by your table of costs.",
        ("expected_cost",),
        "predictions of classes, and what each mistake costs",
    ),
}
MORE = Kind(
    "Another strategy",
    "Any strategy of the engine, those that stand alone too.",
    tuple(BY_NAME),
    "",
)


def kind_of(name: str) -> Kind:
    """Return a kind by its name; ``MORE`` for "other"."""
    return KINDS.get(name, MORE)


def kind_for(strategy: str) -> str:
    """Return the name of the kind that a strategy belongs to first."""
    return next((name for name, kind in KINDS.items() if strategy in kind.strategies), OTHER)


def columns_of(dataset: Any, kind: Kind, strategy: str, labels: str | None) -> list[Choice]:
    """Return the fields that fit a strategy on a card of this kind."""
    fitting = fields_of(dataset, strategy, labels)
    if kind.fields is None:
        return fitting
    wanted = {one.path for one in kind.fields(dataset)}
    return [one for one in fitting if one.path in wanted]


def not_offered(dataset: Any, kind: Kind, strategy: str, labels: str | None) -> str:
    """Return which fields a card of this kind does not offer, and why, in Markdown; "" for none.

    Marks of selections and FiftyOne's own fields are not named.
    """
    takes = takes_of(strategy)
    if not takes:
        return ""
    offered = [
        path for one in columns_of(dataset, kind, strategy, labels) for path in one.path.split(AND)
    ]
    roots = {path.split(".")[0] for path in offered}
    held: dict[str, list[str]] = {}
    for name, field in dataset.get_field_schema().items():
        if name in roots | OWN_FIELDS | {"metadata"} or name.endswith(MARKS):
            continue
        document = document_type(field)
        what = document.__name__ if document else type(field).__name__.removesuffix("Field").lower()
        held.setdefault("the labels" if name == labels else what, []).append(name)
    if not held:
        return ""
    groups = [f"{_listed(names)} ({escaped(what)})" for what, names in held.items()]
    return f"Not offered: {'; '.join(groups)}. It takes {escaped(takes)}."


def _listed(names: list[str]) -> str:
    more = f" and {len(names) - MOST_NAMED:,} more" if len(names) > MOST_NAMED else ""
    return ", ".join(map(escaped, names[:MOST_NAMED])) + more


def strategy_for(dataset: Any, kind: Kind, labels: str | None) -> str | None:
    """Return the first strategy of a kind for which a field fits; None if there is none."""
    for one in kind.strategies:
        if columns_of(dataset, kind, one, labels):
            return one
    return None
