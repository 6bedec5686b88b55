"""The operator compute_embeddings: vectors of images or objects, from a network."""

from __future__ import annotations

from typing import Any

from fiftyone.operators.executor import ExecutionResult

from ..alcore import InvalidInput
from ..alcore.images.crops import PADDING
from ..alcore.networks.self_supervised import LEARNING_RATE, Settings
from .base import PluginOperator
from .compute.embedders import Embedder, load_embedder
from .compute.embedding import check_request, embed_view
from .compute.embedding_field import EmbeddingRequest
from .compute.embedding_form import (
    EPOCHS,
    further_inputs,
    labels_of,
    name_of,
    objects_inputs,
    request_of,
    source_for,
    source_inputs,
    source_of,
    training_of,
    usual_labels,
)
from .compute.model_inputs import refuse_delegation
from .compute.models import IMAGE_SIZE
from .compute.neighbor_accuracy import accuracy_of
from .compute.pretraining import Training, check_training, pretrain
from .dataset.fiftyone_private import dataset_of
from .forms import counts, pieces
from .runs.run import Progress, throttled

TRAIN_SHARE = 0.7


def _embed(
    view: Any,
    embedder: Embedder,
    request: EmbeddingRequest,
    label_field: str | None,
    progress: Progress | None = None,
) -> dict[str, Any]:
    result = embed_view(view, embedder, request, progress)
    if not request.objects and label_field:
        result["neighbor_accuracy"] = accuracy_of(view, request.field, label_field)
    return result


def _train_and_embed(
    view: Any, training: Training, request: EmbeddingRequest, label_field: str | None, report: Progress
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


class ComputeEmbeddings(PluginOperator):
    """Computes a vector for each image or object, with a given network or one trained on the images."""

    label = "Active learning: compute embeddings"
    about = "Gives each image a vector; images that look alike to the network lie close together."
    description = "Gives each image, or each object, a vector, for diversity, coverage and similarity"
    icon = "grain"
    result_label = "Embedded"

    def draw_form(self, ctx: Any, inputs: Any) -> None:
        source = source_of(ctx.params)
        source_inputs(ctx, inputs, source)
        if source != "self_supervised":
            objects_inputs(ctx, inputs)
        objects = ctx.params.get("objects") if source != "self_supervised" else None
        inputs.str(
            "field",
            label="Attribute" if objects else "Field",
            description="Written to it",
            default="embedding" if objects else "embeddings",
        )
        further_inputs(ctx, inputs, objects)
        kept = "what is done already with the same settings is kept"
        counts.counts_notice(ctx, inputs, counts.images_or_objects(objects), kept)

    def check(self, view: Any, options: dict[str, Any]) -> None:
        check_request(dataset_of(view), request_of(options))
        if source_of(options) == "self_supervised":
            check_training(dataset_of(view), training_of(options))

    def resolve_run_name(self, ctx: Any) -> str:
        return f"{self.label}: {ctx.params.get('field') or 'embeddings'}"

    def run(self, view: Any, options: dict[str, Any], report: Progress) -> dict[str, Any]:
        report = throttled(report)
        request, labels = request_of(options), labels_of(options)
        name, source = name_of(options), source_of(options)
        if source == "self_supervised":
            return _train_and_embed(view, training_of(options), request, labels, report)
        report(0.0, "Loading the model")
        embedder = load_embedder(
            name,
            (options.get("weights") or None) if source in ("torchvision", "factory") else None,
            options.get("layer") or None,
            options.get("image_size") or IMAGE_SIZE,
        )
        return _embed(view, embedder, request, labels, report)

    def draw_result(self, outputs: Any, result: dict[str, Any]) -> None:
        if result.get("embedded") == 0:
            pieces.nothing_output(outputs, "Nothing was embedded: every image had a vector already")
        outputs.str("path", label="Field")
        outputs.str("model", label="Model")
        outputs.str("layer", label="Layer")
        outputs.int("dimensions", label="Dimensions")
        outputs.int("embedded", label="Embedded")
        if result.get("neighbor_accuracy") is not None:
            outputs.float(
                "neighbor_accuracy", label="Accuracy of the 5 nearest neighbors, by the labels"
            )

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
        """Compute a vector for each image of a dataset or view, or for each of its objects.

        An interrupted call can be repeated and then resumes where it stopped.

        Args:
            sample_collection: a dataset or view of images.
            model: the name of a zoo model, of a torchvision classifier, or of a factory that the server
                allows; one of "simclr", "moco", "simsiam", "barlow_twins" and "dino", to train a
                network on these images; or a torch module, a FiftyOne model, or a function without
                arguments that returns a module, or a module and its transform.
            field: the field to write; default: "embeddings". With ``objects``, the attribute of the
                objects; default: "embedding".
            layer: the name of the layer whose output is the vector. With ``<`` before the name, the
                input of that layer is used. "output" is the output of the model. Default: the model's
                own embeddings, else the input of the last linear layer.
            weights: the path of a state file, or the name of weights that torchvision downloads, such
                as "DEFAULT". For a network to be trained, the initial weights.
            objects: a field of Detections, each box of which is cut out and embedded.
            brain_key: also create a similarity run with this key, and a visualization run with the key
                ``<brain_key>_plane`` for the embeddings panel.
            components: the number of dimensions after PCA; by default there is no PCA.
            padding: how much is cut out around a box, as a share of its sides, from 0 to 10.
            pool: "mean" or "max": each image also gets the pooled vector of its objects.
            pool_field: the field of the pooled vectors; its default name is like "predictions_mean".
            label_field: a field of Classifications by which the vectors of images are evaluated;
                default: "ground_truth", if it holds Classifications.
            image_size: the width and height in pixels to which images are resized, if the model has no
                transform; default: 224, or 64 for a network to be trained.
            transform: converts an RGB PIL image to a tensor; replaces the transform of the model.
            architecture: the torchvision architecture of a network to be trained.
            epochs: the number of training epochs.
            training_batch: images per batch in training.
            learning_rate: the highest learning rate of the training.
            agreement_field: a number field for the similarity of an image's two augmented views, summed
                over all epochs; only with contrastive methods.
            batch_size: images per batch in embedding.
            seed: the seed of the training and the PCA.
            overwrite: whether embeddings of another network or other settings are replaced; a network
                is then trained again.
            device: "auto", "cpu" or "cuda".
            delegate: whether to queue the operator for a worker. This needs the name of a model and no
                ``transform``.

        Returns:
            An ``ExecutionResult``; its ``result`` has the field and the counts.

        Raises:
            InvalidInput: if an option or the model cannot be used.
        """
        field = field or ("embedding" if objects else "embeddings")
        request = EmbeddingRequest(
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
        dataset = dataset_of(sample_collection)
        check_request(dataset, request)
        if not isinstance(model, str) or transform is not None:
            refuse_delegation(delegate)
            embedder = load_embedder(model, weights, layer, image_size or IMAGE_SIZE, transform)
            labels = label_field or usual_labels(dataset)
            return ExecutionResult(result=_embed(sample_collection, embedder, request, labels))
        source = source_for(model)
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
            "label_field": label_field or usual_labels(dataset),
            "architecture": architecture,
            "epochs": epochs,
            "training_batch": training_batch,
            "learning_rate": learning_rate,
            "agreement_field": agreement_field,
            **vars(request),
        }
        return self.start(sample_collection, options, delegate)
