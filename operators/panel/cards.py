"""The panel's cards: one strategy each, with its fields and options, and the entry it makes."""

from __future__ import annotations

from collections.abc import Callable
from itertools import combinations
from typing import Any

import fiftyone as fo
import fiftyone.operators.types as types

from ..dataset.fields import (
    Choice,
    class_fields,
    document_type,
    embedding_fields,
    member_fields,
    number_fields,
    prediction_fields,
    uncertain_fields,
)
from ..forms import words
from ..forms.binning import DATE_PARTS
from ..forms.cost_matrix import parsed_matrix
from ..forms.embedding_inputs import class_count
from ..forms.pieces import NONE
from ..forms.uncertainty_inputs import kind_of
from ..select_by_similarity import tagged

HINTS = {
    "coverage": "stand for many others; the best first choice",
    "uncertainty": "the model is unsure; alone it picks near-duplicates and noise",
    "disagreement": "several models, or dropout passes, disagree; alone it picks near-duplicates",
    "batch_bald": "labels that together tell most; does not repeat itself, slow",
    "expected_cost": "a mistake would be dear; alone it picks near-duplicates",
    "balance": "of classes that are short",
    "diversity": "far from all chosen; alone it picks outliers",
    "weight": "a number is high or low",
    "typicality": words.REPRESENTATIVE["typicality"].line + "; a negative strength: outliers",
    "similarity": words.SIMILARITY.line,
    "determinantal": words.DIVERSE["determinantal"].line,
    "representative_informative": words.REPRESENTATIVE["representative_informative"].line,
    "class_balanced": words.BALANCED["class_balanced"].line,
    "minority": words.BALANCED["minority"].line,
    "typiclust": words.REPRESENTATIVE["typiclust"].line,
    "representatives": words.DIVERSE["k_means"].line,
    "badge": words.DIVERSE["badge"].line,
    "random": "by chance, to compare with",
}
# Choose by a rule of their own, and so alone.
RULES = ("typiclust", "representatives", "badge", "class_balanced", "minority")
# Take a tag or another field, so that they are no card to begin with.
NEED_MORE = ("random", "expected_cost", "similarity", *RULES)
OF_VECTORS = (
    "coverage",
    "diversity",
    "typicality",
    "similarity",
    "determinantal",
    "typiclust",
    "representatives",
)
# The second choice on a card: the option's name in the recipe, and its values with what they favor.
OPTIONS: dict[str, tuple[str, dict[str, str]]] = {
    "uncertainty": ("measure", words.told(words.SINGLE)),
    "disagreement": ("measure", words.told(words.MEMBERS)),
    "expected_cost": (
        "measure",
        {"risk": words.COSTS["risk"].line, "margin": words.COSTS["cost_margin"].line},
    ),
    "coverage": ("kernel", {"gaussian": "", "cosine": "", "ball": ""}),
    "typicality": ("metric", {"euclidean": "", "cosine": ""}),
    "determinantal": ("kernel", {"gaussian": "", "cosine": ""}),
    "representatives": (
        "method",
        {name: words.DIVERSE[name].line for name in ("k_means", "k_medoids")},
    ),
    "diversity": ("metric", {"euclidean": "", "cosine": ""}),
    "balance": ("target", {"uniform": "", "input": ""}),
    "class_balanced": ("measure", words.told(words.SINGLE)),
    "minority": ("variant", words.told(words.VARIANTS)),
    "weight": ("prefer", {"high": "", "low": ""}),
}
OVER = {"objects": words.OVER_OBJECTS, "pixels": words.OVER_PIXELS}
SEVERAL = ("disagreement", "batch_bald")  # take a field for each member, or one of arrays
AND = " and "  # between the names of such fields
MOST_PAIRS = 10
BINS = 5  # of a number that is balanced


def default_cards(dataset: Any, labels: str) -> list[dict[str, Any]]:
    """Coverage weighted by uncertainty, balanced over the classes, as far as there are fields."""
    wanted = ["coverage", "balance"] if embedding_fields(dataset) else ["uncertainty", "balance"]
    cards = [
        new_card(dataset, strategy, labels)
        for strategy in wanted
        if _fields_for(dataset, strategy, labels)
    ]
    return cards or [new_card(dataset, "random", labels)]


def next_strategy(dataset: Any, used: set[str]) -> str:
    """A strategy that no card has yet, and that has a field and needs nothing else to go by."""
    ready = (s for s in HINTS if s not in used and s not in NEED_MORE)
    fitting = (s for s in ready if _fields_for(dataset, s))
    return next(fitting, "random")


def new_card(dataset: Any, strategy: str, labels: str | None) -> dict[str, Any]:
    """A card with the first field that fits, and each option's first value."""
    # ``drawn`` tells a change of strategy from the App's report of the one it has drawn.
    card: dict[str, Any] = {"strategy": strategy, "drawn": strategy, "strength": 1.0}
    choices = _fields_for(dataset, strategy, labels)
    if strategy != "random":
        card["column"] = choices[0].path if choices else NONE
    if strategy in OPTIONS:
        name, values = OPTIONS[strategy]
        card[name] = next(iter(values))
    if strategy == "coverage":
        predictions = _fields_for(dataset, "uncertainty", labels)
        card["weights"] = predictions[0].path if predictions else NONE
    if strategy == "badge":
        vectors = embedding_fields(dataset)
        card["embeddings"] = vectors[0].path if vectors else NONE
    return card


def draw_card(
    dataset: Any,
    form: Any,
    number: int,
    card: dict[str, Any],
    on_strategy: Callable[..., Any],
    on_field: Callable[..., Any],
) -> None:
    """One row: the strategy, its field and options, its strength; a line on what it favors below."""
    card = _fitting(dataset, card)
    strategy = card["strategy"]
    row = form.h_stack(f"card_{number}", gap=1, align_y="bottom", variant="outline")
    kinds = [Choice(name, hint) for name, hint in HINTS.items()]
    dropdown(row, "strategy", "Strategy", kinds, strategy, on_strategy)
    choices = _fields_for(dataset, strategy)
    if strategy != "random":
        several = strategy == "uncertainty" and _kinds_differ(dataset, choices)
        changes = on_field if several or strategy == "balance" else None
        dropdown(row, "column", "Field", choices, card.get("column"), changes)
    if strategy in OPTIONS:
        name, values = OPTIONS[strategy]
        options = [Choice(value, told) for value, told in values.items()]
        changes = on_field if any(values.values()) else None
        dropdown(row, name, name.capitalize(), options, card.get(name), changes)
    over = OVER.get(kind_of(dataset, card.get("column"))) if strategy == "uncertainty" else None
    if over:
        options = [Choice(name, words.line) for name, words in over.items()]
        value = card["aggregate"] if card.get("aggregate") in over else next(iter(over))
        dropdown(row, "aggregate", "Aggregate", options, value)
    parts = DATE_PARTS if strategy == "balance" and _is_date(dataset, card) else {}
    if parts:
        options = [Choice(name, told) for name, told in parts.items()]
        dropdown(row, "by", "By", options, card["by"] if card.get("by") in parts else "hour")
    if strategy == "coverage":
        weights = [Choice(NONE, "all count the same"), *uncertain_fields(dataset)]
        dropdown(row, "weights", "Weigh by", weights, card.get("weights", NONE))
    if strategy == "badge":
        dropdown(row, "embeddings", "Embeddings", embedding_fields(dataset), card.get("embeddings"))
    if strategy == "similarity":
        tags = [Choice(tag, "") for tag in dataset.distinct("tags")]
        dropdown(row, "examples", "Like those tagged", tags, card.get("examples"))
    if strategy not in RULES:
        row.float("strength", label="Strength", default=card.get("strength", 1.0))
    if strategy == "expected_cost":
        form.str(
            f"costs_{number}",
            label="Costs",
            description="CSV: a first row of decisions, a first column of truths; or JSON",
            view=types.TextFieldView(multiline=True, rows=4),
        )
    form.md(_hint(card), name=f"hint_{number}")


def _hint(card: dict[str, Any]) -> str:
    """What the card favors and when it misleads, of its measure where it has one."""
    strategy = card["strategy"]
    name, values = OPTIONS.get(strategy, ("", {}))
    told = values.get(card.get(name, ""))
    what = card[name] if told else strategy
    return f"*{what.replace('_', ' ')}*: {told or HINTS[strategy]}"


def entry_of(dataset: Any, card: dict[str, Any], costs: str | None = None) -> dict[str, Any]:
    """A card as an entry of a recipe: a card keeps what another strategy left on it."""
    card = _fitting(dataset, card)
    strategy = card["strategy"]
    names = {"strategy", "strength", "column", OPTIONS.get(strategy, ("",))[0]}
    if strategy == "random":
        names.remove("column")
    if strategy == "badge":
        names.add("embeddings")
    if strategy in RULES:
        names.remove("strength")
    entry = {name: card[name] for name in names if card.get(name) not in (None, NONE)}
    if strategy in SEVERAL and AND in entry.get("column", ""):
        entry["column"] = entry["column"].split(AND)
        if kind_of(dataset, entry["column"][0]) == "objects":
            entry.pop("measure", None)  # boxes disagree in one way only
    if strategy == "uncertainty":
        over = OVER.get(kind_of(dataset, card.get("column")))
        if over and card.get("aggregate") in over:
            entry["aggregate"] = card["aggregate"]
    if strategy == "coverage" and card.get("weights"):
        entry["weights"] = {"column": card["weights"]}
    if entry.get("kernel") == "ball":
        entry["clusters"] = class_count(dataset)
    if strategy == "balance" and _is_date(dataset, card):
        entry["by"] = card.get("by") or "hour"
    elif strategy == "balance" and _is_number(dataset, card):
        entry["bins"] = BINS
    if strategy == "similarity":
        entry["to"] = tagged(dataset, card.get("examples"))
    if strategy == "expected_cost":
        entry["cost"] = parsed_matrix(costs or "")
    return entry


def alone_of(cards: list[dict[str, Any]]) -> str | None:
    """What to say where a card that chooses by a rule of its own has company."""
    rule = next((card["strategy"] for card in cards if card["strategy"] in RULES), None)
    if rule is None or len(cards) == 1:
        return None
    return f"{rule} chooses by a rule of its own: nothing combines with it; remove the other cards"


def _fitting(dataset: Any, card: dict[str, Any]) -> dict[str, Any]:
    """The card with fields that fit its strategy: the App may report those of the one before."""
    offered = {"column": _fields_for(dataset, card["strategy"])}
    if card["strategy"] == "badge":
        offered["embeddings"] = embedding_fields(dataset)
    fitting = dict(card)
    for name, choices in offered.items():
        paths = [choice.path for choice in choices]
        if paths and card.get(name) not in paths:
            fitting[name] = paths[0]
    return fitting


def dropdown(
    row: Any,
    name: str,
    label: str,
    choices: list[Choice],
    value: Any,
    on_change: Any = None,
) -> None:
    view = types.DropdownView()
    for choice in choices:
        view.add_choice(choice.path, label=choice.path or "none", description=choice.holds)
    more = {"on_change": on_change} if on_change else {}
    row.enum(name, view.values(), label=label, default=value, view=view, **more)


def _fields_for(dataset: Any, strategy: str, labels: str | None = None) -> list[Choice]:
    """The fields that fit a strategy; the labels themselves are no predictions."""
    if strategy in OF_VECTORS:
        return embedding_fields(dataset)
    if strategy == "weight":
        return number_fields(dataset)
    if strategy == "random":
        return []
    if strategy == "balance":
        return [c for c in class_fields(dataset) if c.path != labels]
    if strategy in SEVERAL:
        return member_fields(dataset) + _together(dataset, strategy, labels)
    find = uncertain_fields if strategy == "uncertainty" else prediction_fields
    choices = [c for c in find(dataset) if c.path != labels]
    return choices


def _kinds_differ(dataset: Any, choices: list[Choice]) -> bool:
    """Whether another field asks for other options."""
    return not set(choices) <= set(prediction_fields(dataset))


def _is_date(dataset: Any, card: dict[str, Any]) -> bool:
    return isinstance(dataset.get_field(card["column"]), (fo.DateField, fo.DateTimeField))


def _is_number(dataset: Any, card: dict[str, Any]) -> bool:
    return isinstance(dataset.get_field(card["column"]), (fo.FloatField, fo.IntField))


def _together(dataset: Any, strategy: str, labels: str | None) -> list[Choice]:
    """Fields whose predictions may be compared: two of a kind, and all of it where there are more."""
    find = uncertain_fields if strategy == "disagreement" else prediction_fields
    kinds: dict[str, list[str]] = {}
    for choice in find(dataset):
        if choice.path not in (labels, "ground_truth"):
            kinds.setdefault(_kind(dataset, choice.path), []).append(choice.path)
    groups: list[tuple[str, ...]] = []
    for paths in kinds.values():
        groups += [tuple(paths)] if len(paths) > 2 else []
        groups += list(combinations(paths, 2))[:MOST_PAIRS]
    return [Choice(AND.join(group), "a member each") for group in groups]


def _kind(dataset: Any, path: str) -> str:
    """What a field's predictions may be compared with."""
    document = document_type(dataset.get_field(path))
    return document.__name__ if document and document is not fo.Classification else "samples"
