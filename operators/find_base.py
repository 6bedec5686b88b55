"""What find operators share: their form's frame, how what is found is written, their call."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Any, ClassVar

import fiftyone.operators as foo
import fiftyone.operators.types as types
import numpy as np

from ..alcore import InvalidInput, Recipe, Selection
from .base import Pick, call, operator_name, refuse_unknown, writing_config
from .dataset.fields import embedding_fields
from .dataset.views import samples_of, target_of
from .forms import embedding_inputs, pieces, previews
from .reading.read import Labeled, Reading, check, first, only, read
from .runs.records import Names, check_names, chosen_view, name_selection, write
from .runs.run import READ_SHARE, Progress, throttled

OPTIONS = ("embeddings", "metric", "field", *pieces.WRITTEN)


@dataclass
class Found:
    """Samples that were found, and what is written of them.

    Attributes:
        rows: (k,) rows of the pool, in the order of the saved view.
        tagged: (k,) bool, which of these get the tag.
        numbers: (N,) a number for each sample, NaN where it has none.
        whole: whether these are whole numbers.
        recipe: what was asked for, for the record.
        told: the result's figures.
        text: the same in a line.
        plots: by name.
    """

    rows: np.ndarray
    tagged: np.ndarray
    numbers: np.ndarray
    whole: bool
    recipe: dict[str, Any]
    told: dict[str, Any]
    text: str
    plots: dict[str, Any]


class FindOperator(foo.Operator):
    """Finds samples by their embeddings, tags them and shows them in order; deletes nothing.

    A family says what its form asks beside (``find_inputs``) and finds (``find``).
    """

    label: ClassVar[str]
    about: ClassVar[str]
    options: ClassVar[tuple[str, ...]]
    icon: ClassVar[str]
    usual_tag: ClassVar[str]
    usual_field: ClassVar[str]
    field_holds: ClassVar[str]

    @property
    def config(self) -> Any:
        return writing_config(operator_name(self), self.label, self.about, self.icon)

    def find_inputs(self, ctx: Any, inputs: Any) -> None:
        raise NotImplementedError

    def find(self, reading: Reading, params: dict[str, Any], tick: Callable[[], None]) -> Found:
        raise NotImplementedError

    def refuse(self, params: dict[str, Any]) -> None:
        """Refuse numbers that make no sense.

        Raises:
            InvalidInput: which.
        """
        raise NotImplementedError

    def resolve_input(self, ctx: Any) -> Any:
        if ctx.dataset is None:
            return pieces.without_dataset(self.label)
        inputs = types.Object()
        inputs.md(self.about, name="about")
        embedding_inputs.embeddings_input(ctx, inputs)
        embedding_inputs.metric_input(inputs)
        self.find_inputs(ctx, inputs)
        self._name_inputs(inputs)
        try:
            params = self._filled(ctx.dataset, ctx.params, first)
            self._check(target_of(ctx), params)
        except InvalidInput as error:
            pieces.refuse(inputs, "tag", error)
        else:
            previews.preview_inputs(ctx, inputs, self._previewed, in_plane=False)
        return types.Property(inputs, view=types.View(label=self.label))

    def _name_inputs(self, inputs: Any) -> None:
        inputs.view("names", types.Header(label="Result", divider=True))
        inputs.str(
            "tag",
            label="Tag",
            description="Also the name of the saved view and of the run, by which it can be undone",
            default=self.usual_tag,
            required=False,
        )
        inputs.str(
            "field",
            label="Field",
            description=f"{self.field_holds}; left empty, none is written",
            default=self.usual_field,
            required=False,
        )
        pieces.overwrite_input(inputs)
        pieces.bad_input(inputs)

    @foo.execution_cache(prompt_scoped=True, residency="ephemeral")
    def _previewed(self, ctx: Any, view: str, asked: str, plane: str) -> dict[str, Any]:
        """What would be found. ``view`` and ``asked`` are part of the key of the cache alone."""
        try:
            params = self._filled(ctx.dataset, ctx.params, first)
            reading, found = self._found(target_of(ctx), params)
        except InvalidInput as error:
            return {"error": str(error)}
        return {"text": "\n\n".join([found.text, *reading.notes]), "plots": found.plots}

    def resolve_run_name(self, ctx: Any) -> str:
        return f"{self.label}: {ctx.params.get('tag') or self.usual_tag}"

    def execute(self, ctx: Any) -> dict[str, Any]:
        view = target_of(ctx)
        params = self._filled(ctx.dataset, ctx.params, only)
        self._check(view, params)
        report = throttled(lambda share, label: ctx.set_progress(progress=share, label=label))
        reading, found = self._found(view, params, report)
        result = {**found.told, "notes": reading.notes, "text": found.text}
        if len(found.rows) == 0:
            return {**result, "run_key": None, "tag": None, "saved_view": None, "field": None}
        names = self._names(ctx.dataset, params)
        _write(view, reading, found, names, params, self.field_holds)
        ctx.ops.reload_dataset()
        ctx.ops.set_view(view=chosen_view(ctx.dataset, names))
        return {
            **result,
            "run_key": names.run_key,
            "tag": names.tag,
            "saved_view": names.saved_view,
            "field": names.number_field,
        }

    def resolve_output(self, ctx: Any) -> Any:
        outputs = types.Object()
        outputs.view("told", types.Notice(label=(ctx.results or {}).get("text", "")))
        outputs.str("tag", label="Tag")
        outputs.str("field", label="Field")
        outputs.str("saved_view", label="Saved view, in order")
        outputs.str("run_key", label="Run, to show or undo it")
        pieces.notes_output(ctx, outputs)
        return types.Property(outputs, view=types.View(label="Found"))

    def __call__(self, sample_collection: Any, delegate: bool = False, **options: Any) -> Any:
        """Run the operator from Python on a dataset or view.

        Args:
            sample_collection: a dataset or view.
            delegate: queue it for a worker instead of running it now.
            **options: the form's inputs by name, and ``saved_view``, ``run_key``, ``device``; an empty
                ``tag``, ``saved_view`` or ``field`` means that none is wanted.

        Returns:
            an ``ExecutionResult``; its ``result`` has the figures and the names of what was written.
        """
        refuse_unknown(operator_name(self), options, {*OPTIONS, *self.options})
        options = self._filled(sample_collection._root_dataset, options, only)
        self._check(samples_of(sample_collection), options)
        return call(self, sample_collection, options, delegate)

    def _filled(self, dataset: Any, params: dict[str, Any], pick: Pick) -> dict[str, Any]:
        filled = {"tag": self.usual_tag, "field": self.usual_field, "metric": "euclidean"}
        filled |= {name: value for name, value in params.items() if value is not None}
        if not filled.get("embeddings"):
            filled["embeddings"] = pick(embedding_fields(dataset), "embeddings")
        return filled

    def _names(self, dataset: Any, params: dict[str, Any]) -> Names:
        names = name_selection(
            dataset, params.get("run_key"), params.get("tag"), params.get("saved_view")
        )
        return replace(names, number_field=params.get("field") or None)

    def _check(self, view: Any, params: dict[str, Any]) -> None:
        """Refuse what cannot be read or written, without reading any sample."""
        self.refuse(params)
        check_names(view._dataset, self._names(view._dataset, params), bool(params.get("overwrite")))
        check(view, _columns(params), _labeled(params))

    def _found(
        self, view: Any, params: dict[str, Any], report: Progress = lambda share, label: None
    ) -> tuple[Reading, Found]:
        reading = read(
            view,
            _columns(params),
            _labeled(params),
            params.get("bad") or "error",
            lambda share: report(READ_SHARE * share, "Reading"),
        )
        return reading, self.find(reading, params, lambda: report(READ_SHARE, "Comparing"))


def _columns(params: dict[str, Any]) -> Recipe:
    """A recipe that reads the vectors, and how they are compared."""
    entry = {"strategy": "typicality", "column": params["embeddings"], "metric": params["metric"]}
    return Recipe.of({"budget": 1, "strategies": [entry]})


def _labeled(params: dict[str, Any]) -> Labeled:
    return Labeled(params.get("label_field") or None)


def _write(
    view: Any, reading: Reading, found: Found, names: Names, params: dict[str, Any], holds: str
) -> None:
    """Write what was found as a selection is, but for later selections, which may choose it yet."""
    pool = reading.pool
    ids = [pool.ids[row] for row in found.rows.tolist()]
    values = found.numbers[found.rows]
    chosen = Selection(
        indices=found.rows,
        ids=ids,
        gains=values.astype(np.float64),
        reasons=[{names.number_field or "value": float(value)} for value in values.tolist()],
        report=found.told,
    )
    number = int if found.whole else float
    numbers = {
        one: number(value)
        for one, value in zip(pool.ids, found.numbers.tolist(), strict=True)
        if not np.isnan(value)
    }
    write(
        view,
        chosen,
        names,
        found.recipe,
        {"to_label": False, "number_description": holds},
        bool(params.get("overwrite")),
        to_tag=[one for one, tagged in zip(ids, found.tagged.tolist(), strict=True) if tagged],
        numbers=numbers,
    )
