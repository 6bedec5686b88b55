"""The operator fit_loss_predictor: it predicts the model's loss on each sample."""

from __future__ import annotations

from typing import Any

import fiftyone.operators.types as types

from ..alcore.networks.loss_prediction import FOLDS, MINIMUM_LABELED
from .base import Pick, PluginOperator
from .compute.loss_prediction import LossRequest, check_request, predict_loss
from .compute.model_inputs import whole
from .dataset.fields import embedding_fields, prediction_fields, truth_fields, usual_truth
from .forms import pieces
from .reading.read import Bad
from .runs.run import Progress


def _request_of(filled: dict[str, Any]) -> LossRequest:
    return LossRequest(
        embeddings=list(filled["embeddings"]),
        predictions=filled["predictions"],
        label_field=filled["label_field"],
        field=filled.get("field") or "predicted_loss",
        folds=whole(filled, "folds", FOLDS),
        minimum=whole(filled, "minimum", MINIMUM_LABELED),
        seed=whole(filled, "seed", 0),
        bad=filled.get("bad") or "error",
        overwrite=bool(filled.get("overwrite")),
        device=filled.get("device") or "auto",
    )


class FitLossPredictor(PluginOperator):
    """Trains a predictor of a model's loss on the labeled samples, and scores every sample."""

    label = "Active learning: fit a loss predictor"
    about = (
        "Learns from the labeled samples where the model's loss is large, by embeddings, and "
        "writes a score for every sample. The predictions must be of a model that did not train "
        "on these labels, else their losses are all near 0."
    )
    description = "Learns from labeled samples how large the model's loss on each sample is"
    icon = "model_training"
    result_label = "Fitted"

    def draw_form(self, ctx: Any, inputs: Any) -> None:
        pieces.field_input(
            ctx,
            inputs,
            "predictions",
            "Predictions",
            prediction_fields(ctx.dataset),
            missing="This dataset has no Classification field to judge",
            description="Of a model that was not trained on these labels",
        )
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
        pieces.truth_input(ctx, inputs, "Labels", "The true classes of the labeled samples")
        inputs.str("field", label="Field", description="Written to it", default="predicted_loss")
        pieces.overwrite_input(inputs, "earlier predicted losses")
        about = "Each part of the labeled samples is judged by a head that has not seen it"
        inputs.int("folds", label="Folds", description=about, default=FOLDS, min=2)
        inputs.int(
            "minimum",
            label="Labeled at least",
            description="With fewer labeled samples it stops",
            default=MINIMUM_LABELED,
            min=4,
        )
        others = "learn from the others, and say how many were left out"
        pieces.bad_input(inputs, {"error": "stop and say which", "leave_out": others})
        inputs.int("seed", label="Seed", description="Of folds and training", default=0, min=0)

    def fill(self, dataset: Any, options: dict[str, Any], pick: Pick) -> dict[str, Any]:
        filled = super().fill(dataset, options, pick)
        if not filled.get("label_field"):
            usual = usual_truth(dataset)
            filled["label_field"] = usual or pick(truth_fields(dataset), "ground_truth")
        if not filled.get("embeddings"):
            filled["embeddings"] = [pick(embedding_fields(dataset), "embeddings")]
        if not filled.get("predictions"):
            others = [one for one in prediction_fields(dataset) if one.path != filled["label_field"]]
            filled["predictions"] = pick(others, "predictions")
        return filled

    def check(self, view: Any, options: dict[str, Any]) -> None:
        check_request(view, _request_of(options))

    def run(self, view: Any, options: dict[str, Any], report: Progress) -> dict[str, Any]:
        return predict_loss(view, _request_of(options), report)

    def draw_result(self, outputs: Any, result: dict[str, Any]) -> None:
        outputs.str("field", label="Field")
        outputs.float("correlation", label="Rank correlation with the true loss, held out")
        outputs.int("labeled", label="Learned from")
        outputs.int("scored", label="Samples with a score")

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
        """Train a predictor of a model's loss on the labeled samples, and score every sample.

        The loss is the cross-entropy between prediction and label. Samples without an embedding get no
        score.

        Args:
            sample_collection: a dataset or view.
            embeddings: one or more fields of vectors; default: the only such field.
            predictions: a field of Classifications with logits or probabilities, by a model that was
                not trained on these labels; default: the only such field.
            label_field: the field of the true classes, which only labeled samples have; default:
                "ground_truth", else the only such field.
            field: the field to write; a higher score means more worth labeling.
            folds: the number of folds of the cross-validation, at least 2.
            minimum: the smallest number of labeled samples.
            seed: the same seed gives the same scores.
            bad: "error" or "leave_out", for samples whose values cannot be used.
            overwrite: whether an earlier field of predicted losses is replaced.
            device: "auto" (here the CPU), "cpu" or "cuda".
            delegate: whether to queue the operator for a worker instead of running it now.

        Returns:
            An ``ExecutionResult``; its ``result`` has the field, the rank correlation with the true
            loss of held-out samples (from -1 to 1), and the counts.

        Raises:
            InvalidInput: if an option is wrong, or if no field or several fields could be a default.
        """
        several = [embeddings] if isinstance(embeddings, str) else embeddings
        options = {
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
        return self.start(sample_collection, options, delegate)
