"""The operator show_result: the result of an operator that went on in the background."""

from __future__ import annotations

from typing import Any

import fiftyone.operators as foo

from .base import operator_name
from .dataset.fiftyone_private import use_own_dataset
from .runs import jobs


class ShowResult(foo.Operator):
    """Shows the result of a job of an operator, as the operator itself shows it."""

    label = "Active learning: show a result"

    @property
    def config(self) -> Any:
        return foo.OperatorConfig(
            name=operator_name(self),
            label=self.label,
            description="Shows the result of an operator that went on in the background",
            icon="table_chart",
            unlisted=True,
            risk_level="low",
        )

    def execute(self, ctx: Any) -> dict[str, Any]:
        use_own_dataset(ctx)
        result = jobs.result_of(ctx.dataset, jobs.job_of(ctx.dataset, ctx.params["job"]))
        gone = {"error": "the result is not kept any more; run it again"}
        return {"operator": ctx.params["operator"], "result": result or gone}

    def resolve_output(self, ctx: Any) -> Any:
        shown = ctx.results or {"operator": "select", "result": {"error": "the result cannot be shown"}}
        operator = foo.get_operator(f"{self.plugin_name}/{shown['operator']}")
        return operator.output_of(shown["result"])
