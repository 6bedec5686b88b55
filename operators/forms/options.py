"""The options of a strategy for a dataset, and the recipe entry made of their values.

Everything here is derived from the fields and annotations of the strategies; no strategy is named.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from itertools import combinations
from typing import Any, Literal, get_args, get_origin

import fiftyone as fo

from ...alcore.data.json_text import parsed
from ...alcore.strategies import (
    BY_NAME,
    Asks,
    Basic,
    CountsClasses,
    Reads,
    Strategy,
    asks_for,
    basics_of,
    column_kinds,
)
from ..dataset.fields import Choice, document_type
from ..dataset.tagged import tagged
from ..reading.reads import FITTING
from .cost_matrix import parsed_matrix
from .embedding_inputs import class_count
from .uncertainty_inputs import kind_of

NONE = ""
AND = " and "  # separates the names of fields that hold one member each
MOST_PAIRS = 10
# How what is entered as a text is written.
WRITTEN: dict[Asks | None, str] = {
    Asks.MATRIX: "CSV: a first row of decisions, a first column of truths; or JSON",
    Asks.WEIGHTS: 'JSON: {"person": 3}; other classes count 1',
}
Kind = Literal["field", "choice", "tag", "text", "number", "flag"]


@dataclass(frozen=True)
class Option:
    """An option of a strategy, as a form shows it.

    Attributes:
        name: its name in a recipe.
        kind: the type of input: a field of the dataset, one of a few values, a tag, a text, a number,
            or a checkbox.
        label: its name in the form.
        description: what it does.
        choices: the fields or values to choose from, each with a description.
        default: the initial value in the form.
    """

    name: str
    kind: Kind
    label: str
    description: str = ""
    choices: list[Choice] = field(default_factory=list)
    default: Any = None


def column_kind(dataset: Any, column: Any) -> str:
    """Return the kind of a column, as in ``Basic.when``.

    It is "samples", "objects", "pixels", "numbers" or "dates"; for several fields, that of the first.
    """
    path = column.split(AND)[0] if isinstance(column, str) else (column or [None])[0]
    declared = dataset.get_field(path) if path else None
    if isinstance(declared, (fo.DateField, fo.DateTimeField)):
        return "dates"
    if isinstance(declared, (fo.FloatField, fo.IntField)):
        return "numbers"
    return kind_of(dataset, path)


def options_of(
    dataset: Any, strategy: str, values: Mapping[str, Any], labels: str | None = None
) -> list[Option]:
    """Return the basic options that apply to the current column.

    Args:
        dataset: the dataset.
        strategy: the name of the strategy.
        values: the current values of the options, by their names.
        labels: the field of the labels, which is not offered as a column.
    """
    found: list[Option] = []
    for name, info in BY_NAME[strategy].model_fields.items():
        for basic in basics_of(info):
            if basic.when and column_kind(dataset, values.get("column")) not in basic.when:
                continue
            found.append(_option(dataset, name, info, basic, labels))
            if name == "column" and not values.get("column"):
                # The options after the column depend on it, so its default is used.
                values = {**values, "column": found[-1].default}
    return found


def more_options_of(dataset: Any, strategy: str, labels: str | None = None) -> list[Option]:
    """Return the options that are not basic, if a form has an input for them.

    All others can be set only in a recipe.
    """
    found = []
    for name, info in BY_NAME[strategy].model_fields.items():
        if basics_of(info) or name in ("strategy", "name"):
            continue
        label = name.replace("_", " ").capitalize()
        arms = {arm for arm in _arms(info.annotation) if isinstance(arm, type)}
        offered = bool(column_kinds(info) or _literals(info.annotation) or arms & {bool, int, float})
        offered = offered or asks_for(info) is Asks.WEIGHTS
        if offered and not _nested(info):
            found.append(_option(dataset, name, info, Basic(label), labels))
    return found


def needs_more(strategy: str) -> bool:
    """Return whether a strategy needs more than fields: a matrix, or examples."""
    return any(_asks_for_text(info) for info in BY_NAME[strategy].model_fields.values())


def fields_of(dataset: Any, strategy: str, labels: str | None = None) -> list[Choice]:
    """Return the fields that fit the column of a strategy, without the field ``labels``."""
    info = BY_NAME[strategy].model_fields.get("column")
    return [] if info is None else _fields(dataset, info, labels)


def takes_of(strategy: str) -> str:
    """Return what the column of a strategy takes; "" if it has no column."""
    info = BY_NAME[strategy].model_fields.get("column")
    kinds = [] if info is None else column_kinds(info)
    return ", or ".join(dict.fromkeys(FITTING[reads].takes for _, reads, _ in kinds))


def entry_of(dataset: Any, strategy: str, values: Mapping[str, Any]) -> dict[str, Any]:
    """Return the recipe entry of a strategy from the values of its options.

    Raises:
        InvalidInput: if no sample has the tag, or if a matrix cannot be read.
    """
    entry: dict[str, Any] = {"strategy": strategy}
    model = BY_NAME[strategy]
    basic = options_of(dataset, strategy, values)
    offered = {one.name for one in [*basic, *more_options_of(dataset, strategy)]}
    for name, info in model.model_fields.items():
        counts = next((one for one in info.metadata if isinstance(one, CountsClasses)), None)
        if counts is not None and values.get(counts.option) == counts.value and name not in values:
            entry[name] = class_count(dataset)
        value = values.get(name)
        is_text = asks_for(info) is Asks.MATRIX  # an empty one is kept; the recipe reports it
        left_out = value is None or (isinstance(value, str) and value == NONE and not is_text)
        if name not in offered or left_out:
            continue
        entry[name] = _answer(dataset, name, info, value)
    if model.alone:
        entry.pop("strength", None)
    return {name: value for name, value in entry.items() if value is not None}


def values_of(entry: Mapping[str, Any]) -> dict[str, Any]:
    """Return the values of the options from a recipe entry, which must have only basic options."""
    values: dict[str, Any] = {}
    for name, value in entry.items():
        if name == "strategy":
            continue
        info = BY_NAME[entry["strategy"]].model_fields[name]
        if _nested(info) and isinstance(value, dict):
            value = value["column"]
        elif column_kinds(info) and isinstance(value, list):
            value = AND.join(value)
        values[name] = value
    return values


def _option(dataset: Any, name: str, info: Any, basic: Basic, labels: str | None) -> Option:
    description = info.description or ""
    usual = basic.usual if basic.usual is not None else info.get_default()
    nested = _nested(info)
    if nested is not None:
        fields = [Choice(NONE, "all count the same"), *fields_of(dataset, nested, labels)]
        default = fields[1].path if len(fields) > 1 else NONE
        return Option(name, "field", basic.label, description, fields, default)
    if column_kinds(info):
        fields = _fields(dataset, info, labels)
        default = fields[0].path if fields and (info.is_required() or basics_of(info)) else NONE
        if not info.is_required():
            fields.insert(0, Choice(NONE, "none"))
        return Option(name, "field", basic.label, description, fields, default)
    if basic.choices:
        choices = [Choice(value, words.line) for value, words in basic.choices.items()]
        default = usual if usual in basic.choices else choices[0].path
        return Option(name, "choice", basic.label, description, choices, default)
    numbers = {arm for arm in _arms(info.annotation) if arm in (int, float)}
    values = [] if numbers else _literals(info.annotation)
    if values:
        choices = [Choice(one, "") for one in values]
        return Option(name, "choice", basic.label, description, choices, usual)
    if asks_for(info) is Asks.EXAMPLES:
        return Option(name, "tag", basic.label, description)
    if asks_for(info) in WRITTEN:
        return Option(name, "text", basic.label, WRITTEN[asks_for(info)])
    kind: Kind = "flag" if info.annotation is bool else "number"
    number = usual if isinstance(usual, (bool, int, float)) else None
    if asks_for(info) is Asks.ROUND:
        number, description = None, f"{description}, by default one more than the dataset has"
    return Option(name, kind, basic.label, description, default=number)


def _answer(dataset: Any, name: str, info: Any, value: Any) -> Any:
    """Return the value of an option as a recipe takes it."""
    if _nested(info):
        return {"column": value}
    if column_kinds(info) and AND in value:
        return value.split(AND)
    if asks_for(info) is Asks.EXAMPLES and isinstance(value, str):
        return tagged(dataset, value)
    if asks_for(info) is Asks.MATRIX and isinstance(value, str):
        return parsed_matrix(value)
    if asks_for(info) is Asks.WEIGHTS:
        return parsed(name, value)
    return value


def _fields(dataset: Any, info: Any, labels: str | None) -> list[Choice]:
    """Return the fields that fit a column, and the groups of fields if it can be several."""
    found: list[Choice] = []
    for kind, reads, _ in column_kinds(info):
        fitting = [one for one in FITTING[reads].fields(dataset) if one.path != labels]
        if kind is str:
            found += fitting
        elif reads in (Reads.MEMBER, Reads.CLASS_MEMBER):
            found += _together(dataset, fitting)
    return found


def _together(dataset: Any, fitting: list[Choice]) -> list[Choice]:
    """Return groups of fields of the same type: all of them if they are more than two, and pairs.

    Of each type there are at most ``MOST_PAIRS`` pairs.
    """
    kinds: dict[str, list[str]] = {}
    for choice in fitting:
        if choice.path != "ground_truth":
            document = document_type(dataset.get_field(choice.path))
            kind = document.__name__ if document and document is not fo.Classification else "samples"
            kinds.setdefault(kind, []).append(choice.path)
    groups: list[tuple[str, ...]] = []
    for paths in kinds.values():
        groups += [tuple(paths)] if len(paths) > 2 else []
        groups += list(combinations(paths, 2))[:MOST_PAIRS]
    return [Choice(AND.join(group), "a member each") for group in groups]


def _nested(info: Any) -> str | None:
    """Return the name of the strategy that an option can hold; None if it holds no strategy."""
    for arm in _arms(info.annotation):
        if isinstance(arm, type) and issubclass(arm, Strategy):
            return str(arm.model_fields["strategy"].default)
    return None


def _asks_for_text(info: Any) -> bool:
    return bool(basics_of(info)) and asks_for(info) is not None


def _literals(annotation: Any) -> list[str]:
    return [value for arm in _arms(annotation) if get_origin(arm) is Literal for value in get_args(arm)]


def _arms(annotation: Any) -> Iterator[Any]:
    """Yield an annotation and, for a union or an annotated type, each of its types."""
    yield annotation
    if get_origin(annotation) not in (None, Literal, list, dict) and not isinstance(annotation, type):
        for arm in get_args(annotation):
            yield from _arms(arm)
