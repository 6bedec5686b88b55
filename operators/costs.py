"""What mistakes cost, as a form asks for it: a table of few classes, or text."""

from __future__ import annotations

import json
from typing import Any

import fiftyone.operators as foo
import fiftyone.operators.types as types

from ..alcore import InvalidInput
from . import forms
from .sources import declared_classes

MOST_CLASSES = 8  # a table of more is no help
ROWS = tuple(f"cost_{truth}" for truth in range(MOST_CLASSES))
OPTIONS = ("cost", "gain", "costs_as", "cost_classes", *ROWS)
AS = {
    "table": "a number for each wrong decision",
    "text": "CSV or JSON, for many classes",
}


def cost_inputs(ctx: Any, inputs: Any, predictions: str | None) -> None:
    """Ask for the costs of wrong decisions; a right one costs nothing."""
    names = _names_shown(ctx, forms.view_key(ctx), predictions) if predictions else []
    ctx.params["cost_classes"] = names
    fits = 2 <= len(names) <= MOST_CLASSES
    if fits:
        forms.choice_input(inputs, "costs_as", "Costs", AS, "table")
    if fits and ctx.params.get("costs_as", "table") == "table":
        for truth, name in enumerate(names):
            inputs.md(f"Where the truth is **{name}**, deciding for", name=f"truth_{truth}")
            row = inputs.h_stack(ROWS[truth], gap=1)
            for decision, other in enumerate(names):
                if decision != truth:
                    row.float(f"to_{decision}", label=other, default=1.0, min=0)
        return
    inputs.str(
        "cost",
        label="Costs",
        description=(
            "What each decision costs: CSV with a first row of decisions and a first column of "
            'truths, or JSON such as {"glass": {"paper": 5}, "paper": {"glass": 1}}'
        ),
        required=False,
        view=types.TextFieldView(multiline=True, rows=5),
    )


def of_table(dataset: Any, params: dict[str, Any]) -> dict[str, dict[str, float]]:
    """The costs that a form's table holds, by class names.

    Raises:
        InvalidInput: there is no such table.
    """
    names = params.get("cost_classes") or class_names(dataset, params.get("predictions"))
    table = params.get("costs_as", "table") == "table" and 2 <= len(names) <= MOST_CLASSES
    if not table or "costs_as" not in params:
        raise InvalidInput("cost: say what each decision costs, as CSV, JSON or a dict")
    return {
        truth: {
            name: _number((params.get(ROWS[row]) or {}).get(f"to_{column}"))
            for column, name in enumerate(names)
            if column != row
        }
        for row, truth in enumerate(names)
    }


def class_names(dataset: Any, predictions: str | None) -> list[str]:
    """The classes of a field, as the dataset declares them or as they occur."""
    if not predictions:
        return []
    declared = declared_classes(dataset, predictions)
    if declared or dataset.get_field(f"{predictions}.label") is None:
        return declared
    return sorted(map(str, dataset.distinct(f"{predictions}.label")))


@foo.execution_cache(prompt_scoped=True, residency="ephemeral")
def _names_shown(ctx: Any, view: str, predictions: str) -> list[str]:
    """The same, looked up once for a form. ``view`` is part of the key of the cache alone."""
    return class_names(ctx.dataset, predictions)


def _number(value: Any) -> float:
    return 1.0 if value is None else float(value)


def parsed_matrix(given: Any) -> Any:
    """A matrix of costs as a form has it: JSON, or CSV as it is."""
    if isinstance(given, str) and given.lstrip()[:1] in ("{", "["):
        try:
            return json.loads(given)
        except json.JSONDecodeError as error:
            raise InvalidInput(f"cost: is not JSON: {error}") from None
    return given
