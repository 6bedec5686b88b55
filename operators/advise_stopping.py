"""The operator advise_stopping: it advises whether to label another batch."""

from __future__ import annotations

from dataclasses import fields
from typing import Any

import fiftyone.operators.types as types

from .base import OptionsOperator, Pick
from .dataset.fields import first, number_fields, prediction_fields
from .dataset.fiftyone_private import dataset_of
from .evaluation.stopping import (
    StoppingRequest,
    Thresholds,
    advice_line,
    advise_view,
    check_request,
    worth_plot,
)
from .forms import cost_matrix, pieces, selection_inputs
from .forms.markdown import bold
from .runs.run import Progress

THRESHOLDS = {
    "agreement": ("Agreement", "Stop from this kappa on, the mean of the last rounds"),
    "changed": ("Changed", "Stop up to this share of predictions that changed"),
    "uncertainty": ("Uncertainty", "Stop up to this mean uncertainty (entropy, 0 to 1)"),
    "confidence": ("Confidence", "A prediction is sure from this probability on"),
    "share": ("Sure", "Stop from this share of sure predictions on; 1: all"),
}
OPTIONS = (
    *("predictions", "earlier", "label_field", "labeled_tag", "skip_chosen"),
    *("price", "batch", "volume", "volume_field", "bad"),
    *(one.name for one in fields(Thresholds)),
    *cost_matrix.OPTIONS,
)


def _request_of(dataset: Any, filled: dict[str, Any]) -> StoppingRequest:
    price = filled.get("price")
    asks = price is not None or filled.get("cost") is not None or filled.get("gain") is not None
    return StoppingRequest(
        filled["predictions"],
        list(filled.get("earlier") or []),
        selection_inputs.labeled_of(filled),
        matrix=_matrix(dataset, filled) if asks else {},
        price=price,
        batch=filled.get("batch", 100),
        volume=filled.get("volume_field") or filled.get("volume", 1.0),
        thresholds=Thresholds(
            **{one.name: filled[one.name] for one in fields(Thresholds) if one.name in filled}
        ),
        bad=filled.get("bad") or "error",
    )


def _matrix(dataset: Any, filled: dict[str, Any]) -> dict[str, Any]:
    """Return the result of ``cost_matrix.matrix_of``, where a single number becomes a float.

    A single number is the cost of every mistake.

    Raises:
        InvalidInput: if neither a cost nor a gain is given.
    """
    matrix = cost_matrix.matrix_of(dataset, filled, filled["predictions"])
    try:
        return {"cost": float(matrix["cost"])}
    except (KeyError, TypeError, ValueError):
        return matrix


class AdviseStopping(OptionsOperator):
    """Advises whether to continue labeling. It writes nothing.

    Options:
        predictions: the field of the predictions of this round.
        earlier: a list of the fields of earlier rounds, the oldest first.
        label_field, labeled_tag, skip_chosen: which samples count as labeled.
        price: the price of a label. It needs ``cost`` or ``gain`` in the same unit.
        cost, gain: a matrix ``[truth][decision]``. ``cost`` may also be one number, the cost of every
            mistake.
        batch: the number of labels of the next round.
        volume, volume_field: how many cases each sample represents, as a number or a field.
        agreement, window, changed, uncertainty, confidence, share: the thresholds of the criteria.
        bad: "error" or "leave_out", for samples whose values cannot be used.

    The result has the ``verdict`` and a list ``advices``. Each advice has ``value``, ``threshold``,
    ``stop`` (None if there is too little data to tell) and ``sentence``.
    """

    label = "Active learning: is it time to stop?"
    about = (
        "Says whether another round of labels is worth it: whether predictions still change, how sure "
        "the model is of what is not labeled, and what labels would save. Nothing is written."
    )
    description = (
        "Is another round of active learning worth it: stopping criteria, agreement, price of labels"
    )
    icon = "stop_circle"
    result_label = "Advice"
    options = OPTIONS
    refused_at = "predictions"
    risk = "low"

    def draw_form(self, ctx: Any, inputs: Any) -> None:
        choices = prediction_fields(ctx.dataset)
        pieces.predictions_input(
            ctx, inputs, "This dataset has no field of predictions", "Of this round's model"
        )
        pieces.fields_input(
            inputs,
            "earlier",
            "Predictions of earlier rounds",
            [one for one in choices if one.path != ctx.params.get("predictions")],
            "Of the same samples by the models before, the oldest first; three tell best",
        )
        selection_inputs.labeled_input(ctx, inputs)
        self._money_inputs(ctx, inputs)
        inputs.view("thresholds", types.Header(label="Thresholds", divider=True))
        usual = Thresholds()
        for name, (label, about) in THRESHOLDS.items():
            inputs.float(
                name, label=label, description=about, default=getattr(usual, name), min=0, max=1
            )
        others = "judge by the others, and say how many"
        pieces.bad_input(inputs, {"error": "stop and say which", "leave_out": others})

    def fill(self, dataset: Any, options: dict[str, Any], pick: Pick) -> dict[str, Any]:
        filled = super().fill(dataset, options, pick)
        if isinstance(filled.get("cost"), (int, float)):
            filled["cost"] = str(filled["cost"])  # a form stores costs as text
        if not filled.get("predictions"):
            taken = {filled.get("label_field"), *(filled.get("earlier") or [])}
            others = [one for one in prediction_fields(dataset) if one.path not in taken]
            filled["predictions"] = pick(others, "predictions")
        return filled

    def check(self, view: Any, options: dict[str, Any]) -> None:
        check_request(view, _request_of(dataset_of(view), options))

    def run(self, view: Any, options: dict[str, Any], report: Progress) -> dict[str, Any]:
        return advise_view(view, _request_of(dataset_of(view), options), report)

    def has_written(self, result: dict[str, Any]) -> bool:
        return False

    def draw_result(self, outputs: Any, result: dict[str, Any]) -> None:
        outputs.md(bold(result.get("verdict", "")), name="verdict_text")
        for one in result.get("advices") or []:
            outputs.md(advice_line(one), name=f"advice_{one['criterion']}")
        if result.get("curve"):
            plot = worth_plot(result["curve"])
            outputs.plot("curve_plot", **plot, height=280, config={"displayModeBar": False})

    def _money_inputs(self, ctx: Any, inputs: Any) -> None:
        inputs.view("money", types.Header(label="Money", divider=True))
        about = "In the unit of the costs below; left empty, money does not count"
        pieces.optional_number_input(inputs, "price", "Price of a label", about, min=0)
        if ctx.params.get("price") is None:
            return
        inputs.int("batch", label="Batch", description="Labels of the next round", default=100, min=1)
        predictions = self.fill(ctx.dataset, ctx.params, first).get("predictions")
        cost_matrix.cost_inputs(ctx, inputs, predictions)
        inputs.float(
            "volume",
            label="Volume",
            description="How many cases, such as a year's, each sample stands for",
            default=1.0,
            min=0,
        )
        pieces.optional_field_input(
            ctx,
            inputs,
            "volume_field",
            "Or the field that says so",
            number_fields(ctx.dataset),
            "A number a sample, in place of the volume",
        )
