"""The operator compare_strategies: which strategy would have chosen best, judged by known labels."""

from __future__ import annotations

from typing import Any

import fiftyone.operators.types as types
from fiftyone.operators.executor import ExecutionResult

from ..alcore import InvalidInput
from ..alcore.data.json_text import parsed
from .base import OptionsOperator, Pick
from .dataset.fields import (
    Choice,
    detection_fields,
    embedding_fields,
    likely_labels,
    only,
    truth_fields,
)
from .dataset.fiftyone_private import dataset_of
from .dataset.views import samples_of
from .evaluation.strategy_comparison import (
    ComparisonRequest,
    check_request,
    compare_view,
    curve_plot,
    holds_boxes,
    table_rows,
    usual_of,
)
from .forms import cost_matrix, pieces
from .forms.markdown import bold, escaped, table
from .runs.run import Progress
from .runs.saved_recipes import saved_recipes

LEARNERS = {
    "logistic": "regression on the embeddings",
    "neighbors": "the nearest five labeled embeddings",
    "head": "a network with one hidden layer on the embeddings",
}
COUNTS = {
    "first": ("First labels", "Drawn by chance, before the first round", 20),
    "batch": ("Batch", "Labels of each round; for boxes, how many images to choose", 20),
    "rounds": ("Rounds", "After each, the model is trained and tested", 5),
    "seeds": ("Repeats", "With other seeds; below 10, most differences are chance", 10),
}
MOST_SHOWN = 5


class CompareStrategies(OptionsOperator):
    """Replays active learning on the labeled samples, and compares strategies. It writes nothing.

    For labels of classes, labels are hidden, each recipe chooses which to show, and a small model on
    the embeddings is trained and tested after each round. For boxes nothing is trained: what each
    recipe chooses is judged by the errors of the evaluated detector.

    Options:
        label_field: the field of true labels.
        recipes: a dict from names to recipes, lists of strategies, or a list of names of usual and
            saved recipes; default: all usual ones.
        embeddings: the field of embeddings.
        predictions, eval_key: for boxes, the detector's predictions and their evaluation.
        learner: "logistic", "neighbors" or "head"; in Python also a pair of functions,
            ``fit(X, y) -> model`` and ``predict(model, X) -> (N, C) probabilities``.
        first, batch, rounds, seeds: the labels before the first round, the labels of each round, the
            number of rounds, and how often all is repeated.
        cost, gain: a matrix ``[truth][decision]``, to compare the gain an image, too.
        price: the price of a label, to tell how much money is saved.
        bad: "error" or "leave_out", for samples whose values cannot be used.

    The result has a ``verdict``, and for each measure ``rows`` and ``curves``. Runs are kept, so that a
    comparison that was stopped goes on where it was.
    """

    label = "Active learning: compare strategies"
    about = (
        "Which strategy is best for your data? Replays active learning on the samples that are labeled "
        "already: labels are hidden, each strategy chooses, a small model is trained and tested. "
        "Nothing is written."
    )
    description = (
        "Which active learning strategy is best on my data: benchmark, replay, simulate, against random"
    )
    icon = "query_stats"
    result_label = "Comparison of strategies"
    refused_at = "label_field"
    risk = "low"
    options = (
        *("label_field", "recipes", "embeddings", "predictions", "eval_key", "learner", *COUNTS),
        *("price", "bad", *cost_matrix.OPTIONS),
    )

    def draw_form(self, ctx: Any, inputs: Any) -> None:
        fields = _label_fields(ctx.dataset)
        pieces.field_input(
            ctx,
            inputs,
            "label_field",
            "Labels",
            fields,
            missing="This dataset has no labels of classes or boxes",
            description="Labels that are there, and are hidden and uncovered again",
            default=_usual_labels(ctx.dataset),
        )
        labels = ctx.params.get("label_field") or _usual_labels(ctx.dataset) or ""
        boxes = bool(labels) and holds_boxes(ctx.dataset, labels)
        vectors = embedding_fields(ctx.dataset)
        if boxes:
            first = vectors[0].path if vectors else pieces.NONE
            about = "Vectors of the images, by which strategies compare them"
            pieces.optional_field_input(
                ctx, inputs, "embeddings", "Embeddings", vectors, about, default=first
            )
            self._box_inputs(ctx, inputs, labels)
        else:
            missing = "This dataset has no embeddings; compute embeddings first"
            pieces.field_input(
                ctx,
                inputs,
                "embeddings",
                "Embeddings",
                vectors,
                missing=missing,
                description="Vectors of the samples, from which the small model learns",
            )
            pieces.choice_input(inputs, "learner", "Model", LEARNERS, "logistic")
        usual = usual_of(ComparisonRequest(labels, [], "-", "-", "-" if boxes else None))
        known = [Choice(name, "usual") for name in usual if name != "random"]
        known += [Choice(name, "saved on this dataset") for name in saved_recipes(ctx.dataset)]
        about = "None chosen: all usual ones. A random choice is always beside them"
        pieces.fields_input(inputs, "recipes", "Strategies", known, about)
        for name, (label, hint, default) in COUNTS.items():
            if not boxes or name in ("batch", "seeds"):
                inputs.int(name, label=label, description=hint, default=default, min=1)
        pieces.optional_number_input(
            inputs,
            "price",
            "Price of a label",
            "To tell what is saved; left empty, labels are counted",
            min=0,
        )
        pieces.bad_input(inputs)

    def _box_inputs(self, ctx: Any, inputs: Any, labels: str) -> None:
        others = [one for one in detection_fields(ctx.dataset) if one.path != labels]
        missing = "This dataset has no predicted boxes"
        about = "The detector's boxes"
        pieces.field_input(
            ctx, inputs, "predictions", "Predictions", others, missing=missing, description=about
        )
        keys = [Choice(key, "an evaluation") for key in ctx.dataset.list_evaluations()]
        missing = "Nothing is evaluated yet: run evaluate_detections with an eval_key first"
        about = "Of these boxes, by which an image counts as right or wrong"
        pieces.field_input(
            ctx, inputs, "eval_key", "Evaluation", keys, missing=missing, description=about
        )

    def fill(self, dataset: Any, options: dict[str, Any], pick: Pick) -> dict[str, Any]:
        filled = super().fill(dataset, options, pick)
        if not filled.get("label_field"):
            usual = _usual_labels(dataset)
            filled["label_field"] = usual or pick(_label_fields(dataset), "label_field")
        if "embeddings" not in filled and embedding_fields(dataset):
            filled["embeddings"] = pick(embedding_fields(dataset), "embeddings")
        if holds_boxes(dataset, filled["label_field"]):
            if not filled.get("predictions"):
                others = [o for o in detection_fields(dataset) if o.path != filled["label_field"]]
                filled["predictions"] = pick(others, "predictions")
            if not filled.get("eval_key") and dataset.list_evaluations():
                keys = [Choice(key, "an evaluation") for key in dataset.list_evaluations()]
                filled["eval_key"] = pick(keys, "eval_key")
        return filled

    def check(self, view: Any, options: dict[str, Any]) -> None:
        check_request(view, _request_of(dataset_of(view), options))

    def run(self, view: Any, options: dict[str, Any], report: Progress) -> dict[str, Any]:
        return compare_view(view, _request_of(dataset_of(view), options), report)

    def __call__(self, sample_collection: Any, delegate: bool = False, **options: Any) -> Any:
        """Compare strategies on a dataset or view. The docstring of the class lists the options.

        With functions of your own as ``learner`` it runs here and now, for these cannot be sent.

        Returns:
            An ``ExecutionResult``; its ``result`` is a dict of plain values.

        Raises:
            InvalidInput: if an option is unknown or wrong, or if the labels are too few.
        """
        learner = options.get("learner")
        if not isinstance(learner, tuple):
            return super().__call__(sample_collection, delegate, **options)
        dataset = dataset_of(sample_collection)
        filled = self.fill(dataset, {k: v for k, v in options.items() if k != "learner"}, only)
        request = _request_of(dataset, filled)
        request.learner = learner
        return ExecutionResult(result=compare_view(samples_of(sample_collection), request))

    def has_written(self, result: dict[str, Any]) -> bool:
        return False

    def draw_result(self, outputs: Any, result: dict[str, Any]) -> None:
        outputs.md(escaped(result.get("verdict", "")), name="verdict_text")
        for number, measure in enumerate(result.get("measures") or []):
            head, rows = table_rows(result, measure)
            outputs.md(f"{bold(measure)}\n\n{table(head, rows)}", name=f"table_{number}")
            plot = curve_plot(result, measure)
            outputs.plot(f"plot_{number}", **plot, height=320, config={"displayModeBar": False})
        failures = result.get("failures") or []
        for number, sentence in enumerate(failures[:MOST_SHOWN]):
            outputs.view(f"failure_{number}", types.Warning(label=sentence))
        if len(failures) > MOST_SHOWN:
            more = f"and {len(failures) - MOST_SHOWN} more runs failed"
            outputs.view("failures_more", types.Warning(label=more))


def _label_fields(dataset: Any) -> list[Choice]:
    return [*truth_fields(dataset), *detection_fields(dataset)]


def _usual_labels(dataset: Any) -> str | None:
    """Return the field that seems to hold labels by people, if it can be compared by."""
    fitting = {one.path for one in _label_fields(dataset)}
    return next((one.path for one in likely_labels(dataset) if one.path in fitting), None)


def _request_of(dataset: Any, filled: dict[str, Any]) -> ComparisonRequest:
    """Return the request of filled options.

    Raises:
        InvalidInput: if a recipe is unknown, or if costs cannot be used.
    """
    counts = {name: _count(name, filled.get(name), usual) for name, (_, _, usual) in COUNTS.items()}
    return ComparisonRequest(
        label_field=filled["label_field"],
        recipes=parsed("recipes", filled.get("recipes") or []),
        embeddings=filled.get("embeddings") or None,
        predictions=filled.get("predictions") or None,
        eval_key=filled.get("eval_key") or None,
        learner=filled.get("learner") or "logistic",
        matrix=_matrix_of(dataset, filled),
        price=filled.get("price"),
        bad=filled.get("bad") or "error",
        **counts,
    )


def _count(name: str, given: Any, usual: int) -> int:
    """Return a count; a form may give it as a float, or leave it empty.

    Raises:
        InvalidInput: if it is no whole number.
    """
    try:
        return usual if given is None else int(given)
    except (TypeError, ValueError):
        raise InvalidInput(f"{name}: {given!r} is not a whole number") from None


def _matrix_of(dataset: Any, filled: dict[str, Any]) -> dict[str, Any]:
    """Return ``{"cost": matrix}`` or ``{"gain": matrix}``; empty where money does not count."""
    if filled.get("cost") is None and filled.get("gain") is None:
        return {}
    return cost_matrix.matrix_of(dataset, filled, filled["label_field"])
