"""Inputs of selections other than the strategy: limits, labels, names of the result."""

from __future__ import annotations

import os
from typing import Any

import fiftyone.operators.types as types

from ...alcore import InvalidInput
from ..dataset.fields import group_fields, label_fields, number_fields, object_fields
from ..dataset.selection_records import earlier_ranks
from ..reading.read import Labeled
from ..runs.checks import check_names
from ..runs.run import SelectionRequest, names_of
from . import counts, pieces

WRITTEN = ("tag", "saved_view", "run_key", "overwrite", "bad", "device")
LIMITS = ("cost_field", "cost_budget", "group_field", "group_limit")
COMMON = (
    *("label_field", "labeled_tag", "skip_chosen", *WRITTEN, *LIMITS),
    *("seed", "objects", "result", "preview"),
)


def limit_inputs(ctx: Any, inputs: Any) -> None:
    """Add the inputs for the labeling cost of samples, and for groups of samples."""
    about = "Chosen by value per cost, such as minutes of labeling"
    pieces.optional_field_input(
        ctx, inputs, "cost_field", "Cost of a sample", pieces.fields_for(ctx, number_fields), about
    )
    if ctx.params.get("cost_field"):
        inputs.float(
            "cost_budget",
            label="Budget in that unit",
            description="The chosen cost so much together; the budget above still bounds their number",
            required=True,
        )
    about = "Samples that belong together, such as frames of a video"
    pieces.optional_field_input(
        ctx, inputs, "group_field", "Groups", pieces.fields_for(ctx, group_fields), about
    )
    if ctx.params.get("group_field"):
        inputs.int(
            "group_limit",
            label="At most so many of a group",
            description="0: groups are chosen as wholes, by the mean value of their samples",
            default=0,
            min=0,
        )


def limited(recipe: dict[str, Any], params: dict[str, Any]) -> dict[str, Any]:
    """Return a recipe with the costs and groups of a form or a call, which apply to its last stage.

    Raises:
        InvalidInput: if a field of costs is given without a budget in its unit.
    """
    more: dict[str, Any] = {}
    if params.get("cost_field"):
        if params.get("cost_budget") is None:
            raise InvalidInput("cost_budget: is missing; say how much the chosen may cost together")
        more["cost"] = {"column": params["cost_field"], "budget": params["cost_budget"]}
    if params.get("group_field"):
        most = params.get("group_limit") or None
        more["groups"] = {"column": params["group_field"], "whole": most is None, "at_most": most}
    if more and "stages" in recipe:
        *first, last = recipe["stages"]
        return recipe | {"stages": [*first, last | more]}
    return recipe | more


def objects_input(ctx: Any, inputs: Any) -> None:
    """Add the input for choosing images or objects and, for objects, for the kind of result.

    A dataset without fields of objects gets no input.
    """
    choices = object_fields(ctx.dataset)
    if not choices:
        return
    view = types.DropdownView()
    view.add_choice(pieces.NONE, label="images")
    for choice in choices:
        view.add_choice(choice.path, label=f"objects of {choice.path}", description=choice.holds)
    about = "Whole images, or each object of a field by itself"
    pieces.dropdown_input(
        inputs, "objects", view, label="Choose", description=about, default=pieces.NONE
    )
    if ctx.params.get("objects"):
        pieces.choice_input(
            inputs,
            "result",
            "Result",
            {
                "labels": "the objects are tagged, and shown as patches",
                "samples": "the images they lie in are tagged, in the order first chosen",
            },
            "labels",
        )


def labeled_input(ctx: Any, inputs: Any) -> None:
    """Add the inputs that define the labeled samples, and a notice with the resulting counts."""
    choices = label_fields(ctx.dataset)
    usual = pieces.usual_labels(ctx.dataset)
    about = "Samples with a value in this field are labeled: not chosen, but counted in"
    pieces.optional_field_input(ctx, inputs, "label_field", "Labels", choices, about, default=usual)
    inputs.str(
        "labeled_tag",
        label="Labeled tag",
        description="Samples with this tag count as labeled too",
        default="",
        required=False,
    )
    inputs.bool(
        "skip_chosen",
        label="Count samples of earlier selections as labeled",
        description="Their labels are expected; so no sample is chosen twice",
        default=True,
        view=types.CheckboxView(),
    )
    counted = counts.count_samples(
        ctx,
        counts.view_key(ctx),
        ctx.params.get("label_field", usual) or None,
        ctx.params.get("labeled_tag") or None,
        ctx.params.get("predictions") or None,
        ctx.params.get("objects") or None,
        tuple(earlier_ranks(ctx.dataset)) if ctx.params.get("skip_chosen", True) else (),
    )
    if counted["total"] == 0:
        inputs.view("empty", types.Error(label="The view is empty: there is nothing to choose from"))
    inputs.view("counts", types.Notice(label=counted["text"]))


def result_inputs(ctx: Any, inputs: Any) -> None:
    """Add the inputs for the names of the selection and its other options."""
    inputs.view("names", types.Header(label="Result", divider=True))
    inputs.str(
        "tag",
        label="Tag",
        description="Given to the chosen samples; also the name of the saved view and of the run. "
        "Left empty, a free one",
        required=False,
    )
    pieces.overwrite_input(inputs)
    pieces.bad_input(inputs)
    inputs.int("seed", label="Seed", description="The same seed chooses the same", default=0, min=0)
    if os.environ.get("RAY_ADDRESS"):
        machines = {
            "auto": "this machine, on its GPU where it has one",
            "ray": "the machines of the Ray cluster, which choose the same together",
        }
        pieces.choice_input(inputs, "device", "Choose on", machines, "auto")


def found_inputs(
    inputs: Any,
    usual_tag: str,
    usual_field: str,
    field_holds: str,
    *,
    otherwise: str = "none is written",
) -> None:
    """Add the inputs for the tag and the field under which found samples are written.

    Args:
        inputs: the inputs of the form.
        usual_tag: the default tag.
        usual_field: the default field; empty for none.
        field_holds: a description of the values of the field.
        otherwise: what happens if the field is left empty.
    """
    inputs.str(
        "tag",
        label="Tag",
        description="Also the name of the saved view and of the run, by which it can be undone",
        default=usual_tag,
        required=False,
    )
    inputs.str(
        "field",
        label="Field",
        description=f"{field_holds}; left empty, {otherwise}",
        default=usual_field or None,
        required=False,
    )
    pieces.overwrite_input(inputs)


def labeled_of(params: dict[str, Any]) -> Labeled:
    """Return the options of a form or a call that define the labeled samples."""
    return Labeled(
        params.get("label_field") or None,
        params.get("labeled_tag") or None,
        bool(params.get("skip_chosen", True)),
    )


def request_of(params: dict[str, Any]) -> SelectionRequest:
    """Return the request of a form or a call: all its options for a selection except the recipe."""
    return SelectionRequest(
        labeled=labeled_of(params),
        tag=params.get("tag"),
        saved_view=params.get("saved_view"),
        run_key=params.get("run_key"),
        overwrite=bool(params.get("overwrite")),
        bad=params.get("bad") or "error",
        device=params.get("device") or "auto",
        objects=params.get("objects") or None,
        result=params.get("result") or "labels",
    )


def check_request(dataset: Any, request: SelectionRequest) -> None:
    """Check that the names of a selection are valid and free.

    Raises:
        InvalidName: if one is not.
    """
    check_names(dataset, names_of(dataset, request), request.overwrite)


def budget_of(params: dict[str, Any], default: int = 100) -> int | float:
    """Return the budget: an int is a count, and a float up to 1 is a share of the candidates.

    A form may send a count as a float such as 20.0, which becomes an int.
    """
    budget: int | float = params.get("budget", default)
    if isinstance(budget, float) and budget > 1 and budget.is_integer():
        return int(budget)
    return budget
