"""Turn pydantic's errors into one sentence: what is wrong, where, and what is allowed there."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, TypeVar

from pydantic import BaseModel, ValidationError

from ..data.errors import InvalidInput
from ..data.json_text import parsed
from ..data.plain import plain
from ..strategies import BY_NAME

Model = TypeVar("Model", bound=BaseModel)
# The names that pydantic puts into the location of an error for the branches of a union.
BRANCHES = {
    *("str", "int", "float", "bool", "constrained-int", "constrained-float", "datetime"),
    *("word", "range", "bell", "ranking", "worths"),
}


def validated(
    model: type[Model], given: Any, name: str, sentence: Callable[[ValidationError, Any], str]
) -> Model:
    """A model from a model, a dict or JSON.

    Args:
        model: the class.
        given: an instance of it, a dict, or JSON text.
        name: its name in error messages.
        sentence: takes the error and the input, and returns the sentence of the error message.

    Raises:
        InvalidInput: the input is not valid.
    """
    if isinstance(given, model):
        return given
    try:
        given = plain(parsed(name, given))
        return model.model_validate(given)
    except RecursionError:
        raise InvalidInput(f"{name}: is nested too deeply") from None
    except ValidationError as error:
        raise InvalidInput(sentence(error, given)) from None


def recipe_sentence(
    error: ValidationError, recipe: type[BaseModel], parts: Mapping[str, type[BaseModel]]
) -> str:
    """A sentence on the first error of a recipe: where it is, and what is allowed there.

    Args:
        error: pydantic's error.
        recipe: the model of the recipe.
        parts: the models of those options that have options of their own, by name.
    """
    errors = error.errors()
    # A misspelled option may also be reported as a missing one, so it comes first. Of the branches of a
    # union, the one whose error is innermost was meant; if there are several, all messages are given.
    misspelled = [one for one in errors if one["type"] == "extra_forbidden"]
    here = [one for one in errors if one["loc"][:3] == errors[0]["loc"][:3]]
    first = misspelled[0] if misspelled else max(here, key=lambda one: len(one["loc"]))
    rivals = [one for one in here if one["loc"][:-1] == first["loc"][:-1] and len(one["loc"]) > 3]
    where, model = _place(first["loc"], recipe, parts)
    at = ".".join(where)
    takes = ", ".join(
        field.alias or name for name, field in model.model_fields.items() if name != "strategy"
    )
    known = ", ".join(BY_NAME)
    kind = first["type"]
    if kind in ("extra_forbidden", "missing"):
        *outer, key = where
        inside = f"{'.'.join(outer)}: " if outer else ""
        what = f"unknown option {key!r}" if kind == "extra_forbidden" else f"{key!r} is missing"
        return f"recipe: {inside}{what}; it takes {takes}"
    if kind == "union_tag_invalid":
        return f"recipe: {at}: unknown strategy {first['ctx']['tag']!r}; there are {known}"
    if kind == "union_tag_not_found":
        return f"recipe: {at}: 'strategy' is missing; there are {known}"
    if "budget" in where and "cost" not in where:
        return (
            f"recipe: {at.split('.budget')[0] if '.budget' in at else 'budget'}: "
            f"{first['input']!r} is not a budget; give a count of at least 1, or a share above 0 "
            "and at most 1.0"
        )
    messages = [one["msg"].removeprefix("Value error, ") for one in rivals or [first]]
    message = ", or ".join(one[0].lower() + one[1:] for one in dict.fromkeys(messages))
    return f"recipe: {at + ': ' if at else ''}{message}"


def _place(
    location: tuple[int | str, ...], recipe: type[BaseModel], parts: Mapping[str, type[BaseModel]]
) -> tuple[list[str], type[BaseModel]]:
    """The location of an error, part by part, and the innermost model around it."""
    # The branches of unions that have options of their own.
    models = {one.__name__: one for one in BY_NAME.values()} | _nested_models()
    model = recipe
    where: list[str] = []
    for part in location:
        if isinstance(part, int):
            where[-1:] = [f"{where[-1] if where else 'entry'}[{part}]"]
        elif part in BY_NAME and where and where[-1].startswith("strategies["):
            model = BY_NAME[part]
            where[-1] += f" ({part})"
        elif part in models:
            model = models[part]
        elif part in parts and not (where and "(" in where[-1]):
            model = parts[part]
            where.append(part)
        elif not any(mark in part for mark in "[]()") and part not in BRANCHES:
            where.append(part)
    return where, model


def _nested_models() -> dict[str, type[BaseModel]]:
    """Models inside options of strategies, by the tag that a union gives them."""
    from ..strategies.weight import Bell

    return {"bell": Bell}
