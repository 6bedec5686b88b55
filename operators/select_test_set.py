"""select_test_set: samples to test on, like where the model will be applied, apart from training."""

from __future__ import annotations

import json
from dataclasses import asdict, replace
from typing import Any

import fiftyone.operators as foo
import fiftyone.operators.types as types
import numpy as np

from ..alcore import InvalidInput, Selection
from ..alcore.test_sets.select import ChosenTestSet
from .base import as_form, call, operator_name, refuse_unknown, writing_config
from .dataset.views import samples_of, target_of
from .evaluation import test_sets
from .evaluation.test_sets import Asked
from .forms import pieces, previews
from .forms.test_set_inputs import filled, form_inputs
from .reading.read import Reading
from .runs.records import Names, check_names, chosen_view, name_selection, write
from .runs.run import CHOOSE_SHARE, READ_SHARE, Progress, throttled
from .runs.used_embeddings import embeddings_used

OPTIONS = {
    *test_sets.PLAIN,
    *pieces.WRITTEN,
    "interval",
    "strata",
    "shares",
    "minimum_distance",
    *test_sets.REFERENCES,
    "label_field",
    "labeled_tag",
    "skip_chosen",
}
USUAL_TAG = "test"


class SelectTestSet(foo.Operator):
    """A test set, written as a selection is, with what is held out from training beside it."""

    label = "Active learning: select a test set"
    about = (
        "Chooses samples that stand for where the model will be applied, tags them, and tags what must "
        "not be trained on beside them: near-duplicates of those chosen, and the rest of their groups."
    )

    @property
    def config(self) -> Any:
        return writing_config(operator_name(self), self.label, self.about, "fact_check")

    def resolve_input(self, ctx: Any) -> Any:
        if ctx.dataset is None:
            return pieces.without_dataset(self.label)
        inputs = types.Object()
        inputs.md(self.about, name="about")
        form_inputs(ctx, inputs)
        self._result_inputs(inputs)
        try:
            asked = self._asked(ctx)
            self._check(target_of(ctx), asked, ctx.params)
        except InvalidInput as error:
            pieces.refuse(inputs, "tag", error)
        else:
            previews.preview_inputs(ctx, inputs, self._previewed, in_plane=False)
        return types.Property(inputs, view=types.View(label=self.label))

    def _result_inputs(self, inputs: Any) -> None:
        inputs.view("names", types.Header(label="Result", divider=True))
        inputs.str(
            "tag",
            label="Tag",
            description="Of the test set; also the name of the saved view and of the run. What is held "
            f"out gets {test_sets.HELD_OUT.format('the tag')!r}",
            default=USUAL_TAG,
            required=False,
        )
        pieces.overwrite_input(inputs)
        pieces.bad_input(inputs)
        inputs.int("seed", label="Seed", description="The same seed chooses the same", default=0, min=0)

    @foo.execution_cache(prompt_scoped=True, residency="ephemeral")
    def _previewed(self, ctx: Any, view: str, asked: str, plane: str) -> dict[str, Any]:
        """What would be chosen. ``view`` and ``asked`` are part of the key of the cache alone."""
        try:
            reading, chosen = self._chosen(target_of(ctx), self._asked(ctx))
        except InvalidInput as error:
            return {"error": str(error)}
        told = test_sets.text_of(chosen.report)
        return {
            "text": "\n\n".join([told, *reading.notes, "Nothing is written yet"]),
            "plots": test_sets.plots_of(chosen.report),
        }

    def resolve_run_name(self, ctx: Any) -> str:
        return f"{self.label}: {_tag_of(ctx.params) or 'test set'}"

    def execute(self, ctx: Any) -> dict[str, Any]:
        view = target_of(ctx)
        asked = self._asked(ctx)
        self._check(view, asked, ctx.params)
        report = throttled(lambda share, label: ctx.set_progress(progress=share, label=label))
        reading, chosen = self._chosen(view, asked, report)
        report(READ_SHARE + CHOOSE_SHARE, "Writing")
        names = self._names(ctx.dataset, asked, ctx.params)
        if len(chosen.held_out) == 0:
            names = replace(names, held_out_tag=None, held_out_field=None)
        _write(view, reading, chosen, names, asked, bool(ctx.params.get("overwrite")))
        ctx.ops.reload_dataset()
        ctx.ops.set_view(view=chosen_view(ctx.dataset, names))
        return {**asdict(names), **_figures(chosen), "notes": reading.notes}

    def resolve_output(self, ctx: Any) -> Any:
        outputs, results = types.Object(), ctx.results or {}
        outputs.md(results.get("text", ""), name="told")
        outputs.str("tag", label="Tag")
        if results.get("held_out_tag"):
            outputs.str("held_out_tag", label="Tag of what is held out")
        if results.get("number_field"):
            outputs.str("number_field", label="Field of the weights")
        outputs.str("saved_view", label="Saved view")
        outputs.str("run_key", label="Run, to show or undo it")
        pieces.notes_output(ctx, outputs)
        return types.Property(outputs, view=types.View(label="Test set"))

    def __call__(self, sample_collection: Any, delegate: bool = False, **options: Any) -> Any:
        """Choose a test set from Python, of a dataset or view.

        Args:
            sample_collection: a dataset or view.
            delegate: queue it for a worker instead of running it now.
            **options: ``size`` (a count or a share) or ``interval`` (a dict with ``half_width``; see
                ``alcore.test_sets.Interval``); ``method`` (random, stratified, herding, both, active),
                ``strata``, ``shares``, ``embeddings``, ``metric``, ``minimum_distance`` (0:
                near-duplicates are not looked for), ``groups``, ``expected_loss``, ``floor``;
                ``reference_view`` or ``reference_tag``, what it is to be like; ``label_field``,
                ``labeled_tag``, ``skip_chosen``, what is trained on; ``tag``, ``saved_view``,
                ``run_key``, ``overwrite``, ``bad``, ``device``, ``seed``.

        Returns:
            an ``ExecutionResult``; its ``result`` has the names of what was written, and the figures.
        """
        refuse_unknown(operator_name(self), options, OPTIONS)
        if isinstance(options.get("strata"), str):
            options["strata"] = [options["strata"]]
        asked = test_sets.asked_of(sample_collection._root_dataset, options)
        self._check(samples_of(sample_collection), asked, options)
        return call(self, sample_collection, as_form(options), delegate)

    def _asked(self, ctx: Any) -> Asked:
        return test_sets.asked_of(ctx.dataset, test_sets.as_shown(filled(ctx)))

    def _names(self, dataset: Any, asked: Asked, params: dict[str, Any]) -> Names:
        tag = _tag_of(params)
        names = name_selection(dataset, params.get("run_key"), tag, params.get("saved_view"))
        weighted = asked.wishes.how == "active"
        return replace(
            names,
            number_field=f"{names.run_key}_weight" if weighted else None,
            held_out_tag=test_sets.HELD_OUT.format(names.tag) if names.tag else None,
            held_out_field=f"{names.run_key}_held_out",
        )

    def _check(self, view: Any, asked: Asked, params: dict[str, Any]) -> None:
        """Refuse what cannot be read or written, without reading any sample."""
        dataset = view._root_dataset
        check_names(dataset, self._names(dataset, asked, params), bool(params.get("overwrite")))
        test_sets.check_asked(view, asked)

    def _chosen(
        self, view: Any, asked: Asked, report: Progress = lambda share, label: None
    ) -> tuple[Reading, ChosenTestSet]:
        return test_sets.choose(
            view,
            asked,
            lambda share: report(READ_SHARE * share, "Reading"),
            lambda done, size: report(
                READ_SHARE + CHOOSE_SHARE * done / size, f"Chosen {done} of {size}"
            ),
        )


def _tag_of(params: dict[str, Any]) -> str:
    """The tag; an empty one means that none is wanted."""
    tag = params.get("tag")
    return USUAL_TAG if tag is None else str(tag)


def _figures(chosen: ChosenTestSet) -> dict[str, Any]:
    """What a result says of a test set, in plain values."""
    report = chosen.report
    names = (
        "method",
        "chosen",
        "held_out",
        "trainable",
        "population",
        "strata",
        "distance",
        "interval",
    )
    return {**{name: report[name] for name in names}, "text": test_sets.text_of(report)}


def _write(
    view: Any, reading: Reading, chosen: ChosenTestSet, names: Names, asked: Asked, overwrite: bool
) -> None:
    pool, weights = reading.pool, chosen.weights
    gains = np.full(len(chosen), np.nan) if weights is None else weights
    selection = Selection(
        indices=chosen.indices,
        ids=chosen.ids,
        gains=gains,
        reasons=[{} if weights is None else {"weight": one} for one in gains.tolist()],
        report=chosen.report,
    )
    wishes = json.loads(asked.wishes.model_dump_json(exclude_none=True))
    details: dict[str, Any] = {
        "labeled": asdict(asked.labeled),
        "device": chosen.report["device"],
        "number_description": f"Weight in the mean over the test set {names.run_key}",
    }
    if asked.like:
        details["reference"] = asked.like
    used = embeddings_used(view._root_dataset, reading.recipe)
    if used:
        details["embeddings"] = used
    write(
        view,
        selection,
        names,
        {
            "budget": len(chosen),
            "strategies": [{"strategy": "test_set", **wishes}],
            "seed": asked.wishes.seed,
        },
        details,
        overwrite,
        numbers=None if weights is None else dict(zip(chosen.ids, weights.tolist(), strict=True)),
        held_out=[pool.ids[row] for row in chosen.held_out.tolist()],
    )
