"""fit_loss_predictor: how large the model's loss on each sample would be."""

from __future__ import annotations

from typing import Any

import fiftyone.operators as foo
import fiftyone.operators.types as types

from ..alcore import InvalidInput
from ..alcore.networks.loss_prediction import FOLDS, MINIMUM_LABELED
from .base import call, writing_config
from .compute.loss_prediction import Request, check_request, predict_loss
from .dataset.fields import embedding_fields, prediction_fields, truth_fields, usual_truth
from .dataset.views import samples_of, target_of
from .forms import pieces
from .reading.read import Bad, only


class FitLossPredictor(foo.Operator):
    label = "Active learning: fit a loss predictor"

    @property
    def config(self) -> Any:
        return writing_config(
            "fit_loss_predictor",
            self.label,
            "Learns from labeled samples how large the model's loss on each sample is",
            "model_training",
        )

    def resolve_input(self, ctx: Any) -> Any:
        if ctx.dataset is None:
            return pieces.without_dataset(self.label)
        inputs = types.Object()
        inputs.md(
            "Learns from the labeled samples where the model's loss is large, by embeddings, and "
            "writes a score for every sample. The predictions must be of a model that did not train "
            "on these labels, else their losses are all near 0.",
            name="about",
        )
        pieces.field_input(
            ctx,
            inputs,
            "predictions",
            "Predictions",
            prediction_fields(ctx.dataset),
            missing="This dataset has no Classification field to judge",
        )
        _embeddings_input(ctx, inputs)
        pieces.field_input(
            ctx,
            inputs,
            "label_field",
            "Labels",
            truth_fields(ctx.dataset),
            missing="This dataset has no field of labels",
            description="The true classes of the labeled samples",
            default=usual_truth(ctx.dataset),
        )
        field = inputs.str(
            "field", label="Field", description="Written to it", default="predicted_loss"
        )
        inputs.bool(
            "overwrite",
            label="Replace earlier predicted losses",
            default=False,
            view=types.CheckboxView(),
        )
        inputs.int("folds", label="Folds", default=FOLDS, min=2)
        inputs.int(
            "minimum",
            label="Labeled at least",
            description="With fewer labeled samples it stops",
            default=MINIMUM_LABELED,
            min=4,
        )
        pieces.choice_input(
            inputs,
            "bad",
            "Samples whose values cannot be used",
            {
                "error": "stop and say which",
                "leave_out": "learn from the others, and say how many were left out",
            },
            "error",
        )
        inputs.int("seed", label="Seed", default=0, min=0)
        try:
            params = {**_defaults(ctx.dataset), **ctx.params}
            check_request(target_of(ctx), _request_of(ctx.dataset, params))
        except InvalidInput as error:
            pieces.mark(field, error)
            inputs.view("error", types.Error(label=str(error)))
        return types.Property(inputs, view=types.View(label=self.label))

    def execute(self, ctx: Any) -> dict[str, Any]:
        result = predict_loss(
            target_of(ctx),
            _request_of(ctx.dataset, ctx.params),
            lambda share, label: ctx.set_progress(progress=share, label=label),
        )
        ctx.ops.reload_dataset()
        return result

    def resolve_output(self, ctx: Any) -> Any:
        outputs = types.Object()
        outputs.str("field", label="Field")
        outputs.float("correlation", label="Rank correlation with the true loss, held out")
        outputs.int("labeled", label="Learned from")
        outputs.int("scored", label="Samples with a score")
        pieces.notes_output(ctx, outputs)
        return types.Property(outputs, view=types.View(label="Fitted"))

    def __call__(
        self,
        sample_collection: Any,
        embeddings: str | list[str] | None = None,
        predictions: str | None = None,
        label_field: str | None = None,
        field: str = "predicted_loss",
        *,
        folds: int = FOLDS,
        minimum: int = MINIMUM_LABELED,
        seed: int = 0,
        bad: Bad = "error",
        overwrite: bool = False,
        device: str = "auto",
        delegate: bool = False,
    ) -> Any:
        """Learn where a model's loss is large, and write a score for every sample.

        Args:
            sample_collection: a dataset or view.
            embeddings: a field of vectors, or several; left out, the only one is taken.
            predictions: a Classification with logits or probabilities, of a model that did not train
                on these labels; left out, the only one is taken.
            label_field: the true classes, where they are known.
            field: written to it; higher is more worth labeling.
            folds: parts of the labeled samples; each is judged by a head that did not see it.
            minimum: fewer labeled samples are refused.
            seed: the same seed gives the same scores.
            bad: "error" or "leave_out", for samples whose values cannot be used.
            overwrite: replace predicted losses of that name.
            device: "auto", "cpu" or "cuda".
            delegate: queue it for a worker instead of running it now.

        Returns:
            an ``ExecutionResult``; its ``result`` has the field, the correlation and the counts.
        """
        several = [embeddings] if isinstance(embeddings, str) else embeddings
        given = {
            "embeddings": several,
            "predictions": predictions,
            "label_field": label_field,
            "field": field,
            "folds": folds,
            "minimum": minimum,
            "seed": seed,
            "bad": bad,
            "overwrite": overwrite,
            "device": device,
        }
        request = _request_of(sample_collection._dataset, given)
        check_request(samples_of(sample_collection), request)
        return call(self, sample_collection, vars(request), delegate)


def _embeddings_input(ctx: Any, inputs: Any) -> None:
    choices = embedding_fields(ctx.dataset)
    if not choices:
        missing = types.Error(label="This dataset has no vector field and no similarity run")
        inputs.view("embeddings_missing", missing)
    pieces.fields_input(
        inputs,
        "embeddings",
        "Embeddings",
        choices,
        "Several are learned from together",
        [choices[0].path] if choices else [],
    )


def _defaults(dataset: Any) -> dict[str, Any]:
    """What the form proposes, which the App has not sent yet when it first asks."""
    embeddings, predictions = embedding_fields(dataset), prediction_fields(dataset)
    truths = [one.path for one in truth_fields(dataset)]
    found = {
        "embeddings": [one.path for one in embeddings[:1]],
        "predictions": predictions[0].path if predictions else None,
        "label_field": usual_truth(dataset) or (truths[0] if truths else None),
    }
    return {name: value for name, value in found.items() if value}


def _request_of(dataset: Any, params: dict[str, Any]) -> Request:
    def number(name: str, default: int) -> int:
        value = params.get(name)
        return default if value is None else int(value)

    label_field = params.get("label_field") or only(truth_fields(dataset), "ground_truth")
    others = [one for one in prediction_fields(dataset) if one.path != label_field]
    return Request(
        embeddings=list(params.get("embeddings") or [only(embedding_fields(dataset), "embeddings")]),
        predictions=params.get("predictions") or only(others, "predictions"),
        label_field=label_field,
        field=params.get("field") or "predicted_loss",
        folds=number("folds", FOLDS),
        minimum=number("minimum", MINIMUM_LABELED),
        seed=number("seed", 0),
        bad=params.get("bad") or "error",
        overwrite=bool(params.get("overwrite")),
        device=params.get("device") or "auto",
    )
