"""Inputs that several forms share, their fields and defaults, and the errors and notes of forms."""

from __future__ import annotations

from typing import Any

import fiftyone.operators.types as types

from ...alcore import InvalidInput
from ..dataset.fields import (
    Choice,
    detection_fields,
    embedding_fields,
    likely_labels,
    prediction_fields,
    truth_fields,
    uncertain_fields,
    usual_truth,
)
from ..dataset.object_fields import Find, of_objects

NONE = ""
MISSING = "_missing"  # ends the name of the message that no field fits
MOST_CHOICES = 20  # of a dropdown; an agent is shown no more, and a person looks through no more


def without_dataset(label: str) -> Any:
    """Return the form of an operator for when no dataset is open."""
    inputs = types.Object()
    inputs.view("none", types.Error(label="Open a dataset first"))
    return types.Property(inputs, view=types.View(label=label))


def notes_output(result: dict[str, Any], outputs: Any) -> None:
    """Show the notes of a result, a line each."""
    for number, note in enumerate(result.get("notes") or []):
        outputs.view(f"note_{number}", types.Notice(label=note))


def nothing_output(outputs: Any, sentence: str) -> None:
    """Say that there is nothing in a result, and why."""
    outputs.view("nothing", types.Notice(label=sentence))


def dropdown_input(inputs: Any, name: str, view: Any, **options: Any) -> None:
    """Add a dropdown. Above ``MOST_CHOICES`` choices it is a text, for which they are suggested.

    Args:
        inputs: the inputs of the form.
        name: the name of the input.
        view: the dropdown with its choices.
        **options: its label, description, default and the like, as ``inputs.enum`` takes them.
    """
    if len(view.choices) <= MOST_CHOICES:
        inputs.enum(name, view.values(), view=view, **options)
        return
    suggested = types.AutocompleteView(placeholder=view.to_json().get("placeholder") or "")
    for one in view.choices:
        if one.value != NONE:
            suggested.add_choice(one.value, label=one.label, description=one.description)
    inputs.str(name, view=suggested, **options)


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
    """Add a dropdown of fields.

    A field that a call names or a user types is offered too. It is checked together with the recipe.

    Args:
        ctx: the context of the operator.
        inputs: the inputs of the form.
        name: the name of the input.
        label: its label.
        choices: the fields that fit, each with what it holds.
        missing: the error to show if a field is required and none fits.
        description: a line below the input.
        required: whether a field must be chosen; else "none" is offered too.
        default: the initial value; without it, the first field, or "none" if no field is required.
    """
    if not choices and required:
        inputs.view(f"{name}{MISSING}", types.Error(label=missing))
    # The App shows the placeholder where nothing is chosen.
    view = types.DropdownView(placeholder="" if required else "none")
    if not required:
        view.add_choice(NONE, label="none")
    for choice in choices:
        view.add_choice(choice.path, label=choice.path, description=choice.holds)
    given = ctx.params.get(name)
    if given and given not in view.values():
        view.add_choice(given, label=given)
    if default is None and choices and required:
        default = choices[0].path
    dropdown_input(
        inputs,
        name,
        view,
        label=label,
        description=description,
        required=required and not choices,
        default=default if default is not None else NONE,
    )


def optional_field_input(
    ctx: Any,
    inputs: Any,
    name: str,
    label: str,
    choices: list[Choice],
    description: str = "",
    default: str | None = None,
) -> None:
    """Add a dropdown of fields in which "none" can be chosen; see ``field_input``."""
    field_input(
        ctx,
        inputs,
        name,
        label,
        choices,
        missing="",
        description=description,
        required=False,
        default=default,
    )


def fields_input(
    inputs: Any,
    name: str,
    label: str,
    choices: list[Choice],
    description: str = "",
    default: list[str] | None = None,
) -> None:
    """Add a dropdown of fields in which several can be chosen."""
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
    """Add radio buttons; ``options`` maps each value to a line that describes it."""
    view = types.RadioGroup(orientation="vertical")
    for value, line in options.items():
        view.add_choice(value, label=f"{value.replace('_', ' ')}: {line}")
    inputs.enum(name, view.values(), label=label, default=default, view=view)


def budget_input(inputs: Any, default: int = 100) -> None:
    """Add the input for the budget: a number of samples, or below 1 a share of the candidates."""
    inputs.float(
        "budget",
        label="Budget",
        description="How many samples to choose; a number below 1 is a share of the candidates",
        default=default,
    )


def predictions_input(
    ctx: Any,
    inputs: Any,
    missing: str,
    description: str = "What the model says of each sample",
    choices: list[Choice] | None = None,
) -> None:
    """Add the input for the predictions to read; ``missing`` is the error if no field fits.

    ``choices`` are the fields that fit; by default those of predictions of classes.
    """
    field_input(
        ctx,
        inputs,
        "predictions",
        "Predictions",
        fields_for(ctx, prediction_fields) if choices is None else choices,
        missing=missing,
        description=description,
    )


def optional_number_input(
    inputs: Any, name: str, label: str, description: str, **bounds: float
) -> None:
    """Add the input for a number that can be left empty."""
    inputs.float(name, label=label, description=description, required=False, **bounds)


def truth_input(ctx: Any, inputs: Any, label: str, description: str = "The true labels") -> None:
    """Add the input for the field of true labels, ``label_field``."""
    field_input(
        ctx,
        inputs,
        "label_field",
        label,
        truth_fields(ctx.dataset),
        missing="This dataset has no field of labels",
        description=description,
        default=usual_truth(ctx.dataset),
    )


def temperature_input(inputs: Any) -> None:
    """Add the input for the temperature of softmax."""
    inputs.float(
        "temperature",
        label="Temperature",
        description="Above 1 makes an overconfident model's probabilities softer",
        default=1.0,
    )


def spread_input(ctx: Any, inputs: Any) -> None:
    """Add the input for the embeddings by which the chosen samples differ from each other."""
    about = "Embeddings: also keep the chosen samples apart from each other (k-center)"
    optional_field_input(
        ctx, inputs, "embeddings", "Spread over", fields_for(ctx, embedding_fields), about
    )


def fields_for(ctx: Any, find: Find) -> list[Choice]:
    """Return the fields that ``find`` finds; those of objects first if objects are chosen."""
    return of_objects(find, ctx.params.get("objects") or None)(ctx.dataset)


def usual_labels(dataset: Any) -> str:
    """Return the likeliest field of labels; "" if none looks like one."""
    return next((choice.path for choice in likely_labels(dataset)), NONE)


def refuse(inputs: Any, at: str, error: InvalidInput, name: str = "error") -> None:
    """Show an error in the form, and mark the input ``at`` as invalid, if the form has it.

    Where the form says already that a field is missing, whatever else is wrong comes of that, so it
    stays the only message.
    """
    missing = [one for key, one in inputs.properties.items() if key.endswith(MISSING)]
    if missing:
        mark(missing[0], InvalidInput(missing[0].view.label))
        return
    shown = inputs.view(name, types.Error(label=str(error)))
    mark(inputs.properties.get(at, shown), error)


def mark(prop: Any, error: InvalidInput) -> None:
    """Mark an input as invalid, with the error as its message."""
    prop.invalid = True
    prop.error_message = str(error)


def overwrite_input(inputs: Any, what: str = "an earlier selection") -> None:
    """Add the checkbox that allows replacing an existing result of the same name."""
    inputs.bool(
        "overwrite",
        label=f"Replace {what} of that name",
        description="Otherwise a name that is taken is refused",
        default=False,
        view=types.CheckboxView(),
    )


BAD_CHOSEN_FROM = {
    "error": "stop and say which (NaN, zero vectors, probabilities that do not sum to 1)",
    "leave_out": "choose among the others, and say how many were left out",
}


def bad_input(inputs: Any, options: dict[str, str] = BAD_CHOSEN_FROM) -> None:
    """Add the input for the treatment of samples whose values cannot be used."""
    choice_input(inputs, "bad", "Samples whose values cannot be used", options, "error")


def checkbox_input(inputs: Any, name: str, label: str, description: str, default: bool = False) -> None:
    """Add a checkbox."""
    view = types.CheckboxView()
    inputs.bool(name, label=label, description=description, default=default, view=view)


def uncertain_input(ctx: Any, inputs: Any) -> None:
    """Add the input for the predictions by which uncertain samples are preferred."""
    about = "Predictions: times how unsure the model is (margin)"
    optional_field_input(
        ctx, inputs, "predictions", "Prefer uncertain ones of", fields_for(ctx, uncertain_fields), about
    )


def boxes_input(ctx: Any, inputs: Any, label: str) -> None:
    """Add the input for whole images or the objects of a field of boxes, if there is such a field."""
    boxes = detection_fields(ctx.dataset)
    if not boxes:
        return
    view = types.DropdownView(placeholder="whole images")
    view.add_choice(NONE, label="whole images")
    for choice in boxes:
        view.add_choice(choice.path, label=f"objects of {choice.path}", description=choice.holds)
    about = "Each image, or each object of a field, by its box"
    dropdown_input(inputs, "objects", view, label=label, description=about, default=NONE)
