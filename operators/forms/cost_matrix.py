"""Inputs for the costs or gains of decisions: a table for a few classes, or a text."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import fiftyone.operators as foo
import fiftyone.operators.types as types
import numpy as np

from ...alcore import InvalidInput
from ...alcore.data.json_text import parsed
from ..dataset.fields import declared_classes, is_text
from . import counts, pieces
from .markdown import bold

MOST_CLASSES = 8  # a larger table is hard to fill in; a text is offered instead
ROWS = {kind: tuple(f"{kind}_{truth}" for truth in range(MOST_CLASSES)) for kind in ("cost", "gain")}
OPTIONS = ("cost", "gain", "costs_are", "costs_as", "cost_classes", *ROWS["cost"], *ROWS["gain"])
ARE = {
    "cost": "what each wrong decision costs; right ones cost nothing",
    "gain": "what each decision brings in, right ones too; below 0 it is a loss",
}
AS = {
    "table": "a number for each decision",
    "text": "CSV or JSON, for many classes",
}
HINTS = {
    "cost": (
        "What each decision costs: CSV with a first row of decisions and a first column of "
        'truths, or JSON such as {"glass": {"paper": 5}, "paper": {"glass": 1}}'
    ),
    "gain": (
        "What each decision brings in: CSV with a first row of decisions and a first column of "
        'truths, or JSON: {"glass": {"glass": 2, "paper": -5}, "paper": {"glass": 0, "paper": 1}}'
    ),
}


def cost_inputs(ctx: Any, inputs: Any, *fields: str | None) -> None:
    """Add the inputs for the cost or gain of each decision, over the classes of the fields."""
    names = _names_shown(ctx, counts.view_key(ctx), *fields)
    ctx.params["cost_classes"] = names
    pieces.choice_input(inputs, "costs_are", "Given are", ARE, "cost")
    kind = _kind_of(ctx.params)
    fits = 2 <= len(names) <= MOST_CLASSES
    if fits:
        pieces.choice_input(inputs, "costs_as", f"{kind.capitalize()}s", AS, "table")
    if fits and ctx.params.get("costs_as", "table") == "table":
        for truth, name in enumerate(names):
            inputs.md(f"Where the truth is {bold(name)}, deciding for", name=f"truth_{truth}")
            row = inputs.h_stack(ROWS[kind][truth], gap=1)
            for decision, other in enumerate(names):
                if kind == "gain" or decision != truth:
                    default, least = _usual(kind, truth, decision), 0 if kind == "cost" else None
                    about = f"The {kind} of this decision where the truth is {name}"
                    row.float(
                        f"to_{decision}", label=other, description=about, default=default, min=least
                    )
        return
    inputs.str(
        kind,
        label=f"{kind.capitalize()}s",
        description=HINTS[kind],
        required=True,
        view=types.TextFieldView(multiline=True, rows=5),
    )


def matrix_of(dataset: Any, params: dict[str, Any], *fields: str | None) -> dict[str, Any]:
    """Return the matrix of a form or a call as ``{"cost": matrix}`` or ``{"gain": matrix}``.

    Both are returned if a call gives both.

    Args:
        dataset: the dataset.
        params: the options of a form or a call.
        fields: the fields whose classes are the rows and columns of a form's table.

    Raises:
        InvalidInput: if no matrix is given, or if its file or its JSON cannot be read.
    """
    if params.get("costs_as") == "table":
        names = params.get("cost_classes") or class_names(dataset, *fields)
        if 2 <= len(names) <= MOST_CLASSES:
            kind = _kind_of(params)
            return {kind: _of_table(params, kind, names)}
    # The App keeps the text of the other kind if it was entered before the kind was changed.
    kinds = (params["costs_are"],) if params.get("costs_are") else ("cost", "gain")
    given = {kind: parsed_matrix(params[kind], kind) for kind in kinds if _is_given(params.get(kind))}
    if not given:
        raise InvalidInput("cost: say what each decision costs, as CSV, JSON or a dict")
    return given


def _is_given(matrix: Any) -> bool:
    return matrix is not None and (not isinstance(matrix, str | dict | list) or len(matrix) > 0)


def _of_table(params: dict[str, Any], kind: str, names: list[str]) -> dict[str, dict[str, float]]:
    table: dict[str, dict[str, float]] = {}
    for row, truth in enumerate(names):
        entered = params.get(ROWS[kind][row]) or {}
        for column, decision in enumerate(names):
            if kind == "gain" or column != row:
                value = entered.get(f"to_{column}")
                usual = _usual(kind, row, column)
                table.setdefault(truth, {})[decision] = usual if value is None else float(value)
    return table


def _kind_of(params: dict[str, Any]) -> str:
    return "gain" if params.get("costs_are") == "gain" else "cost"


def _usual(kind: str, truth: int, decision: int) -> float:
    """Return the default: a cost of 1 for each wrong decision, or a gain of 1 for each right one."""
    return float((truth == decision) == (kind == "gain"))


def class_names(dataset: Any, *fields: str | None) -> list[str]:
    """Return the distinct classes of the fields.

    The classes of a field are those that the dataset declares for it, in that order. If there are
    none, they are the labels that occur, sorted.
    """
    names = [name for field in fields if field for name in _names_of(dataset, field)]
    return list(dict.fromkeys(names))


def _names_of(dataset: Any, field: str) -> list[str]:
    declared = declared_classes(dataset, field)
    path = field if is_text(dataset.get_field(field)) else f"{field}.label"
    if declared or dataset.get_field(path) is None:
        return declared
    return sorted(map(str, dataset.distinct(path)))


@foo.execution_cache(prompt_scoped=True, residency="ephemeral")
def _names_shown(ctx: Any, view: str, *fields: str | None) -> list[str]:
    """Return ``class_names``, computed once for a form. ``view`` is used only as a cache key."""
    return class_names(ctx.dataset, *fields)


def parsed_matrix(given: Any, name: str = "cost") -> Any:
    """Return a matrix of costs or gains in the form that a recipe takes.

    Args:
        given: an array, the path of a file, or a text: JSON is parsed, and CSV is returned unchanged.
            Lists and dicts are returned unchanged.
        name: the name of the option, for error messages.

    Raises:
        InvalidInput: if the file cannot be read, or if the JSON is not valid.
    """
    if isinstance(given, np.ndarray):
        return given.tolist()
    if isinstance(given, Path):
        try:
            given = given.read_text()
        except (OSError, UnicodeDecodeError) as error:
            raise InvalidInput(f"{name}: {given} cannot be read: {error}") from None
    if isinstance(given, str) and given.lstrip()[:1] in ("{", "["):
        return parsed(name, given)
    return given
