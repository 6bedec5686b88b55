"""Form inputs shared by operators that run a network."""

from __future__ import annotations

import json
from typing import Any

import fiftyone.operators.types as types

from ...alcore import InvalidInput
from ..forms import pieces
from .models import IMAGE_SIZE, factories

ZOO_ABOUT = "A model of FiftyOne's zoo, downloaded where needed"
ARCHITECTURE_ABOUT = "One of torchvision.models"
FACTORY_ABOUT = "A function that the server lists in ALCORE_MODEL_FACTORIES"
OTHER_SETTINGS = "Otherwise a field that other settings made is refused"


def source_input(inputs: Any, label: str, sources: dict[str, str], given: str, default: str) -> None:
    """Add the input for the network's source. Factories are offered only if the server allows any."""
    offered = {name: about for name, about in sources.items() if name != "factory" or factories()}
    pieces.choice_input(inputs, "source", label, {given: sources[given], **offered}, default)


def name_input(
    ctx: Any,
    inputs: Any,
    name: str,
    label: str,
    description: str,
    names: list[str],
    default: str | None = None,
) -> None:
    """Add a dropdown of names."""
    view = types.DropdownView()
    # A name given in Python is kept as a choice. Loading the model checks whether it is valid.
    given = ctx.params.get(name)
    for one in [*names, *([given] if given and given not in names else [])]:
        view.add_choice(one, label=one)
    pieces.dropdown_input(
        inputs, name, view, label=label, description=description, required=True, default=default
    )


def batch_input(inputs: Any, default: int = 32) -> None:
    """Add the input for the number of images of a batch."""
    about = "Images computed at once; fewer take less memory"
    inputs.int("batch_size", label="Batch size", description=about, default=default, min=1)


def size_input(inputs: Any) -> None:
    """Add the input for the size to which images are resized."""
    about = "Images are resized to this square, unless the model brings a transform"
    inputs.int("image_size", label="Image size", description=about, default=IMAGE_SIZE, min=1)


def class_names_in(given: str | None) -> list[str]:
    """Return class names that are separated by commas, or a JSON list if a name has a comma.

    Raises:
        InvalidInput: if the JSON is invalid.
    """
    text = (given or "").strip()
    if text.startswith("["):
        try:
            return list(map(str, json.loads(text)))
        except json.JSONDecodeError as error:
            raise InvalidInput(f"classes: is not a JSON list: {error}") from None
    return [one.strip() for one in text.split(",") if one.strip()]


def whole(params: dict[str, Any], name: str, default: int) -> int:
    """Return a parameter as an integer. A form may give it as a float, or leave it empty."""
    value = params.get(name)
    return default if value is None else int(value)


def refuse_delegation(delegate: bool) -> None:
    """Check that a call with a model or transform as a Python object is not delegated.

    Raises:
        InvalidInput: if ``delegate`` is True.
    """
    if delegate:
        raise InvalidInput(
            "delegate: a worker cannot be given a model or transform from Python; give the name of a "
            "model, or do not delegate"
        )
