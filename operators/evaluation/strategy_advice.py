"""Advice on which recipe to begin with, from the facts of a dataset and the user's answers."""

from __future__ import annotations

from dataclasses import asdict
from typing import Any

from ...alcore import InvalidInput
from ...alcore.evaluation.advice import Answers, Facts, advise
from ...alcore.scores.cost import cost_matrix
from ..dataset.fields import Choice, detection_fields, likely_labels, prediction_fields
from ..forms.markdown import bold, escaped
from ..runs.run import Progress
from .facts import facts_of

NONE = ""
AIMS = {
    "both": "common cases and edge cases",
    "common": "the common case should be right first",
    "edge": "rare and hard cases matter most",
}
TEST_SETS = {
    "have": "there is a test set already",
    "pool": "it shall stand for all the images",
    "rare": "it shall measure rare classes, too",
}


def advise_view(
    view: Any,
    fields: dict[str, str | None],
    aim: Any,
    test_set: Any,
    matrix: dict[str, Any],
    budget: int,
    report: Progress = lambda share, label: None,
) -> dict[str, Any]:
    """Propose a recipe for a view.

    Args:
        view: the samples.
        fields: the fields to look at: "label_field", "embeddings" and "predictions"; None for none.
        aim: which cases matter; see ``AIMS``.
        test_set: what the test set shall stand for; see ``TEST_SETS``.
        matrix: ``{"cost": ...}`` or ``{"gain": ...}``; empty if all mistakes cost the same.
        budget: the budget of the recipe.
        report: called with the share that is done and a text.

    Returns:
        The recipe, the reasons with their sources, what is not known, what to do next, and the facts,
        as plain values.

    Raises:
        InvalidInput: if a field does not fit, or if its values cannot be used.
    """
    found = facts_of(view, fields["label_field"], fields["embeddings"], fields["predictions"], report)
    answers = Answers(aim, _gain_of(matrix, list(found.facts.classes)), test_set)
    proposal = advise(found.facts, answers)
    return {
        "recipe": proposal.recipe(budget),
        "reasons": [{"reason": why, "source": source} for why, source in proposal.reasons],
        "unknown": proposal.unknown,
        "next": proposal.next,
        "facts": asdict(found.facts),
        "regime": None if found.regime is None else asdict(found.regime),
        "notes": found.notes,
    }


def _gain_of(matrix: dict[str, Any], classes: list[str]) -> Any:
    """Return ``gain[truth][decision]`` by class names; None if all mistakes cost the same.

    Raises:
        InvalidInput: if the matrix does not fit the classes of the labels.
    """
    if not matrix:
        return None
    kind, given = next(iter(matrix.items()))
    if not classes:
        raise InvalidInput(f"{kind}: no label tells the classes yet; label some samples first")
    rows = cost_matrix(given, classes, kind) * (-1 if kind == "cost" else 1)
    return {
        truth: dict(zip(classes, map(float, row), strict=True))
        for truth, row in zip(classes, rows, strict=True)
    }


def predictions_beside(dataset: Any, labels: str | None) -> list[Choice]:
    """Return the fields of predictions, without those that seem to hold labels."""
    found = [*prediction_fields(dataset), *detection_fields(dataset)]
    known = {labels, *(one.path for one in likely_labels(dataset)[:1])}
    return [one for one in found if one.path not in known]


def usual_field(dataset: Any, name: str, choices: list[Choice]) -> str:
    """Return the field to look at where none is named; "" where there is none."""
    if name == "label_field":
        return next((one.path for one in likely_labels(dataset)), NONE)
    return choices[0].path if choices else NONE


def advice_lines(result: dict[str, Any]) -> list[str]:
    """Return the reasons, what is not known, and what to do next, as lines of Markdown."""
    reasons = [
        f"{escaped(one['reason'])} *({escaped(one['source'])})*" for one in result.get("reasons") or []
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
