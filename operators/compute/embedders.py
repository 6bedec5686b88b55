"""Networks that compute embeddings: FiftyOne models with embeddings, or a layer of any network."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from torch import nn

from ...alcore import InvalidInput
from ...alcore.networks.layers import OUTPUT, check_layer, default_layer
from .images import Collate, Transform
from .models import IMAGE_SIZE, load, zoo_model

DEFAULT = "DEFAULT"


@dataclass(frozen=True)
class Embedder:
    """A network that computes embeddings, and what it needs.

    Attributes:
        name: its name in records.
        module: any network.
        transform: converts an RGB PIL image to one element of a batch.
        layer: the layer whose activations are the vectors, in the form that
            ``networks.layers.embed_batches`` accepts.
        collate: makes a batch from a list of elements; None to stack them.
        trained: the record of the training, if the network was trained on the images of the dataset.
    """

    name: str
    module: nn.Module
    transform: Transform
    layer: str
    collate: Collate | None = None
    trained: dict[str, Any] | None = None


def load_embedder(
    model: Any,
    weights: str | None = None,
    layer: str | None = None,
    image_size: int = IMAGE_SIZE,
    transform: Transform | None = None,
) -> Embedder:
    """Load a network that computes embeddings, from a name or an object.

    Args:
        model: the name of a zoo model or a torchvision classifier, or a factory that the server allows.
            In Python it may also be a torch module, a FiftyOne model, or a function without arguments
            that returns a module, or a module and its transform.
        weights: for a torchvision classifier, a state file or the name of weights that torchvision
            downloads; None for "DEFAULT". For a module, a state file.
        layer: None for a FiftyOne model's own embeddings, else for the input of the last linear layer.
        image_size: if the model has no transform, images are resized to this width and height.
        transform: replaces the model's own transform.

    Raises:
        InvalidInput: if the name is unknown or not allowed, if the file is not a state file or does not
            fit, or if the network does not have the layer.
    """
    name = model if isinstance(model, str) else type(model).__name__
    if isinstance(model, str) and is_architecture(model):
        weights = weights or DEFAULT
    elif isinstance(model, str) and ":" not in model:
        if weights:
            raise InvalidInput(
                f"weights: {model!r} is no torchvision classifier; a zoo model brings its own"
            )
        model = zoo_model(model, ("torch", "embeddings")) if not layer else zoo_model(model)
    if _embeds_itself(model) and not layer and transform is None:
        return _from_fiftyone(model, name)
    found = load(model, weights, None, image_size, transform)
    layer = layer or default_layer(found.module)
    check_layer(found.module, layer)
    return Embedder(found.name, found.module, found.transform, layer)


def is_architecture(name: str) -> bool:
    """Return whether torchvision has a classifier with this name."""
    import torchvision

    return name in torchvision.models.list_models(module=torchvision.models)


def zoo_embedders() -> list[str]:
    """Return the names of the zoo models that compute embeddings themselves."""
    import fiftyone.zoo as foz

    return list(foz.list_zoo_models(tags=["torch", "embeddings"]))


def architectures() -> list[str]:
    """Return the names of torchvision's classifiers."""
    import torchvision

    return list(torchvision.models.list_models(module=torchvision.models))


def _embeds_itself(model: Any) -> bool:
    return bool(getattr(model, "has_embeddings", False)) and hasattr(model, "embed_all")


def _from_fiftyone(model: Any, name: str) -> Embedder:
    if getattr(model, "media_type", "image") != "image":
        raise InvalidInput(f"model: {type(model).__name__} takes no images, but {model.media_type}s")
    transform = getattr(model, "transforms", None)
    collate: Collate | None = None
    if getattr(model, "has_collate_fn", False):
        collate = model.collate_fn
    elif getattr(model, "ragged_batches", True) or transform is None:
        collate = list
    return Embedder(name, _FiftyOne(model), transform or np.array, OUTPUT, collate)


class _FiftyOne(nn.Module):
    """A FiftyOne model's own embeddings, as a torch module."""

    def __init__(self, model: Any) -> None:
        super().__init__()
        network = getattr(model, "_model", None)
        if isinstance(network, nn.Module):
            self.network = network
        self._theirs = model

    def forward(self, batch: Any) -> torch.Tensor:
        model = self._theirs
        # The reading threads have already preprocessed the images. Also, this module may have been
        # moved to another device.
        attributes: dict[str, Any] = {"preprocess": False}
        device = next((one.device for one in self.parameters()), None)
        if device is not None and hasattr(model, "_device"):
            attributes["_device"] = device
        before = {name: getattr(model, name) for name in attributes}
        try:
            for name, value in attributes.items():
                setattr(model, name, value)
            return torch.as_tensor(np.asarray(model.embed_all(batch)))
        finally:
            for name, value in before.items():
                setattr(model, name, value)
