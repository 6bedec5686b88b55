"""The operator compute_scores: scores of all samples as fields, to sort and filter by."""

from __future__ import annotations

from typing import Any

import fiftyone.operators.types as types

from ..alcore import InvalidInput
from ..alcore.data.json_text import parsed
from .base import OptionsOperator, Pick
from .compute.scores import Wanted, check_scores, compute_scores
from .dataset.fiftyone_private import dataset_of
from .forms import pieces, uncertainty_inputs, words
from .reading.read import Labeled
from .runs.run import Progress


def _wanted(dataset: Any, params: dict[str, Any]) -> list[Wanted]:
    given = params.get("scores")
    if given:
        named = parsed("scores", given)
        if not isinstance(named, dict) or not all(isinstance(one, dict) for one in named.values()):
            raise InvalidInput("scores: must be a dict from field names to entries of a recipe")
        return [Wanted(field, entry, _described(entry)) for field, entry in named.items()]
    known = uncertainty_inputs.measures_of(dataset, params)
    chosen = params.get(uncertainty_inputs.input_of("measures", known)) or params.get("measures")
    chosen = chosen or [params.get("measure") or next(iter(known))]
    prefix = params.get("prefix", "al")
    wanted = []
    for measure in chosen:
        if measure not in known:
            raise InvalidInput(f"measures: there is no {measure!r} here; there are {', '.join(known)}")
        entry = uncertainty_inputs.entry_of(dataset, params, measure)
        field = f"{prefix}_{measure}" if prefix else measure
        wanted.append(Wanted(field, entry, _described(entry, known[measure])))
    return wanted


def _described(entry: dict[str, Any], words: words.Words | None = None) -> str:
    """Return the description of a score field: direction, measure, source fields, and advice."""
    column = entry.get("column") or entry.get("strategy")
    fields = ", ".join(column) if isinstance(column, list) else column
    what = str(entry.get("measure") or entry.get("strategy")).replace("_", " ")
    advice = f": {words.line}" if words else ""
    return f"Higher = more worth labeling. {what} of {fields}{advice}"


def _labeled(params: dict[str, Any]) -> Labeled:
    return Labeled(params.get("label_field") or None)


class ComputeScores(OptionsOperator):
    """Writes scores of all samples to fields. A higher score means more worth labeling.

    Options:
        scores: a dict that maps the name of a field to an entry of a recipe, such as
            ``{"margin": {"strategy": "uncertainty", "column": "predictions"}}``. Without it, the
            options from ``predictions`` to ``prefix`` are used.
        predictions, several, members, predicted_loss: the field or fields that are scored. Further
            options are those of ``select_informative`` for the same fields.
        measures: a list of measures, each of which gets a field.
        prefix: the first part of the names of the fields; default: "al".
        label_field: the field that tells which samples are labeled.
        overwrite: whether earlier score fields are replaced.
        bad: "error" or "leave_out", for samples whose values cannot be used.
        device: "auto", "cpu" or "cuda".
        seed: the seed of the random numbers.

    The result has the fields, and the number of samples that got a score in each.
    """

    label = "Active learning: compute scores"
    about = "Writes how uncertain each sample is into fields, to sort and filter by in the App."
    description = "Write uncertainty and disagreement scores into fields: margin, entropy, BALD"
    icon = "calculate"
    result_label = "Computed"
    options = (
        *uncertainty_inputs.OPTIONS,
        *("measures", "prefix", "scores", "label_field", "overwrite", "bad", "device", "seed"),
    )

    def draw_form(self, ctx: Any, inputs: Any) -> None:
        params = uncertainty_inputs.source_inputs(ctx, inputs)
        known = uncertainty_inputs.measures_of(ctx.dataset, params)
        view = types.DropdownView(multiple=True)
        for name, one in known.items():
            view.add_choice(name, label=name.replace("_", " "), description=one.line)
        inputs.list(
            uncertainty_inputs.input_of("measures", known),
            types.String(),
            label="Measures",
            description="A field for each",
            default=[next(iter(known))],
            view=view,
        )
        uncertainty_inputs.detail_inputs(ctx, inputs, params)
        inputs.str(
            "prefix", label="Prefix", description="The names of the fields start with it", default="al"
        )
        pieces.overwrite_input(inputs, "earlier scores")
        others = "score the others, and say how many"
        pieces.bad_input(inputs, {"error": "stop and say which", "leave_out": others})

    def refuse(self, ctx: Any, inputs: Any, error: InvalidInput) -> None:
        measures = next(name for name in inputs.properties if name.startswith("measures_"))
        pieces.refuse(inputs, measures, error)

    def fill(self, dataset: Any, options: dict[str, Any], pick: Pick) -> dict[str, Any]:
        if options.get("scores"):
            return super().fill(dataset, options, pick)
        named = {name: value for name, value in options.items() if name != "scores"}
        return uncertainty_inputs.fill(dataset, named, pick)

    def check(self, view: Any, options: dict[str, Any]) -> None:
        wanted = _wanted(dataset_of(view), options)
        check_scores(view, wanted, _labeled(options), bool(options.get("overwrite")))

    def run(self, view: Any, options: dict[str, Any], report: Progress) -> dict[str, Any]:
        return compute_scores(
            view,
            _wanted(dataset_of(view), options),
            _labeled(options),
            options.get("bad") or "error",
            bool(options.get("overwrite")),
            options.get("device") or "auto",
            options.get("seed") or 0,
            report,
        )

    def draw_result(self, outputs: Any, result: dict[str, Any]) -> None:
        outputs.list("fields", types.String(), label="Fields")
        outputs.int("samples", label="Samples")
