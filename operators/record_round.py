"""The operator record_round: it records what a round brought."""

from __future__ import annotations

from typing import Any

import fiftyone.operators.types as types

from ..alcore import InvalidInput
from .base import OptionsOperator, Pick
from .dataset.fields import label_fields
from .dataset.fiftyone_private import dataset_of
from .forms import pieces
from .forms.markdown import bold, escaped, paragraphs
from .rounds.metric import check_fields
from .rounds.model import record_round, round_of
from .rounds.rounds import models_to_record, rounds_of, usual_test_set
from .rounds.test_set import find_test_set
from .rounds.words import audit_lines, metric_text, verdict_of
from .runs.run import Progress


class RecordRound(OptionsOperator):
    """Records what a round brought: the new model's metric on the test set, and an audit of the labels.

    Options:
        run_key: the selection; default: the last one made for labeling.
        predictions: the field of the predictions of the model trained with the labels of the round.
        test_set: the tag of the test set, or the run key of the one that ``select_test_set`` chose;
            default: the one used last, else the one chosen last.
        label_field: the field of the true labels; default: "ground_truth".
        before: the field of the predictions of the model before the round; default: none, so that the
            round is compared with the round before.
        audit_predictions: the field of the predictions that were there when the round was labeled;
            default: those by which it was chosen, unless they have been replaced.
        goal: a value of the metric that is good enough.

    The result has ``metric``, ``audit`` (None if no label of the round is back), ``verdict`` and
    ``sentence``. Only the record of the selection is changed.
    """

    label = "Active learning: record what a round brought"
    about = (
        "Measures a new model on the test set, and audits the labels that came back. Both are written "
        "into the record of the selection, and shown in the panel; nothing else is changed."
    )
    description = (
        "Metric on the test set, audit of labels and learning curve of an active learning round"
    )
    icon = "timeline"
    result_label = "What the round brought"
    refused_at = "predictions"
    has_target = False
    options = (
        "run_key",
        "predictions",
        "test_set",
        "label_field",
        "before",
        "audit_predictions",
        "goal",
    )

    def draw_form(self, ctx: Any, inputs: Any) -> None:
        labels = ctx.params.get("label_field") or pieces.usual_labels(ctx.dataset)
        rounds = rounds_of(ctx.dataset, labels)
        if not rounds:
            inputs.view(
                "none", types.Notice(label="Nothing was selected for labeling yet: select first")
            )
        view = types.DropdownView()
        for one in reversed(rounds):
            about = f"{one.labeled:,} of {one.samples:,} samples are labeled"
            view.add_choice(one.run_key, label=f"{one.number}: {one.run_key}", description=about)
        last = rounds[-1].run_key if rounds else None
        about = "The run key of the selection whose labels the new model was trained on"
        pieces.dropdown_input(
            inputs,
            "run_key",
            view,
            label="Round",
            description=about,
            default=last,
            required=True,
        )
        about = "The labels that were made"
        pieces.optional_field_input(
            ctx, inputs, "label_field", "Labels", label_fields(ctx.dataset), about, default=labels
        )
        models = models_to_record(ctx.dataset, rounds, labels)
        pieces.field_input(
            ctx,
            inputs,
            "predictions",
            "Predictions of the new model",
            models,
            missing="This dataset has no predictions of the type of the labels",
            description="What the model says that was trained on this round's labels, too",
        )
        inputs.str(
            "test_set",
            label="Test set",
            description="Fixed, and not trained on: a tag, or a test set that was chosen",
            default=usual_test_set(ctx.dataset, rounds),
            required=True,
        )
        pieces.optional_field_input(
            ctx,
            inputs,
            "before",
            "Predictions before the round",
            models,
            "Left empty, it is compared with the round before",
        )
        inputs.float(
            "goal",
            label="Goal",
            description="A value that is good enough; left empty, none is",
            min=0,
            max=1,
            required=False,
        )

    def fill(self, dataset: Any, options: dict[str, Any], pick: Pick) -> dict[str, Any]:
        filled = super().fill(dataset, options, pick)
        labels = filled.setdefault("label_field", pieces.usual_labels(dataset))
        rounds = rounds_of(dataset, labels)
        if not rounds:
            raise InvalidInput("run_key: nothing was selected for labeling yet; select first")
        filled.setdefault("run_key", rounds[-1].run_key)
        filled.setdefault("test_set", usual_test_set(dataset, rounds))
        if not filled.get("predictions"):
            filled["predictions"] = pick(models_to_record(dataset, rounds, labels), "predictions")
        return filled

    def check(self, view: Any, options: dict[str, Any]) -> None:
        dataset, labels = dataset_of(view), options["label_field"]
        round_of(dataset, options.get("run_key"), labels)
        find_test_set(dataset, options.get("test_set"))
        for name in filter(None, (options["predictions"], options.get("before"))):
            check_fields(dataset, name, labels)

    def run(self, view: Any, options: dict[str, Any], report: Progress) -> dict[str, Any]:
        dataset, labels = dataset_of(view), options["label_field"]
        recorded = record_round(
            dataset,
            options["run_key"],
            options["predictions"],
            options["test_set"],
            labels,
            options.get("before") or None,
            options.get("audit_predictions") or None,
            report,
        )
        found = verdict_of(rounds_of(dataset, labels), options.get("goal"))
        return {
            "round": options["run_key"],
            "metric": recorded["model"]["metric"],
            "audit": recorded["audit"],
            "verdict": found.says,
            "sentence": found.sentence,
            "notes": recorded["model"]["notes"],
        }

    def draw_result(self, outputs: Any, result: dict[str, Any]) -> None:
        lines = [
            f"{bold(result['verdict'].capitalize())}: {escaped(result['sentence'])}",
            escaped(metric_text(result["metric"])),
        ]
        if result.get("audit"):
            lines += map(escaped, audit_lines(result["audit"]))
        outputs.md(paragraphs(lines), name="brought_text")
