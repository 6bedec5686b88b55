"""Test sets: the specification from an operator's options, the columns to read, and the report."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np

from ...alcore import InvalidInput, Pool, score, select_test_set
from ...alcore.data.json_text import parsed
from ...alcore.strategies import Reads
from ...alcore.test_sets import TestSetSpec
from ...alcore.test_sets.select import ChosenTestSet
from ..dataset.fields import number_fields
from ..dataset.fiftyone_private import dataset_of
from ..dataset.views import all_slices, samples_of
from ..forms import plots
from ..forms.selection_inputs import labeled_of
from ..forms.test_set_options import REFERENCES, interval_of
from ..reading.read import Bad, Labeled, ReadPool, check_columns, read_columns

# Options that are passed to the specification unchanged.
PLAIN = (
    "size",
    "method",
    "embeddings",
    "metric",
    "bandwidth",
    "groups",
    "expected_loss",
    "floor",
    "random_sets",
    "max_target",
    "seed",
)
HELD_OUT = "{}-held-out"


@dataclass
class TestSetRequest:
    """What to choose.

    Attributes:
        spec: the specification of the test set.
        reference: a view of the samples that the test set must resemble; None for the candidates.
        like: the options that named the reference.
        labeled: which samples count as labeled, and so are used for training.
        bad: what happens to values that cannot be used: "error" or "leave_out".
        device: "auto", "cpu" or "cuda".
    """

    spec: TestSetSpec
    reference: Any
    like: dict[str, str]
    labeled: Labeled
    bad: Bad
    device: str


def request_of(dataset: Any, params: dict[str, Any]) -> TestSetRequest:
    """Convert the parameters of a call or a form to a request.

    Raises:
        InvalidInput: if an option is wrong.
    """
    return TestSetRequest(
        spec_of(dataset, params),
        reference_of(dataset, params),
        {name: str(params[name]) for name in REFERENCES if params.get(name)},
        labeled_of(params),
        params.get("bad") or "error",
        params.get("device") or "auto",
    )


def spec_of(dataset: Any, params: dict[str, Any]) -> TestSetSpec:
    """Convert the parameters of a call or a form to the specification of a test set.

    Raises:
        InvalidInput: if an option is wrong.
    """
    spec = {name: params[name] for name in PLAIN if params.get(name) not in (None, "")}
    if isinstance(spec.get("size"), float) and spec["size"] > 1 and spec["size"].is_integer():
        spec["size"] = int(spec["size"])  # a form may give an integer as a float
    spec["strata"] = [_label_path(dataset, path) for path in params.get("strata") or []]
    shares = _parsed("shares", params.get("shares"))
    if shares:
        by_column = any(isinstance(value, dict) for value in shares.values())
        spec["shares"] = (
            {_label_path(dataset, path): value for path, value in shares.items()}
            if by_column
            else shares
        )
    interval = _parsed("interval", params.get("interval")) or interval_of(params)
    if interval:
        spec["interval"] = interval
    if params.get("minimum_distance") is not None:
        distance = params["minimum_distance"]
        spec["minimum_distance"] = None if distance == 0 else distance
    return TestSetSpec.of(spec)


def reference_of(dataset: Any, params: dict[str, Any]) -> Any:
    """Return the view of the samples that the test set must resemble; None for the candidates.

    Raises:
        InvalidInput: if the saved view does not exist, if no sample has the tag, or if both or neither
            of them are given where one is needed.
    """
    view, tag = params.get("reference_view") or None, params.get("reference_tag") or None
    if params.get("target") == "reference" and not view and not tag:
        raise InvalidInput(
            "reference: name the saved view or the tag of what the test set is to be like"
        )
    if view and tag:
        raise InvalidInput("reference: name a saved view or a tag, not both")
    if view:
        if not dataset.has_saved_view(view):
            known = ", ".join(map(repr, dataset.list_saved_views())) or "none"
            raise InvalidInput(f"reference_view: there is no saved view {view!r}; there are: {known}")
        return samples_of(dataset.load_saved_view(view))
    if tag:
        found = all_slices(dataset).match_tags(tag)
        if len(found) == 0:
            raise InvalidInput(f"reference_tag: nothing has the tag {tag!r}")
        return found
    return None


def check_request(view: Any, request: TestSetRequest) -> None:
    """Check that fields exist and fit, without reading any sample.

    Raises:
        InvalidInput: if a field is unknown or of the wrong type.
    """
    check_columns(view, columns_of(dataset_of(view), request.spec), request.labeled)
    if request.reference is not None:
        check_columns(request.reference, columns_of(dataset_of(view), request.spec, reference=True))


def choose(
    view: Any,
    request: TestSetRequest,
    reading_progress: Callable[[float], None],
    progress: Callable[[int, int], None],
) -> tuple[ReadPool, ChosenTestSet]:
    """Read the samples and choose a test set, without writing anything.

    Args:
        view: the candidates.
        request: what to choose.
        reading_progress: called with the share that is read, from 0 to 1.
        progress: called with the number of steps done and of all steps.

    Raises:
        InvalidInput: if the data cannot be used.
    """
    spec, dataset = request.spec, dataset_of(view)
    columns = columns_of(dataset, spec)
    reading = read_columns(view, columns, request.labeled, request.bad, reading_progress)
    reference: Pool | None = None
    if request.reference is not None:
        theirs = columns_of(dataset, spec, reference=True)
        like = read_columns(request.reference, theirs, None, request.bad, reading_progress)
        reading.notes += [f"reference: {note}" for note in like.notes]
        reference = like.pool
    if spec.expected_loss is not None:
        _add_losses(reading, spec.expected_loss)
    chosen = select_test_set(reading.pool, spec, reference, request.device, progress)
    reading.notes += chosen.report["notes"]
    return reading, chosen


def columns_of(dataset: Any, spec: TestSetSpec, reference: bool = False) -> dict[str, Reads]:
    """Return how to read the columns that a specification names.

    Args:
        dataset: the dataset.
        spec: the specification.
        reference: whether a reference is read; it needs no groups and no expected loss.
    """
    columns = dict.fromkeys(spec.strata, Reads.VALUES)
    if spec.embeddings is not None:
        columns[spec.embeddings] = Reads.VECTORS
    if spec.groups is not None and not reference:
        columns[spec.groups] = Reads.VALUES
    if spec.expected_loss is not None and not reference:
        numbers = {choice.path for choice in number_fields(dataset)}
        loss = spec.expected_loss
        columns[loss] = Reads.NUMBERS if loss in numbers else Reads.PREDICTIONS
    return columns


def text_of(report: dict[str, Any]) -> str:
    """Return a short description of a test set, in Markdown."""
    interval = report["interval"]
    what = "a mean" if interval["metric"] == "mean" else f"a proportion of {interval['expected']:g}"
    lines = [
        f"**{report['chosen']:,}** of {report['candidates']:,} samples that may be chosen; "
        f"{report['held_out']:,} held out, {report['trainable']:,} stay trainable",
        f"As many drawn at random tell {what} to within {interval['half_width']:.3g} "
        f"({interval['confidence']:.0%} sure)",
    ]
    for name, compared in report["distance"].items():
        if isinstance(compared, dict):
            lines.append(f"Distance to the target, {name}: {compared['chosen']:.3g}{_beside(compared)}")
    if report["weights"] is not None:
        weights = report["weights"]
        lines.append(f"Weights from {weights['least']:.3g} to {weights['largest']:.3g}")
    return "\n\n".join(lines)


def plots_of(report: dict[str, Any]) -> dict[str, Any]:
    """Return the plots of a report by title."""
    found = {}
    labels = {"embeddings": "maximum mean discrepancy", "strata": "total variation"}
    for name, label in labels.items():
        compared = report["distance"].get(name)
        if compared and compared["random"]:
            plot = plots.beside_chance_plot(compared["chosen"], compared["random"]["each"], label)
            found[f"Distance to the target, {name}"] = plot
    if report["strata"]:
        found["Strata"] = plots.strata_plot(report["strata"])
    return found


def _beside(compared: dict[str, Any]) -> str:
    random = compared["random"]
    if not random:
        return ""
    spread = f"{random['low']:.3g} to {random['high']:.3g}"
    return f"; sets as large by chance {random['mean']:.3g} ({spread})"


def _add_losses(reading: ReadPool, path: str) -> None:
    """Replace a column of predictions by the expected loss: 1 minus the greatest probability."""
    pool = reading.pool
    if getattr(pool.columns[path], "ndim", 0) == 1:
        return  # numbers, which are the losses themselves
    uncertain = {"strategy": "uncertainty", "column": path, "measure": "least_confidence"}
    losses = score(pool, uncertain)
    reading.pool = pool.with_columns({path: losses}, {path: ~np.isfinite(losses)})


def _label_path(dataset: Any, path: str) -> str:
    """Return the path of the class names if ``path`` is a field of labels, else ``path``."""
    return f"{path}.label" if f"{path}.label" in dataset.get_field_schema(flat=True) else path


def _parsed(name: str, given: Any) -> Any:
    if not isinstance(given, str) or not given.strip():
        return given or None
    found = parsed(name, given, '{"night": 0.4}')
    if not isinstance(found, dict):
        raise InvalidInput(f'{name}: give shares by name, such as {{"night": 0.4}}')
    return found
