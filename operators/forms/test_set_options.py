"""The options of a form of test sets: which of them apply, and the interval that they make."""

from __future__ import annotations

from typing import Any

from ...alcore.test_sets.spec import HERDED, STRATIFIED

INTERVAL = {"half_width", "confidence", "expected", "of_share", "deviation"}
HALF_WIDTH, DEVIATION = 0.05, 1.0
REFERENCES = ("reference_view", "reference_tag")


def as_shown(params: dict[str, Any]) -> dict[str, Any]:
    """Return the options of a form without those of inputs that it does not show now.

    The App keeps the values of hidden inputs. A call, which has no ``size_by``, keeps all its options.
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
    """Return the confidence interval of a form or a call; empty without a half width."""
    given = {name: params[name] for name in INTERVAL if params.get(name) is not None}
    if "half_width" not in given:
        return {}
    metric = params.get("metric_kind") or "proportion"
    given.pop("expected" if metric == "mean" else "deviation", None)
    return {**given, "metric": metric}


def needs_strata(params: dict[str, Any]) -> bool:
    """Return whether strata apply to the target or the method."""
    shares = params.get("target") == "shares"
    return shares or (params.get("method") or "stratified") in STRATIFIED


def needs_embeddings(params: dict[str, Any]) -> bool:
    """Return whether the method needs embeddings."""
    return params.get("method") in HERDED
