"""Inputs for the source of informativeness, and the recipe entry that they make."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Any

import fiftyone as fo
import fiftyone.operators.types as types

from ...alcore import InvalidInput
from ...alcore.data.json_text import parsed
from ..dataset.fields import (
    Choice,
    document_type,
    map_paths,
    member_fields,
    number_fields,
    prediction_fields,
    uncertain_fields,
)
from ..dataset.object_fields import nearest
from ..dataset.stored_schema import LIST_OF
from . import cost_matrix, pieces, words

Pick = Callable[[list[Choice], str], str]
SOURCES = {
    "one field": "how sure one model is, of images, objects or pixels",
    "costs": "what its mistakes would cost",
    "several fields": "where several models, or one on changed images, disagree",
    "members": "where dropout passes or a committee, stored in one array, disagree",
    "predicted loss": "a number learned from labeled samples (fit loss predictor), or any other",
}
OPTIONS = (
    "source",
    "predictions",
    "several",
    "members",
    "predicted_loss",
    "measure",
    "aggregate",
    "empty",
    "top_k",
    "quantile",
    "share",
    "threshold",
    "min_confidence",
    "class_weights",
    "multi_label",
    "temperature",
    "fit_temperature",
    "given",
    *cost_matrix.OPTIONS,
)
NUMBERS = ("top_k", "quantile", "share", "threshold", "min_confidence")


def loss_fields(dataset: Any) -> list[Choice]:
    """Return the fields of numbers; those that this plugin wrote come first."""

    def is_other(choice: Choice) -> bool:
        info = dataset.get_field(choice.path).info or {}
        return not str(info.get("method", "")).startswith("alcore/")

    return sorted(number_fields(dataset), key=is_other)


def source_of(params: dict[str, Any]) -> str:
    """Return the source that is given, else the one that the other options imply."""
    if params.get("source"):
        return str(params["source"])
    if params.get("members"):
        return "members"
    if params.get("predicted_loss"):
        return "predicted loss"
    if params.get("several") or isinstance(params.get("predictions"), list):
        return "several fields"
    return "costs" if params.get("cost") or params.get("gain") else "one field"


def fill(dataset: Any, params: dict[str, Any], pick: Pick) -> dict[str, Any]:
    """Return the options, with a field picked if the source needs one and none is given.

    Args:
        dataset: the dataset.
        params: the options of a call.
        pick: chooses a field for an option, from the fields that fit and the name of the option.

    Raises:
        InvalidInput: if ``pick`` raises it.
    """
    params = dict(params)
    source = params["source"] = source_of(params)
    objects = params.get("objects") or None
    if params.get("temperature") == "fit":
        del params["temperature"]
        params["fit_temperature"] = True
    if isinstance(params.get("predictions"), list):
        params["several"] = params.pop("predictions")
    if source == "members" and not params.get("members"):
        params["members"] = pick(nearest(member_fields, objects)(dataset), "members")
    elif source == "predicted loss" and not params.get("predicted_loss"):
        params["predicted_loss"] = pick(nearest(loss_fields, objects)(dataset), "predicted_loss")
    elif source in ("one field", "costs") and not params.get("predictions"):
        fitting = uncertain_fields if source == "one field" else prediction_fields
        params["predictions"] = pick(nearest(fitting, objects)(dataset), "predictions")
    return params


def kind_of(dataset: Any, path: str | None) -> str:
    """Return whether a field holds predictions of "samples", "objects" or "pixels"."""
    field = dataset.get_field(path) if path else None
    kind = document_type(field)
    if kind in LIST_OF:
        return "objects"
    if not path or field is None or "." in path:
        return "samples"
    # A form calls this at every change, and the flat schema of all fields would take long to compute.
    inside = field.get_field_schema() if kind else {}
    flat = {path: field, **{f"{path}.{name}": one for name, one in inside.items()}}
    return "pixels" if any(map_paths(flat, path)) else "samples"


def entry_of(dataset: Any, params: dict[str, Any], measure: str | None = None) -> dict[str, Any]:
    """Return the recipe entry of options that are filled in.

    Args:
        dataset: the dataset.
        params: the options.
        measure: replaces the measure of the options.

    Raises:
        InvalidInput: if the source is unknown, if fewer than two fields are given for "several fields",
            or if a matrix of costs is missing or cannot be read.
    """
    source = source_of(params)
    measure = measure or params.get(input_of("measure", measures_of(dataset, params)))
    measure = measure or params.get("measure") or None
    if source == "predicted loss":
        return {"strategy": "weight", "column": params.get("predicted_loss")}
    if source in ("members", "several fields"):
        column = params.get("members") if source == "members" else params.get("several") or []
        if isinstance(column, list) and len(column) < 2:
            raise InvalidInput("several: name two or more fields, one for each member")
        entry = {"strategy": "disagreement", "column": column, "measure": measure}
        kind = kind_of(dataset, column[0] if isinstance(column, list) else column)
    elif source == "costs":
        cost = measure if measure in words.COSTS else "risk"
        entry = {
            "strategy": "expected_cost",
            "column": params.get("predictions"),
            "measure": {"risk": "risk", "cost_margin": "margin"}[cost],
            **cost_matrix.matrix_of(dataset, params, params.get("predictions")),
        }
        kind = "samples"
    elif source == "one field":
        kind = kind_of(dataset, params.get("predictions"))
        entry = {"strategy": "uncertainty", "column": params.get("predictions")}
        entry |= {"measure": measure, "multi_label": params.get("multi_label")}
        if kind == "objects":
            entry["empty"] = params.get("empty")
            entry["class_weights"] = parsed("class_weights", params.get("class_weights"))
    else:
        raise InvalidInput(f"source: there is no {source!r}; choose one of {', '.join(SOURCES)}")
    if kind == "samples" and source in ("one field", "costs"):
        fit = params.get("fit_temperature") and source == "one field"
        entry["temperature"] = "fit" if fit else params.get("temperature")
    if kind != "samples":
        entry["aggregate"] = _aggregate_of(kind, params)
        entry |= {name: params.get(name) for name in NUMBERS if name in _takes(source, kind)}
    entry["given"] = params.get("given")
    # By identity: 0 equals False, and is a value.
    return {
        name: value
        for name, value in entry.items()
        if value is not None and value is not False and value != ""
    }


def measures_of(dataset: Any, params: dict[str, Any]) -> dict[str, words.Words]:
    """Return the measures that apply to the source and its fields, each with its description."""
    source = source_of(params)
    if source == "members":
        return words.MEMBERS
    if source == "costs":
        return words.COSTS
    if source == "predicted loss":
        return {"predicted_loss": words.OTHERS["predicted_loss"]}
    if source == "several fields":
        first = next(iter(params.get("several") or []), None)
        field = dataset.get_field(first) if first else None
        kind = kind_of(dataset, first)
        if kind == "objects":
            return {"detection": words.OTHERS["detection"]}
        is_number = first in {c.path for c in number_fields(dataset)}
        if is_number or document_type(field) is fo.Regression:
            return {"variance": words.OTHERS["variance"]}
        return words.MEMBERS
    if kind_of(dataset, params.get("predictions")) == "pixels":
        return words.SINGLE | {"stored": words.STORED}
    return words.SINGLE


def source_inputs(ctx: Any, inputs: Any) -> dict[str, Any]:
    """Add the inputs for the source and its fields, and return the current options with defaults."""
    pieces.choice_input(inputs, "source", "Judged by", SOURCES, "one field")
    params = dict(ctx.params)
    source = params["source"] = source_of(params)
    if source == "members":
        choices = pieces.fields_for(ctx, member_fields)
        text = "This dataset has no array of members; compute dropout predictions makes one"
        about = "An array of T predictions a sample, (T, C)"
        pieces.field_input(ctx, inputs, "members", "Members", choices, missing=text, description=about)
        params.setdefault("members", choices[0].path if choices else None)
    elif source == "predicted loss":
        choices = pieces.fields_for(ctx, loss_fields)
        text = "This dataset has no field of numbers; fit loss predictor makes one"
        about = "A number a sample; the highest are chosen"
        pieces.field_input(
            ctx, inputs, "predicted_loss", "Predicted loss", choices, missing=text, description=about
        )
        params.setdefault("predicted_loss", choices[0].path if choices else None)
    elif source == "several fields":
        pieces.fields_input(
            inputs,
            "several",
            "Fields",
            pieces.fields_for(ctx, uncertain_fields) + pieces.fields_for(ctx, number_fields),
            "One for each member: of the same kind, with the same classes",
        )
    else:
        find = uncertain_fields if source == "one field" else prediction_fields
        choices = pieces.fields_for(ctx, find)
        text = "This dataset has no field of predictions"
        pieces.predictions_input(ctx, inputs, text, choices=choices)
        params.setdefault("predictions", choices[0].path if choices else None)
    return params


def detail_inputs(ctx: Any, inputs: Any, params: dict[str, Any]) -> None:
    """Add the inputs for options that depend on the source and on the kind of predictions."""
    source = source_of(params)
    if source == "costs":
        cost_matrix.cost_inputs(ctx, inputs, params.get("predictions"))
    several = params.get("several") or []
    path = (
        (several[0] if several else None) if source == "several fields" else params.get("predictions")
    )
    kind = kind_of(ctx.dataset, path) if source in ("one field", "several fields") else "samples"
    if kind == "objects" and source == "one field":
        over = words.lines(words.OVER_OBJECTS)
        name = input_of("aggregate", over)
        pieces.choice_input(inputs, name, "From objects to an image", over, "max")
        pieces.choice_input(
            inputs, "empty", "An image without objects counts", words.lines(words.EMPTY), "median"
        )
        inputs.str(
            "class_weights",
            label="Class weights",
            description='How much objects of a class count, and of others 1: {"person": 3}. '
            "Left empty, all count the same",
            required=False,
        )
    elif kind == "pixels":
        over = words.lines(words.OVER_PIXELS)
        name = input_of("aggregate", over)
        pieces.choice_input(inputs, name, "From pixels to an image", over, "mean")
    takes = _takes(source, kind) if kind != "samples" else ()
    for name, (label, text, default, low, high) in _NUMBER_INPUTS.items():
        wanted = name in takes and _NEEDS.get(name) in (None, _aggregate_of(kind, params))
        if wanted and name == "top_k":
            inputs.int(name, label=label, description=text, default=int(default), min=1)
        elif wanted:
            inputs.float(name, label=label, description=text, default=default, min=low, max=high)
    if kind == "samples" and source == "one field":
        inputs.bool(
            "multi_label",
            label="Several classes may be right at once",
            description="Each class is a yes or no of its own",
            default=False,
            view=types.CheckboxView(),
        )


_NUMBER_INPUTS: dict[str, tuple[str, str, float, float, float]] = {
    "top_k": ("Objects", "How many of the hardest count", 3, 1, 1000),
    "min_confidence": ("Least confidence", "Objects below it do not count", 0.05, 0, 1),
    "quantile": ("Quantile", "0.95: a twentieth of the pixels is harder", 0.95, 0, 1),
    "share": ("Share", "Of the pixels, the hardest", 0.05, 0, 1),
    "threshold": ("Threshold", "A pixel above it is hard", 0.5, 0, 1),
}


def _takes(source: str, kind: str) -> tuple[str, ...]:
    if kind == "pixels":
        return ("quantile", "share", "threshold")
    return ("top_k", "min_confidence") if source == "one field" else ("min_confidence",)


# For each number, the aggregate that uses it.
_NEEDS = {"top_k": "top_k", "quantile": "quantile", "share": "top_share", "threshold": "share_above"}


def _aggregate_of(kind: str, params: dict[str, Any]) -> Any:
    over = words.OVER_OBJECTS if kind == "objects" else words.OVER_PIXELS
    return params.get(input_of("aggregate", over)) or params.get("aggregate")


def input_of(option: str, offered: Iterable[str]) -> str:
    """Return the name of the input for an option whose values depend on the source.

    The App keeps the value chosen under a name. Each list of values ``offered`` therefore has a name of
    its own, which contains its first value.
    """
    return f"{option}_{next(iter(offered))}"
