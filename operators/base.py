"""Base classes of the operators: form, execution, result, and the call from Python."""

from __future__ import annotations

import json
from collections.abc import Callable, Collection, Iterable
from datetime import datetime
from typing import Any, ClassVar

import fiftyone as fo
import fiftyone.operators as foo
import fiftyone.operators.types as types

from ..alcore import InvalidInput
from ..alcore.data.plain import plain
from .dataset.fields import Choice, first, only
from .dataset.fiftyone_private import dataset_of, use_own_dataset
from .dataset.views import samples_of, target_of
from .forms import pieces
from .forms.target_input import target_input
from .runs import errors, jobs
from .runs.run import Progress, view_of

IN_APP = "in_app"
PANEL = "active_learning"
SECONDS_WAITED = 2.0
Pick = Callable[[list[Choice], str], str]


def operator_name(operator: foo.Operator) -> str:
    """Return the name of an operator: its class name in snake case, such as ``select_uncertain``."""
    name = type(operator).__name__
    return "".join(f"_{c.lower()}" if c.isupper() else c for c in name).lstrip("_")


def refuse_unknown(operator: str, options: Iterable[str], known: Collection[str]) -> None:
    """Check that an operator has all of these options.

    Raises:
        InvalidInput: if an option is unknown. The message names the first one and the known options.
    """
    for name in options:
        if name not in known:
            raise InvalidInput(
                f"{operator}: unknown option {name!r}; it takes {', '.join(sorted(known))}"
            )


def as_form(options: dict[str, Any]) -> dict[str, Any]:
    """Return options as a form stores them: plain values; dicts and lists of lists as JSON text.

    Values of numpy, pandas and torch are taken as the numbers, dates, lists and dicts that they hold.
    """

    def is_text(value: Any) -> bool:
        rows = isinstance(value, list) and any(isinstance(row, list) for row in value)
        return isinstance(value, dict) or rows

    def stored(value: Any) -> Any:
        value = plain(value)
        return json.dumps(value, default=datetime.isoformat) if is_text(value) else value

    return {name: stored(value) for name, value in options.items()}


def given(options: dict[str, Any]) -> dict[str, Any]:
    """Return the options whose value is not None."""
    return {name: value for name, value in options.items() if value is not None}


class PluginOperator(foo.Operator):
    """Base class of the operators.

    A subclass must define ``draw_form``, ``run`` and ``draw_result``. Most subclasses also define
    ``check``. The other methods have defaults. Options have the names of the form's inputs, both in
    the App and in Python.

    Attributes:
        label: the name in the App.
        about: what the operator does; shown at the top of its form.
        description: the same in one line, for the App's list of operators; default: ``about``.
        icon: the name of a Material icon.
        result_label: the title of the result.
        refused_at: the input that is marked as invalid if the options are refused.
        risk: FiftyOne's risk level; "low" if the operator writes nothing.
        may_be_delegated: whether the operator may be queued for a worker.
        unlisted: whether the App's list of operators leaves it out; Python and the panel call it.
        has_target: whether the operator works on a view that the user chooses; otherwise it works on
            the whole dataset.
    """

    label: ClassVar[str]
    about: ClassVar[str]
    description: ClassVar[str] = ""
    icon: ClassVar[str]
    result_label: ClassVar[str]
    refused_at: ClassVar[str] = "field"
    risk: ClassVar[str] = "medium"
    may_be_delegated: ClassVar[bool] = True
    unlisted: ClassVar[bool] = False
    has_target: ClassVar[bool] = True

    # Methods that subclasses define or override

    def draw_form(self, ctx: Any, inputs: Any) -> None:
        """Add the inputs to the form."""
        raise NotImplementedError

    def run(self, view: Any, options: dict[str, Any], report: Progress) -> dict[str, Any]:
        """Execute the operator.

        Args:
            view: the samples to work on.
            options: the options, filled and checked.
            report: called with the share that is done, from 0 to 1, and a text.

        Returns:
            The result as plain values.
        """
        raise NotImplementedError

    def draw_result(self, outputs: Any, result: dict[str, Any]) -> None:
        """Add the outputs that show a result. The notes are added by ``resolve_output``."""
        raise NotImplementedError

    def form_options(self, ctx: Any) -> dict[str, Any]:
        """Return the options of a form, in the form in which a call from Python gives them."""
        return dict(ctx.params)

    def fill(self, dataset: Any, options: dict[str, Any], pick: Pick) -> dict[str, Any]:
        """Return the options with defaults for those that are not given.

        Args:
            dataset: the dataset.
            options: the given options.
            pick: chooses a default among the fields that fit: ``first`` in forms, ``only`` elsewhere.

        Raises:
            InvalidInput: if ``pick`` finds no field, or cannot decide between several.
        """
        return given(options)

    def check(self, view: Any, options: dict[str, Any]) -> None:
        """Check the options, without reading any sample.

        Raises:
            InvalidInput: if an option is wrong.
        """

    def refuse(self, ctx: Any, inputs: Any, error: InvalidInput) -> None:
        """Show an error in the form, and mark an input as invalid."""
        pieces.refuse(inputs, self.refused_at, error)

    def draw_preview(self, ctx: Any, inputs: Any) -> None:
        """Add the preview below a form whose options are valid. The default adds nothing."""

    def preview(self, view: Any, options: dict[str, Any], plane: str) -> dict[str, Any]:
        """Return what the preview shows, as plain values; see ``previews.draw``.

        Args:
            view: the samples to work on.
            options: the filled options.
            plane: the projection of embeddings to two dimensions: "pca", "umap" or "pacmap".

        Raises:
            InvalidInput: if the options or the data cannot be used.
        """
        raise NotImplementedError

    def has_written(self, result: dict[str, Any]) -> bool:
        """Return whether the dataset was changed, so that the App must reload it."""
        return True

    # Methods that FiftyOne calls, and their helpers

    @property
    def config(self) -> Any:
        return foo.OperatorConfig(
            name=operator_name(self),
            label=self.label,
            description=self.description or self.about,
            dynamic=True,
            icon=self.icon,
            unlisted=self.unlisted,
            allow_immediate_execution=True,
            allow_delegated_execution=self.may_be_delegated,
            risk_level=self.risk,
        )

    def resolve_input(self, ctx: Any) -> Any:
        if ctx.dataset is None:
            return pieces.without_dataset(self.label)
        inputs = types.Object()
        inputs.md(self.about, name="about")
        # The App fills in defaults and a call from Python does not, so this tells the two apart.
        inputs.bool(
            IN_APP,
            label="In the App",
            description="The App's own; leave it out, and wait for the result",
            default=True,
            view=types.HiddenView(),
        )
        if self.has_target:
            target_input(ctx, inputs)
        try:
            self.draw_form(ctx, inputs)
            # At first the App has not sent the defaults of the inputs yet, so they are filled in here.
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
        """Return what ``preview`` returns, or the error as ``{"error": ...}``; the result is cached.

        ``view`` and ``options`` are only used as the key of the cache.
        """
        try:
            filled = self.fill(ctx.dataset, self.form_options(ctx), first)
            return self.preview(self._target(ctx), filled, plane)
        except Exception as error:
            return {"error": errors.sentence_of(error, self.uri)}

    def execute(self, ctx: Any) -> dict[str, Any]:
        """Run the operator. If it fails, the result holds the error, and the App shows it.

        A delegated run raises the error instead, so that FiftyOne lists the run as failed.
        """
        try:
            return self._execute(ctx)
        except Exception as error:
            if ctx.delegated:
                raise
            return errors.as_result(ctx, error, self.uri)

    def _execute(self, ctx: Any) -> dict[str, Any]:
        is_job = ctx.params.get(IN_APP) and not ctx.delegated
        if is_job:
            use_own_dataset(ctx)
        view = self._target(ctx)
        options = self.fill(ctx.dataset, self.form_options(ctx), only)
        self.check(view, options)
        if is_job:
            return self._execute_as_job(ctx, view, options)
        result = self.run(
            view, options, lambda share, label: ctx.set_progress(progress=share, label=label)
        )
        self.refresh(ctx, result)
        return result

    def _execute_as_job(self, ctx: Any, view: Any, options: dict[str, Any]) -> dict[str, Any]:
        """Run as a job. If it takes longer than a moment, the panel shows how it goes on.

        Raises:
            InvalidInput: if the operator runs on the dataset already, perhaps with other options.
        """
        name = operator_name(self)
        if any(job.runs and job.kind == name for job in jobs.jobs_of(ctx.dataset)):
            raise InvalidInput(
                f"{self.label!r} is running on this dataset already; wait until it is done, or stop it "
                "in the panel Active learning"
            )
        job_id = jobs.start(
            ctx.dataset,
            name,
            self.label,
            lambda report: self.run(view, options, report),
        )
        job = jobs.wait(ctx.dataset, job_id, SECONDS_WAITED)
        if job is not None and job.runs:
            ctx.ops.open_panel(PANEL, layout="horizontal")
            return {"goes_on": True}
        result = jobs.result_of(ctx.dataset, job)
        if job is not None:
            jobs.forget(ctx.dataset, job.id)
        if result is None:
            return {"error": (job.error if job else None) or "it was stopped"}
        self.refresh(ctx, result)
        return result

    def refresh(self, ctx: Any, result: dict[str, Any]) -> None:
        """Make the App show what was written. A selection is shown in the order of its ranks."""
        if self.has_written(result):
            ctx.ops.reload_dataset()
            if result.get("run_key"):
                ctx.ops.set_view(view=view_of(ctx.dataset, result))

    def resolve_output(self, ctx: Any) -> Any:
        return self.output_of(ctx.results or {"error": "the run failed; the list of runs says why"})

    def output_of(self, result: dict[str, Any]) -> types.Property:
        """Return what shows a result, an error, or that the operator goes on in the background."""
        outputs = types.Object()
        if "goes_on" in result:
            outputs.view(
                "goes_on",
                types.Notice(
                    label="It goes on in the background. The panel Active learning shows how far it "
                    "is, lets you stop it, and shows the result"
                ),
            )
        elif "error" in result:
            outputs.view("error", types.Error(label="Nothing was done", description=result["error"]))
        else:
            try:
                self.draw_result(outputs, result)
            except Exception as error:
                outputs = types.Object()
                told = errors.sentence_of(error, self.uri)
                label = "It is done, and its result cannot be shown"
                outputs.view("error", types.Error(label=label, description=told))
            pieces.notes_output(result, outputs)
        return types.Property(outputs, view=types.View(label=self.result_label))

    def start(self, sample_collection: Any, options: dict[str, Any], delegate: bool = False) -> Any:
        """Fill and check the options of a call from Python, and execute the operator.

        Args:
            sample_collection: a dataset or view.
            options: the options; None means not given.
            delegate: whether to queue the operator for a worker instead of running it now.

        Returns:
            An ``ExecutionResult``. While an event loop runs, as in a notebook, a task that returns it.

        Raises:
            InvalidInput: if an option, a field or the data cannot be used.
        """
        options = {name: plain(value) for name, value in options.items()}
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
    """Base class of operators whose call from Python takes the form's options as keyword arguments.

    Attributes:
        options: the names of the options.
    """

    options: ClassVar[Collection[str]]

    def known_options(self) -> set[str]:
        """Return the names of the options that a call from Python may give."""
        return set(self.options)

    def __call__(self, sample_collection: Any, delegate: bool = False, **options: Any) -> Any:
        """Run the operator on a dataset or view. The docstring of the class lists the options.

        Args:
            sample_collection: a dataset or view.
            delegate: whether to queue the operator for a worker instead of running it now.
            **options: the options by name; None means not given.

        Returns:
            An ``ExecutionResult``; its ``result`` is a dict of plain values.

        Raises:
            InvalidInput: if an option is unknown or wrong.
        """
        refuse_unknown(operator_name(self), options, self.known_options())
        return self.start(sample_collection, options, delegate)
