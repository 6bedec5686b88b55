"""The three calls that every selection ends in: read, select, write."""

from __future__ import annotations

import json
import time
from collections.abc import Callable
from dataclasses import asdict, dataclass, field
from typing import Any, Literal, get_args

import numpy as np

from ...alcore import InvalidInput, Recipe, Selection, select
from ..dataset.fiftyone_private import dataset_of
from ..dataset.object_fields import list_path
from ..reading.read import Bad, Labeled, Reading, read
from ..reading.reads import reads_of
from .names import Names, check_names, name_selection, names_in_record
from .records import chosen_view, write
from .used_embeddings import embeddings_used

Progress = Callable[[float, str], None]
Result = Literal["labels", "samples"]
SECONDS_BETWEEN_REPORTS = 0.5
READ_SHARE, CHOOSE_SHARE = 0.4, 0.5
SHORT_SHOWN = 3


@dataclass
class SelectionRequest:
    """What is asked for, beside the view and the recipe.

    With ``objects``, the field of a list of labels, each label is a candidate; ``result`` says whether
    the chosen labels are written on, or the samples in which they lie, in the order first chosen.
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
    """Choose, and write nothing.

    Raises:
        InvalidInput: what is wrong with the recipe, a field or the data.
    """
    report = throttled(progress)
    reading = read(
        view,
        Recipe.of(recipe),
        request.labeled,
        request.bad,
        lambda share: report(READ_SHARE * share, "Reading"),
        request.objects,
    )
    try:
        chosen = select(
            reading.pool,
            reading.recipe,
            request.device,
            lambda done, budget: report(
                READ_SHARE + CHOOSE_SHARE * done / budget, f"Chosen {done} of {budget}"
            ),
        )
    except InvalidInput as error:
        if request.objects is None:
            raise
        below = f"objects of {request.objects!r}, each counted as a sample: {error}"
        raise InvalidInput(below) from None
    reading.notes += shortfalls(chosen)
    chosen.report["notes"] = reading.notes
    return reading, chosen


def shortfalls(chosen: Selection) -> list[str]:
    """Where a balance was not reached, a line for each strategy."""
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


def run_selection(
    view: Any, recipe: Any, request: SelectionRequest, progress: Progress | None = None
) -> dict[str, Any]:
    """Choose and write: the result of every select operator, in plain values.

    Raises:
        InvalidInput: what is wrong; the dataset is then as it was.
    """
    started = time.perf_counter()
    dataset = dataset_of(view)
    names = names_of(dataset, request)
    check_names(dataset, names, request.overwrite)
    reading, chosen = preview(view, recipe, request, progress)
    throttled(progress)(READ_SHARE + CHOOSE_SHARE, "Writing")
    write_selection(view, reading, chosen, names, request)
    samples = _samples_of(reading, chosen)
    return {
        **asdict(names),
        "chosen": len(chosen),
        "chosen_from": request.objects or "samples",
        "images": len(chosen) if samples is None else len(set(samples)),
        "stopped": chosen.report["stopped"],
        "pool": chosen.report["pool"],
        "labeled": chosen.report["labeled"],
        "notes": reading.notes,
        "seconds": round(time.perf_counter() - started, 3),
    }


def names_of(dataset: Any, request: SelectionRequest) -> Names:
    """Under which names a selection is written, those not given filled in.

    Raises:
        InvalidInput: a run key that FiftyOne does not take, or a field that holds no list of labels.
    """
    if request.result not in get_args(Result):
        takes = " or ".join(map(repr, get_args(Result)))
        raise InvalidInput(f"result: there is no {request.result!r}; choose {takes}")
    if request.objects:
        list_path(dataset, request.objects)
    on = request.objects if request.result == "labels" else None
    return name_selection(dataset, request.run_key, request.tag, request.saved_view, on)


def write_selection(
    view: Any, reading: Reading, chosen: Selection, names: Names, request: SelectionRequest
) -> None:
    """Write what was chosen, with the recipe as it was applied."""
    recipe = json.loads(reading.recipe.model_dump_json(exclude_none=True, by_alias=True))
    details: dict[str, Any] = {
        "labeled": asdict(request.labeled),
        "device": chosen.report["device"],
    }
    used = embeddings_used(dataset_of(view), reads_of(reading.recipe))
    if used:
        details["embeddings"] = used
    if reading.pool.elsewhere:
        # The vectors of examples that lie outside the view, by which the selection can be repeated.
        details["examples"] = {
            column: {str(one): np.asarray(vector).tolist() for one, vector in found.items()}
            for column, found in reading.pool.elsewhere.items()
        }
    samples = _samples_of(reading, chosen)
    if samples is not None:
        details |= {"objects": request.objects, "result": request.result, "images": len(set(samples))}
    write(view, chosen, names, recipe, details, request.overwrite, samples)


def view_of(dataset: Any, result: dict[str, Any]) -> Any:
    """The samples, or objects, of the selection that a result is of, in the order chosen.

    Raises:
        InvalidInput: there is no such selection.
    """
    return chosen_view(dataset, names_in_record(dataset, result["run_key"]))


def _samples_of(reading: Reading, chosen: Selection) -> list[str] | None:
    """The sample of each chosen object; None where samples were chosen."""
    return None if reading.samples is None else reading.samples[chosen.indices].tolist()


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
