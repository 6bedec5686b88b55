"""Loads classifiers and their image transforms.

What a form names is never unpickled or imported. The only exception are the factories that the server's
administrator lists in the environment variable ALCORE_MODEL_FACTORIES, as ``package.module:function``,
separated by commas.
"""

from __future__ import annotations

import importlib
import os
import re
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from torch import nn

from ...alcore import InvalidInput
from .images import Squared, Transform

FACTORIES = "ALCORE_MODEL_FACTORIES"
# The first parts of the names of architectures with active dropout layers.
WITH_DROPOUT = ("alexnet", "efficientnet", "mnasnet", "mobilenet", "squeezenet", "vgg")
# These rescale their input or not, depending on the weights. A state file does not tell which.
UNTOLD = ("googlenet", "inception_v3")
IMAGE_SIZE = 224
SHOWN = 2


@dataclass(frozen=True)
class Classifier:
    """A classifier, and what it needs.

    Attributes:
        name: its name in records.
        module: the network, which returns (B, C) logits.
        transform: converts an RGB PIL image to a tensor.
        classes: the names of its C outputs; None if they are unknown.
    """

    name: str
    module: nn.Module
    transform: Transform
    classes: list[str] | None = None


@contextmanager
def back_on_device(module: nn.Module) -> Iterator[None]:
    """Context that moves a network back to its original device at the end, as a caller may use it."""
    device = next((p.device for p in module.parameters()), torch.device("cpu"))
    try:
        yield
    finally:
        module.to(device)
        if torch.cuda.is_available():
            torch.cuda.empty_cache()  # what the run took is there for other processes


def source_of(model: str, weights: str | None = None) -> str:
    """Return the source of a model: "factory", "torchvision" (if weights are given) or "zoo"."""
    if ":" in model:
        return "factory"
    return "torchvision" if weights else "zoo"


def load(
    model: Any,
    weights: str | None = None,
    classes: list[str] | None = None,
    image_size: int = IMAGE_SIZE,
    transform: Transform | None = None,
) -> Classifier:
    """Load a classifier from a name or an object.

    Args:
        model: the name of a zoo model, of a torchvision architecture (with ``weights``), or of a
            factory that the server allows. In Python it may also be a torch module, a FiftyOne torch
            model, or a function without arguments that returns a module, or a module and its transform.
        weights: a state file, written by ``torch.save(module.state_dict(), path)``. For a torchvision
            architecture, it may also be the name of weights that torchvision downloads, or "DEFAULT".
        classes: the names of the outputs, in order.
        image_size: if the model has no transform, images are resized to this width and height, and
            normalized as for ImageNet.
        transform: replaces the model's own transform.

    Raises:
        InvalidInput: if the name is unknown or not allowed, or if the file is not a state file or does
            not fit.
    """
    if isinstance(model, str):
        source = source_of(model, weights)
        if source == "zoo":
            found = _from_zoo(model)
        elif source == "torchvision":
            found = _from_torchvision(model, str(weights), classes)
        else:
            found = _from_factory(_allowed(model), model)
    elif isinstance(model, nn.Module):
        found = (type(model).__name__, model, None, None)
    elif hasattr(model, "_model") and hasattr(model, "_transforms"):
        found = _from_fiftyone(model, type(model).__name__)
    elif callable(model):
        found = _from_factory(model, getattr(model, "__name__", type(model).__name__))
    else:
        raise InvalidInput(
            f"model: {type(model).__name__} is not a model; give a name, a torch module or a function "
            "that makes one"
        )
    name, module, own_transform, own_classes = found
    if weights and not (isinstance(model, str) and source_of(model, weights) == "torchvision"):
        _fill(module, _read_state(weights), weights, name)
    return Classifier(
        name,
        module,
        transform or own_transform or Squared(image_size),
        list(map(str, classes or own_classes or [])) or None,
    )


def describe(transform: Transform) -> str:
    """Return a text for a transform that is the same in every process: without memory addresses."""
    named = getattr(transform, "__qualname__", None)
    return re.sub(r" at 0x[0-9a-f]+", "", str(named) if named else repr(transform))


def zoo_names() -> list[str]:
    """Return the names of zoo models that return class logits and have dropout layers."""
    import fiftyone.zoo as foz

    names = foz.list_zoo_models(tags=["torch", "classification", "logits", "imagenet"])
    return [one for one in names if one.startswith(WITH_DROPOUT)]


def architectures() -> list[str]:
    """Return the names of torchvision's classifiers that have dropout layers."""
    import torchvision

    names = torchvision.models.list_models(module=torchvision.models)
    return [one for one in names if one.startswith(WITH_DROPOUT)]


def factories() -> list[str]:
    """Return the factories that the server allows to be imported."""
    return [one.strip() for one in os.environ.get(FACTORIES, "").split(",") if one.strip()]


# Name, module, transform and classes of a model; the last two are None if the source has none.
Found = tuple[str, nn.Module, Transform | None, list[str] | None]


def _from_zoo(name: str) -> Found:
    return _from_fiftyone(zoo_model(name), name)


def zoo_model(name: str, tags: tuple[str, ...] = ("torch",)) -> Any:
    """Load a model of FiftyOne's zoo; it is downloaded if needed.

    Args:
        name: the name of the model.
        tags: tags that the model must have in the zoo.

    Raises:
        InvalidInput: if the zoo has no such model with these tags.
    """
    import fiftyone.zoo as foz

    # Only known names are accepted, because load_zoo_model also accepts a URL and runs code from there.
    if name not in foz.list_zoo_models(tags=list(tags)):
        raise InvalidInput(
            f"model: {name!r} is not a torch model of FiftyOne's zoo; for a torchvision architecture "
            "give its state file too (weights)"
        )
    return foz.load_zoo_model(name)


def _from_fiftyone(model: Any, name: str) -> Found:
    module, transform = getattr(model, "_model", None), getattr(model, "_transforms", None)
    raw = getattr(getattr(model, "config", None), "raw_inputs", False)
    if not isinstance(module, nn.Module) or transform is None or raw:
        raise InvalidInput(
            f"model: {name!r} does not take images as one tensor; give its torch module and a "
            "transform from Python"
        )
    classes = getattr(model, "classes", None)
    return name, module, transform, list(classes) if classes else None


def _from_torchvision(name: str, weights: str, classes: list[str] | None) -> Found:
    import torchvision

    if name not in torchvision.models.list_models(module=torchvision.models):
        raise InvalidInput(f"model: torchvision has no classifier {name!r}")
    offered = torchvision.models.get_model_weights(name)
    if weights in offered.__members__:
        chosen = offered[weights]
        module = torchvision.models.get_model(name, weights=chosen)
        return f"{name} ({weights})", module, chosen.transforms(), list(chosen.meta["categories"])
    if name in UNTOLD:
        raise InvalidInput(
            f"model: {name!r} may rescale its input, which a state file does not say; give the module "
            "from Python"
        )
    state = _read_state(weights)
    outputs = [one for one in state.values() if one.ndim][-1].shape[0]
    if classes and len(classes) != outputs:
        raise InvalidInput(
            f"classes: {len(classes)} names for the {outputs} outputs of the last layer in "
            f"{Path(weights).name!r}; name each output, in order"
        )
    module = torchvision.models.get_model(name, weights=None, num_classes=outputs)
    _fill(module, state, weights, name)
    return f"{name} ({Path(weights).name})", module, None, None


def _allowed(name: str) -> Callable[[], Any]:
    if name not in factories():
        raise InvalidInput(
            f"model: {name!r} is not a factory that this server allows; whoever runs it can list it in "
            f"the environment variable {FACTORIES}"
        )
    module, _, function = name.partition(":")
    try:
        found: Callable[[], Any] = getattr(importlib.import_module(module), function)
    except (ImportError, AttributeError) as error:
        raise InvalidInput(f"model: {name!r} is allowed but could not be imported: {error}") from error
    return found


def _from_factory(factory: Callable[[], Any], name: str) -> Found:
    made = factory()
    module, transform = made if isinstance(made, tuple) and len(made) == 2 else (made, None)
    if not isinstance(module, nn.Module):
        raise InvalidInput(
            f"model: {name!r} gave {type(module).__name__}; it must give a torch module, or a module "
            "and its transform"
        )
    return name, module, transform, None


def _read_state(path: str) -> dict[str, torch.Tensor]:
    """Return the tensors of a state file by name.

    Raises:
        InvalidInput: if the file does not exist or is not a state file.
    """
    name = Path(path).name
    if not Path(path).is_file():
        raise InvalidInput(f"weights: there is no file {path!r} on the machine that runs this")
    try:
        state = torch.load(path, map_location="cpu", weights_only=True)
    except Exception as error:
        # An arbitrary file can cause any error, and its message may contain bytes of the file.
        # Therefore the message is not shown.
        raise InvalidInput(
            f"weights: {name!r} cannot be read as a state file ({type(error).__name__}); write it with "
            "torch.save(module.state_dict(), path), for whole pickled objects are not opened"
        ) from None
    for wrapper in ("state_dict", "model"):
        if isinstance(state, dict) and isinstance(state.get(wrapper), dict):
            state = state[wrapper]
    tensors = isinstance(state, dict) and all(isinstance(one, torch.Tensor) for one in state.values())
    if not tensors or not any(one.ndim for one in state.values()):
        raise InvalidInput(
            f"weights: {name!r} does not hold a network's tensors by name; write it with "
            "torch.save(module.state_dict(), path)"
        )
    wrapped = all(key.startswith("module.") for key in state)  # as DataParallel names them
    return {key.removeprefix("module.") if wrapped else key: one for key, one in state.items()}


def _fill(module: nn.Module, state: dict[str, torch.Tensor], path: str, name: str) -> None:
    """Load the tensors of a state file into a network.

    Raises:
        InvalidInput: if a tensor is missing, unknown or of another shape.
    """
    wanted = module.state_dict()
    faults = {
        "it lacks": [key for key in wanted if key not in state],
        "it alone has": [key for key in state if key not in wanted],
        "of another shape are": [
            key for key in wanted if key in state and wanted[key].shape != state[key].shape
        ],
    }
    differences = [
        f"{what} {len(keys)} ({', '.join(keys[:SHOWN])}{', ...' if len(keys) > SHOWN else ''})"
        for what, keys in faults.items()
        if keys
    ]
    if differences:
        raise InvalidInput(
            f"weights: the tensors of {Path(path).name!r} are not those of {name}: "
            + "; ".join(differences)
        )
    module.load_state_dict(state)
