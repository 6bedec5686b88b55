"""The last preview of each dataset, so that a selection writes what was previewed.

It is used only while nothing has changed: neither the options, nor the view, nor any sample.
"""

from __future__ import annotations

import json
from collections import OrderedDict
from dataclasses import asdict, dataclass
from typing import Any

from ...alcore import Recipe, Selection
from ...alcore.data.keeping import key_of
from ...alcore.data.settings import settings
from ..dataset.fields import map_paths, similarity_runs
from ..dataset.fiftyone_private import dataset_of, id_of, state_of
from ..dataset.stored_schema import schema_of
from ..reading.read import Reading
from ..reading.reads import reads_of

MOST = 2  # datasets; each preview keeps its pool


@dataclass(frozen=True)
class Previewed:
    """What a preview has read and chosen, and the key of all on which that depends."""

    key: str
    reading: Reading
    chosen: Selection


_last: OrderedDict[str, Previewed] = OrderedDict()


def preview_key(view: Any, recipe: Recipe, request: Any) -> str:
    """Return a key of all on which a choice depends: the samples, the recipe and the options.

    ``request`` is a ``SelectionRequest``; the names under which it writes make no difference.
    """
    options = {
        name: value
        for name, value in asdict(request).items()
        if name not in ("tag", "saved_view", "run_key", "overwrite", "result")
    }
    text = json.dumps(options, sort_keys=True, default=str)
    return key_of("preview", state_of(view), recipe.model_dump_json(), text, settings)


def keep(view: Any, before: str, after: str, reading: Reading, chosen: Selection) -> None:
    """Keep a preview, if no sample was changed while it was made.

    Args:
        view: the samples.
        before: the key when it began.
        after: the key when it ended.
        reading: what was read.
        chosen: what was chosen.
    """
    dataset = dataset_of(view)
    if before == after and _changes_are_seen(dataset, reading.recipe):
        _last[id_of(dataset)] = Previewed(after, reading, chosen)
        _last.move_to_end(id_of(dataset))
        while len(_last) > MOST:
            _last.popitem(last=False)


def kept(view: Any, key: str) -> Previewed | None:
    """Return the last preview of a view's dataset, if it has this key."""
    found = _last.get(id_of(dataset_of(view)))
    return found if found is not None and found.key == key else None


def _changes_are_seen(dataset: Any, recipe: Recipe) -> bool:
    """Return whether every change of what a recipe reads changes the key.

    Files of maps, and the vectors of similarity runs, may change without FiftyOne's noticing.
    """
    runs, flat = similarity_runs(dataset), schema_of(dataset)
    return not any(
        path in runs or (path in flat and map_paths(flat, path)[1]) for path in reads_of(recipe)
    )
