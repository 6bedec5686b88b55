"""The operator advise_strategy: which recipe to begin with, why, and what could not be known."""

from __future__ import annotations

import json
from dataclasses import asdict
from typing import Any

import fiftyone.operators.types as types

from ..alcore import InvalidInput
from ..alcore.evaluation.advice import Answers, Facts, advise
from ..alcore.scores.cost import cost_matrix as checked_matrix
from .base import OptionsOperator, Pick
from .dataset.fields import (
    Choice,
    detection_fields,
    embedding_fields,
    label_fields,
    likely_labels,
    prediction_fields,
)
from .dataset.fiftyone_private import dataset_of
from .evaluation.facts import facts_of
from .forms import cost_matrix, pieces
from .forms.markdown import bold, escaped, paragraphs
from .runs.run import Progress

AIMS = {
    "both": "common cases and edge cases",
    "common": "the common case should be right first",
    "edge": "rare and hard cases matter most",
}
MISTAKES = {"alike": "all mistakes cost the same", "unequal": "some cost more than others"}
TEST_SETS = {
    "have": "there is a test set already",
    "pool": "it shall stand for all the images",
    "rare": "it shall measure rare classes, too",
}
FIELDS = ("label_field", "embeddings", "predictions")


class AdviseStrategy(OptionsOperator):
    """Reads what is known of a dataset, and proposes a recipe with its reasons. It writes nothing.

    Options:
        label_field, embeddings, predictions: the fields to look at; default: those that fit, if they
            are the only ones.
        aim: "both", "common" or "edge": which cases matter.
        cost, gain: a matrix ``[truth][decision]``, if mistakes cost unequally.
        test_set: "have" one already; or it shall stand for the "pool", or for "rare" classes too.
        budget: the budget of the recipe.

    The result has the ``recipe``, ``reasons`` with their sources, what is ``unknown``, what to do
    ``next``, and the ``facts``.
    """

    label = "Active learning: which strategy should I use?"
    about = (
        "Reads what is known of this dataset, asks three questions, and proposes a recipe with its "
        "reasons. Nothing is written."
    )
    description = "Advice: which active learning strategy or recipe to use, recommendation, best method"
    icon = "assistant"
    result_label = "Advice"
    refused_at = "label_field"
    risk = "low"
    options = (*FIELDS, "aim", "mistakes", "test_set", "budget", *cost_matrix.OPTIONS)

    def draw_form(self, ctx: Any, inputs: Any) -> None:
        dataset = ctx.dataset
        for name, label, choices in (
            ("label_field", "Labels", label_fields(dataset)),
            ("embeddings", "Embeddings", embedding_fields(dataset)),
            ("predictions", "Predictions", _predictions(dataset, ctx.params.get("label_field"))),
        ):
            usual = _usual(dataset, name, choices)
            pieces.optional_field_input(ctx, inputs, name, label, choices, default=usual)
        pieces.choice_input(inputs, "aim", "What matters", AIMS, "both")
        pieces.choice_input(inputs, "mistakes", "What does a mistake cost", MISTAKES, "alike")
        if ctx.params.get("mistakes") == "unequal":
            labels = ctx.params.get("label_field")
            cost_matrix.cost_inputs(ctx, inputs, ctx.params.get("predictions"), labels)
        pieces.choice_input(inputs, "test_set", "The test set", TEST_SETS, "have")
        pieces.budget_input(inputs)

    def fill(self, dataset: Any, options: dict[str, Any], pick: Pick) -> dict[str, Any]:
        filled = super().fill(dataset, options, pick)
        choices = {
            "label_field": label_fields(dataset),
            "embeddings": embedding_fields(dataset),
            "predictions": _predictions(dataset, filled.get("label_field")),
        }
        for name in FIELDS:
            if name not in filled:
                usual = _usual(dataset, name, choices[name])
                filled[name] = usual or pieces.NONE
        return filled

    def check(self, view: Any, options: dict[str, Any]) -> None:
        dataset = dataset_of(view)
        for name in FIELDS:
            path = options.get(name)
            if path and dataset.get_field(path) is None and path not in dataset.list_brain_runs():
                raise InvalidInput(f"{name}: {dataset.name!r} has no field {path!r}")
        for name, known in (("aim", AIMS), ("test_set", TEST_SETS)):
            if options.get(name, next(iter(known))) not in known:
                raise InvalidInput(f"{name}: {options[name]!r} is not one of {', '.join(known)}")
        _gain_of(dataset, options, [])

    def run(self, view: Any, options: dict[str, Any], report: Progress) -> dict[str, Any]:
        dataset = dataset_of(view)
        fields = {name: options.get(name) or None for name in FIELDS}
        found = facts_of(
            view, fields["label_field"], fields["embeddings"], fields["predictions"], report
        )
        answers = Answers(
            options.get("aim", "both"),
            _gain_of(dataset, options, list(found.facts.classes)),
            options.get("test_set", "have"),
        )
        proposal = advise(found.facts, answers)
        recipe = proposal.recipe(int(options.get("budget") or 100))
        return {
            "recipe": recipe,
            "reasons": [{"reason": why, "source": source} for why, source in proposal.reasons],
            "unknown": proposal.unknown,
            "next": proposal.next,
            "facts": asdict(found.facts),
            "regime": None if found.regime is None else asdict(found.regime),
            "notes": found.notes,
        }

    def has_written(self, result: dict[str, Any]) -> bool:
        return False

    def draw_result(self, outputs: Any, result: dict[str, Any]) -> None:
        outputs.md(paragraphs(facts_lines(result)), name="facts_text")
        outputs.md(paragraphs(advice_lines(result)), name="advice_text")
        written = json.dumps(result.get("recipe"), indent=2)
        # The App's code view loads files from the internet, which some networks block.
        outputs.str(
            "recipe_text",
            label="Recipe, for the panel or the operator select",
            default=written,
            view=types.TextFieldView(multiline=True, read_only=True, rows=8),
        )


def advice_lines(result: dict[str, Any]) -> list[str]:
    """Return the reasons, what is not known, and what to do next, as lines of Markdown."""
    reasons = [
        f"{escaped(one['reason'])}. *{escaped(one['source'])}*" for one in result.get("reasons") or []
    ]
    unknown = [f"Not known: {escaped(one)}" for one in result.get("unknown") or []]
    return [*reasons, *unknown, *map(escaped, result.get("next") or [])]


def facts_lines(result: dict[str, Any]) -> list[str]:
    """Return what was found, as lines of Markdown."""
    facts = Facts(**result["facts"])
    lines = [f"{bold(f'{facts.labeled:,} of {facts.samples:,}')} samples are labeled"]
    if facts.classes:
        most, least = max(facts.classes.values()), min(facts.classes.values())
        lines.append(f"{len(facts.classes)} classes, of {least:,} to {most:,} labels each")
    if facts.accuracy is not None and facts.calibration is not None:
        lines.append(
            f"The model is right on {facts.accuracy:.0%} of the labeled samples, and its confidence is "
            f"off by {facts.calibration:.1%}"
        )
    if facts.copies is not None and facts.outliers is not None:
        lines.append(
            f"{facts.copies:.1%} of the samples have a near copy, {facts.outliers:.1%} are far from "
            "every other"
        )
    regime = result.get("regime")
    if regime:
        costs = ", ".join(f"{kind} {cost:+.1%}" for kind, cost in regime["costs"].items())
        lines.append(f"What leaving out 5% of the labels costs in accuracy: {costs}")
    return lines


def _predictions(dataset: Any, labels: str | None) -> list[Choice]:
    found = [*prediction_fields(dataset), *detection_fields(dataset)]
    known = {labels, *(one.path for one in likely_labels(dataset)[:1])}
    return [one for one in found if one.path not in known]


def _usual(dataset: Any, name: str, choices: list[Choice]) -> str:
    if name == "label_field":
        return next((one.path for one in likely_labels(dataset)), pieces.NONE)
    return choices[0].path if choices else pieces.NONE


def _gain_of(dataset: Any, options: dict[str, Any], classes: list[str]) -> Any:
    """Return ``gain[truth][decision]`` by class names; None if all mistakes cost the same.

    Raises:
        InvalidInput: if a matrix is asked for and cannot be used.
    """
    given = any(options.get(name) is not None for name in ("cost", "gain"))
    if not given and options.get("mistakes") != "unequal":
        return None
    fields = (options.get("predictions") or None, options.get("label_field") or None)
    matrix = cost_matrix.matrix_of(dataset, options, *fields)
    kind, found = next(iter(matrix.items()))
    if not classes:
        return found
    rows = checked_matrix(found, classes, kind) * (-1 if kind == "cost" else 1)
    return {
        truth: dict(zip(classes, map(float, row), strict=True))
        for truth, row in zip(classes, rows, strict=True)
    }
