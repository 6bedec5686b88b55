"""compute_dropout_predictions: what a network with dropout would say, many times over."""

from __future__ import annotations

import json
from typing import Any

import fiftyone.operators as foo
import fiftyone.operators.types as types
from fiftyone.operators.executor import ExecutionResult

from ..alcore import InvalidInput
from ..alcore.networks.dropout import MEMBERS
from .base import call, writing_config
from .compute.dropout_predictions import Request, check_request, predict_with_dropout
from .compute.model_inputs import name_input, size_input, source_input, whole
from .compute.models import IMAGE_SIZE, architectures, factories, load, source_of, zoo_names
from .dataset.views import target_of
from .forms import pieces
from .runs.run import throttled

SOURCES = {
    "zoo": "a model of FiftyOne's zoo, downloaded where needed; its classes are ImageNet's",
    "torchvision": "one of torchvision's architectures, with your own state file",
    "factory": "a function that the server's environment variable ALCORE_MODEL_FACTORIES lists",
}


class ComputeDropoutPredictions(foo.Operator):
    label = "Active learning: compute dropout predictions"

    @property
    def config(self) -> Any:
        return writing_config(
            "compute_dropout_predictions",
            self.label,
            "Predicts each image many times with dropout active, for disagreement measures",
            "scatter_plot",
        )

    def resolve_input(self, ctx: Any) -> Any:
        if ctx.dataset is None:
            return pieces.without_dataset(self.label)
        inputs = types.Object()
        inputs.md(
            "Predicts each image as often as there are members, each member with dropout masks of its "
            "own. Where members disagree the model could learn most: BALD and BatchBALD choose by it.",
            name="about",
        )
        _model_inputs(ctx, inputs)
        field = inputs.str("field", label="Field", description="Written to it", default="dropout")
        inputs.int(
            "members", label="Members", description="20 are usual", default=MEMBERS, min=2, max=1000
        )
        inputs.str(
            "classes",
            label="Classes",
            description="Names of the model's outputs, in order, by commas; default: the model's own, "
            "else the dataset's default classes",
            required=False,
        )
        inputs.int("batch_size", label="Batch size", default=32, min=1)
        inputs.int("seed", label="Seed", description="Makes the members", default=0, min=0)
        inputs.bool(
            "overwrite",
            label="Replace predictions of other settings",
            default=False,
            view=types.CheckboxView(),
        )
        told = pieces.count_samples(ctx, pieces.view_key(ctx), None, None, None, None)
        notice = (
            f"{told['total']} images; those done already with the same settings are left as they are"
        )
        inputs.view("counts", types.Notice(label=notice))
        try:
            check_request(ctx.dataset, _request_of(ctx.params))
        except InvalidInput as error:
            pieces.mark(field, error)
        return types.Property(inputs, view=types.View(label=self.label))

    def execute(self, ctx: Any) -> dict[str, Any]:
        params = ctx.params
        request = _request_of(params)
        check_request(ctx.dataset, request)
        report = throttled(lambda share, label: ctx.set_progress(progress=share, label=label))
        report(0.0, "Loading the model")
        model = load(
            _name_of(params),
            (params.get("weights") or None) if _source_of(params) != "zoo" else None,
            _classes_of(params),
            params.get("image_size") or IMAGE_SIZE,
        )
        view = target_of(ctx)
        result = predict_with_dropout(view, model, request, report)
        ctx.ops.reload_dataset()
        return result

    def resolve_output(self, ctx: Any) -> Any:
        outputs = types.Object()
        outputs.str("field", label="Field")
        outputs.str("model", label="Model")
        outputs.int("members", label="Members")
        outputs.int("predicted", label="Predicted")
        pieces.notes_output(ctx, outputs)
        return types.Property(outputs, view=types.View(label="Predicted"))

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
        """Predict the images of a dataset or view with a model's dropout active.

        Each sample gets a Classification of the mean prediction, and in its attribute ``members`` the
        (members, classes) logits.

        Args:
            sample_collection: a dataset or view of images.
            model: a zoo model's name; a torchvision architecture's, with ``weights``; the name of a
                factory that the server allows; or a torch module, a FiftyOne torch model, or a
                function without arguments that gives a module or a module and its transform.
            field: written to it.
            members: how many members.
            classes: names of the model's outputs, in order.
            weights: a state file, ``torch.save(module.state_dict(), path)``.
            image_size: images are resized to this square, unless the model brings a transform.
            transform: from an RGB PIL image to a tensor.
            batch_size: images a batch.
            seed: the same seed gives the same members.
            overwrite: replace dropout predictions of another model or other settings.
            device: "auto", "cpu" or "cuda".
            delegate: queue it for a worker; only for a model given by name.

        Returns:
            an ``ExecutionResult``; its ``result`` has the field and the counts.
        """
        request = Request(field, members, batch_size, seed, overwrite, device)
        check_request(sample_collection._dataset, request)
        if not isinstance(model, str) or transform is not None:
            if delegate:
                raise InvalidInput(
                    "delegate: a worker cannot be given a model or transform from Python; give the "
                    "name of a model, or do not delegate"
                )
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
        return call(self, sample_collection, options, delegate)


def _model_inputs(ctx: Any, inputs: Any) -> None:
    given = _source_of(ctx.params)
    source_input(inputs, "Model", SOURCES, given, "zoo")
    if given == "zoo":
        name_input(ctx, inputs, "zoo", "Zoo model", zoo_names())
    elif given == "torchvision":
        name_input(ctx, inputs, "torchvision", "Architecture", architectures())
        inputs.str(
            "weights",
            label="State file",
            description="A path on the machine that runs this; torch.save(module.state_dict(), path)",
        )
    else:
        name_input(ctx, inputs, "factory", "Factory", factories())
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


def _classes_of(params: dict[str, Any]) -> list[str] | None:
    """Names by commas, or a JSON list where a name holds one."""
    given = (params.get("classes") or "").strip()
    if given.startswith("["):
        try:
            return list(map(str, json.loads(given)))
        except json.JSONDecodeError as error:
            raise InvalidInput(f"classes: is not a JSON list: {error}") from None
    return [one.strip() for one in given.split(",") if one.strip()] or None


def _request_of(params: dict[str, Any]) -> Request:
    return Request(
        field=params.get("field") or "dropout",
        members=whole(params, "members", MEMBERS),
        batch_size=whole(params, "batch_size", 32),
        seed=whole(params, "seed", 0),
        overwrite=bool(params.get("overwrite")),
        device=params.get("device") or "auto",
    )
