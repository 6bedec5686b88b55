"""The form of test sets: size, target, method, and what separates them from training samples."""

from __future__ import annotations

from typing import Any

import fiftyone.operators.types as types

from ...alcore import InvalidInput
from ...alcore.test_sets import TestSetSpec
from ...alcore.test_sets.sizes import size_for
from ..dataset.fields import (
    Choice,
    category_fields,
    embedding_fields,
    label_fields,
    number_fields,
    prediction_fields,
    uncertain_fields,
)
from . import counts, embedding_inputs, pieces, test_set_options

SIZES = {
    "count": "so many, or a share of what may be chosen",
    "interval": "as many as a metric takes to be known to within an interval",
}
TARGETS = {
    "pool": "all the samples it is chosen from",
    "reference": "the samples of a saved view or tag, such as those of production",
    "shares": "given shares of classes or metadata",
}
METHODS = {
    "stratified": "the target's share of every stratum, drawn by chance within it",
    "herding": "samples that together are most like the target, by embeddings",
    "both": "the shares of the strata, and within them by embeddings",
    "active": "drawn by expected loss, with weights that keep a metric's mean unbiased",
    "random": "by chance",
}
METRICS = {
    "proportion": "a share of right answers: accuracy, or the recall of a class",
    "mean": "a mean of other values",
}
DEFAULT_SIZE = 200


def filled(ctx: Any) -> dict[str, Any]:
    """Return the options of a form, with its defaults if the App has not sent them yet."""
    params = dict(ctx.params)
    if any(params.get(name) for name in ("size", "interval", "size_by")):
        return params
    usual = {
        "size_by": "count",
        "size": _usual_size(ctx),
        "target": "pool",
        "method": _usual_method(ctx.dataset),
        "strata": _usual_strata(ctx.dataset),
        "embeddings": _first(embedding_fields(ctx.dataset)),
        "label_field": _usual_labels(ctx),
    }
    return usual | {name: value for name, value in params.items() if value is not None}


def form_inputs(ctx: Any, inputs: Any) -> None:
    """Add all inputs of the form, except those for the names of the result."""
    params = filled(ctx)
    pieces.choice_input(inputs, "target", "Like what", TARGETS, "pool")
    _target_inputs(ctx, inputs, params)
    pieces.choice_input(inputs, "size_by", "How many", SIZES, "count")
    _size_inputs(ctx, inputs, params)
    pieces.choice_input(inputs, "method", "Method", METHODS, _usual_method(ctx.dataset))
    if test_set_options.needs_strata(params):
        pieces.fields_input(
            inputs,
            "strata",
            "Strata",
            category_fields(ctx.dataset),
            description="Labels, predicted or true, and metadata; several are taken jointly",
            default=_usual_strata(ctx.dataset),
        )
    if params.get("method") == "active":
        _active_inputs(ctx, inputs)
    inputs.view("apart", types.Header(label="Kept apart from training", divider=True))
    _embedding_inputs(ctx, inputs, params)
    if params.get("method") != "active":
        about = "Such as video, camera or patient; a date counts by day. A group is not split"
        pieces.optional_field_input(ctx, inputs, "groups", "Groups", _group_fields(ctx.dataset), about)
    _training_inputs(ctx, inputs)


def _target_inputs(ctx: Any, inputs: Any, params: dict[str, Any]) -> None:
    if params.get("target") == "reference":
        view = types.DropdownView()
        view.add_choice(pieces.NONE, label="none")
        for name in ctx.dataset.list_saved_views():
            view.add_choice(name, label=name)
        pieces.dropdown_input(
            inputs,
            "reference_view",
            view,
            label="Saved view",
            description="Of the samples that the test set shall be like",
            required=False,
            default=pieces.NONE,
        )
        inputs.str(
            "reference_tag",
            label="Or tag",
            description="Of these samples",
            default="",
            required=False,
        )
    elif params.get("target") == "shares":
        inputs.str(
            "shares",
            label="Shares",
            description='Of a stratum\'s values, such as {"night": 0.4}; of several strata by field: '
            '{"predictions.label": {"car": 0.7}, "night": {"true": 0.4}}. Values that are not named '
            "share the rest; left empty, the shares in the pool",
            required=False,
            view=types.CodeView(language="json"),
        )


def _size_inputs(ctx: Any, inputs: Any, params: dict[str, Any]) -> None:
    if params.get("size_by") != "interval":
        inputs.float(
            "size",
            label="Size",
            description="How many samples; a number below 1 is a share of those that may be chosen",
            default=_usual_size(ctx),
        )
        return
    inputs.float(
        "half_width",
        label="Plus or minus",
        description="Half the width of the confidence interval; 0.05 is five points",
        default=test_set_options.HALF_WIDTH,
        min=0,
    )
    inputs.float(
        "confidence",
        label="Confidence",
        description="How often the interval holds the true value",
        default=0.95,
        min=0,
        max=1,
    )
    pieces.choice_input(inputs, "metric_kind", "Of", METRICS, "proportion")
    if params.get("metric_kind") == "mean":
        inputs.float(
            "deviation",
            label="Standard deviation",
            description="Of the values",
            default=test_set_options.DEVIATION,
        )
    else:
        inputs.float(
            "expected",
            label="About what it will be",
            description="0.5 takes the most samples",
            default=0.5,
            min=0,
            max=1,
        )
    inputs.float(
        "of_share",
        label="Share of the samples it is of",
        description="1 for all; for the recall of a class, the share of that class",
        default=1.0,
        min=0,
        max=1,
    )
    text = _size_text(ctx, params)
    if text:
        inputs.view("size_needed", types.Notice(label=text))


def _size_text(ctx: Any, params: dict[str, Any]) -> str:
    """Return a line with the number of samples that the interval needs.

    It is empty if there are no samples, or if an option is not valid, which the form reports.
    """
    try:
        shown = test_set_options.as_shown(params)
        spec = TestSetSpec.of({"interval": test_set_options.interval_of(shown), "method": "random"})
    except InvalidInput:
        return ""
    assert spec.interval is not None
    left = _counted(ctx, params)
    population = left if params.get("target") == "pool" else None
    if population == 0:
        return ""
    return f"That takes {size_for(spec.interval, population):,} samples, of {left:,} not labeled"


def _active_inputs(ctx: Any, inputs: Any) -> None:
    fields = [*uncertain_fields(ctx.dataset), *number_fields(ctx.dataset)]
    pieces.field_input(
        ctx,
        inputs,
        "expected_loss",
        "Expected loss",
        fields,
        missing="This dataset has no predictions and no numbers",
        description="Predictions, by how likely they are wrong, or numbers such as predicted losses. "
        "Do not choose training samples by the same",
    )
    inputs.float(
        "floor",
        label="Part drawn evenly",
        description="The larger, the less a wrong expectation costs; weights stay below 1 / this",
        default=0.2,
        min=0.01,
        max=1,
    )


def _embedding_inputs(ctx: Any, inputs: Any, params: dict[str, Any]) -> None:
    choices = embedding_fields(ctx.dataset)
    pieces.field_input(
        ctx,
        inputs,
        "embeddings",
        "Embeddings",
        choices,
        missing="This dataset has no vector field and no similarity run: compute embeddings makes one",
        description="By these, near-duplicates of the chosen are kept out of training",
        required=test_set_options.needs_embeddings(params),
        default=_first(choices),
    )
    if not params.get("embeddings"):
        return
    embedding_inputs.metric_input(inputs)
    about = (
        "Nearer samples are near-duplicates; left empty, the distance that is suggested; 0: "
        "they are not looked for"
    )
    pieces.optional_number_input(inputs, "minimum_distance", "Near-duplicates within", about, min=0)


def _training_inputs(ctx: Any, inputs: Any) -> None:
    about = "Samples with a value in this field: not chosen, nor near-duplicates of them"
    pieces.optional_field_input(
        ctx,
        inputs,
        "label_field",
        "Trained on",
        label_fields(ctx.dataset),
        about,
        default=_usual_labels(ctx),
    )
    inputs.str(
        "labeled_tag",
        label="Or with this tag",
        description="Samples with this tag are trained on too",
        default="",
        required=False,
    )
    inputs.bool(
        "skip_chosen",
        label="Samples of earlier selections are trained on too",
        description="So that none of them is in the test set",
        default=True,
        view=types.CheckboxView(),
    )
    left = _counted(ctx, filled(ctx))
    inputs.view("counts", types.Notice(label=f"{left:,} samples to choose from"))


def _counted(ctx: Any, params: dict[str, Any]) -> int:
    """Return the number of samples that are not labeled."""
    field, tag = params.get("label_field") or None, params.get("labeled_tag") or None
    counted = counts.count_samples(ctx, counts.view_key(ctx), field, tag, None, None)
    return int(counted["total"] - counted["labeled"])


def _usual_size(ctx: Any) -> int:
    return max(1, min(DEFAULT_SIZE, _counted(ctx, {"label_field": _usual_labels(ctx)}) // 5))


def _usual_labels(ctx: Any) -> str:
    """Return the default field of labels, or "" if there is none.

    If all samples are labeled it is "", so that a test set can be chosen from them.
    """
    name = pieces.usual_labels(ctx.dataset)
    if not name:
        return name
    counted = counts.count_samples(ctx, counts.view_key(ctx), name, None, None, None)
    return name if counted["labeled"] < counted["total"] else pieces.NONE


def _usual_strata(dataset: Any) -> list[str]:
    paths = [choice.path for choice in category_fields(dataset)]
    wanted = [f"{choice.path}.label" for choice in prediction_fields(dataset)]
    wanted += [path for path in paths if path.endswith(".label")] + paths
    return [path for path in wanted if path in paths][:1]


def _usual_method(dataset: Any) -> str:
    if _usual_strata(dataset):
        return "stratified"
    return "herding" if embedding_fields(dataset) else "random"


def _group_fields(dataset: Any) -> list[Choice]:
    kinds = ("int", "date", "datetime")
    return [*category_fields(dataset), *(c for c in number_fields(dataset) if c.holds in kinds)]


def _first(choices: list[Choice]) -> str:
    return choices[0].path if choices else pieces.NONE
