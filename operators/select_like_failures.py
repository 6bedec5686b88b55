"""The operator select_like_failures: it selects samples like those on which a model failed."""

from __future__ import annotations

from collections import Counter
from typing import Any, ClassVar

from ..alcore import InvalidInput
from .base import Pick
from .dataset.fields import embedding_fields
from .dataset.fiftyone_private import dataset_of
from .evaluation.failures import MOST, failure_fields, failures_of, kinds_of
from .forms import embedding_inputs, pieces, selection_inputs
from .runs.run import Progress
from .select_base import SelectOperator

SHOWN = 5
KINDS = {
    "any": "every failure",
    "false_positives": "boxes where nothing is",
    "missed": "objects that were missed",
}


class SelectLikeFailures(SelectOperator):
    """Chooses samples like those on which a model failed, and some that cover the rest of the pool.

    Options, besides those of ``SelectOperator``:
        failures: the key of an evaluation, or a field of booleans that is true for failures, such as a
            weak slice.
        kind: of an evaluation of detections: "any" (default), "false_positives" or "missed".
        embeddings: a field of vectors or a similarity run.
        covered: the share of the budget that covers the pool instead; default: 0.3.
        budget: a count, or below 1 a share of the candidates; default: 100.
    """

    label = "Active learning: select like failures"
    about = (
        "Chooses unlabeled samples like those on which the model failed, by an evaluation or a weak "
        "slice: each failure in turn takes the most similar one. A share covers the rest of the pool, "
        "where failures may be that nobody has seen."
    )
    description = "Choose what looks like the model's errors: failures, false positives, misses, hard"
    options = ("failures", "kind", "embeddings", "covered", "budget")
    fields: ClassVar = {"failures": failure_fields, "embeddings": embedding_fields}
    refused_at = "failures"

    def strategy_inputs(self, ctx: Any, inputs: Any) -> None:
        pieces.budget_input(inputs)
        pieces.field_input(
            ctx,
            inputs,
            "failures",
            "Failures",
            failure_fields(ctx.dataset),
            missing="Nothing is evaluated yet: evaluate predictions, or write a weak slice, first",
            description="An evaluation, or a field of booleans that marks a weak slice",
        )
        named = ctx.params.get("failures") or next(
            (one.path for one in failure_fields(ctx.dataset)), None
        )
        kinds = kinds_of(ctx.dataset, named)
        if len(kinds) > 1:
            lines = {one: KINDS[one] for one in kinds}
            pieces.choice_input(inputs, "kind", "Of these", lines, "any")
        embedding_inputs.embeddings_input(ctx, inputs)
        inputs.float(
            "covered",
            label="Share that covers the pool",
            description="Where failures may be that nobody has seen yet",
            default=0.3,
            min=0,
            max=1,
        )

    def fill(self, dataset: Any, options: dict[str, Any], pick: Pick) -> dict[str, Any]:
        if options.get("objects"):
            raise InvalidInput("objects: samples are chosen here, for evaluations judge samples")
        return super().fill(dataset, options, pick)

    def recipe_of(self, dataset: Any, params: dict[str, Any]) -> dict[str, Any]:
        found = failures_of(dataset, params["failures"], params.get("kind") or "any")
        entry = {
            "strategy": "like_failures",
            "column": params.get("embeddings"),
            "to": found.ids,
            "covered": params.get("covered", 0.3),
        }
        return {
            "budget": selection_inputs.budget_of(params),
            "filters": [{"column": "id", "not_in": found.ids}],
            "strategies": [entry],
            "seed": params.get("seed", 0),
        }

    def run(self, view: Any, options: dict[str, Any], report: Progress) -> dict[str, Any]:
        result = super().run(view, options, report)
        found = failures_of(dataset_of(view), options["failures"], options.get("kind") or "any")
        result["failures"] = found.total
        counted = Counter(found.says).most_common(SHOWN)
        result["notes"] += [f"{count:,} failures: {says}" for says, count in counted]
        if found.total > MOST:
            result["notes"].append(f"{found.total:,} failures; the worst {MOST:,} are answered")
        return result

    def draw_result(self, outputs: Any, result: dict[str, Any]) -> None:
        super().draw_result(outputs, result)
        outputs.int("failures", label="Failures")
