"""The three calls that every selection ends in: read, select, write."""

from __future__ import annotations

import json
import time
from collections.abc import Callable
from dataclasses import asdict, dataclass, field
from typing import Any

from ..alcore import Recipe, Selection, select
from .reading import Bad, Labelled, Reading, read
from .writing import Names, check_names, chosen_view, name_selection, write

Progress = Callable[[float, str], None]
SECONDS_BETWEEN_REPORTS = 0.5
READ_SHARE, CHOOSE_SHARE = 0.4, 0.5


@dataclass
class Request:
    """What is asked for, beside the view and the recipe."""

    labelled: Labelled = field(default_factory=Labelled)
    tag: str | None = None
    saved_view: str | None = None
    run_key: str | None = None
    overwrite: bool = False
    bad: Bad = "error"
    device: str = "auto"


def preview(
    view: Any, recipe: Any, request: Request, progress: Progress | None = None
) -> tuple[Reading, Selection]:
    """Choose, and write nothing.

    Raises:
        InvalidInput: what is wrong with the recipe, a field or the data.
    """
    report = throttled(progress)
    reading = read(
        view,
        Recipe.of(recipe),
        request.labelled,
        request.bad,
        lambda share: report(READ_SHARE * share, "Reading"),
    )
    chosen = select(
        reading.pool,
        reading.recipe,
        request.device,
        lambda done, budget: report(
            READ_SHARE + CHOOSE_SHARE * done / budget, f"Chosen {done} of {budget}"
        ),
    )
    chosen.report["notes"] = reading.notes
    return reading, chosen


def run_selection(
    view: Any, recipe: Any, request: Request, progress: Progress | None = None
) -> dict[str, Any]:
    """Choose and write: the result of every select operator, in plain values.

    Raises:
        InvalidInput: what is wrong; the dataset is then as it was.
    """
    started = time.perf_counter()
    dataset = view._dataset
    names = name_selection(dataset, request.run_key, request.tag, request.saved_view)
    check_names(dataset, names, request.overwrite)
    reading, chosen = preview(view, recipe, request, progress)
    throttled(progress)(READ_SHARE + CHOOSE_SHARE, "Writing")
    write_selection(view, reading, chosen, names, request)
    return {
        "run_key": names.run_key,
        "tag": names.tag,
        "saved_view": names.saved_view,
        "rank_field": names.rank_field,
        "chosen": len(chosen),
        "stopped": chosen.report["stopped"],
        "pool": chosen.report["pool"],
        "labelled": chosen.report["labelled"],
        "notes": reading.notes,
        "seconds": round(time.perf_counter() - started, 3),
    }


def write_selection(
    view: Any, reading: Reading, chosen: Selection, names: Names, request: Request
) -> None:
    """Write what was chosen, with the recipe as it was applied."""
    recipe = json.loads(reading.recipe.model_dump_json(exclude_none=True, by_alias=True))
    details = {
        "labelled": asdict(request.labelled),
        "device": chosen.report["device"],
    }
    write(view, chosen, names, recipe, details, request.overwrite)


def view_of(dataset: Any, result: dict[str, Any]) -> Any:
    """The chosen samples of a finished selection, in the order chosen."""
    names = Names(result["run_key"], result["tag"], result["saved_view"], result["rank_field"])
    return chosen_view(dataset, names)


def throttled(progress: Progress | None) -> Progress:
    """Progress that is reported no more than twice a second."""
    last = 0.0

    def report(share: float, label: str) -> None:
        nonlocal last
        now = time.perf_counter()
        if progress is not None and now - last >= SECONDS_BETWEEN_REPORTS:
            last = now
            progress(share, label)

    return report
