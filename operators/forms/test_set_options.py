"""The options of a form of test sets: which of them count, and what they make."""

from __future__ import annotations

from typing import Any

from ...alcore.test_sets.spec import HERDED, STRATIFIED

INTERVAL = {"half_width", "confidence", "expected", "of_share", "deviation"}
HALF_WIDTH, DEVIATION = 0.05, 1.0
REFERENCES = ("reference_view", "reference_tag")


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


def interval_of(params: dict[str, Any]) -> dict[str, Any]:
    """The interval that a form's inputs make, if it asks for one."""
    given = {name: params[name] for name in INTERVAL if params.get(name) is not None}
    if "half_width" not in given:
        return {}
    metric = params.get("metric_kind") or "proportion"
    given.pop("expected" if metric == "mean" else "deviation", None)
    return {**given, "metric": metric}


def needs_strata(params: dict[str, Any]) -> bool:
    """Whether a form asks for strata."""
    shares = params.get("target") == "shares"
    return shares or (params.get("method") or "stratified") in STRATIFIED


def needs_embeddings(params: dict[str, Any]) -> bool:
    """Whether a form must have embeddings."""
    return params.get("method") in HERDED
