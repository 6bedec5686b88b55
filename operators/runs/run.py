"""The steps of every selection: read, select, write."""

from __future__ import annotations

import json
import math
import time
from collections.abc import Callable
from dataclasses import asdict, dataclass, field, replace
from typing import Any, Literal, get_args

import numpy as np

from ...alcore import InvalidInput, Recipe, Selection, select
from ..dataset.fiftyone_private import dataset_of
from ..dataset.object_fields import list_path
from ..reading.kept import keeping
from ..reading.read import Bad, Labeled, Reading, read
from ..reading.reads import reads_of
from . import last_preview
from .checks import check_names
from .marks import chosen_view
from .names import Names, name_selection, names_in_record
from .on_ray import select_on_ray
from .used_embeddings import embeddings_used
from .why import why_of
from .writing import tokens, write

Progress = Callable[[float, str], None]
Result = Literal["labels", "samples"]
SECONDS_BETWEEN_REPORTS = 0.5
READ_SHARE, CHOOSE_SHARE = 0.4, 0.5
SHORT_SHOWN = 3


@dataclass
class SelectionRequest:
    """The options of a selection, apart from the view and the recipe.

    Attributes:
        labeled: which samples or objects count as labeled.
        tag: the tag for what is chosen; None for a default, "" for no tag.
        saved_view: the name of the saved view; None for a default, "" for no saved view.
        run_key: the key of the run; None for a default.
        overwrite: whether an earlier selection with this run key is replaced.
        bad: what happens to values that cannot be used: "error" or "leave_out".
        device: "auto", "cpu", "cuda", or "ray" for the cluster that RAY_ADDRESS names.
        objects: a field of label lists, each label of which is a candidate; None for samples.
        result: where to write if objects are chosen: on the chosen "labels", or on their "samples", in
            the order in which these were first chosen.
    """

    labeled: Labeled = field(default_factory=Labeled)
    tag: str | None = None
    saved_view: str | None = None
    run_key: str | None = None
    overwrite: bool = False
    bad: Bad = "error"
    device: str = "auto"
    objects: str | None = None
    result: Result = "labels"


def preview(
    view: Any, recipe: Any, request: SelectionRequest, progress: Progress | None = None
) -> tuple[Reading, Selection]:
    """Choose without writing anything. The last preview is used again while nothing has changed.

    Raises:
        InvalidInput: if the recipe, a field or the data cannot be used.
    """
    recipe, request = Recipe.of(recipe), without_replaced(dataset_of(view), request)
    before = last_preview.preview_key(view, recipe, request)
    known = last_preview.kept(view, before)
    if known is not None:
        return known.reading, known.chosen
    reading, chosen = _read_and_chosen(view, recipe, request, throttled(progress))
    after = last_preview.preview_key(view, recipe, request)
    last_preview.keep(view, before, after, reading, chosen)
    return reading, chosen


def _read_and_chosen(
    view: Any, recipe: Recipe, request: SelectionRequest, report: Progress
) -> tuple[Reading, Selection]:
    keeping.trouble = None
    reading = read(
        view,
        recipe,
        request.labeled,
        request.bad,
        lambda share: report(READ_SHARE * share, "Reading"),
        request.objects,
    )
    try:

        def choosing(done: int, budget: int) -> None:
            report(READ_SHARE + CHOOSE_SHARE * done / budget, f"Chosen {done} of {budget}")

        if request.device == "ray":
            chosen = select_on_ray(reading.pool, reading.recipe, choosing)
        else:
            chosen = select(reading.pool, reading.recipe, request.device, choosing, keeping)
    except InvalidInput as error:
        if request.objects is None:
            raise
        below = f"objects of {request.objects!r}, each counted as a sample: {error}"
        raise InvalidInput(below) from None
    reading.notes += shortfalls(chosen) + approximations(chosen)
    if keeping.trouble:
        reading.notes.append(keeping.trouble)
    chosen.report["notes"] = reading.notes
    report(READ_SHARE + CHOOSE_SHARE, "Finding the reasons")
    chosen.report["why"] = why_of(reading, chosen)
    return reading, chosen


def shortfalls(chosen: Selection) -> list[str]:
    """Return one line for each balance strategy whose targets were not reached."""
    notes = []
    for name, reached in chosen.report["stages"][-1]["reached"].items():
        short = reached["after"].get("short", {})
        worst = sorted(short.items(), key=lambda one: one[1]["reached"] - one[1]["wanted"])
        below = "; ".join(
            f"{label!r} has {below['reached']:.3g} of {below['wanted']:.3g} ({below['why']})"
            for label, below in worst[:SHORT_SHOWN]
        )
        if short:
            more = f"; and {len(short) - SHORT_SHOWN} more" if len(short) > SHORT_SHOWN else ""
            notes.append(f"{name}: below the target: {below}{more}")
    return notes


def approximations(chosen: Selection) -> list[str]:
    """Return one line for each strategy whose values were approximate."""
    notes = []
    for stage in chosen.report["stages"]:
        for name, reached in stage["reached"].items():
            after = reached["after"]
            if "drawn" in after:
                notes.append(
                    f"{name}: {after['drawn']:,} samples, drawn from {after['of']:,}, stand for all"
                )
            elif str(after.get("neighbors", "exact")) != "exact":
                told = f"{name}: neighbors are {after['neighbors']}"
                if "certain" in after:
                    told += f"; {after['certain']:.0%} of the samples are certain"
                notes.append(told)
    return notes


def run_selection(
    view: Any, recipe: Any, request: SelectionRequest, progress: Progress | None = None
) -> dict[str, Any]:
    """Choose and write, and return the result that every select operator returns, as plain values.

    Raises:
        InvalidInput: if an option, the recipe or the data cannot be used. The dataset stays unchanged.
    """
    started = time.perf_counter()
    dataset = dataset_of(view)
    names = names_of(dataset, request)
    check_names(dataset, names, request.overwrite)
    known = tokens(dataset) if request.labeled.chosen else None
    reading, chosen = preview(view, recipe, request, progress)
    throttled(progress)(READ_SHARE + CHOOSE_SHARE, "Writing")
    write_selection(view, reading, chosen, names, request, known)
    return {
        **asdict(names),
        **_figures(reading, chosen, request),
        "seconds": round(time.perf_counter() - started, 3),
    }


def preview_selection(
    view: Any, recipe: Any, request: SelectionRequest, progress: Progress | None = None
) -> dict[str, Any]:
    """Choose without writing anything, and return what a select operator returns for a dry run.

    Returns:
        Plain values that JSON can hold: ``picks``, the ids in the order chosen; ``samples``, the sample
        of each pick, where objects are chosen; ``reasons``, for each pick a dict from each strategy to
        its value, None where it is not finite; the completed ``recipe``; and the figures and notes of
        ``run_selection``.

    Raises:
        InvalidInput: as ``run_selection``, except that nothing is written.
    """
    started = time.perf_counter()
    check_names(dataset_of(view), names_of(dataset_of(view), request), request.overwrite)
    reading, chosen = preview(view, recipe, request, progress)
    samples = _samples_of(reading, chosen)
    return {
        "preview": True,
        "picks": [str(one) for one in chosen.ids],
        **({} if samples is None else {"samples": samples}),
        "reasons": [
            {name: value if math.isfinite(value) else None for name, value in reason.items()}
            for reason in chosen.reasons
        ],
        "recipe": _plain_recipe(reading),
        **_figures(reading, chosen, request),
        "seconds": round(time.perf_counter() - started, 3),
    }


def _figures(reading: Reading, chosen: Selection, request: SelectionRequest) -> dict[str, Any]:
    samples = _samples_of(reading, chosen)
    return {
        "chosen": len(chosen),
        "chosen_from": request.objects or "samples",
        "images": len(chosen) if samples is None else len(set(samples)),
        "stopped": chosen.report["stopped"],
        "pool": chosen.report["stages"][0]["candidates"],
        "labeled": chosen.report["labeled"],
        "notes": list(reading.notes),
    }


def _plain_recipe(reading: Reading) -> dict[str, Any]:
    """Return the recipe in the form in which it was applied."""
    found: dict[str, Any] = json.loads(reading.recipe.model_dump_json(exclude_none=True, by_alias=True))
    return found


def without_replaced(dataset: Any, request: SelectionRequest) -> SelectionRequest:
    """Return a request in which the samples of a selection that is replaced do not count as labeled.

    Raises:
        InvalidInput: if a name of the selection cannot be used.
    """
    if not (request.overwrite and request.labeled.chosen):
        return request
    labeled = replace(request.labeled, but=names_of(dataset, request).run_key)
    return replace(request, labeled=labeled)


def names_of(dataset: Any, request: SelectionRequest) -> Names:
    """Return the names under which a selection is written, with defaults for those not given.

    Raises:
        InvalidInput: if the run key is not an identifier, if ``objects`` does not hold a list of
            labels, or if ``result`` is unknown.
    """
    if request.result not in get_args(Result):
        takes = " or ".join(map(repr, get_args(Result)))
        raise InvalidInput(f"result: there is no {request.result!r}; choose {takes}")
    if request.objects:
        list_path(dataset, request.objects)
    on = request.objects if request.result == "labels" else None
    return name_selection(dataset, request.run_key, request.tag, request.saved_view, on)


def write_selection(
    view: Any,
    reading: Reading,
    chosen: Selection,
    names: Names,
    request: SelectionRequest,
    known: set[str] | None,
) -> None:
    """Write what was chosen, with the recipe in the form in which it was applied.

    ``known`` are the selections whose samples were not to be chosen; see ``writing.write``.
    """
    details: dict[str, Any] = {
        "labeled": request.labeled.record(),
        "device": chosen.report["device"],
    }
    used = embeddings_used(dataset_of(view), reads_of(reading.recipe))
    if used:
        details["embeddings"] = used
    if reading.pool.elsewhere:
        # Stored so that the selection can be repeated: vectors of examples that are not in the view.
        details["examples"] = {
            column: {str(one): np.asarray(vector).tolist() for one, vector in found.items()}
            for column, found in reading.pool.elsewhere.items()
        }
    samples = _samples_of(reading, chosen)
    if samples is not None:
        details |= {"objects": request.objects, "result": request.result, "images": len(set(samples))}
    recipe = _plain_recipe(reading)
    write(view, chosen, names, recipe, details, request.overwrite, samples, known=known)


def view_of(dataset: Any, result: dict[str, Any]) -> Any:
    """Return a view of the chosen samples or objects, in the order in which they were chosen.

    Args:
        dataset: the dataset.
        result: what ``run_selection`` returned.

    Raises:
        InvalidInput: if there is no such selection.
    """
    return chosen_view(dataset, names_in_record(dataset, result["run_key"]))


def _samples_of(reading: Reading, chosen: Selection) -> list[str] | None:
    """Return the sample id of each chosen object; None if samples were chosen."""
    return None if reading.samples is None else reading.samples[chosen.indices].tolist()


def throttled(progress: Progress | None) -> Progress:
    """Return a function that passes progress on, at most twice per second."""
    last = 0.0

    def report(share: float, label: str) -> None:
        nonlocal last
        now = time.perf_counter()
        if progress is not None and now - last >= SECONDS_BETWEEN_REPORTS:
            last = now
            progress(share, label)

    return report
