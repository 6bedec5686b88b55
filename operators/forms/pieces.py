"""Pieces of forms: each adds its inputs and returns what was entered. A form computes nothing."""

from __future__ import annotations

from typing import Any

import fiftyone.operators.types as types

from ...alcore import InvalidInput
from ..dataset.fields import (
    Choice,
    detection_fields,
    embedding_fields,
    label_fields,
    prediction_fields,
    truth_fields,
    uncertain_fields,
    usual_truth,
)
from ..dataset.object_fields import Find, of_objects

NONE = ""


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


def optional_field_input(
    ctx: Any,
    inputs: Any,
    name: str,
    label: str,
    choices: list[Choice],
    description: str = "",
    default: str | None = None,
) -> None:
    """The same, where none may be chosen."""
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
    for value, line in options.items():
        view.add_choice(value, label=f"{value.replace('_', ' ')}: {line}")
    inputs.enum(name, view.values(), label=label, default=default, view=view)


def budget_input(inputs: Any, default: int = 100) -> None:
    """The input of how many samples to choose."""
    inputs.float(
        "budget",
        label="Budget",
        description="How many samples to choose; a number below 1 is a share of the candidates",
        default=default,
    )


def predictions_input(ctx: Any, inputs: Any, missing: str, description: str = "") -> None:
    """The input of the predictions to read; ``missing`` is shown where no field fits."""
    field_input(
        ctx,
        inputs,
        "predictions",
        "Predictions",
        fields_for(ctx, prediction_fields),
        missing=missing,
        description=description,
    )


def optional_number_input(
    inputs: Any, name: str, label: str, description: str, **bounds: float
) -> None:
    """A number that may be left out."""
    inputs.float(name, label=label, description=description, required=False, **bounds)


def truth_input(ctx: Any, inputs: Any, label: str, description: str = "") -> None:
    """The input of the field of true labels, ``label_field``."""
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
    """The input of the temperature of softmax."""
    inputs.float(
        "temperature",
        label="Temperature",
        description="Above 1 makes an overconfident model's probabilities softer",
        default=1.0,
    )


def spread_input(ctx: Any, inputs: Any) -> None:
    """The input of the embeddings that keep the chosen samples apart."""
    about = "Embeddings: also keep the chosen samples apart from each other (k-center)"
    optional_field_input(
        ctx, inputs, "embeddings", "Spread over", fields_for(ctx, embedding_fields), about
    )


def fields_for(ctx: Any, find: Find) -> list[Choice]:
    """The fields that fit, those of the objects to choose among first."""
    return of_objects(find, ctx.params.get("objects") or None)(ctx.dataset)


def usual_labels(dataset: Any) -> str:
    """The field that a form takes the labels from until another is chosen."""
    return next((c.path for c in label_fields(dataset) if c.path == "ground_truth"), NONE)


def refuse(inputs: Any, at: str, error: InvalidInput, name: str = "error") -> None:
    """Say what is wrong with the form, and mark the input at which it is refused, if it is there."""
    shown = inputs.view(name, types.Error(label=str(error)))
    mark(inputs.properties.get(at, shown), error)


def mark(prop: Any, error: InvalidInput) -> None:
    """Refuse the form at an input, which says why."""
    prop.invalid = True
    prop.error_message = str(error)


def overwrite_input(inputs: Any, what: str = "an earlier selection") -> None:
    """The input that allows replacing something of the same name."""
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
    """The input of what happens to samples whose values cannot be used."""
    choice_input(inputs, "bad", "Samples whose values cannot be used", options, "error")


def checkbox_input(inputs: Any, name: str, label: str, default: bool = False) -> None:
    """A checkbox."""
    inputs.bool(name, label=label, default=default, view=types.CheckboxView())


def uncertain_input(ctx: Any, inputs: Any) -> None:
    """The input of the predictions by which uncertain samples are preferred."""
    about = "Predictions: times how unsure the model is (margin)"
    optional_field_input(
        ctx, inputs, "predictions", "Prefer uncertain ones of", fields_for(ctx, uncertain_fields), about
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
