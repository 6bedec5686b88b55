"""Rounds in texts and in a plot: the timeline, the metric, the audit and the verdict."""

from __future__ import annotations

from typing import Any

from ..forms import plots
from .model import points_of
from .rounds import Round
from .verdict import Verdict, judge

CLASSES_TOLD = 5


def verdict_of(rounds: list[Round], goal: float | None = None) -> Verdict:
    """Return whether another round is worth it, from the records of the rounds."""
    model = next((one.model for one in reversed(rounds) if one.model), None)
    audit = next((one.audit for one in reversed(rounds) if one.labeled), None)
    doubts = (audit or {}).get("doubts") or []
    name = model["metric"]["name"] if model else "the metric"
    return judge(points_of(rounds), goal, [f"{one}." for one in doubts], name)


def timeline(rounds: list[Round]) -> list[dict[str, str]]:
    """Return the rows of the timeline, the newest first."""
    rows = []
    for place in range(len(rounds) - 1, -1, -1):
        one = rounds[place]
        before = metric_before(rounds, place)
        rows.append(
            {
                "round": f"{one.number}: {one.run_key}",
                "made": one.when[:16].replace("T", " "),
                "chosen": f"{one.chosen:,}" + (f" of {one.objects}" if one.objects else ""),
                "sent": sent_text(one),
                "back": f"{one.labeled:,} of {one.samples:,}{_effort(one)}",
                "model": one.model["predictions"] if one.model else "",
                "metric": _change(one.model, before),
            }
        )
    return rows


def metric_before(rounds: list[Round], place: int) -> dict[str, Any] | None:
    """Return the metric before a round, on the same test set: its own, or that of the round before."""
    model = rounds[place].model
    if model is None:
        return None
    if model.get("before"):
        return dict(model["before"]["metric"])
    for other in reversed(rounds[:place]):
        if other.model:
            alike = other.model["test_set"] == model["test_set"]
            alike = alike and other.model["metric"]["name"] == model["metric"]["name"]
            return dict(other.model["metric"]) if alike else None
    return None


def sent_text(one: Round) -> str:
    """Return where and when a round was sent to annotation; "" if it was not."""
    if not one.sent:
        return ""
    when = str(one.sent.get("at") or "")[:16].replace("T", " ")
    return " ".join(filter(None, [str(one.sent.get("backend") or "sent"), when]))


def metric_text(metric: dict[str, Any]) -> str:
    """Return a metric in a line, with its interval."""
    more = f"; balanced accuracy {metric['balanced']:.3f}" if metric.get("balanced") is not None else ""
    return (
        f"{metric['name']} {metric['value']:.3f} (95 % sure: {metric['low']:.3f} to "
        f"{metric['high']:.3f}) on {metric['samples']:,} samples{more}"
    )


def audit_lines(audit: dict[str, Any]) -> list[str]:
    """Return an audit in lines: what the labels are like, what differs, what speaks against them."""
    parts = [f"{audit['samples']:,} samples came back"]
    if audit["classes"]:
        shares = list(audit["classes"].items())
        told = ", ".join(f"{name} {share:.0%}" for name, share in shares[:CLASSES_TOLD])
        more = len(shares) - CLASSES_TOLD
        parts.append(told + (f" and {more} more classes" if more > 0 else ""))
    if audit["boxes"] is not None:
        parts.append(f"{audit['boxes']:.3g} objects an image, {audit['empties']:.0%} empty")
    if audit["compared"]:
        share = audit["agreed"] / audit["compared"]
        parts.append(f"{share:.0%} agree with {audit['predictions']}")
    found = [*audit["findings"], *audit["doubts"]]
    nothing = "Nothing differs from earlier rounds beyond chance."
    return ["; ".join(parts) + ".", *([f"{_capital(one)}." for one in found] or [nothing])]


def curve(rounds: list[Round]) -> dict[str, Any] | None:
    """Return the plot of the metric by the number of labels; None with fewer than two metrics."""
    points = points_of(rounds)
    if len(points) < 2:
        return None
    name = next(one.model["metric"]["name"] for one in reversed(rounds) if one.model)
    return plots.curve_plot(
        [one.labels for one in points],
        [one.value for one in points],
        [one.error for one in points],
        name,
    )


def _change(model: dict[str, Any] | None, before: dict[str, Any] | None) -> str:
    if model is None:
        return ""
    now = f"{model['metric']['value']:.3f}"
    return now if before is None else f"{before['value']:.3f} to {now}"


def _effort(one: Round) -> str:
    """Return the time and cost of labeling, as far as the annotation tool told them."""
    told = one.returned or {}
    parts = []
    if told.get("seconds"):
        minutes = told["seconds"] / 60
        parts.append(f"{minutes:,.0f} min" if minutes >= 1 else f"{told['seconds']:.0f} s")
    if told.get("cost"):
        parts.append(f"cost {told['cost']:,.2f}")
    return f" ({', '.join(parts)})" if parts else ""


def _capital(text: str) -> str:
    return text[:1].upper() + text[1:]
