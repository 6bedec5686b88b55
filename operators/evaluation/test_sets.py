"""Test sets: from a form's options to wishes, what is read for them, and what is told of them."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np

from ...alcore import InvalidInput, Pool, Recipe, score, select_test_set
from ...alcore.test_sets import Wishes
from ...alcore.test_sets.select import ChosenTestSet
from ...alcore.test_sets.spec import HERDED, STRATIFIED
from ..dataset.fields import number_fields
from ..dataset.object_labels import all_slices
from ..dataset.views import samples_of
from ..forms import plots
from ..reading.read import Bad, Labeled, Reading, check, read

# What the wishes take as it is named here.
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
INTERVAL = {"half_width", "confidence", "expected", "of_share", "deviation"}
HALF_WIDTH, DEVIATION = 0.05, 1.0
REFERENCES = ("reference_view", "reference_tag")
HELD_OUT = "{}-held-out"


@dataclass
class Asked:
    """What is asked for: the wishes, what they are to be like, and what is trained on.

    ``reference`` is a view, None for the samples chosen from; ``like`` is how it was named.
    """

    wishes: Wishes
    reference: Any
    like: dict[str, str]
    labeled: Labeled
    bad: Bad
    device: str


def asked_of(dataset: Any, params: dict[str, Any]) -> Asked:
    """What a call, or a form that has been filled, asks for.

    Raises:
        InvalidInput: which option is wrong.
    """
    return Asked(
        wishes_of(dataset, params),
        reference_of(dataset, params),
        {name: str(params[name]) for name in REFERENCES if params.get(name)},
        Labeled(
            params.get("label_field") or None,
            params.get("labeled_tag") or None,
            bool(params.get("skip_chosen")),
        ),
        params.get("bad") or "error",
        params.get("device") or "auto",
    )


def as_shown(params: dict[str, Any]) -> dict[str, Any]:
    """The options of a form without those it does not show, which it keeps from another choice.

    A call shows all it has.
    """
    if not params.get("size_by"):
        return params
    method, target = params.get("method"), params.get("target") or "pool"
    by_count = params["size_by"] == "count"
    hidden = {*INTERVAL, "interval"} if by_count else {"size"}
    if target != "reference":
        hidden |= set(REFERENCES)
    if target != "shares":
        hidden.add("shares")
        if method not in STRATIFIED:
            hidden.add("strata")
    hidden |= {"groups"} if method == "active" else {"expected_loss", "floor"}
    if not params.get("embeddings"):
        hidden.add("minimum_distance")
    usual = {} if by_count else {"half_width": HALF_WIDTH}
    if not by_count and params.get("metric_kind") == "mean":
        usual["deviation"] = DEVIATION
    return usual | {name: value for name, value in params.items() if name not in hidden}


def wishes_of(dataset: Any, params: dict[str, Any]) -> Wishes:
    """The wishes that a call's options make.

    Raises:
        InvalidInput: which is wrong.
    """
    wishes = {name: params[name] for name in PLAIN if params.get(name) not in (None, "")}
    if isinstance(wishes.get("size"), float) and wishes["size"] > 1 and wishes["size"].is_integer():
        wishes["size"] = int(wishes["size"])  # a form gives every number as it likes
    wishes["strata"] = [_label_path(dataset, path) for path in params.get("strata") or []]
    shares = _parsed("shares", params.get("shares"))
    if shares:
        by_column = any(isinstance(value, dict) for value in shares.values())
        wishes["shares"] = (
            {_label_path(dataset, path): value for path, value in shares.items()}
            if by_column
            else shares
        )
    interval = _parsed("interval", params.get("interval")) or interval_of(params)
    if interval:
        wishes["interval"] = interval
    if params.get("minimum_distance") is not None:
        distance = params["minimum_distance"]
        wishes["minimum_distance"] = None if distance == 0 else distance
    return Wishes.of(wishes)


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


def check_asked(view: Any, asked: Asked) -> None:
    """Refuse fields that are not there or do not fit, without reading any sample."""
    check(view, recipe_of(view._dataset, asked.wishes), asked.labeled)
    if asked.reference is not None:
        check(asked.reference, recipe_of(view._dataset, asked.wishes, reference=True))


def choose(
    view: Any,
    asked: Asked,
    reading_progress: Callable[[float], None],
    progress: Callable[[int, int], None],
) -> tuple[Reading, ChosenTestSet]:
    """Read and choose; nothing is written.

    Raises:
        InvalidInput: what is wrong with the data.
    """
    wishes, dataset = asked.wishes, view._dataset
    recipe = recipe_of(dataset, wishes)
    reading = read(view, recipe, asked.labeled, asked.bad, reading_progress)
    reference: Pool | None = None
    if asked.reference is not None:
        theirs = recipe_of(dataset, wishes, reference=True)
        like = read(asked.reference, theirs, None, asked.bad, reading_progress)
        reading.notes += [f"reference: {note}" for note in like.notes]
        reference = like.pool
    if wishes.expected_loss is not None:
        _add_losses(reading, wishes.expected_loss)
    chosen = select_test_set(reading.pool, wishes, reference, asked.device, progress)
    reading.notes += chosen.report["notes"]
    return reading, chosen


def recipe_of(dataset: Any, wishes: Wishes, reference: bool = False) -> Recipe:
    """A recipe that reads the columns that wishes name, of what is chosen from or of a reference."""
    strategies: list[dict[str, Any]] = []
    if wishes.embeddings is not None:
        like = {"strategy": "typicality", "column": wishes.embeddings, "metric": wishes.metric}
        strategies.append(like)
    single = list(wishes.strata)
    if not reference:
        if wishes.groups is not None:
            single.append(wishes.groups)
        if wishes.expected_loss is not None:
            strategies.append(_loss_entry(dataset, wishes.expected_loss))
    filters = [{"column": path, "not_in": []} for path in dict.fromkeys(single)]
    strategies = strategies or [{"strategy": "random"}]
    return Recipe.of({"budget": 1, "strategies": strategies, "filters": filters})


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
    for name, told in report["distance"].items():
        if isinstance(told, dict):
            lines.append(f"Distance to the target, {name}: {told['chosen']:.3g}{_beside(told)}")
    if report["weights"] is not None:
        weights = report["weights"]
        lines.append(f"Weights from {weights['least']:.3g} to {weights['largest']:.3g}")
    return "\n\n".join(lines)


def plots_of(report: dict[str, Any]) -> dict[str, Any]:
    """The plots of a report."""
    found = {}
    labels = {"embeddings": "maximum mean discrepancy", "strata": "total variation"}
    for name, label in labels.items():
        told = report["distance"].get(name)
        if told and told["random"]:
            plot = plots.beside_chance_plot(told["chosen"], told["random"]["each"], label)
            found[f"Distance to the target, {name}"] = plot
    if report["strata"]:
        found["Strata"] = plots.strata_plot(report["strata"])
    return found


def needs_strata(params: dict[str, Any]) -> bool:
    """Whether a form asks for strata."""
    shares = params.get("target") == "shares"
    return shares or (params.get("method") or "stratified") in STRATIFIED


def needs_embeddings(params: dict[str, Any]) -> bool:
    """Whether a form must have embeddings."""
    return params.get("method") in HERDED


def interval_of(params: dict[str, Any]) -> dict[str, Any]:
    """The interval that a form's inputs make, if it asks for one."""
    given = {name: params[name] for name in INTERVAL if params.get(name) is not None}
    if "half_width" not in given:
        return {}
    metric = params.get("metric_kind") or "proportion"
    given.pop("expected" if metric == "mean" else "deviation", None)
    return {**given, "metric": metric}


def _beside(told: dict[str, Any]) -> str:
    random = told["random"]
    if not random:
        return ""
    spread = f"{random['low']:.3g} to {random['high']:.3g}"
    return f"; sets as large by chance {random['mean']:.3g} ({spread})"


def _loss_entry(dataset: Any, path: str) -> dict[str, Any]:
    if any(choice.path == path for choice in number_fields(dataset)):
        return {"strategy": "weight", "column": path}
    return {"strategy": "uncertainty", "column": path, "measure": "least_confidence"}


def _add_losses(reading: Reading, path: str) -> None:
    """Put how likely a prediction is wrong in the place of a column of predictions."""
    pool = reading.pool
    entry = reading.recipe.in_stages()[0].strategies or []
    uncertain = next((one for one in entry if one.strategy == "uncertainty"), None)
    if uncertain is not None:
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
