"""Inputs for metadata fields, each with its histogram: filters and preferred values."""

from __future__ import annotations

import json
from datetime import datetime, timezone
from typing import Any

import fiftyone as fo
import fiftyone.operators.types as types
import numpy as np

from ...alcore import InvalidInput, Recipe
from ...alcore.data.dates import seconds
from ...alcore.strategies.weight import category_worths, preferred
from ..dataset.fields import Choice, category_fields, number_fields
from . import counts, pieces, plots
from .histograms import MOST_VALUES, count_remaining, histogram, kind_of

PREFER = {
    "numbers": {
        "high": "the higher, the better",
        "low": "the lower, the better",
        "range": "from one number to another, and near it",
        "around": "a bell around a number",
    },
    "dates": {
        "high": "the later, the better",
        "low": "the earlier, the better",
        "range": "from one date to another, and near it",
    },
    "categories": {"ranking": "some before others, the best first"},
}


def metadata_fields(ctx: Any) -> list[Choice]:
    """Return the fields of categories, numbers and dates; if objects are chosen, theirs first."""
    categories = pieces.fields_for(ctx, category_fields)
    known = {choice.path for choice in categories}
    numbers = [c for c in pieces.fields_for(ctx, number_fields) if c.path not in known]
    return categories + numbers


def fields_inputs(ctx: Any, inputs: Any) -> None:
    """Add the inputs for the fields and for the filters and preferences of each.

    A notice shows how many samples or objects pass all filters.
    """
    choices = metadata_fields(ctx)
    if not choices:
        inputs.view("fields_missing", types.Error(label="This dataset has no metadata to choose by"))
        return
    pieces.fields_input(
        inputs,
        "fields",
        "Fields",
        choices,
        "Each with its histogram below, to filter by it or to prefer some of its values",
    )
    for path in _chosen(ctx.dataset, ctx.params):
        _field_inputs(ctx, inputs, path)
    filters = filters_of(ctx.dataset, ctx.params)
    if filters:
        _remaining(ctx, inputs, filters)


def filters_of(dataset: Any, params: dict[str, Any]) -> list[dict[str, Any]]:
    """Return the filters of a recipe from the inputs of a form; empty inputs add none."""
    filters: list[dict[str, Any]] = []
    for path in _chosen(dataset, params):
        given: dict[str, Any] = {
            name: params.get(_name(path, name)) for name in ("min", "max", "in", "not_in")
        }
        names = ("in", "not_in") if kind_of(dataset, path) == "categories" else ("min", "max")
        named = {name: given[name] for name in names if given[name] not in (None, "", [])}
        if "in" not in named and "not_in" not in named:
            filters += [{"column": path, **named}] if named else []
            continue
        for name, values in named.items():
            filters.append({"column": path, name: _as_stored(dataset, path, values)})
    return filters


def preferences_of(dataset: Any, params: dict[str, Any]) -> list[dict[str, Any]]:
    """Return the entries of ``weight`` strategies from the inputs of a form.

    A preference whose inputs are not all filled in adds no entry.

    Raises:
        InvalidInput: if a text is not a date.
    """
    weights = []
    for path in _chosen(dataset, params):
        how = params.get(_name(path, "prefer"))
        if how not in PREFER[kind_of(dataset, path) or "numbers"]:
            continue
        prefer: Any = how
        if how == "range":
            prefer = [params.get(_name(path, name)) for name in ("from", "to")]
        elif how == "around":
            prefer = {name: params.get(_name(path, name)) for name in ("around", "width")}
        elif how == "ranking":
            prefer = _as_stored(dataset, path, params.get(_name(path, "ranking")) or [])
        parts = list(prefer.values()) if isinstance(prefer, dict) else prefer
        if isinstance(parts, list) and (not parts or any(one in (None, "") for one in parts)):
            continue
        weight = {"strategy": "weight", "column": path, "prefer": as_numbers(dataset, path, prefer)}
        strength = params.get(_name(path, "strength"))
        weights.append(weight | ({} if strength is None else {"strength": strength}))
    return weights


def as_numbers(dataset: Any, path: str, prefer: Any) -> Any:
    """Return a preference with its dates in seconds since 1970, the unit of dates in a pool.

    A preference for another type of field is returned unchanged.

    Raises:
        InvalidInput: if a text is not a date.
    """
    if kind_of(dataset, path) != "dates":
        return prefer
    if isinstance(prefer, list | tuple):
        return [_seconds(path, one) for one in prefer]
    if isinstance(prefer, dict) and "around" in prefer:
        return prefer | {"around": _seconds(path, prefer["around"])}
    return prefer


def _chosen(dataset: Any, params: dict[str, Any]) -> list[str]:
    return [path for path in params.get("fields") or [] if kind_of(dataset, path)]


def _name(path: str, what: str) -> str:
    """Return the name of an input. It has no dots, because the App reads a dot as nesting."""
    return f"{path.replace('.', '__')}_{what}"


def _field_inputs(ctx: Any, inputs: Any, path: str) -> None:
    kind = kind_of(ctx.dataset, path)
    assert kind is not None
    found = histogram(ctx, counts.view_key(ctx), path)
    inputs.view(_name(path, "header"), types.Header(label=path, divider=True))
    if not found["counts"]:
        inputs.view(_name(path, "none"), types.Warning(label=f"No sample has a value in {path}"))
        return
    plot = _plot(ctx.dataset, ctx.params, path, kind, found)
    inputs.plot(_name(path, "plot"), **plot, height=220, config={"displayModeBar": False})
    if kind == "categories":
        _values_input(inputs, path, "in", "keep only", found)
        _values_input(inputs, path, "not_in", "leave out", found)
    else:
        ends = _ends(found, kind)
        for name, label, end in (("min", "at least", ends[0]), ("max", "at most", ends[1])):
            _bound_input(
                inputs, path, name, label, kind, f"{label.split()[1].capitalize()} there is: {end}"
            )
    view = types.DropdownView()
    view.add_choice(pieces.NONE, label="nothing")
    for how, line in PREFER[kind].items():
        view.add_choice(how, label=how, description=line)
    about = "What makes a sample worth more, without leaving any out"
    pieces.dropdown_input(
        inputs,
        _name(path, "prefer"),
        view,
        label=f"{path}: prefer",
        description=about,
        default=pieces.NONE,
    )
    how = ctx.params.get(_name(path, "prefer"))
    if how not in PREFER[kind]:
        return
    if how == "range":
        for name in ("from", "to"):
            _bound_input(inputs, path, name, name, kind, required=True)
    elif how == "around":
        for name in ("around", "width"):
            _bound_input(inputs, path, name, name, kind, required=True)
    elif how == "ranking":
        _values_input(inputs, path, "ranking", "the best first", found, required=True)
    inputs.float(
        _name(path, "strength"),
        label=f"{path}: strength",
        description="Its weight; a negative one inverts it",
        default=1.0,
    )


def _bound_input(
    inputs: Any, path: str, name: str, label: str, kind: str, line: str = "", required: bool = False
) -> None:
    add = inputs.float
    if kind == "dates":
        add = inputs.str
        line = f"{line}; such as 2026-01-31 or 2026-01-31T12:00".removeprefix("; ")
    if not required:
        line = f"{line}; left empty, no bound"
    add(_name(path, name), label=f"{path}: {label}", description=line, required=required)


def _values_input(
    inputs: Any, path: str, name: str, label: str, found: dict[str, Any], required: bool = False
) -> None:
    view = types.DropdownView(multiple=True)
    pairs = zip(found["values"], found["counts"], strict=True)
    for value, count in list(pairs)[:MOST_VALUES]:
        view.add_choice(_as_text(value), label=_as_text(value), description=f"{count:,}")
    inputs.list(
        _name(path, name),
        types.String(),
        label=f"{path}: {label}",
        description="Values that occur, with their counts; none chosen: no matter which",
        default=[],
        required=required,
        view=view,
    )


def _remaining(ctx: Any, inputs: Any, filters: list[dict[str, Any]]) -> None:
    labels = ctx.params.get("label_field", pieces.usual_labels(ctx.dataset)) or None
    tag, objects = ctx.params.get("labeled_tag") or None, ctx.params.get("objects") or None
    key = counts.view_key(ctx)
    try:
        passing, all_of_them = (
            count_remaining(ctx, key, json.dumps(some), labels, tag, objects) for some in (filters, [])
        )
    except InvalidInput:
        return  # the form shows this error when it checks the recipe
    things = "objects" if objects else "samples"
    text = f"{passing:,} of {all_of_them:,} {things} to choose from pass all filters"
    view = types.Notice if passing else types.Error
    inputs.view("remaining", view(label=text))


def _plot(
    dataset: Any, params: dict[str, Any], path: str, kind: str, found: dict[str, Any]
) -> dict[str, Any]:
    """Return the histogram with the filters and the preference of this field, if they are filled in."""
    alone = {**params, "fields": [path]}
    try:
        recipe = {
            "budget": 1,
            "filters": filters_of(dataset, alone),
            "strategies": preferences_of(dataset, alone) or None,
        }
        parsed = Recipe.of(recipe)
    except InvalidInput:
        parsed = Recipe.of({"budget": 1})  # the form shows the error with the recipe
    weight: Any = next(iter(parsed.strategies or []), None)
    if kind == "categories":
        return _of_categories(parsed.filters, weight, found)
    edges, counts = np.array(found["edges"]), found["counts"]
    middles = (edges[1:] + edges[:-1]) / 2
    low = max((seconds(one.min) for one in parsed.filters if one.min is not None), default=-np.inf)
    high = min((seconds(one.max) for one in parsed.filters if one.max is not None), default=np.inf)
    # A bin counts as kept if any part of it lies within the bounds.
    kept = (edges[1:] >= low) & (edges[:-1] <= high)
    worth = None if weight is None else preferred(middles, weight.prefer, edges[0], edges[-1]).tolist()
    x = [_told(one, kind) for one in middles.tolist()]
    limits = [_told(one, kind) for one in (low, high) if np.isfinite(one)]
    return plots.histogram_plot(x, counts, kept.tolist(), worth, limits)


def _of_categories(filters: Any, weight: Any, found: dict[str, Any]) -> dict[str, Any]:
    values, counts = found["values"][: plots.CLASSES], found["counts"][: plots.CLASSES]
    kept = [
        all((v in one.in_) if one.in_ is not None else (v not in one.not_in) for one in filters)
        for v in values
    ]
    worth = None
    if weight is not None:
        worths, other = category_worths(weight.prefer)
        worth = [worths.get(value, other) for value in values]
    return plots.histogram_plot([_as_text(v) for v in values], counts, kept, worth, [])


def _as_stored(dataset: Any, path: str, values: list[Any]) -> list[Any]:
    """Return the values of a dropdown, which are texts, as the field stores them."""
    if not isinstance(dataset.get_field(path), fo.BooleanField):
        return values
    return [value if isinstance(value, bool) else value == "true" for value in values]


def _as_text(value: Any) -> str:
    return str(value).lower() if isinstance(value, bool) else str(value)


def _ends(found: dict[str, Any], kind: str) -> tuple[Any, Any]:
    return _told(found["edges"][0], kind), _told(found["edges"][-1], kind)


def _told(number: float, kind: str) -> Any:
    if kind != "dates":
        return float(f"{number:.6g}")
    return datetime.fromtimestamp(number, timezone.utc).isoformat(timespec="seconds")[:19]


def _seconds(path: str, value: Any) -> Any:
    try:
        moment = datetime.fromisoformat(value) if isinstance(value, str) else value
    except ValueError:
        raise InvalidInput(f"{path}: {value!r} is no date; give one such as 2026-01-31") from None
    return seconds(moment)
