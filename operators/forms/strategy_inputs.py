"""The inputs of a strategy in a form, derived from its options."""

from __future__ import annotations

from typing import Any

import fiftyone.operators.types as types

from ...alcore.strategies import BY_NAME, STRATEGIES
from ..dataset.fields import Choice
from . import pieces
from .options import NONE, Option, entry_of, more_options_of, options_of

MORE = "more_options"


def strategy_inputs(ctx: Any, inputs: Any) -> None:
    """Add the inputs for a strategy and its basic options; a checkbox shows the other options."""
    usual = "the default recipe, or the one below"
    view = types.DropdownView(placeholder=usual)
    view.add_choice(NONE, label=usual)
    for one in STRATEGIES:
        name = one.model_fields["strategy"].default
        view.add_choice(name, label=one.about.title, description=one.about.line)
    about = f"Left empty, {usual}; else one of {', '.join(BY_NAME)}"
    pieces.dropdown_input(inputs, "strategy", view, label="Strategy", description=about, default=NONE)
    strategy = ctx.params.get("strategy")
    if strategy not in BY_NAME:
        return
    inputs.view("strategy_about", types.Notice(label=BY_NAME[strategy].about.line))
    labels = ctx.params.get("label_field") or None
    values = values_of(ctx.params, strategy)
    for option in options_of(ctx.dataset, strategy, values, labels):
        _add(ctx, inputs, strategy, option)
    pieces.checkbox_input(inputs, MORE, "More options", "Those that are seldom changed")
    if ctx.params.get(MORE):
        for option in more_options_of(ctx.dataset, strategy, labels):
            _add(ctx, inputs, strategy, option)


def input_of(strategy: str, option: str) -> str:
    """Return the name of an option's input, which contains the name of the strategy.

    The App keeps the value entered under a name. With a common name, it would also appear for another
    strategy, which may not offer it.
    """
    return f"{strategy}_{option}"


def input_names() -> list[str]:
    """Return the names of the inputs of all options of all strategies."""
    return [
        input_of(strategy, option)
        for strategy, one in BY_NAME.items()
        for option in one.model_fields
        if option not in ("strategy", "name")
    ]


def values_of(params: dict[str, Any], strategy: str) -> dict[str, Any]:
    """Return the values of a strategy's options that the params of a form contain."""
    named = {
        option: params.get(input_of(strategy, option)) for option in BY_NAME[strategy].model_fields
    }
    return {option: value for option, value in named.items() if value is not None}


def entry_from(dataset: Any, params: dict[str, Any], labels: str | None) -> dict[str, Any] | None:
    """Return the recipe entry of the strategy of a form; None if no strategy is chosen.

    Basic options without a value get their defaults. ``labels`` is the field of the labels.

    Raises:
        InvalidInput: if no sample has the tag, or if a matrix cannot be read.
    """
    strategy = params.get("strategy")
    if not strategy:
        return None
    if strategy not in BY_NAME:
        return {"strategy": strategy}  # the recipe raises the error for an unknown strategy
    values = values_of(params, strategy)
    for option in options_of(dataset, strategy, values, labels):
        if option.kind in ("field", "choice", "number"):
            values.setdefault(option.name, option.default)
    return entry_of(dataset, strategy, values)


def _add(ctx: Any, inputs: Any, strategy: str, option: Option) -> None:
    """Add the input of one option."""
    name, label, description = input_of(strategy, option.name), option.label, option.description
    if option.default is None and option.kind != "field":
        description = f"{description}; left empty, the default".removeprefix("; ")
    if option.kind == "field":
        required = bool(option.default) and NONE not in [one.path for one in option.choices]
        pieces.field_input(
            ctx,
            inputs,
            name,
            label,
            [one for one in option.choices if one.path != NONE],
            missing=f"{label}: this dataset has no field that fits",
            description=description,
            required=required or not option.choices,
            default=option.default or None,
        )
    elif option.kind in ("choice", "tag"):
        choices = option.choices
        if option.kind == "tag":
            choices = [Choice(tag, "") for tag in ctx.dataset.distinct("tags")]
        view = types.DropdownView()
        for one in choices:
            view.add_choice(one.path, label=str(one.path).replace("_", " "), description=one.holds)
        pieces.dropdown_input(
            inputs,
            name,
            view,
            label=label,
            description=description,
            default=option.default,
            required=False,
        )
    elif option.kind == "flag":
        pieces.checkbox_input(inputs, name, label, description, bool(option.default))
    elif option.kind == "text":
        view = types.TextFieldView(multiline=True, rows=4)
        inputs.str(name, label=label, description=description, required=False, view=view)
    else:
        inputs.float(name, label=label, description=description, default=option.default, required=False)
