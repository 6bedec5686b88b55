"""Pieces of forms: each adds its inputs and returns what was entered. A form computes nothing."""

from __future__ import annotations

import json
from typing import Any

import fiftyone.operators as foo
import fiftyone.operators.types as types

from ...alcore import InvalidInput
from ..dataset.fields import (
    Choice,
    detection_fields,
    embedding_fields,
    group_fields,
    label_fields,
    number_fields,
    object_fields,
    prediction_fields,
    uncertain_fields,
)
from ..dataset.fiftyone_private import plain_collection, shows_parts
from ..dataset.object_fields import Find, of_objects
from ..dataset.object_labels import count_objects
from ..dataset.views import target_of
from ..reading.read import Labeled
from ..runs.records import check_names
from ..runs.run import SelectionRequest, names_of

NONE = ""
WRITTEN = ("tag", "saved_view", "run_key", "overwrite", "bad", "device")
LIMITS = ("cost_field", "cost_budget", "group_field", "group_limit")
COMMON = ("label_field", "labeled_tag", "skip_chosen", *WRITTEN, *LIMITS, "seed", "objects", "result")


def without_dataset(label: str) -> Any:
    """The form of an operator where no dataset is open."""
    inputs = types.Object()
    inputs.view("none", types.Error(label="Open a dataset first"))
    return types.Property(inputs, view=types.View(label=label))


def notes_output(result: dict[str, Any], outputs: Any) -> None:
    """What a run has to say beside its figures, a line each."""
    for number, note in enumerate(result.get("notes") or []):
        outputs.view(f"note_{number}", types.Notice(label=note))


def field_input(
    ctx: Any,
    inputs: Any,
    name: str,
    label: str,
    choices: list[Choice],
    *,
    missing: str,
    description: str = "",
    required: bool = True,
    default: str | None = None,
) -> None:
    """A dropdown of the fields that fit, each with what it holds; a warning where none does.

    A field named in a call, or typed, stays a choice: whether it can be read is judged with the recipe.
    """
    if not choices and required:
        inputs.view(f"{name}_missing", types.Error(label=missing))
    view = types.DropdownView()
    if not required:
        view.add_choice(NONE, label="none")
    for choice in choices:
        view.add_choice(choice.path, label=choice.path, description=choice.holds)
    given = ctx.params.get(name)
    if given and given not in view.values():
        view.add_choice(given, label=given)
    if default is None and choices and required:
        default = choices[0].path
    inputs.enum(
        name,
        view.values(),
        label=label,
        description=description,
        required=required and not choices,
        default=default if default is not None else NONE,
        view=view,
    )


def fields_input(
    inputs: Any,
    name: str,
    label: str,
    choices: list[Choice],
    description: str = "",
    default: list[str] | None = None,
) -> None:
    """A dropdown of which several are chosen."""
    view = types.DropdownView(multiple=True)
    for choice in choices:
        view.add_choice(choice.path, label=choice.path, description=choice.holds)
    inputs.list(
        name,
        types.String(),
        label=label,
        description=description,
        default=default or [],
        required=False,
        view=view,
    )


def choice_input(inputs: Any, name: str, label: str, options: dict[str, str], default: str) -> None:
    """Radio buttons; ``options`` maps each value to what it does, in a line."""
    view = types.RadioGroup(orientation="vertical")
    for value, told in options.items():
        view.add_choice(value, label=f"{value.replace('_', ' ')}: {told}")
    inputs.enum(name, view.values(), label=label, default=default, view=view)


def budget_input(inputs: Any, default: int = 100) -> None:
    inputs.float(
        "budget",
        label="Budget",
        description="How many samples to choose; a number below 1 is a share of the candidates",
        default=default,
    )


def predictions_input(ctx: Any, inputs: Any, missing: str, description: str = "") -> None:
    field_input(
        ctx,
        inputs,
        "predictions",
        "Predictions",
        fields_for(ctx, prediction_fields),
        missing=missing,
        description=description,
    )


def temperature_input(inputs: Any) -> None:
    inputs.float(
        "temperature",
        label="Temperature",
        description="Above 1 makes an overconfident model's probabilities softer",
        default=1.0,
    )


def spread_input(ctx: Any, inputs: Any) -> None:
    field_input(
        ctx,
        inputs,
        "embeddings",
        "Spread over",
        fields_for(ctx, embedding_fields),
        missing="",
        description="Embeddings: also keep the chosen samples apart from each other (k-center)",
        required=False,
    )


def limit_inputs(ctx: Any, inputs: Any) -> None:
    """What samples cost to label, and which belong together."""
    field_input(
        ctx,
        inputs,
        "cost_field",
        "Cost of a sample",
        fields_for(ctx, number_fields),
        missing="",
        description="Chosen by value per cost, such as minutes of labeling",
        required=False,
    )
    if ctx.params.get("cost_field"):
        inputs.float(
            "cost_budget",
            label="Budget in that unit",
            description="The chosen cost so much together; the budget above still bounds their number",
            required=True,
        )
    field_input(
        ctx,
        inputs,
        "group_field",
        "Groups",
        fields_for(ctx, group_fields),
        missing="",
        description="Samples that belong together, such as frames of a video",
        required=False,
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
    view.add_choice(NONE, label="images")
    for choice in choices:
        view.add_choice(choice.path, label=f"objects of {choice.path}", description=choice.holds)
    inputs.enum("objects", view.values(), label="Choose", default=NONE, view=view)
    if ctx.params.get("objects"):
        choice_input(
            inputs,
            "result",
            "Result",
            {
                "labels": "the objects are tagged, and shown as patches",
                "samples": "the images they lie in are tagged, in the order first chosen",
            },
            "labels",
        )


def fields_for(ctx: Any, find: Find) -> list[Choice]:
    """The fields that fit, those of the objects to choose among first."""
    return of_objects(find, ctx.params.get("objects") or None)(ctx.dataset)


def labeled_input(ctx: Any, inputs: Any) -> None:
    """Which samples are labeled already, and how many of each that makes."""
    choices = label_fields(ctx.dataset)
    usual = usual_labels(ctx.dataset)
    field_input(
        ctx,
        inputs,
        "label_field",
        "Labels",
        choices,
        missing="",
        description="Samples with a value in this field are labeled: not chosen, but counted in",
        required=False,
        default=usual,
    )
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
    told = count_samples(
        ctx,
        view_key(ctx),
        ctx.params.get("label_field", usual) or None,
        ctx.params.get("labeled_tag") or None,
        ctx.params.get("predictions") or None,
        ctx.params.get("objects") or None,
    )
    if told["total"] == 0:
        inputs.view("empty", types.Error(label="The view is empty: there is nothing to choose from"))
    inputs.view("counts", types.Notice(label=told["text"]))


def usual_labels(dataset: Any) -> str:
    """The field that a form takes the labels from until another is chosen."""
    return next((c.path for c in label_fields(dataset) if c.path == "ground_truth"), NONE)


def view_key(ctx: Any) -> str:
    """What tells one target view from another, for the cache."""
    return json.dumps(plain_collection(target_of(ctx)), default=str)


@foo.execution_cache(prompt_scoped=True, residency="ephemeral")
def count_samples(
    ctx: Any,
    view: str,
    label_field: str | None,
    tag: str | None,
    predictions: str | None,
    objects: str | None,
) -> dict[str, Any]:
    """How many samples the form speaks of. ``view`` is part of the key of the cache alone."""
    samples = target_of(ctx)
    total = len(samples)
    left = unlabeled(samples, label_field, tag)
    candidates = len(left)
    labeled = total - candidates
    text = f"{candidates} samples to choose from, {labeled} labeled"
    if predictions and ctx.dataset.get_field(predictions) is not None:
        without = total - len(samples.exists(predictions))
        if without:
            text += f", {without} without a prediction (these cannot be chosen)"
    if objects and ctx.dataset.get_field(objects) is not None and not shows_parts(samples):
        among = count_objects(left, objects)
        text = f"{among} objects to choose from, in {candidates} samples; {labeled} samples are labeled"
    return {"total": total, "labeled": labeled, "text": text}


def unlabeled(samples: Any, label_field: str | None, tag: str | None) -> Any:
    """The samples that are not labeled."""
    if label_field and samples.get_field(label_field) is not None:
        samples = samples.exists(label_field, False)
    return samples.match_tags(tag, bool=False) if tag else samples


def result_inputs(ctx: Any, inputs: Any) -> None:
    """Under which names the selection is written, refused at once where they are taken."""
    inputs.view("names", types.Header(label="Result", divider=True))
    tag = inputs.str(
        "tag",
        label="Tag",
        description="Given to the chosen samples; also the name of the saved view and of the run",
        required=False,
    )
    overwrite_input(inputs)
    bad_input(inputs)
    inputs.int("seed", label="Seed", description="The same seed chooses the same", default=0, min=0)
    try:
        request = request_of(ctx.params)
        check_names(ctx.dataset, names_of(ctx.dataset, request), request.overwrite)
    except InvalidInput as error:
        mark(tag, error)


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
    overwrite_input(inputs)


def refuse(inputs: Any, at: str, error: InvalidInput, name: str = "error") -> None:
    """Say what is wrong with the form, and mark the input at which it is refused."""
    inputs.view(name, types.Error(label=str(error)))
    mark(inputs.properties[at], error)


def mark(prop: Any, error: InvalidInput) -> None:
    """Refuse the form at an input, which says why."""
    prop.invalid = True
    prop.error_message = str(error)


def overwrite_input(inputs: Any, what: str = "an earlier selection") -> None:
    inputs.bool(
        "overwrite",
        label=f"Replace {what} of that name",
        default=False,
        view=types.CheckboxView(),
    )


BAD_CHOSEN_FROM = {
    "error": "stop and say which (NaN, zero vectors, probabilities that do not sum to 1)",
    "leave_out": "choose among the others, and say how many were left out",
}


def bad_input(inputs: Any, options: dict[str, str] = BAD_CHOSEN_FROM) -> None:
    choice_input(inputs, "bad", "Samples whose values cannot be used", options, "error")


def counts_notice(ctx: Any, inputs: Any, thing: str, kept: str) -> None:
    """How many samples the view has, and what is not done again."""
    total = count_samples(ctx, view_key(ctx), None, None, None, None)["total"]
    inputs.view("counts", types.Notice(label=f"{total} {thing}; {kept}"))


def images_or_objects(objects: str | None) -> str:
    """What is counted, in a few words."""
    return f"images, of which the objects of {objects}" if objects else "images"


def checkbox_input(inputs: Any, name: str, label: str, default: bool = False) -> None:
    """A checkbox."""
    inputs.bool(name, label=label, default=default, view=types.CheckboxView())


def uncertain_input(ctx: Any, inputs: Any) -> None:
    field_input(
        ctx,
        inputs,
        "predictions",
        "Prefer uncertain ones of",
        fields_for(ctx, uncertain_fields),
        missing="",
        description="Predictions: times how unsure the model is (margin)",
        required=False,
    )


def boxes_input(ctx: Any, inputs: Any, label: str) -> None:
    """Whether whole images are meant, or the objects of a field of boxes."""
    boxes = detection_fields(ctx.dataset)
    if not boxes:
        return
    view = types.DropdownView()
    view.add_choice(NONE, label="whole images")
    for choice in boxes:
        view.add_choice(choice.path, label=f"objects of {choice.path}", description=choice.holds)
    inputs.enum("objects", view.values(), label=label, default=NONE, view=view)


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


def budget_of(params: dict[str, Any], default: int = 100) -> int | float:
    """A count, or a share; a form gives every number as it likes."""
    budget: int | float = params.get("budget", default)
    if isinstance(budget, float) and budget > 1 and budget.is_integer():
        return int(budget)
    return budget
