"""The cards of the panel. Each holds one strategy with its options, and makes one recipe entry.

The state of a card has ``kind`` and ``strategy``, and the values of its inputs in ``main`` and
``more``, as the panel draws them.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

import fiftyone.operators.types as types

from ...alcore.recipe.default import strategies_for
from ...alcore.strategies import BY_NAME
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
from ..forms.options import NONE, Option, more_options_of, options_of
from . import kinds
from .drawing import box, column, dropdown, icon_button, row

BY_CHANCE = "random"
STRONGEST = 2.0
MAIN_INPUTS = 2
# An entry of a recipe as errors of the engine name it, such as "strategies[0] (uncertainty)".
ENTRY = re.compile(r"strategies\[(\d+)\] \(\w+\)")
# The App leaves much room above and below a slider, which must not take the clicks of its neighbors.
LOW_SLIDER = {
    "item": {
        "sx": {
            "my": "-24px",
            "pointerEvents": "none",
            "& .MuiSlider-root": {"pointerEvents": "auto"},
        }
    }
}
# The kinds of options that have no usable default, so they are shown before all others.
ASKED = ("tag", "text")


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
        card_of(dataset, {**entry, "strategy": one.strategy}, labels)
        for one, entry in zip(strategies, entries, strict=True)
    ]


def new_card(
    dataset: Any, strategy: str, labels: str | None, kind: str | None = None
) -> dict[str, Any]:
    """Return a card with the defaults of all options; the default field is the first that fits."""
    kind = kind or kinds.kind_for(strategy)
    values: dict[str, Any] = {} if BY_NAME[strategy].alone else {"strength": 1.0}
    card = {"kind": kind, "strategy": strategy}
    for one in _options(dataset, card, values, labels):
        if one.kind not in ASKED:
            values[one.name] = one.default
    return _arranged(dataset, card, values)


def card_of(dataset: Any, entry: Mapping[str, Any], labels: str | None) -> dict[str, Any]:
    """Return the card of a recipe entry, which must have only options that a form offers."""
    card = new_card(dataset, entry["strategy"], labels)
    return _arranged(dataset, card, {**values_of(card), **options.values_of(entry)})


def values_of(card: Mapping[str, Any]) -> dict[str, Any]:
    """Return the values of the inputs of a card by their names."""
    more = {name: value for name, value in (card.get("more") or {}).items() if name != "strategy"}
    return {**more, **(card.get("main") or {})}


def entry_of(dataset: Any, card: Mapping[str, Any]) -> dict[str, Any]:
    """Return the recipe entry of a card. Values that an earlier strategy left on the card are ignored.

    Raises:
        InvalidInput: if no sample has the tag, or if a matrix cannot be read.
    """
    return options.entry_of(dataset, card["strategy"], _fitting(dataset, card))


def alone_of(cards: Sequence[Mapping[str, Any]]) -> str | None:
    """Return the error for a strategy that cannot be combined beside other cards; else None."""
    rule = next((c["strategy"] for c in cards if BY_NAME[c["strategy"]].alone), None)
    if rule is None or len(cards) == 1:
        return None
    title = BY_NAME[rule].about.title
    return f"{title} chooses by a rule of its own, so nothing combines with it: remove the other cards"


def missing_of(dataset: Any, card: Mapping[str, Any]) -> str | None:
    """Return what a card lacks before it can be used, in a sentence; None if it lacks nothing."""
    kind = kinds.kind_of(card["kind"])
    values = _fitting(dataset, card)
    title = title_of(card)
    offered = _options(dataset, card, values)
    for one in offered:
        if one.kind == "field" and not one.choices:
            return f"{title}: needs {kind.needs or f'a field for {one.label!r}'}, and there is none yet"
    for one in offered:
        if one.kind == "tag" and not values.get(one.name):
            return f"{title}: choose the tag of the examples; tag some samples first if there is none"
        if one.kind == "text" and not str(values.get(one.name) or "").strip():
            return f"{title}: enter the table of {one.label.lower()}, as CSV or JSON"
    return None


def in_words(error: str, cards: Sequence[Mapping[str, Any]]) -> str:
    """Return an error of a recipe in which each of its entries is called by the title of its card."""

    def title(found: re.Match[str]) -> str:
        place = int(found[1])
        return title_of(cards[place]) if place < len(cards) else found[0]

    return ENTRY.sub(title, error.removeprefix("recipe: "))


def title_of(card: Mapping[str, Any]) -> str:
    """Return the title of a card: that of its kind, or of its strategy."""
    kind = kinds.kind_of(card["kind"])
    return BY_NAME[card["strategy"]].about.title if kind is kinds.MORE else kind.title


def draw_card(
    dataset: Any,
    form: Any,
    card_id: str,
    card: Mapping[str, Any],
    *,
    first: bool,
    last: bool,
    is_open: bool,
    events: Any,
) -> None:
    """Draw a card: its title and buttons, two inputs, a line on what it favors, and more if it is open.

    Args:
        dataset: the dataset.
        form: the object to which the card is added.
        card_id: the name of the card in the form.
        card: the state of the card.
        first: whether it is the first card.
        last: whether it is the last card.
        is_open: whether all of its options are shown.
        events: has the handlers ``on_card``, ``on_strategy`` and ``on_field``.
    """
    values = _fitting(dataset, card)
    inside = box(form, card_id)
    buttons = 3 + (not first and not last)
    head = row(inside, "head", f"minmax(0, 1fr) repeat({buttons}, auto)", gap=0, align_y="center")
    head.md(f"**{title_of(card)}**", name="title")
    for action, icon, label, fits in (
        ("up", "arrow_upward", "Move up", not first),
        ("down", "arrow_downward", "Move down", not last),
        ("copy", "content_copy", "Duplicate", True),
        ("remove", "close", "Remove", True),
    ):
        if fits:
            params = {"card": card_id, "action": action}
            icon_button(head, action, icon, label, events.on_card, params)
    main, more = _split(dataset, card, values)
    pair = row(inside, "main", "minmax(0, 1fr) minmax(0, 1fr)", gap=2)
    for one in main:
        _draw_option(dataset, pair, one, values, card, events)
    kind = kinds.kind_of(card["kind"])
    inside.md(_hint(card, [], values) if kind is kinds.MORE else kind.promise, name="promise")
    text = "Less" if is_open else "More"
    inside.btn(
        "toggle",
        label=text,
        icon="expand_less" if is_open else "expand_more",
        on_click=events.on_card,
        params={"card": card_id, "action": "open"},
    )
    if not is_open:
        return
    inside.md(_hint(card, [*main, *more], values), name="hint")
    unfit = kinds.not_offered(dataset, kind, card["strategy"], None)
    if unfit:
        inside.md(unfit, name="not_offered")
    rest = column(inside, "more")
    offered = kind.strategies
    if len(offered) > 1:
        choices = [Choice(one, BY_NAME[one].about.line) for one in offered]
        labels = {one: BY_NAME[one].about.title for one in offered}
        dropdown(rest, "strategy", "How", choices, card["strategy"], events.on_strategy, labels)
    for one in more:
        _draw_option(dataset, rest, one, values, card, events)


def _draw_option(
    dataset: Any,
    inside: Any,
    one: Option,
    values: Mapping[str, Any],
    card: Mapping[str, Any],
    events: Any,
) -> None:
    value = values.get(one.name, one.default)
    changes = events.on_field if _redraws(dataset, card["strategy"], one) else None
    if one.name == "strength":
        view = types.SliderView(
            label_position="top",
            value_precision=1,
            value_label_display="auto",
            componentsProps=LOW_SLIDER,
        )
        inside.float("strength", label="Strength", default=value, min=0, max=STRONGEST, view=view)
    elif one.kind in ("field", "choice"):
        dropdown(inside, one.name, one.label, one.choices, value, changes)
    elif one.kind == "tag":
        tags = [Choice(tag, "") for tag in dataset.distinct("tags")]
        dropdown(inside, one.name, f"{one.label} those tagged", tags, value)
    elif one.kind == "flag":
        inside.bool(one.name, label=one.label, default=value, view=types.CheckboxView())
    elif one.kind == "number":
        inside.float(one.name, label=one.label, description=one.description, default=value)
    elif one.kind == "text":
        inside.str(
            one.name,
            label=one.label,
            description=one.description,
            default=value,
            view=types.TextFieldView(multiline=True, rows=4),
        )


def _options(
    dataset: Any, card: Mapping[str, Any], values: Mapping[str, Any], labels: str | None = None
) -> list[Option]:
    """Return the basic options of a card, and its strength, in the order in which they are shown."""
    kind, strategy = kinds.kind_of(card["kind"]), card["strategy"]
    found = []
    for one in options_of(dataset, strategy, values, labels):
        if one.name == "column" and kind.fields is not None:
            fields = kinds.columns_of(dataset, kind, strategy, labels)
            default = fields[0].path if fields else NONE
            one = replace(one, choices=fields, default=default)
        found.append(one)
    found.sort(key=lambda one: one.kind not in ASKED)
    strength = Option("strength", "number", "Strength", default=1.0)
    return found if BY_NAME[strategy].alone else [*found[:1], strength, *found[1:]]


def _split(
    dataset: Any, card: Mapping[str, Any], values: Mapping[str, Any]
) -> tuple[list[Option], list[Option]]:
    """Return the options that are always shown, and those under More."""
    shown = _options(dataset, card, values)
    asked = [one for one in shown if one.kind in ASKED]
    main = list(dict.fromkeys([one.name for one in asked] + [one.name for one in shown]))[:MAIN_INPUTS]
    rest = more_options_of(dataset, card["strategy"])
    known = {one.name for one in shown}
    more = [one for one in shown if one.name not in main]
    more += [one for one in rest if one.name not in known]
    return [one for one in shown if one.name in main], more


def _arranged(dataset: Any, card: Mapping[str, Any], values: Mapping[str, Any]) -> dict[str, Any]:
    """Return the state of a card whose inputs have these values."""
    main, _ = _split(dataset, card, values)
    shown = {one.name for one in main}
    strategy = card["strategy"]
    return {
        "kind": card["kind"],
        "strategy": strategy,
        "main": {name: value for name, value in values.items() if name in shown},
        "more": {name: value for name, value in values.items() if name not in shown}
        | {"strategy": strategy},
    }


def _hint(card: Mapping[str, Any], offered: list[Option], values: Mapping[str, Any]) -> str:
    """Return a line on what the card favors and when it misleads.

    It describes the first chosen value that has a description, else the strategy.
    """
    for one in offered:
        holds = {choice.path: choice.holds for choice in one.choices} if one.kind == "choice" else {}
        value = values.get(one.name, one.default)
        if holds.get(value):
            return f"*{escaped(str(value).replace('_', ' '))}*: {escaped(holds[value])}"
    return escaped(BY_NAME[card["strategy"]].about.line)


def _redraws(dataset: Any, strategy: str, one: Option) -> bool:
    """Return whether a change of the option may change the other options or the line below the card."""
    if one.kind == "choice":
        return any(choice.holds for choice in one.choices)
    if one.name != "column":
        return False
    column_kinds = {options.column_kind(dataset, choice.path) for choice in one.choices}
    return len(column_kinds) > 1 or not set(one.choices) <= set(prediction_fields(dataset))


def _fitting(dataset: Any, card: Mapping[str, Any]) -> dict[str, Any]:
    """Return the values of a card that its strategy offers; defaults replace all others.

    The App may still report values of the strategy that the card had before.
    """
    fitting = values_of(card)
    for one in _options(dataset, card, fitting):
        values = [choice.path for choice in one.choices]
        optional = NONE in values or one.kind == "choice"
        left_out = optional and fitting.get(one.name) in (None, NONE)
        if values and fitting.get(one.name) not in values and not left_out:
            fitting[one.name] = one.default
    return fitting
