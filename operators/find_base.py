"""The base class of the find operators: their form, and how their results are written."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Any, ClassVar, get_args

import fiftyone.operators.types as types
import numpy as np

from ..alcore import InvalidInput, Selection
from ..alcore.strategies import Reads
from ..alcore.strategies.common.vocabulary import Metric
from .base import OptionsOperator, Pick
from .dataset.fields import embedding_fields
from .dataset.fiftyone_private import dataset_of
from .dataset.views import count_outside
from .forms import embedding_inputs, pieces, previews, selection_inputs
from .forms.markdown import escaped, paragraphs
from .reading.read import Labeled, ReadPool, check_columns, read_columns
from .runs.checks import check_names
from .runs.names import Names, name_selection
from .runs.run import READ_SHARE, Progress, throttled
from .runs.writing import write

OPTIONS = ("embeddings", "metric", "field", *selection_inputs.WRITTEN)


@dataclass
class Found:
    """The samples that were found, and what to write about them.

    Attributes:
        rows: (k,) int64 rows of the pool, in the order of the saved view.
        tagged: (k,) bool, which of these samples get the tag.
        numbers: (N,) a number for each sample of the pool; NaN for none.
        whole: whether the numbers are written as integers.
        recipe: the method and its options, for the record of the run.
        figures: the numbers of the result, by name.
        text: a summary in one line.
        plots: the plots of the preview, by title.
    """

    rows: np.ndarray
    tagged: np.ndarray
    numbers: np.ndarray
    whole: bool
    recipe: dict[str, Any]
    figures: dict[str, Any]
    text: str
    plots: dict[str, Any]


def _names(dataset: Any, params: dict[str, Any]) -> Names:
    names = name_selection(dataset, params.get("run_key"), params.get("tag"), params.get("saved_view"))
    return replace(names, number_field=params.get("field") or None)


def _columns(params: dict[str, Any]) -> dict[str, Reads]:
    """Return the columns to read: the embeddings.

    Raises:
        InvalidInput: if the metric is unknown.
    """
    if params["metric"] not in get_args(Metric):
        known = " or ".join(map(repr, get_args(Metric)))
        raise InvalidInput(f"metric: {params['metric']!r} should be {known}")
    return {params["embeddings"]: Reads.VECTORS}


def _labeled(params: dict[str, Any]) -> Labeled:
    return Labeled(params.get("label_field") or None)


def _write(
    view: Any,
    reading: ReadPool,
    found: Found,
    names: Names,
    params: dict[str, Any],
    holds: str,
    comparable: bool,
) -> None:
    """Write the found samples as a selection. Later selections may still choose these samples."""
    pool = reading.pool
    ids = [pool.ids[row] for row in found.rows.tolist()]
    values = found.numbers[found.rows]
    chosen = Selection(
        indices=found.rows,
        ids=ids,
        gains=values.astype(np.float64),
        reasons=[{names.number_field or "value": float(value)} for value in values.tolist()],
        report=found.figures,
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
        measured=pool.ids if comparable else None,
    )


class FindOperator(OptionsOperator):
    """Base class of operators that find samples by their embeddings and tag them; they delete nothing.

    A subclass must define ``find_inputs``, ``check_numbers`` and ``find``.

    Every such operator also has the options ``embeddings``, ``metric`` ("euclidean" by default, or
    "cosine"), ``field``, ``tag``, ``saved_view``, ``run_key``, ``overwrite``, ``bad`` and ``device``.
    If ``tag``, ``saved_view`` or ``field`` is "", it is not written.

    The result has the figures, and the names of what was written. These names are None if no sample was
    found.

    Attributes:
        usual_tag: the default of ``tag``.
        usual_field: the default of ``field``, the field of the found numbers.
        field_holds: the description of this field in the App.
    """

    # Whether the number of a sample means the same beside those of an earlier run on other samples.
    comparable: ClassVar[bool] = True
    usual_tag: ClassVar[str]
    usual_field: ClassVar[str]
    field_holds: ClassVar[str]
    result_label = "Found"
    refused_at = "tag"

    def find_inputs(self, ctx: Any, inputs: Any) -> None:
        """Add the operator's own inputs to the form."""
        raise NotImplementedError

    def find(self, reading: ReadPool, params: dict[str, Any], tick: Callable[[], None]) -> Found:
        """Find samples.

        Args:
            reading: the pool of samples, with their embeddings.
            params: the filled options.
            tick: called from time to time; an exception that it raises stops the work.

        Raises:
            InvalidInput: if the options or the embeddings cannot be used.
        """
        raise NotImplementedError

    def check_numbers(self, params: dict[str, Any]) -> None:
        """Check the ranges of the operator's own options.

        Raises:
            InvalidInput: if a number is out of its range.
        """
        raise NotImplementedError

    def known_options(self) -> set[str]:
        return {*OPTIONS, *self.options}

    def draw_form(self, ctx: Any, inputs: Any) -> None:
        embedding_inputs.embeddings_input(ctx, inputs)
        embedding_inputs.metric_input(inputs)
        self.find_inputs(ctx, inputs)
        inputs.view("names", types.Header(label="Result", divider=True))
        selection_inputs.found_inputs(inputs, self.usual_tag, self.usual_field, self.field_holds)
        pieces.bad_input(inputs)

    def draw_preview(self, ctx: Any, inputs: Any) -> None:
        previews.preview_inputs(ctx, inputs, self.previewed, in_plane=False)

    def preview(self, view: Any, options: dict[str, Any], plane: str) -> dict[str, Any]:
        reading, found = self._found(view, options)
        return {"text": paragraphs(map(escaped, [found.text, *reading.notes])), "plots": found.plots}

    def resolve_run_name(self, ctx: Any) -> str:
        return f"{self.label}: {ctx.params.get('tag') or self.usual_tag}"

    def fill(self, dataset: Any, options: dict[str, Any], pick: Pick) -> dict[str, Any]:
        filled = {"tag": self.usual_tag, "field": self.usual_field, "metric": "euclidean"}
        filled |= super().fill(dataset, options, pick)
        if not filled.get("embeddings"):
            filled["embeddings"] = pick(embedding_fields(dataset), "embeddings")
        return filled

    def check(self, view: Any, options: dict[str, Any]) -> None:
        """Check options, fields and names, without reading any sample.

        Raises:
            InvalidInput: if an option or a field cannot be used, or if a name is taken.
        """
        self.check_numbers(options)
        dataset = dataset_of(view)
        names = _names(dataset, options)
        check_names(dataset, names, bool(options.get("overwrite")))
        self._check_outside(view, names)
        check_columns(view, _columns(options), _labeled(options))

    def run(self, view: Any, options: dict[str, Any], report: Progress) -> dict[str, Any]:
        reading, found = self._found(view, options, throttled(report))
        result = {**found.figures, "notes": reading.notes, "text": found.text}
        if len(found.rows) == 0:
            return {**result, "run_key": None, "tag": None, "saved_view": None, "field": None}
        names = _names(dataset_of(view), options)
        _write(view, reading, found, names, options, self.field_holds, self.comparable)
        return {
            **result,
            "run_key": names.run_key,
            "tag": names.tag,
            "saved_view": names.saved_view,
            "field": names.number_field,
        }

    def has_written(self, result: dict[str, Any]) -> bool:
        return result["run_key"] is not None

    def draw_result(self, outputs: Any, result: dict[str, Any]) -> None:
        outputs.view("found_text", types.Notice(label=result.get("text", "")))
        outputs.str("tag", label="Tag")
        outputs.str("field", label="Field")
        outputs.str("saved_view", label="Saved view, in order")
        outputs.str("run_key", label="Run, to show or undo it")

    def _check_outside(self, view: Any, names: Names) -> None:
        field = names.number_field
        if self.comparable or not field or dataset_of(view).get_field(field) is None:
            return
        outside = count_outside(view, field)
        if outside:
            raise InvalidInput(
                f"field: {field!r} holds values of {outside:,} samples outside this view, which would "
                "be lost; choose another field, or the whole dataset"
            )

    def _found(
        self, view: Any, params: dict[str, Any], report: Progress = lambda share, label: None
    ) -> tuple[ReadPool, Found]:
        reading = read_columns(
            view,
            _columns(params),
            _labeled(params),
            params.get("bad") or "error",
            lambda share: report(READ_SHARE * share, "Reading"),
        )
        return reading, self.find(reading, params, lambda: report(READ_SHARE, "Comparing"))
