"""The operator compute_zero_shot_predictions: first predictions from the names of the classes alone."""

from __future__ import annotations

import json
from typing import Any

from fiftyone.operators.executor import ExecutionResult

from .base import PluginOperator
from .compute.model_inputs import (
    OTHER_SETTINGS,
    batch_input,
    class_names_in,
    name_input,
    refuse_delegation,
    whole,
)
from .compute.models import zoo_model
from .compute.zero_shot import MODEL as USUAL
from .compute.zero_shot import PROMPT, ZeroShotRequest, check_request, predict_by_names
from .dataset.fiftyone_private import dataset_of
from .forms import counts, pieces
from .runs.run import Progress, throttled

TAGS = ("zero-shot", "embeddings", "text-embeddings")


def zoo_names() -> list[str]:
    """Return the names of the zoo's models that embed images and texts."""
    import fiftyone.zoo as foz

    return list(foz.list_zoo_models(tags=list(TAGS)))


def _request_of(dataset: Any, params: dict[str, Any]) -> ZeroShotRequest:
    return ZeroShotRequest(
        class_names_in(params.get("classes")) or list(map(str, dataset.default_classes or [])),
        params.get("field") or "zero_shot",
        params.get("prompt") or PROMPT,
        whole(params, "batch_size", 32),
        bool(params.get("overwrite")),
    )


class ComputeZeroShotPredictions(PluginOperator):
    """Predicts each image from the names of the classes, with a model that reads text."""

    label = "Active learning: predict from class names"
    about = (
        "No label and no model yet? Name the classes: a model that reads text, such as CLIP, says how "
        "alike each image and each name are. These predictions are the first uncertainty and the "
        "first balance of classes."
    )
    description = "First predictions without labels: zero-shot, CLIP, class names, cold start"
    icon = "abc"
    result_label = "Predicted"

    def draw_form(self, ctx: Any, inputs: Any) -> None:
        inputs.str(
            "classes",
            label="Classes",
            description="Their names, by commas; default: the dataset's default classes",
            default=", ".join(map(str, ctx.dataset.default_classes or [])),
        )
        name_input(ctx, inputs, "model", "Model", "Reads images and text", zoo_names(), USUAL)
        about = "The text for a class; {} stands for its name"
        inputs.str("prompt", label="Text", description=about, default=PROMPT)
        inputs.str("field", label="Field", description="Written to it", default="zero_shot")
        batch_input(inputs)
        label = "Replace predictions of other settings"
        pieces.checkbox_input(inputs, "overwrite", label, OTHER_SETTINGS)
        kept = "those done already with the same settings are left as they are"
        counts.counts_notice(ctx, inputs, "images", kept)

    def check(self, view: Any, options: dict[str, Any]) -> None:
        dataset = dataset_of(view)
        check_request(dataset, _request_of(dataset, options))

    def run(self, view: Any, options: dict[str, Any], report: Progress) -> dict[str, Any]:
        report = throttled(report)
        report(0.0, "Loading the model")
        name = options.get("model") or USUAL
        model = zoo_model(name, TAGS)
        request = _request_of(dataset_of(view), options)
        return predict_by_names(view, model, name, request, report)

    def draw_result(self, outputs: Any, result: dict[str, Any]) -> None:
        outputs.str("field", label="Field")
        outputs.str("model", label="Model")
        outputs.int("classes", label="Classes")
        outputs.int("predicted", label="Predicted")

    def __call__(
        self,
        sample_collection: Any,
        classes: list[str] | None = None,
        model: Any = USUAL,
        field: str = "zero_shot",
        *,
        prompt: str = PROMPT,
        batch_size: int = 32,
        overwrite: bool = False,
        delegate: bool = False,
    ) -> Any:
        """Predict the images of a dataset or view from the names of the classes.

        Each sample gets a Classification with its label, confidence and logits: 100 times the cosine of
        the image's vector to that of each class's text.

        Args:
            sample_collection: a dataset or view of images.
            classes: the names of the classes; default: the default classes of the dataset.
            model: the name of a zoo model that embeds images and texts, or such a FiftyOne model.
            field: the field to write.
            prompt: the text for a class; {} stands for its name.
            batch_size: images per batch.
            overwrite: whether predictions of other settings are replaced.
            delegate: whether to queue the operator for a worker. This needs the name of a model.

        Returns:
            An ``ExecutionResult``; its ``result`` has the field and the counts.

        Raises:
            InvalidInput: if an option or the model cannot be used.
        """
        dataset = dataset_of(sample_collection)
        names = None if classes is None else json.dumps(list(map(str, classes)))
        options = {
            "classes": names,
            "field": field,
            "prompt": prompt,
            "batch_size": batch_size,
            "overwrite": overwrite,
        }
        if isinstance(model, str):
            return self.start(sample_collection, {**options, "model": model}, delegate)
        refuse_delegation(delegate)
        request = _request_of(dataset, options)
        check_request(dataset, request)
        name = type(model).__name__
        return ExecutionResult(result=predict_by_names(sample_collection, model, name, request))
