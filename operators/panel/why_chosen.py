"""The panel beside an open image: why it was chosen, in words, with what it was compared with."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any
from urllib.parse import quote

import fiftyone.operators as foo
import fiftyone.operators.types as types

from ...alcore.strategies import BY_NAME, Family
from ..dataset.fiftyone_private import id_of
from ..dataset.selection_records import results_of, selections
from ..dataset.views import all_slices
from ..forms.markdown import bold, escaped
from ..runs import jobs
from . import draft
from .drawing import alert

THUMBNAIL = "140px"
KEPT_REASONS = 4  # selections; so that going from image to image does not read them again
_known: dict[tuple[str, str, str], dict[str, Any] | None] = {}


class WhyChosen(foo.Panel):
    """Says of the open image why a selection, or the last preview, chose it."""

    @property
    def config(self) -> Any:
        return foo.PanelConfig(
            name="why_chosen",
            label="Why this image",
            icon="help_center",
            category=foo.Categories.CURATE,
            surfaces="modal",
            help_markdown="Why active learning chose this image, and what it was compared with.",
        )

    def on_load(self, ctx: Any) -> None:
        """Show the open image's reasons."""

    def on_change_current_sample(self, ctx: Any) -> None:
        """Show the reasons of another image."""

    def render(self, ctx: Any) -> Any:
        panel = types.Object()
        sample = ctx.current_sample
        found = list(_reasons(ctx.dataset, sample)) if sample else []
        for number, (title, why, place) in enumerate(found):
            panel.md(bold(title), name=f"title_{number}")
            for line, text in enumerate(_lines(why, place)):
                panel.md(text, name=f"line_{number}_{line}")
            _draw_compared(ctx, panel, why, str(sample), number)
        if not found:
            alert(
                panel,
                "none",
                "info",
                "No selection has chosen this image, and neither has the last preview",
            )
        view = types.VStackView(
            gap=1, componentsProps={"container": {"sx": {"width": "100%", "px": 2, "py": 1}}}
        )
        return types.Property(panel, view=view)


def _reasons(dataset: Any, sample: str) -> Iterator[tuple[str, dict[str, Any], int]]:
    """Yield for the last preview and each selection that chose a sample: a title, why, its place."""
    kept = (draft.load(dataset) or {}).get("jobs") or {}
    previewed = jobs.result_of(dataset, jobs.job_of(dataset, kept.get("preview")))
    if previewed is not None and not previewed.get("objects"):
        why = previewed["why"]
        if sample in why["ids"]:
            yield "Would be chosen (preview)", why, why["ids"].index(sample)
    ranked = [one for one in selections(dataset) if not one["names"].get("objects")]
    fields = {one["run_key"]: one["names"]["rank_field"] for one in ranked}
    there = {key: path for key, path in fields.items() if dataset.get_field(path) is not None}
    if not there:
        return
    values = all_slices(dataset).select(sample).values(list(there.values()))
    ranks = {key: (one[0] if one else None) for key, one in zip(there, values, strict=True)}
    for one in reversed(ranked):
        rank = ranks.get(one["run_key"])
        if rank is None:
            continue
        why = why_of_run(dataset, one)
        if why is None:
            yield f"{one['run_key']}: rank {rank}", {"ids": [], "of": one["chosen"]}, -1
        elif sample in why["ids"]:
            yield f"Chosen by {one['run_key']}", why, why["ids"].index(sample)
        else:
            yield f"Chosen by {one['run_key']}: rank {rank} of {why['of']}", why, -1


def why_of_run(dataset: Any, selection: dict[str, Any]) -> dict[str, Any] | None:
    """Return why a selection chose its samples; None if that was not recorded.

    Args:
        dataset: the dataset.
        selection: an entry of ``selections``.
    """
    key = (id_of(dataset), selection["run_key"], selection["created_at"])
    if key not in _known:
        report = getattr(results_of(dataset, selection["run_key"]), "report", None) or {}
        _known[key] = report.get("why")
        while len(_known) > KEPT_REASONS:
            _known.pop(next(iter(_known)))
    return _known[key]


def _lines(why: dict[str, Any], place: int) -> Iterator[str]:
    """Yield a line of Markdown for each reason for which a pick was chosen."""
    if place < 0:
        yield "Its reasons were not recorded: they are for the first picks of a selection."
        return
    yield f"Number {place + 1:,} of {why['of']:,} in the order chosen."
    for name, shares in why["higher"].items():
        if shares[place] is not None:
            yield f"{_more(name)} than {shares[place]:.0%} of the pool."
    for name, values in why["values"].items():
        if name not in why["higher"] and values[place] is not None:
            most = max((one for one in values if one is not None), default=0.0)
            if most > 0:
                share = values[place] / most
                yield f"{_title(name)}: it added {share:.0%} of what the best pick added."
    if why["classes"] and why["classes"][place]:
        mine = why["classes"][place]
        number = why["classes"][: place + 1].count(mine)
        short = ", of which there are too few labels" if mine in why["short"] else ""
        yield f"Pick {number:,} of class {escaped(mine)}{short}."


def _draw_compared(ctx: Any, panel: Any, why: dict[str, Any], sample: str, number: int) -> None:
    """Draw what is nearest: a failure, a labeled image, and another one that was chosen."""
    kinds = (
        ("answered", "failure, which it is like"),
        ("nearest_labeled", "labeled image"),
        ("nearest_chosen", "other chosen image"),
    )
    found = {kind: (why.get(kind) or {}).get(sample) for kind, _ in kinds}
    ids = [one[0] for one in found.values() if one]
    pairs: Any = all_slices(ctx.dataset).select(ids).values(["id", "filepath"])
    paths = dict(zip(*pairs, strict=True))
    for kind, words in kinds:
        pair = found[kind]
        if pair:
            other, distance = pair
            panel.md(f"{distance:.3g} from the nearest {words}:", name=f"{kind}_{number}")
            if other in paths:
                address = f"/media?filepath={quote(paths[other], safe='')}"
                ctx.panel.set_state(f"{kind}_image_{number}", address)
                panel.img(f"{kind}_image_{number}", height=THUMBNAIL, alt_text=words)


def _more(name: str) -> str:
    kind = BY_NAME.get(name.split(" ")[0])
    if kind is not None and kind.about.family is Family.UNCERTAINTY:
        return "More uncertain"
    return f"Higher in {_title(name).lower()}"


def _title(name: str) -> str:
    kind = BY_NAME.get(name.split(" ")[0])
    return escaped(name) if kind is None else kind.about.title
