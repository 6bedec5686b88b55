"""Advice in the panel: a few questions, a recipe with its reasons, and its proof on known labels."""

from __future__ import annotations

from typing import Any

from ...dataset.fields import Choice, embedding_fields
from ...evaluation.strategy_advice import (
    AIMS,
    TEST_SETS,
    advice_lines,
    advise_view,
    facts_lines,
    predictions_beside,
    usual_field,
)
from ...forms.markdown import paragraphs
from ...runs import jobs
from ..drawing import box, dropdown, row
from .step import Step

ADVICE = "advice"
OTHER_QUESTION = "If some mistakes cost more than others, press *With costs*."


class Advice(Step):
    """The part of the first step that says which recipe to begin with."""

    # Events

    def on_advice(self, ctx: Any) -> None:
        """Show or hide the questions."""
        ctx.panel.set_state("advice.open", not ctx.panel.get_state("advice.open"))

    def on_advise_strategy(self, ctx: Any) -> None:
        """Look at the dataset, and propose a recipe."""
        view, labels = self.view(ctx), self.labels(ctx)
        fields: dict[str, str | None] = {"label_field": labels or None}
        for name, found in (
            ("embeddings", embedding_fields(ctx.dataset)),
            ("predictions", predictions_beside(ctx.dataset, labels)),
        ):
            fields[name] = usual_field(ctx.dataset, name, found) or None
        answers = ctx.panel.get_state("advice") or {}
        aim, test_set = answers.get("aim") or "both", answers.get("test_set") or "have"
        budget = ctx.panel.get_state("wanted.budget") or 1

        def work(report: jobs.Progress) -> dict[str, Any]:
            return advise_view(view, fields, aim, test_set, {}, budget, report)

        self.start(ctx, ADVICE, "Which strategy fits", work)

    def on_advice_done(self, ctx: Any, result: dict[str, Any]) -> None:
        """Show the advice; the cards stay until the user takes the recipe."""
        text = paragraphs([*facts_lines(result), *advice_lines(result)])
        ctx.panel.set_state(
            {"advice.text": text, "advice.recipe": result["recipe"], "advice.open": True}
        )

    def on_take_advice(self, ctx: Any) -> None:
        """Replace the cards by the recipe that was proposed."""
        recipe = ctx.panel.get_state("advice.recipe")
        if recipe:
            self.open_recipe(ctx, recipe)
            ctx.panel.set_state("advice.open", False)

    def on_advise_with_costs(self, ctx: Any) -> None:
        """Open the form that also asks what mistakes cost."""
        self.prompt(ctx, "advise_strategy")

    def on_compare_strategies(self, ctx: Any) -> None:
        """Open the form that compares strategies on the user's labels."""
        self.prompt(ctx, "compare_strategies", {"label_field": self.labels(ctx)})

    # Drawing

    def draw_advice(self, ctx: Any, panel: Any) -> None:
        """Draw the questions, and the answer below them."""
        opened = bool(ctx.panel.get_state("advice.open"))
        icon = "expand_less" if opened else "assistant"
        label = "Hide the advice" if opened else "Which strategy fits?"
        panel.btn("advice_toggle", label=label, icon=icon, on_click=self.on_advice)
        if not opened:
            return
        inside = box(panel, "advice")
        answers = ctx.panel.get_state("advice") or {}
        aims = [Choice(name, "") for name in AIMS]
        dropdown(inside, "aim", "What matters", aims, answers.get("aim") or "both", labels=AIMS)
        sets = [Choice(name, "") for name in TEST_SETS]
        given = answers.get("test_set") or "have"
        dropdown(inside, "test_set", "The test set", sets, given, labels=TEST_SETS)
        inside.md(OTHER_QUESTION, name="other_question")
        buttons = row(inside, "buttons")
        buttons.btn(
            "advise",
            label="Advise",
            icon="assistant",
            on_click=self.on_advise_strategy,
            variant="contained",
        )
        buttons.btn(
            "costs",
            label="With costs",
            icon="payments",
            on_click=self.on_advise_with_costs,
        )
        if answers.get("text"):
            inside.md(answers["text"], name="text")
            after = row(inside, "after")
            after.btn("take", label="Use this recipe", icon="check", on_click=self.on_take_advice)
            after.btn(
                "compare",
                label="Prove it on my labels",
                icon="query_stats",
                on_click=self.on_compare_strategies,
                disabled=not ctx.panel.get_state("facts.labeled"),
            )
