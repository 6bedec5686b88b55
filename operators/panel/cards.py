"""The cards of the panel. Each holds one strategy with its options, and makes one recipe entry."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import fiftyone.operators.types as types

from ...alcore.recipe.default import strategies_for
from ...alcore.strategies import BY_NAME, STRATEGIES, Family
from ...alcore.strategies.uncertainty import Uncertainty
from ..dataset.fields import (
    Choice,
    class_fields,
    embedding_fields,
    prediction_fields,
    uncertain_fields,
)
from ..forms import options
from ..forms.markdown import escaped
from ..forms.options import NONE, Option, fields_of, needs_more, options_of

BY_CHANCE = "random"


def default_cards(dataset: Any, labels: str) -> list[dict[str, Any]]:
    """Return the cards of the default recipe, with the first fields that fit.

    If no field fits, the samples are chosen at random. ``labels`` is the field of the labels.
    """
    vectors = [one.path for one in embedding_fields(dataset)]
    judged = [one.path for one in uncertain_fields(dataset) if one.path != labels]
    counted = {one.path for one in class_fields(dataset)}
    margin = Uncertainty(column=judged[0]) if judged else None
    strategies = strategies_for(
        vectors[0] if vectors else None, margin, balanced=bool(judged) and judged[0] in counted
    )
    entries = [one.model_dump(exclude_none=True, exclude_defaults=True) for one in strategies]
    return [
        {
            **new_card(dataset, one.strategy, labels),
            **options.values_of({**entry, "strategy": one.strategy}),
        }
        for one, entry in zip(strategies, entries, strict=True)
    ]


def next_strategy(dataset: Any, used: set[str]) -> str:
    """Return a strategy that no card has yet, for which a field fits and no other input is needed.

    If there is none, it is "random".
    """
    for one in STRATEGIES:
        strategy = one.model_fields["strategy"].default
        ready = not (one.alone or needs_more(strategy) or one.about.family is Family.CHANCE)
        if ready and strategy not in used and fields_of(dataset, strategy):
            return str(strategy)
    return BY_CHANCE


def new_card(dataset: Any, strategy: str, labels: str | None) -> dict[str, Any]:
    """Return a card with the defaults of all options; the default field is the first that fits."""
    # The App also reports the strategy that it has just drawn. ``drawn`` shows whether it was changed.
    card: dict[str, Any] = {"strategy": strategy, "drawn": strategy}
    if not BY_NAME[strategy].alone:
        card["strength"] = 1.0
    for one in options_of(dataset, strategy, card, labels):
        if one.kind not in ("tag", "text"):
            card[one.name] = one.default
    return card


def card_of(entry: dict[str, Any]) -> dict[str, Any]:
    """Return the card of a recipe entry, which must have only basic options."""
    strategy = entry["strategy"]
    return {"strategy": strategy, "drawn": strategy, **options.values_of(entry)}


def entry_of(dataset: Any, card: dict[str, Any]) -> dict[str, Any]:
    """Return the recipe entry of a card. Values that an earlier strategy left on the card are ignored.

    Raises:
        InvalidInput: if no sample has the tag, or if a matrix cannot be read.
    """
    card = _fitting(dataset, card)
    return options.entry_of(dataset, card["strategy"], card)


def draw_card(
    dataset: Any,
    form: Any,
    number: int,
    card: dict[str, Any],
    on_strategy: Callable[..., Any],
    on_field: Callable[..., Any],
) -> None:
    """Draw a card: a row with the strategy, its options and strength, and a line on what it favors.

    Args:
        dataset: the dataset.
        form: the object to which the card is added.
        number: the position of the card, from 0.
        card: the values of the card.
        on_strategy: handles a change of the strategy.
        on_field: handles a change of an option on which the drawing depends.
    """
    card = _fitting(dataset, card)
    strategy = card["strategy"]
    row = form.h_stack(f"card_{number}", gap=1, align_y="bottom", variant="outline")
    kinds = [Choice(name, one.about.line) for name, one in BY_NAME.items()]
    dropdown(row, "strategy", "Strategy", kinds, strategy, on_strategy)
    offered = options_of(dataset, strategy, card)
    for one in offered:
        changes = on_field if _redraws(dataset, strategy, one) else None
        if one.kind in ("field", "choice"):
            dropdown(row, one.name, one.label, one.choices, card.get(one.name, one.default), changes)
        elif one.kind == "tag":
            tags = [Choice(tag, "") for tag in dataset.distinct("tags")]
            dropdown(row, one.name, f"{one.label} those tagged", tags, card.get(one.name))
        elif one.kind == "flag":
            row.bool(one.name, label=one.label, default=card.get(one.name, one.default))
        elif one.kind == "number":
            row.float(one.name, label=one.label, default=card.get(one.name, one.default))
    if not BY_NAME[strategy].alone:
        row.float("strength", label="Strength", default=card.get("strength", 1.0))
    for one in offered:
        if one.kind == "text":
            form.str(
                f"{one.name}_{number}",
                label=one.label,
                description="CSV: a first row of decisions, a first column of truths; or JSON",
                view=types.TextFieldView(multiline=True, rows=4),
            )
    form.md(_hint(card, offered), name=f"hint_{number}")


def texts_of(dataset: Any, card: dict[str, Any]) -> list[str]:
    """Return the names of the options of a card that are entered as a text below it."""
    return [one.name for one in options_of(dataset, card["strategy"], card) if one.kind == "text"]


def alone_of(cards: list[dict[str, Any]]) -> str | None:
    """Return the error for a strategy that cannot be combined beside other cards; else None."""
    rule = next((c["strategy"] for c in cards if BY_NAME[c["strategy"]].alone), None)
    if rule is None or len(cards) == 1:
        return None
    return f"{rule} chooses by a rule of its own: nothing combines with it; remove the other cards"


def dropdown(
    row: Any,
    name: str,
    label: str,
    choices: list[Choice],
    value: Any,
    on_change: Any = None,
) -> None:
    """Add a dropdown of choices, each with what it holds."""
    view = types.DropdownView()
    for choice in choices:
        view.add_choice(choice.path, label=choice.path or "none", description=choice.holds)
    more = {"on_change": on_change} if on_change else {}
    row.enum(name, view.values(), label=label, default=value, view=view, **more)


def _hint(card: dict[str, Any], offered: list[Option]) -> str:
    """Return a line on what the card favors and when it misleads.

    It describes the first chosen value that has a description, else the strategy.
    """
    strategy = card["strategy"]
    for one in offered:
        holds = {choice.path: choice.holds for choice in one.choices} if one.kind == "choice" else {}
        value = card.get(one.name, one.default)
        if holds.get(value):
            return f"*{escaped(str(value).replace('_', ' '))}*: {escaped(holds[value])}"
    return f"*{strategy.replace('_', ' ')}*: {BY_NAME[strategy].about.line}"


def _redraws(dataset: Any, strategy: str, one: Option) -> bool:
    """Return whether a change of the option may change the other options or the line below the card."""
    if one.kind == "choice":
        return any(choice.holds for choice in one.choices)
    if one.name != "column":
        return False
    kinds = {options.column_kind(dataset, choice.path) for choice in one.choices}
    return len(kinds) > 1 or not set(one.choices) <= set(prediction_fields(dataset))


def _fitting(dataset: Any, card: dict[str, Any]) -> dict[str, Any]:
    """Return the card with values that its strategy offers; defaults replace all others.

    The App may still report values of the strategy that the card had before.
    """
    fitting = dict(card)
    for one in options_of(dataset, card["strategy"], card):
        values = [choice.path for choice in one.choices]
        optional = NONE in values or one.kind == "choice"
        left_out = optional and fitting.get(one.name) in (None, NONE)
        if values and fitting.get(one.name) not in values and not left_out:
            fitting[one.name] = one.default
    return fitting
