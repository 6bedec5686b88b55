"""The records and results of selections, as plain values, and short texts on them."""

from __future__ import annotations

import math
from dataclasses import asdict
from datetime import datetime, timezone
from importlib.metadata import version
from typing import Any

from ... import alcore
from ...alcore import Selection
from ..dataset.selection_records import (
    COMPLETE,
    METHOD,
    UNDOING,
    WRITING,
    current_names,
    state_of,
)
from ..dataset.views import all_slices
from .lock import is_locked
from .marks import TOKEN
from .names import Names, counted


def config_of(
    names: Names,
    staged: Names | None,
    token: str,
    recipe: dict[str, Any],
    results: dict[str, Any],
    details: dict[str, Any],
) -> dict[str, Any]:
    """Return the configuration of the run that records a selection.

    Args:
        names: the names of the selection.
        staged: the names under which it is written first, if it replaces another one.
        token: marks the fields of the selection.
        recipe: the recipe as plain values.
        results: the results of the run.
        details: further entries.
    """
    return {
        "method": METHOD,
        "state": WRITING,
        TOKEN: token,
        "names": asdict(names),
        "staged": asdict(staged) if staged else None,
        "recipe": _storable(recipe),
        "seed": _storable(recipe.get("seed", 0)),
        "chosen": len(results["gains"]),
        "created_at": datetime.now(timezone.utc).isoformat(timespec="milliseconds"),
        "versions": {
            "active_learning": alcore.__version__,
            **{name: version(name) for name in ("fiftyone", "torch", "numpy")},
        },
        **details,
    }


def results_of_selection(
    chosen: Selection,
    names: Names,
    samples: list[str] | None,
    to_tag: list[str] | None,
    held_out: list[str] | None,
) -> dict[str, Any]:
    """Return the results of the run as plain values.

    ``ids`` are the samples or labels that get ranks. If objects were chosen, ``gains`` and ``reasons``
    are in the order of ``label_ids``. ``tagged`` and ``held_out_tagged`` are still empty.
    """
    results = {
        "ids": list(chosen.ids),
        "gains": [_plain(gain) for gain in chosen.gains.tolist()],
        "reasons": [
            {name: _plain(value) for name, value in reason.items()} for reason in chosen.reasons
        ],
        "report": chosen.report,
        "tagged": [],
        "to_tag": to_tag,
        "held_out": held_out or [],
        "held_out_tagged": [],
    }
    if samples is None:
        return results
    ids = results["ids"] if names.objects else list(dict.fromkeys(samples))
    return results | {"ids": ids, "label_ids": list(chosen.ids), "sample_ids": samples}


def set_record(dataset: Any, run_key: str, **changes: Any) -> None:
    """Change entries of the record of a selection."""
    config = dataset.get_run_info(run_key).config
    for name, value in changes.items():
        setattr(config, name, value)
    dataset.update_run_config(run_key, config)


def describe(selection: dict[str, Any]) -> str:
    """Return a short text on what was chosen.

    Args:
        selection: an entry of ``selections``.
    """
    objects, chosen = selection.get("objects"), selection["chosen"]
    if not objects:
        return counted(chosen)
    samples = counted(selection["images"])
    among = counted(chosen, objects)
    return f"{among}, in {samples}" if selection["names"].get("objects") else f"{samples}, by {among}"


def describe_state(dataset: Any, selection: dict[str, Any]) -> str:
    """Return a short text on the state of a selection: "whole", or what is unfinished.

    Args:
        dataset: the dataset.
        selection: an entry of ``selections``.
    """
    state = state_of(selection)
    if state in COMPLETE:
        return "whole"
    if is_locked(dataset):
        return "being undone" if state == UNDOING else "being written"
    verb = "undone" if state == UNDOING else "written"
    ranked = _count_ranks(dataset, Names(**current_names(selection)))
    return f"half {verb}: {ranked:,} of {describe(selection)} have a rank; undo it"


def summary(dataset: Any, selection: dict[str, Any]) -> str:
    """Return what was chosen, or what is unfinished.

    Args:
        dataset: the dataset.
        selection: an entry of ``selections``.
    """
    is_complete = state_of(selection) in COMPLETE
    return describe(selection) if is_complete else describe_state(dataset, selection)


def _count_ranks(dataset: Any, names: Names) -> int:
    if dataset.get_field(names.rank_field) is None:
        return 0
    return int(all_slices(dataset).count(names.rank_field))


def _storable(value: Any) -> Any:
    """Return a value whose integers that MongoDB cannot store are texts, which a recipe takes too."""
    if isinstance(value, dict):
        return {name: _storable(one) for name, one in value.items()}
    if isinstance(value, list):
        return [_storable(one) for one in value]
    return str(value) if type(value) is int and abs(value) >= 1 << 63 else value


def _plain(value: float) -> float | None:
    return value if math.isfinite(value) else None
