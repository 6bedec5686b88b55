"""The frame of every operator: its form, its execution, its result, its call from Python."""

from __future__ import annotations

import json
from collections.abc import Callable, Collection, Iterable
from typing import Any, ClassVar

import fiftyone as fo
import fiftyone.operators as foo
import fiftyone.operators.types as types

from ..alcore import InvalidInput
from .dataset.fields import Choice, first, only
from .dataset.fiftyone_private import dataset_of
from .dataset.views import samples_of, target_of
from .forms import pieces
from .runs import errors
from .runs.run import Progress, view_of

Pick = Callable[[list[Choice], str], str]


def operator_name(operator: foo.Operator) -> str:
    """``SelectUncertain`` is ``select_uncertain``."""
    name = type(operator).__name__
    return "".join(f"_{c.lower()}" if c.isupper() else c for c in name).lstrip("_")


def refuse_unknown(operator: str, options: Iterable[str], known: Collection[str]) -> None:
    """Refuse an option that an operator does not take.

    Raises:
        InvalidInput: the first such option, and those it takes.
    """
    for name in options:
        if name not in known:
            raise InvalidInput(
                f"{operator}: unknown option {name!r}; it takes {', '.join(sorted(known))}"
            )


def as_form(options: dict[str, Any]) -> dict[str, Any]:
    """Options as a form has them: text where Python has a dict or a matrix."""

    def is_text(value: Any) -> bool:
        rows = isinstance(value, list) and any(isinstance(row, list) for row in value)
        return isinstance(value, dict) or rows

    return {name: json.dumps(v) if is_text(v) else v for name, v in options.items()}


def given(options: dict[str, Any]) -> dict[str, Any]:
    """The options that have a value."""
    return {name: value for name, value in options.items() if value is not None}


class PluginOperator(foo.Operator):
    """A form, what it does, and what is shown of it.

    An operator says what its form draws (``draw_form``), what it refuses (``check``), what it does
    (``run``) and what its result shows (``draw_result``); the other methods have defaults. Options are
    those of the form, by name, whether they come from the App or from Python.

    Attributes:
        label: the operator's name in the App.
        about: what it does, at the top of its form.
        description: the same in a line, for the App's list of operators; default: ``about``.
        icon: one of Material's.
        result_label: the title of the result.
        refused_at: the input that is marked where the form is refused.
        risk: what it may do to the dataset: "low" where it writes nothing.
        may_be_delegated: whether it may be queued for a worker.
        has_target: whether it works on a view that the user chooses; else on the whole dataset.
    """

    label: ClassVar[str]
    about: ClassVar[str]
    description: ClassVar[str] = ""
    icon: ClassVar[str]
    result_label: ClassVar[str]
    refused_at: ClassVar[str] = "field"
    risk: ClassVar[str] = "medium"
    may_be_delegated: ClassVar[bool] = True
    has_target: ClassVar[bool] = True

    # What an operator says of itself

    def draw_form(self, ctx: Any, inputs: Any) -> None:
        """Add the inputs to the form."""
        raise NotImplementedError

    def run(self, view: Any, options: dict[str, Any], report: Progress) -> dict[str, Any]:
        """Do it, with options that have been filled and checked."""
        raise NotImplementedError

    def draw_result(self, outputs: Any, result: dict[str, Any]) -> None:
        """Add what is shown of a result; notes are added by themselves."""
        raise NotImplementedError

    def form_options(self, ctx: Any) -> dict[str, Any]:
        """The options of a form, as a call from Python gives them."""
        return dict(ctx.params)

    def fill(self, dataset: Any, options: dict[str, Any], pick: Pick) -> dict[str, Any]:
        """The options with those that are not given; ``pick`` takes one of the fields that fit."""
        return given(options)

    def check(self, view: Any, options: dict[str, Any]) -> None:
        """Refuse what cannot be, without reading any sample.

        Raises:
            InvalidInput: what is wrong.
        """

    def refuse(self, ctx: Any, inputs: Any, error: InvalidInput) -> None:
        """Say in the form what is wrong, and at which input."""
        pieces.refuse(inputs, self.refused_at, error)

    def draw_preview(self, ctx: Any, inputs: Any) -> None:
        """Add what comes below a form that is not refused."""

    def preview(self, view: Any, options: dict[str, Any], plane: str) -> dict[str, Any]:
        """What the preview shows, in plain values; see ``previews.draw``."""
        raise NotImplementedError

    def has_written(self, result: dict[str, Any]) -> bool:
        """Whether the App is to load the dataset again."""
        return True

    # The frame

    @property
    def config(self) -> Any:
        return foo.OperatorConfig(
            name=operator_name(self),
            label=self.label,
            description=self.description or self.about,
            dynamic=True,
            icon=self.icon,
            allow_immediate_execution=True,
            allow_delegated_execution=self.may_be_delegated,
            risk_level=self.risk,
        )

    def resolve_input(self, ctx: Any) -> Any:
        if ctx.dataset is None:
            return pieces.without_dataset(self.label)
        inputs = types.Object()
        inputs.md(self.about, name="about")
        try:
            self.draw_form(ctx, inputs)
            # Until the App has sent the form's defaults once, they are filled in here.
            options = self.fill(ctx.dataset, self.form_options(ctx), first)
            self.check(self._target(ctx), options)
        except InvalidInput as error:
            self.refuse(ctx, inputs, error)
        except Exception as error:
            pieces.refuse(inputs, "", InvalidInput(errors.sentence_of(error, self.uri)), "form_error")
        else:
            self.draw_preview(ctx, inputs)
        return types.Property(inputs, view=types.View(label=self.label))

    @foo.execution_cache(prompt_scoped=True, residency="ephemeral")
    def previewed(self, ctx: Any, view: str, options: str, plane: str) -> dict[str, Any]:
        """What ``preview`` gives, or the error. ``view`` and ``options`` are only the cache's key."""
        try:
            filled = self.fill(ctx.dataset, self.form_options(ctx), first)
            return self.preview(self._target(ctx), filled, plane)
        except Exception as error:
            return {"error": errors.sentence_of(error, self.uri)}

    def execute(self, ctx: Any) -> dict[str, Any]:
        """Run the operator. An error is returned as a sentence, which the App shows as the result.

        A delegated run raises the error, so that FiftyOne lists the run as failed.
        """
        try:
            return self._execute(ctx)
        except Exception as error:
            if ctx.delegated:
                raise
            return errors.as_result(ctx, error, self.uri)

    def _execute(self, ctx: Any) -> dict[str, Any]:
        view = self._target(ctx)
        options = self.fill(ctx.dataset, self.form_options(ctx), only)
        self.check(view, options)
        result = self.run(
            view, options, lambda share, label: ctx.set_progress(progress=share, label=label)
        )
        self.refresh(ctx, result)
        return result

    def refresh(self, ctx: Any, result: dict[str, Any]) -> None:
        """Have the App show what was written; a selection in the order chosen."""
        if self.has_written(result):
            ctx.ops.reload_dataset()
            if result.get("run_key"):
                ctx.ops.set_view(view=view_of(ctx.dataset, result))

    def resolve_output(self, ctx: Any) -> Any:
        outputs = types.Object()
        result = ctx.results or {"error": "the run failed; the list of runs says why"}
        if "error" in result:
            outputs.view("error", types.Error(label="Nothing was done", description=result["error"]))
        else:
            self.draw_result(outputs, result)
            pieces.notes_output(result, outputs)
        return types.Property(outputs, view=types.View(label=self.result_label))

    def start(self, sample_collection: Any, options: dict[str, Any], delegate: bool = False) -> Any:
        """Fill and check the options of a call from Python, and execute the operator.

        Raises:
            InvalidInput: if an option, a field or the data cannot be used.
        """
        options = as_form(self.fill(dataset_of(sample_collection), options, only))
        self.check(samples_of(sample_collection), options)
        whole = isinstance(sample_collection, fo.Dataset)
        return errors.execute(
            self.uri,
            {"view": sample_collection.view()},
            params={**given(options), "view_target": "DATASET" if whole else "CURRENT_VIEW"},
            request_delegation=delegate,
        )

    def _target(self, ctx: Any) -> Any:
        return target_of(ctx) if self.has_target else ctx.dataset.view()


class OptionsOperator(PluginOperator):
    """An operator that is called from Python with the options of its form, by name.

    Attributes:
        options: their names.
    """

    options: ClassVar[Collection[str]]

    def known_options(self) -> set[str]:
        """The options that a call from Python may give."""
        return set(self.options)

    def __call__(self, sample_collection: Any, delegate: bool = False, **options: Any) -> Any:
        """Run the operator from Python on a dataset or view; its class says which options it takes.

        Args:
            sample_collection: a dataset or view.
            delegate: queue it for a worker instead of running it now.
            **options: the form's inputs, by name.

        Returns:
            an ``ExecutionResult``; its ``result`` is a dict of plain values.
        """
        refuse_unknown(operator_name(self), options, self.known_options())
        return self.start(sample_collection, options, delegate)
