"""advise_stopping: whether another round of labels is worth it."""

from __future__ import annotations

from dataclasses import fields
from typing import Any

import fiftyone.operators as foo
import fiftyone.operators.types as types

from ..alcore import InvalidInput
from .base import Pick, as_form, call, refuse_unknown
from .dataset.fields import number_fields, prediction_fields
from .dataset.views import samples_of, target_of
from .evaluation.stopping import NAMES, Request, Thresholds, advise_view, check_request, worth_plot
from .forms import cost_matrix, pieces
from .reading.read import Labeled, first, only

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


class AdviseStopping(foo.Operator):
    label = "Active learning: is it time to stop?"
    about = (
        "Says whether another round of labels is worth it: whether predictions still change, how sure "
        "the model is of what is not labeled, and what labels would save. Nothing is written."
    )

    @property
    def config(self) -> Any:
        return foo.OperatorConfig(
            name="advise_stopping",
            label=self.label,
            description=self.about,
            dynamic=True,
            icon="stop_circle",
            allow_immediate_execution=True,
            allow_delegated_execution=True,
            risk_level="low",
        )

    def resolve_input(self, ctx: Any) -> Any:
        if ctx.dataset is None:
            return pieces.without_dataset(self.label)
        inputs = types.Object()
        inputs.md(self.about, name="about")
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
        pieces.labeled_input(ctx, inputs)
        _money_inputs(ctx, inputs)
        inputs.view("thresholds", types.Header(label="Thresholds", divider=True))
        usual = Thresholds()
        for name, (label, told) in THRESHOLDS.items():
            inputs.float(
                name, label=label, description=told, default=getattr(usual, name), min=0, max=1
            )
        others = "judge by the others, and say how many"
        pieces.bad_input(inputs, {"error": "stop and say which", "leave_out": others})
        try:
            check_request(target_of(ctx), _request_of(ctx.dataset, ctx.params, first))
        except InvalidInput as error:
            pieces.refuse(inputs, "predictions", error)
        return types.Property(inputs, view=types.View(label=self.label))

    def execute(self, ctx: Any) -> dict[str, Any]:
        return advise_view(
            target_of(ctx),
            _request_of(ctx.dataset, ctx.params, only),
            lambda share, label: ctx.set_progress(progress=share, label=label),
        )

    def resolve_output(self, ctx: Any) -> Any:
        outputs = types.Object()
        told = ctx.results or {}
        outputs.md(f"**{told.get('verdict', '')}**", name="verdict_text")
        for one in told.get("advices") or []:
            line = f"*{NAMES[one['criterion']]}*: **{one['says']}**. {one['sentence']}"
            outputs.md(line, name=f"advice_{one['criterion']}")
        if told.get("curve"):
            plot = worth_plot(told["curve"])
            outputs.plot("curve_plot", **plot, height=280, config={"displayModeBar": False})
        pieces.notes_output(ctx, outputs)
        return types.Property(outputs, view=types.View(label="Advice"))

    def __call__(self, sample_collection: Any, delegate: bool = False, **options: Any) -> Any:
        """Say whether to go on labeling a dataset or view.

        Args:
            sample_collection: a dataset or view.
            delegate: queue it for a worker instead of running it now.
            **options: ``predictions``, of this round; ``earlier``, a list of fields, the oldest first;
                ``label_field``, ``labeled_tag`` and ``skip_chosen``, which say what is labeled;
                ``price`` of a label with ``cost`` or ``gain``, ``[truth][decision]`` (``cost`` may be a
                number, of any mistake), the ``batch`` that would be labeled next, ``volume`` or
                ``volume_field``, how many cases a sample stands for; thresholds ``agreement``,
                ``window``, ``changed``, ``uncertainty``, ``confidence``, ``share``; ``bad``.

        Returns:
            an ``ExecutionResult``; its ``result`` has the ``verdict``, and ``advices`` with ``value``,
            ``threshold``, ``stop`` (None: cannot tell yet) and ``sentence`` each.
        """
        refuse_unknown("advise_stopping", options, OPTIONS)
        dataset = sample_collection._root_dataset
        options = as_form(options)
        if isinstance(options.get("cost"), (int, float)):
            options["cost"] = str(options["cost"])  # as a form has it
        check_request(samples_of(sample_collection), _request_of(dataset, options, only))
        return call(self, sample_collection, options, delegate)


def _money_inputs(ctx: Any, inputs: Any) -> None:
    inputs.view("money", types.Header(label="Money", divider=True))
    inputs.float(
        "price",
        label="Price of a label",
        description="In the unit of the costs below; left empty, money does not count",
        required=False,
        min=0,
    )
    if ctx.params.get("price") is None:
        return
    inputs.int("batch", label="Batch", description="Labels of the next round", default=100, min=1)
    predictions = _filled(ctx.dataset, ctx.params, first).get("predictions")
    cost_matrix.cost_inputs(ctx, inputs, predictions)
    inputs.float(
        "volume",
        label="Volume",
        description="How many cases, such as a year's, each sample stands for",
        default=1.0,
        min=0,
    )
    pieces.field_input(
        ctx,
        inputs,
        "volume_field",
        "Or the field that says so",
        number_fields(ctx.dataset),
        missing="",
        required=False,
    )


def _filled(dataset: Any, params: dict[str, Any], pick: Pick) -> dict[str, Any]:
    filled = {name: value for name, value in params.items() if value is not None}
    if not filled.get("predictions"):
        taken = {filled.get("label_field"), *(filled.get("earlier") or [])}
        others = [one for one in prediction_fields(dataset) if one.path not in taken]
        filled["predictions"] = pick(others, "predictions")
    return filled


def _request_of(dataset: Any, params: dict[str, Any], pick: Pick) -> Request:
    filled = _filled(dataset, params, pick)
    price = filled.get("price")
    asks = price is not None or filled.get("cost") is not None or filled.get("gain") is not None
    return Request(
        filled["predictions"],
        list(filled.get("earlier") or []),
        Labeled(
            filled.get("label_field") or None,
            filled.get("labeled_tag") or None,
            bool(filled.get("skip_chosen")),
        ),
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
    """As ``cost_matrix.matrix_of``; a number alone is what any mistake costs."""
    matrix = cost_matrix.matrix_of(dataset, filled, filled["predictions"])
    try:
        return {"cost": float(matrix["cost"])}
    except (KeyError, TypeError, ValueError):
        return matrix
