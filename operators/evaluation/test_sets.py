"""Test sets: from options to the engine's spec, what is read for it, and what is reported."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np

from ...alcore import InvalidInput, Pool, score, select_test_set
from ...alcore.strategies import Reads
from ...alcore.test_sets import TestSetSpec
from ...alcore.test_sets.select import ChosenTestSet
from ..dataset.fields import number_fields
from ..dataset.fiftyone_private import dataset_of
from ..dataset.object_labels import all_slices
from ..dataset.views import samples_of
from ..forms import plots
from ..forms.selection_inputs import labeled_of
from ..forms.test_set_options import REFERENCES, interval_of
from ..reading.read import Bad, Labeled, ReadPool, check_columns, read_columns

# What the spec takes as it is named here.
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
    """What to choose: the spec, what it is to be like, and what is trained on.

    ``reference`` is a view, None for the samples chosen from; ``like`` is how it was named.
    """

    spec: TestSetSpec
    reference: Any
    like: dict[str, str]
    labeled: Labeled
    bad: Bad
    device: str


def request_of(dataset: Any, params: dict[str, Any]) -> TestSetRequest:
    """What a call, or a form that has been filled, asks for.

    Raises:
        InvalidInput: which option is wrong.
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
    """The spec that a call's options make.

    Raises:
        InvalidInput: which is wrong.
    """
    spec = {name: params[name] for name in PLAIN if params.get(name) not in (None, "")}
    if isinstance(spec.get("size"), float) and spec["size"] > 1 and spec["size"].is_integer():
        spec["size"] = int(spec["size"])  # a form gives every number as it likes
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
    """The view of what the test set is to be like; None for the samples it is chosen from.

    Raises:
        InvalidInput: there is no such saved view, or nothing has the tag.
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
    """Refuse fields that are not there or do not fit, without reading any sample."""
    check_columns(view, columns_of(dataset_of(view), request.spec), request.labeled)
    if request.reference is not None:
        check_columns(request.reference, columns_of(dataset_of(view), request.spec, reference=True))


def choose(
    view: Any,
    request: TestSetRequest,
    reading_progress: Callable[[float], None],
    progress: Callable[[int, int], None],
) -> tuple[ReadPool, ChosenTestSet]:
    """Read and choose; nothing is written.

    Raises:
        InvalidInput: what is wrong with the data.
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
    """What is read of the columns that a spec names, of what is chosen from or of a reference."""
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
    """What a test set is like, in a few lines."""
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
    """The plots of a report."""
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
    """Put how likely a prediction is wrong in the place of a column of predictions."""
    pool = reading.pool
    if getattr(pool.columns[path], "ndim", 0) == 1:
        return  # numbers, which are the losses themselves
    uncertain = {"strategy": "uncertainty", "column": path, "measure": "least_confidence"}
    losses = score(pool, uncertain)
    reading.pool = pool.with_columns({path: losses}, {path: ~np.isfinite(losses)})


def _label_path(dataset: Any, path: str) -> str:
    """Where the names are, of a field of labels."""
    return f"{path}.label" if f"{path}.label" in dataset.get_field_schema(flat=True) else path


def _parsed(name: str, given: Any) -> Any:
    if not isinstance(given, str) or not given.strip():
        return given or None
    try:
        parsed = json.loads(given)
    except json.JSONDecodeError as error:
        raise InvalidInput(f'{name}: is not JSON, such as {{"night": 0.4}}: {error}') from None
    if not isinstance(parsed, dict):
        raise InvalidInput(f'{name}: give shares by name, such as {{"night": 0.4}}')
    return parsed
