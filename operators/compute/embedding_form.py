"""The form of compute_embeddings, and the conversion of its parameters."""

from __future__ import annotations

from typing import Any

import fiftyone as fo
import fiftyone.operators.types as types

from ...alcore import InvalidInput
from ...alcore.images.crops import PADDING
from ...alcore.networks import networks
from ...alcore.networks.self_supervised import LEARNING_RATE, METHODS, Settings
from ..dataset.fields import document_type, label_fields
from ..forms import pieces
from .embedders import DEFAULT, architectures, is_architecture, zoo_embedders
from .embedding_field import EmbeddingRequest
from .model_inputs import (
    ARCHITECTURE_ABOUT,
    FACTORY_ABOUT,
    OTHER_SETTINGS,
    ZOO_ABOUT,
    batch_input,
    name_input,
    size_input,
    source_input,
    whole,
)
from .models import factories
from .pretraining import Training

SOURCES = {
    "zoo": "a model of FiftyOne's zoo, downloaded where needed",
    "torchvision": "one of torchvision's classifiers, with downloaded weights or your own state file",
    "factory": "a function that the server's environment variable ALCORE_MODEL_FACTORIES lists",
    "self_supervised": "a network trained on these images, without labels",
}
WAYS = {
    "simclr": "contrastive; the usual choice",
    "moco": "contrastive, with a memory of earlier images; for small batches",
    "simsiam": "needs no negatives; may collapse on few images",
    "barlow_twins": "makes the dimensions differ; needs no negatives",
    "dino": "a student follows its teacher, from small crops too; slower",
}
POOLS = {
    "": "none",
    "mean": "the mean of its objects'",
    "max": "the largest of its objects', by dimension",
}
EPOCHS, TRAINING_SIZE = Settings.epochs, Settings.image_size


def source_inputs(ctx: Any, inputs: Any, source: str) -> None:
    """Add the inputs for one source of networks: model, weights, layer and image size."""
    source_input(inputs, "Network", SOURCES, source, "torchvision")
    if source == "self_supervised":
        training_inputs(ctx, inputs)
        return
    if source == "zoo":
        name_input(ctx, inputs, "zoo", "Zoo model", ZOO_ABOUT, zoo_embedders())
    elif source == "torchvision":
        name_input(
            ctx, inputs, "torchvision", "Architecture", ARCHITECTURE_ABOUT, architectures(), "resnet18"
        )
        inputs.str(
            "weights",
            label="Weights",
            description="DEFAULT downloads torchvision's; or the path of a state file on the machine "
            "that runs this, torch.save(module.state_dict(), path)",
            default=DEFAULT,
        )
    else:
        name_input(ctx, inputs, "factory", "Factory", FACTORY_ABOUT, factories())
    inputs.str(
        "layer",
        label="Layer",
        description="Its output is the vector, with < before it its input; left empty, the model's own "
        "embeddings, else the input of the last linear layer",
        required=False,
    )
    if source != "zoo":
        size_input(inputs)


def training_inputs(ctx: Any, inputs: Any) -> None:
    """Add the inputs for self-supervised training."""
    pieces.choice_input(inputs, "self_supervised", "Method", WAYS, "simclr")
    about = "Of the network that is trained"
    architectures = networks.architectures()
    name_input(ctx, inputs, "architecture", "Architecture", about, architectures, "resnet18")
    inputs.str(
        "weights",
        label="Start from",
        description="DEFAULT downloads torchvision's; or a state file; left empty, from scratch",
        required=False,
    )
    inputs.int(
        "image_size",
        label="Image size",
        description="64 to 128 suit a small machine",
        default=TRAINING_SIZE,
        min=16,
    )
    inputs.int(
        "epochs", label="Epochs", description="How often each image is seen", default=EPOCHS, min=1
    )
    about = "Of training; contrastive methods learn more from larger ones"
    usual = Settings.batch_size
    inputs.int("training_batch", label="Images a batch", description=about, default=usual, min=2)
    about = "Of training, at its start"
    inputs.float("learning_rate", label="Learning rate", description=about, default=LEARNING_RATE)
    inputs.str(
        "agreement_field",
        label="Field for the agreement of views",
        description="Contrastive methods: the sum over epochs of how alike an image's two views were; "
        "the lowest are a coreset (Ju et al., 2021). Left empty, it is not written",
        required=False,
    )


def objects_inputs(ctx: Any, inputs: Any) -> None:
    """Add the inputs for objects: their field, the padding and the pooling."""
    pieces.boxes_input(ctx, inputs, "Embed")
    if ctx.params.get("objects"):
        inputs.float(
            "padding",
            label="Padding",
            description="Around an object, as a share of its box",
            default=PADDING,
        )
        pools = types.RadioGroup(orientation="vertical")
        for value, about in POOLS.items():
            pools.add_choice(value, label=about)
        inputs.enum("pool", pools.values(), label="A vector an image, too", default="", view=pools)


def further_inputs(ctx: Any, inputs: Any, objects: str | None) -> None:
    """Add the inputs that every source has, such as PCA and the brain key."""
    inputs.int(
        "components",
        label="PCA",
        description="Reduce the vectors to so many dimensions; left empty, they stay as they are",
        required=False,
        min=1,
    )
    inputs.str(
        "brain_key",
        label="Brain key",
        description="Also make a similarity run of this key, and key_plane for the embeddings panel; "
        "left empty, none",
        required=False,
    )
    if not objects:
        usual = usual_labels(ctx.dataset) or pieces.NONE
        labels = [choice for choice in label_fields(ctx.dataset) if choice.holds == "Classification"]
        about = "Labels by which the nearest neighbors are judged; nothing is trained on them"
        pieces.optional_field_input(
            ctx, inputs, "label_field", "Judge by", labels, about, default=usual
        )
    batch_input(inputs)
    inputs.int("seed", label="Seed", description="Of training and PCA", default=0, min=0)
    pieces.checkbox_input(inputs, "overwrite", "Replace embeddings of other settings", OTHER_SETTINGS)


def source_for(model: str) -> str:
    """Return the source that provides a model with this name."""
    if model in METHODS:
        return "self_supervised"
    if ":" in model:
        return "factory"
    return "torchvision" if is_architecture(model) else "zoo"


def source_of(params: dict[str, Any]) -> str:
    """Return the source that is chosen in a form; default: torchvision."""
    source = params.get("source") or "torchvision"
    return source if source in SOURCES else "torchvision"


def name_of(params: dict[str, Any]) -> str:
    """Return the name of the model that is chosen in a form.

    Raises:
        InvalidInput: if none is chosen.
    """
    name = params.get(source_of(params))
    if not name:
        raise InvalidInput("model: none is chosen")
    return str(name)


def usual_labels(dataset: Any) -> str | None:
    """Return "ground_truth" if that field holds Classifications, else None."""
    kind = document_type(dataset.get_field("ground_truth"))
    return "ground_truth" if kind is fo.Classification else None


def labels_of(params: dict[str, Any]) -> str | None:
    """Return the label field by which the embeddings are evaluated; None if there is none."""
    return params.get("label_field") or None


def request_of(params: dict[str, Any]) -> EmbeddingRequest:
    """Convert the parameters of a form to a request."""
    objects = params.get("objects") or None
    if source_of(params) == "self_supervised":
        objects = None
    padding = params.get("padding")
    return EmbeddingRequest(
        field=params.get("field") or ("embedding" if objects else "embeddings"),
        batch_size=whole(params, "batch_size", 32),
        components=whole(params, "components", 0) or None,
        brain_key=params.get("brain_key") or None,
        objects=objects,
        padding=PADDING if padding is None else float(padding),
        pool=(params.get("pool") or None) if objects else None,
        pool_field=params.get("pool_field") or None,
        seed=whole(params, "seed", 0),
        overwrite=bool(params.get("overwrite")),
        device=params.get("device") or "auto",
    )


def training_of(params: dict[str, Any]) -> Training:
    """Convert the parameters of a form to the settings of self-supervised training."""
    settings = Settings(
        method=params.get("self_supervised") or "simclr",
        architecture=params.get("architecture") or Settings.architecture,
        image_size=whole(params, "image_size", TRAINING_SIZE),
        epochs=whole(params, "epochs", EPOCHS),
        batch_size=whole(params, "training_batch", Settings.batch_size),
        learning_rate=float(params.get("learning_rate", LEARNING_RATE)),
        seed=whole(params, "seed", 0),
    )
    return Training(
        settings,
        params.get("weights") or None,
        params.get("agreement_field") or None,
        overwrite=bool(params.get("overwrite")),
        device=params.get("device") or "auto",
    )
