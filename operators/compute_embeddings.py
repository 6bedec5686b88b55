"""compute_embeddings: vectors of images or objects, from a network given or trained on them."""

from __future__ import annotations

from typing import Any

import fiftyone as fo
import fiftyone.operators as foo
import fiftyone.operators.types as types
from fiftyone.operators.executor import ExecutionResult

from ..alcore import InvalidInput
from ..alcore.embed import networks
from ..alcore.embed.crops import PADDING
from ..alcore.embed.self_supervised import LEARNING_RATE, METHODS, Settings
from . import forms
from .embedders import DEFAULT, Embedder, architectures, is_architecture, load_embedder, zoo_embedders
from .embedding import Request, check_request, detection_fields, embed_view
from .fields import document_type, label_fields
from .judging import accuracy_of
from .model_inputs import name_input, size_input, source_input, whole
from .models import IMAGE_SIZE, factories
from .pretraining import Training, check_training, pretrain
from .running import Progress, throttled
from .selecting import call, writing_config

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
TRAIN_SHARE = 0.7
EPOCHS, TRAINING_SIZE = Settings.epochs, Settings.image_size


class ComputeEmbeddings(foo.Operator):
    label = "Active learning: compute embeddings"

    @property
    def config(self) -> Any:
        return writing_config(
            "compute_embeddings",
            self.label,
            "Gives each image, or each object, a vector, for diversity, coverage and similarity",
            "grain",
        )

    def resolve_input(self, ctx: Any) -> Any:
        if ctx.dataset is None:
            return forms.without_dataset(self.label)
        inputs = types.Object()
        inputs.md(
            "Gives each image a vector; images that look alike to the network lie close together.",
            name="about",
        )
        source = _source_of(ctx.params)
        _source_inputs(ctx, inputs, source)
        if source != "self_supervised":
            _objects_inputs(ctx, inputs)
        objects = ctx.params.get("objects") if source != "self_supervised" else None
        field = inputs.str(
            "field",
            label="Attribute" if objects else "Field",
            description="Written to it",
            default="embedding" if objects else "embeddings",
        )
        _further_inputs(ctx, inputs, objects)
        _counts(ctx, inputs, objects)
        try:
            check_request(ctx.dataset, _request_of(ctx.params))
            if source == "self_supervised":
                check_training(ctx.dataset, _training_of(ctx.params))
        except InvalidInput as error:
            field.invalid = True
            field.error_message = str(error)
        return types.Property(inputs, view=types.View(label=self.label))

    def resolve_run_name(self, ctx: Any) -> str:
        return f"{self.label}: {ctx.params.get('field') or 'embeddings'}"

    def execute(self, ctx: Any) -> dict[str, Any]:
        params = ctx.params
        request = _request_of(params)
        check_request(ctx.dataset, request)
        report = throttled(lambda share, label: ctx.set_progress(progress=share, label=label))
        view = ctx.target_view(require_flat=True)
        name, source = _name_of(params), _source_of(params)
        if source == "self_supervised":
            result = _train_and_embed(view, _training_of(params), request, _label_field(params), report)
        else:
            report(0.0, "Loading the model")
            embedder = load_embedder(
                name,
                (params.get("weights") or None) if source in ("torchvision", "factory") else None,
                params.get("layer") or None,
                params.get("image_size") or IMAGE_SIZE,
            )
            result = _embed(view, embedder, request, _label_field(params), report)
        ctx.ops.reload_dataset()
        return result

    def resolve_output(self, ctx: Any) -> Any:
        outputs = types.Object()
        outputs.str("path", label="Field")
        outputs.str("model", label="Model")
        outputs.str("layer", label="Layer")
        outputs.int("dimensions", label="Dimensions")
        outputs.int("embedded", label="Embedded")
        if ctx.results.get("neighbour_accuracy") is not None:
            outputs.float(
                "neighbour_accuracy", label="Accuracy of the 5 nearest neighbours, by the labels"
            )
        forms.notes_output(ctx, outputs)
        return types.Property(outputs, view=types.View(label="Embedded"))

    def __call__(
        self,
        sample_collection: Any,
        model: Any,
        field: str | None = None,
        layer: str | None = None,
        weights: str | None = None,
        objects: str | None = None,
        brain_key: str | None = None,
        components: int | None = None,
        *,
        padding: float = PADDING,
        pool: str | None = None,
        pool_field: str | None = None,
        label_field: str | None = None,
        image_size: int | None = None,
        transform: Any = None,
        architecture: str = Settings.architecture,
        epochs: int = EPOCHS,
        training_batch: int = Settings.batch_size,
        learning_rate: float = LEARNING_RATE,
        agreement_field: str | None = None,
        batch_size: int = 32,
        seed: int = 0,
        overwrite: bool = False,
        device: str = "auto",
        delegate: bool = False,
    ) -> Any:
        """Give each image of a dataset or view a vector, or each of its objects.

        Args:
            sample_collection: a dataset or view of images.
            model: a zoo model's name; a torchvision classifier's; the name of a factory that the server
                allows; one of "simclr", "moco", "simsiam", "barlow_twins" and "dino", to train a
                network on these images; or a torch module, a FiftyOne model, or a function without
                arguments that gives a module or a module and its transform.
            field: written to it; default: "embeddings", of objects "embedding".
            layer: whose output is the vector, with ``<`` before it whose input; "output" is what the
                model gives. Default: the model's own embeddings, else the input of the last linear
                layer.
            weights: a state file, or weights that torchvision downloads ("DEFAULT"); of a network to be
                trained, what it starts from.
            objects: a field of Detections, each of which is cut out and embedded; ``field`` is then an
                attribute of theirs.
            brain_key: also make a similarity run of this key, and one of ``key_plane`` for the
                embeddings panel.
            components: reduce the vectors to so many dimensions by PCA.
            padding: around an object, as a share of its box.
            pool: "mean" or "max", to give each image a vector of its objects' too.
            pool_field: where that goes; default: such as "predictions_mean".
            label_field: a Classification by which the vectors are judged; default: "ground_truth", if
                there is one.
            image_size: images are resized to this square, unless the model brings a transform; default:
                224, of a network to be trained 64.
            transform: from an RGB PIL image to a tensor.
            architecture: of a network to be trained.
            epochs: of training.
            training_batch: images a batch in training.
            learning_rate: of training, the highest.
            agreement_field: number field for how alike an image's two views were, over all epochs.
            batch_size: images a batch in embedding.
            seed: of training and PCA.
            overwrite: replace embeddings of another network or other settings; train anew.
            device: "auto", "cpu" or "cuda".
            delegate: queue it for a worker; only for a model given by name.

        Returns:
            an ``ExecutionResult``; its ``result`` has the field and the counts.
        """
        field = field or ("embedding" if objects else "embeddings")
        request = Request(
            field=field,
            batch_size=batch_size,
            components=components,
            brain_key=brain_key,
            objects=objects,
            padding=padding,
            pool=pool,
            pool_field=pool_field,
            seed=seed,
            overwrite=overwrite,
            device=device,
        )
        dataset = sample_collection._dataset
        check_request(dataset, request)
        if not isinstance(model, str) or transform is not None:
            if delegate:
                raise InvalidInput(
                    "delegate: a worker cannot be given a model or transform from Python; give the "
                    "name of a model, or do not delegate"
                )
            embedder = load_embedder(model, weights, layer, image_size or IMAGE_SIZE, transform)
            labels = label_field or _usual_labels(dataset)
            return ExecutionResult(result=_embed(sample_collection, embedder, request, labels))
        source = _source_for(model)
        if source == "self_supervised" and objects:
            raise InvalidInput(
                "objects: a network is trained on whole images; embed objects with another"
            )
        options = {
            "source": source,
            source: model,
            "weights": weights,
            "layer": layer,
            "image_size": image_size,
            "label_field": label_field or _usual_labels(dataset),
            "architecture": architecture,
            "epochs": epochs,
            "training_batch": training_batch,
            "learning_rate": learning_rate,
            "agreement_field": agreement_field,
            **vars(request),
        }
        if source == "self_supervised":
            check_training(dataset, _training_of(options))
        return call(self, sample_collection, options, delegate)


def _embed(
    view: Any,
    embedder: Embedder,
    request: Request,
    label_field: str | None,
    progress: Progress | None = None,
) -> dict[str, Any]:
    result = embed_view(view, embedder, request, progress)
    if not request.objects and label_field:
        result["neighbour_accuracy"] = accuracy_of(view, request.field, label_field)
    return result


def _train_and_embed(
    view: Any, training: Training, request: Request, label_field: str | None, report: Progress
) -> dict[str, Any]:
    embedder, notes = pretrain(
        view, training, request.field, lambda share, label: report(TRAIN_SHARE * share, label)
    )
    result = _embed(
        view,
        embedder,
        request,
        label_field,
        lambda share, label: report(TRAIN_SHARE + (1 - TRAIN_SHARE) * share, label),
    )
    return {**result, "notes": [*notes, *result["notes"]], "trained": embedder.trained}


def _source_inputs(ctx: Any, inputs: Any, source: str) -> None:
    source_input(inputs, "Network", SOURCES, source, "torchvision")
    if source == "self_supervised":
        _training_inputs(ctx, inputs)
        return
    if source == "zoo":
        name_input(ctx, inputs, "zoo", "Zoo model", zoo_embedders())
    elif source == "torchvision":
        name_input(ctx, inputs, "torchvision", "Architecture", architectures())
        inputs.str(
            "weights",
            label="Weights",
            description="DEFAULT downloads torchvision's; or the path of a state file on the machine "
            "that runs this, torch.save(module.state_dict(), path)",
            default=DEFAULT,
        )
    else:
        name_input(ctx, inputs, "factory", "Factory", factories())
    inputs.str(
        "layer",
        label="Layer",
        description="Its output is the vector, with < before it its input; empty: the model's own "
        "embeddings, else the input of the last linear layer",
        required=False,
    )
    if source != "zoo":
        size_input(inputs)


def _training_inputs(ctx: Any, inputs: Any) -> None:
    forms.choice_input(inputs, "self_supervised", "Method", WAYS, "simclr")
    name_input(ctx, inputs, "architecture", "Architecture", networks.architectures(), "resnet18")
    inputs.str(
        "weights",
        label="Start from",
        description="Empty: from scratch; DEFAULT: torchvision's weights, downloaded; or a state file",
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
    inputs.int("training_batch", label="Images a batch", default=Settings.batch_size, min=2)
    inputs.float("learning_rate", label="Learning rate", default=LEARNING_RATE)
    inputs.str(
        "agreement_field",
        label="Field for the agreement of views",
        description="Contrastive methods: the sum over epochs of how alike an image's two views were; "
        "the lowest are a coreset (Ju et al., 2021)",
        required=False,
    )


def _objects_inputs(ctx: Any, inputs: Any) -> None:
    boxes = detection_fields(ctx.dataset)
    if not boxes:
        return
    view = types.DropdownView()
    view.add_choice(forms.NONE, label="whole images")
    for choice in boxes:
        view.add_choice(choice.path, label=f"objects of {choice.path}", description=choice.holds)
    inputs.enum("objects", view.values(), label="Embed", default=forms.NONE, view=view)
    if ctx.params.get("objects"):
        inputs.float(
            "padding",
            label="Padding",
            description="Around an object, as a share of its box",
            default=PADDING,
        )
        pools = types.RadioGroup(orientation="vertical")
        for value, told in POOLS.items():
            pools.add_choice(value, label=told)
        inputs.enum("pool", pools.values(), label="A vector an image, too", default="", view=pools)


def _further_inputs(ctx: Any, inputs: Any, objects: str | None) -> None:
    inputs.int(
        "components",
        label="PCA",
        description="Reduce the vectors to so many dimensions; empty: keep them as they are",
        required=False,
        min=1,
    )
    inputs.str(
        "brain_key",
        label="Brain key",
        description="Also make a similarity run of this key, and key_plane for the embeddings panel",
        required=False,
    )
    if not objects:
        usual = _usual_labels(ctx.dataset) or forms.NONE
        labels = [choice for choice in label_fields(ctx.dataset) if choice.holds == "Classification"]
        forms.field_input(
            ctx,
            inputs,
            "label_field",
            "Judge by",
            labels,
            missing="",
            required=False,
            default=usual,
            description="Labels by which the nearest neighbours are judged; nothing is trained on them",
        )
    inputs.int("batch_size", label="Batch size", default=32, min=1)
    inputs.int("seed", label="Seed", description="Of training and PCA", default=0, min=0)
    inputs.bool(
        "overwrite",
        label="Replace embeddings of other settings",
        default=False,
        view=types.CheckboxView(),
    )


def _counts(ctx: Any, inputs: Any, objects: str | None) -> None:
    told = forms.count_samples(ctx, forms.view_key(ctx), None, None, None, None)
    thing = f"images, of which the objects of {objects}" if objects else "images"
    inputs.view(
        "counts",
        types.Notice(
            label=f"{told['total']} {thing}; what is done already with the same settings is kept"
        ),
    )


def _source_for(model: str) -> str:
    if model in METHODS:
        return "self_supervised"
    if ":" in model:
        return "factory"
    return "torchvision" if is_architecture(model) else "zoo"


def _source_of(params: dict[str, Any]) -> str:
    source = params.get("source") or "torchvision"
    return source if source in SOURCES else "torchvision"


def _name_of(params: dict[str, Any]) -> str:
    name = params.get(_source_of(params))
    if not name:
        raise InvalidInput("model: none is chosen")
    return str(name)


def _usual_labels(dataset: Any) -> str | None:
    kind = document_type(dataset.get_field("ground_truth"))
    return "ground_truth" if kind is fo.Classification else None


def _label_field(params: dict[str, Any]) -> str | None:
    return params.get("label_field") or None


def _request_of(params: dict[str, Any]) -> Request:
    objects = params.get("objects") or None
    if _source_of(params) == "self_supervised":
        objects = None
    padding = params.get("padding")
    return Request(
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


def _training_of(params: dict[str, Any]) -> Training:
    settings = Settings(
        method=params.get("self_supervised") or "simclr",
        architecture=params.get("architecture") or Settings.architecture,
        image_size=whole(params, "image_size", TRAINING_SIZE),
        epochs=whole(params, "epochs", EPOCHS),
        batch_size=whole(params, "training_batch", Settings.batch_size),
        learning_rate=float(params.get("learning_rate") or LEARNING_RATE),
        seed=whole(params, "seed", 0),
    )
    return Training(
        settings,
        params.get("weights") or None,
        params.get("agreement_field") or None,
        overwrite=bool(params.get("overwrite")),
        device=params.get("device") or "auto",
    )
