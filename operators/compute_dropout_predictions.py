"""The operator compute_dropout_predictions: repeated predictions of a network with dropout."""

from __future__ import annotations

import json
from typing import Any

from fiftyone.operators.executor import ExecutionResult

from ..alcore import InvalidInput
from ..alcore.networks.dropout import MEMBERS
from .base import PluginOperator
from .compute.dropout_predictions import DropoutRequest, check_request, predict_with_dropout
from .compute.model_inputs import (
    ARCHITECTURE_ABOUT,
    FACTORY_ABOUT,
    OTHER_SETTINGS,
    ZOO_ABOUT,
    batch_input,
    class_names_in,
    name_input,
    refuse_delegation,
    size_input,
    source_input,
    whole,
)
from .compute.models import IMAGE_SIZE, architectures, factories, load, source_of, zoo_names
from .dataset.fiftyone_private import dataset_of
from .forms import counts, pieces
from .runs.run import Progress, throttled

SOURCES = {
    "zoo": "a model of FiftyOne's zoo, downloaded where needed; its classes are ImageNet's",
    "torchvision": "one of torchvision's architectures, with your own state file",
    "factory": "a function that the server's environment variable ALCORE_MODEL_FACTORIES lists",
}


def _model_inputs(ctx: Any, inputs: Any) -> None:
    given = _source_of(ctx.params)
    source_input(inputs, "Model", SOURCES, given, "zoo")
    if given == "zoo":
        name_input(ctx, inputs, "zoo", "Zoo model", ZOO_ABOUT, zoo_names())
    elif given == "torchvision":
        name_input(ctx, inputs, "torchvision", "Architecture", ARCHITECTURE_ABOUT, architectures())
        inputs.str(
            "weights",
            label="State file",
            description="A path on the machine that runs this; torch.save(module.state_dict(), path)",
            required=True,
        )
    else:
        name_input(ctx, inputs, "factory", "Factory", FACTORY_ABOUT, factories())
    if given != "zoo":
        size_input(inputs)


def _source_of(params: dict[str, Any]) -> str:
    source = params.get("source") or "zoo"
    return source if source in SOURCES else "zoo"


def _name_of(params: dict[str, Any]) -> str:
    source = _source_of(params)
    name = params.get(source)
    if not name:
        raise InvalidInput("model: none is chosen")
    if source == "torchvision" and not params.get("weights"):
        raise InvalidInput(f"weights: {name!r} needs a state file, for without one it knows nothing")
    return str(name)


def _request_of(params: dict[str, Any]) -> DropoutRequest:
    return DropoutRequest(
        field=params.get("field") or "dropout",
        members=whole(params, "members", MEMBERS),
        batch_size=whole(params, "batch_size", 32),
        seed=whole(params, "seed", 0),
        overwrite=bool(params.get("overwrite")),
        device=params.get("device") or "auto",
    )


class ComputeDropoutPredictions(PluginOperator):
    """Predicts each image several times with active dropout."""

    label = "Active learning: compute dropout predictions"
    about = (
        "Predicts each image as often as there are members, each member with dropout masks of its "
        "own. Where members disagree the model could learn most: BALD and BatchBALD choose by it."
    )
    description = "Predicts each image many times with dropout active, for disagreement measures"
    icon = "scatter_plot"
    result_label = "Predicted"

    def draw_form(self, ctx: Any, inputs: Any) -> None:
        _model_inputs(ctx, inputs)
        inputs.str("field", label="Field", description="Written to it", default="dropout")
        inputs.int(
            "members", label="Members", description="20 are usual", default=MEMBERS, min=2, max=1000
        )
        inputs.str(
            "classes",
            label="Classes",
            description="Names of the model's outputs, in order, by commas; left empty, the "
            "model's own, else the dataset's default classes",
            required=False,
        )
        batch_input(inputs)
        inputs.int("seed", label="Seed", description="Makes the members", default=0, min=0)
        label = "Replace predictions of other settings"
        pieces.checkbox_input(inputs, "overwrite", label, OTHER_SETTINGS)
        kept = "those done already with the same settings are left as they are"
        counts.counts_notice(ctx, inputs, "images", kept)

    def check(self, view: Any, options: dict[str, Any]) -> None:
        check_request(dataset_of(view), _request_of(options))

    def run(self, view: Any, options: dict[str, Any], report: Progress) -> dict[str, Any]:
        report = throttled(report)
        report(0.0, "Loading the model")
        model = load(
            _name_of(options),
            (options.get("weights") or None) if _source_of(options) != "zoo" else None,
            class_names_in(options.get("classes")) or None,
            options.get("image_size") or IMAGE_SIZE,
        )
        return predict_with_dropout(view, model, _request_of(options), report)

    def draw_result(self, outputs: Any, result: dict[str, Any]) -> None:
        outputs.str("field", label="Field")
        outputs.str("model", label="Model")
        outputs.int("members", label="Members")
        outputs.int("predicted", label="Predicted")

    def __call__(
        self,
        sample_collection: Any,
        model: Any,
        field: str = "dropout",
        members: int = MEMBERS,
        classes: list[str] | None = None,
        *,
        weights: str | None = None,
        image_size: int = IMAGE_SIZE,
        transform: Any = None,
        batch_size: int = 32,
        seed: int = 0,
        overwrite: bool = False,
        device: str = "auto",
        delegate: bool = False,
    ) -> Any:
        """Predict the images of a dataset or view several times with active dropout.

        Each sample gets a Classification with the mean prediction. The attribute ``members`` of the
        Classification holds the (members, classes) logits. An interrupted call can be repeated and
        then resumes where it stopped.

        Args:
            sample_collection: a dataset or view of images.
            model: the name of a zoo model, of a torchvision architecture (with ``weights``), or of a
                factory that the server allows; or a torch module, a FiftyOne torch model, or a function
                without arguments that returns a module, or a module and its transform.
            field: the field to write.
            members: the number of dropout members, at least 2.
            classes: the names of the model's outputs, in order. By default, those of the model, else
                the default classes of the dataset.
            weights: the path of a state file, written by ``torch.save(module.state_dict(), path)``.
            image_size: the width and height in pixels to which images are resized, if the model has no
                transform.
            transform: converts an RGB PIL image to a tensor; replaces the transform of the model.
            batch_size: images per batch.
            seed: the same seed gives the same members.
            overwrite: whether dropout predictions of another model or other settings are replaced.
            device: "auto", "cpu" or "cuda".
            delegate: whether to queue the operator for a worker. This needs the name of a model and no
                ``transform``.

        Returns:
            An ``ExecutionResult``; its ``result`` has the field and the counts.

        Raises:
            InvalidInput: if an option or the model cannot be used.
        """
        request = DropoutRequest(field, members, batch_size, seed, overwrite, device)
        check_request(dataset_of(sample_collection), request)
        if not isinstance(model, str) or transform is not None:
            refuse_delegation(delegate)
            loaded = load(model, weights, classes, image_size, transform)
            return ExecutionResult(result=predict_with_dropout(sample_collection, loaded, request))
        options = {
            "source": source_of(model, weights),
            source_of(model, weights): model,
            "weights": weights,
            "classes": None if classes is None else json.dumps(list(map(str, classes))),
            "image_size": image_size,
            **vars(request),
        }
        return self.start(sample_collection, options, delegate)
