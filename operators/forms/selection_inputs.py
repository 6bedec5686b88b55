"""What forms of selections ask for beside the strategy: limits, labels, names of the result."""

from __future__ import annotations

from typing import Any

import fiftyone.operators.types as types

from ...alcore import InvalidInput
from ..dataset.fields import group_fields, label_fields, number_fields, object_fields
from ..reading.read import Labeled
from ..runs.checks import check_names
from ..runs.run import SelectionRequest, names_of
from . import counts, pieces

WRITTEN = ("tag", "saved_view", "run_key", "overwrite", "bad", "device")
LIMITS = ("cost_field", "cost_budget", "group_field", "group_limit")
COMMON = ("label_field", "labeled_tag", "skip_chosen", *WRITTEN, *LIMITS, "seed", "objects", "result")


def limit_inputs(ctx: Any, inputs: Any) -> None:
    """What samples cost to label, and which belong together."""
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
    """A recipe of one stage with the costs and groups that a form or a call names.

    Raises:
        InvalidInput: a field of costs without a budget in its unit.
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
    """Whether images are chosen, or objects; and of objects, what becomes of those chosen."""
    choices = object_fields(ctx.dataset)
    if not choices:
        return
    view = types.DropdownView()
    view.add_choice(pieces.NONE, label="images")
    for choice in choices:
        view.add_choice(choice.path, label=f"objects of {choice.path}", description=choice.holds)
    inputs.enum("objects", view.values(), label="Choose", default=pieces.NONE, view=view)
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
    """Which samples are labeled already, and how many of each that makes."""
    choices = label_fields(ctx.dataset)
    usual = pieces.usual_labels(ctx.dataset)
    about = "Samples with a value in this field are labeled: not chosen, but counted in"
    pieces.optional_field_input(ctx, inputs, "label_field", "Labels", choices, about, default=usual)
    inputs.str(
        "labeled_tag",
        label="Labeled tag",
        description="Samples with this tag count as labeled too",
        required=False,
    )
    inputs.bool(
        "skip_chosen",
        label="Count samples of earlier selections as labeled",
        default=False,
        view=types.CheckboxView(),
    )
    counted = counts.count_samples(
        ctx,
        counts.view_key(ctx),
        ctx.params.get("label_field", usual) or None,
        ctx.params.get("labeled_tag") or None,
        ctx.params.get("predictions") or None,
        ctx.params.get("objects") or None,
    )
    if counted["total"] == 0:
        inputs.view("empty", types.Error(label="The view is empty: there is nothing to choose from"))
    inputs.view("counts", types.Notice(label=counted["text"]))


def result_inputs(ctx: Any, inputs: Any) -> None:
    """Under which names the selection is written."""
    inputs.view("names", types.Header(label="Result", divider=True))
    inputs.str(
        "tag",
        label="Tag",
        description="Given to the chosen samples; also the name of the saved view and of the run",
        required=False,
    )
    pieces.overwrite_input(inputs)
    pieces.bad_input(inputs)
    inputs.int("seed", label="Seed", description="The same seed chooses the same", default=0, min=0)


def found_inputs(
    inputs: Any,
    usual_tag: str,
    usual_field: str,
    field_holds: str,
    *,
    otherwise: str = "none is written",
) -> None:
    """Under which tag and field what was found is written; ``otherwise``: with an empty field."""
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
    """What a form or a call says of which samples are labeled."""
    return Labeled(
        params.get("label_field") or None,
        params.get("labeled_tag") or None,
        bool(params.get("skip_chosen")),
    )


def request_of(params: dict[str, Any]) -> SelectionRequest:
    """What a form or a call asks for, beside the recipe."""
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
    """Refuse names that are taken.

    Raises:
        InvalidName: which.
    """
    check_names(dataset, names_of(dataset, request), request.overwrite)


def budget_of(params: dict[str, Any], default: int = 100) -> int | float:
    """A count, or a share; a form gives every number as it likes."""
    budget: int | float = params.get("budget", default)
    if isinstance(budget, float) and budget > 1 and budget.is_integer():
        return int(budget)
    return budget
