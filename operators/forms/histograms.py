"""How the values of fields are distributed, and how many samples pass filters: asked of MongoDB."""

from __future__ import annotations

import json
from datetime import datetime, timezone
from typing import Any

import fiftyone as fo
import fiftyone.operators as foo
import numpy as np
from fiftyone import ViewField

from ...alcore import InvalidInput, Recipe
from ..dataset.labeled_samples import unlabeled
from ..dataset.object_fields import list_path
from ..dataset.views import target_of

BINS = 40
MOST_VALUES = 200  # of categories: more can be listed, but not chosen among


def kind_of(dataset: Any, path: str) -> str | None:
    """Whether a field holds numbers, dates or categories; None for something else."""
    field = dataset.get_field(path)
    if isinstance(field, (fo.DateField, fo.DateTimeField)):
        return "dates"
    if isinstance(field, (fo.FloatField, fo.IntField)):
        return "numbers"
    return "categories" if isinstance(field, (fo.StringField, fo.BooleanField)) else None


@foo.execution_cache(prompt_scoped=True, residency="ephemeral")
def histogram(ctx: Any, view: str, path: str) -> dict[str, Any]:
    """The values of a field and how often they occur. ``view`` is part of the key of the cache alone.

    Of categories ``values``, the most frequent first; of numbers and dates ``edges``, of dates in
    seconds since 1970; ``counts`` of both, and ``other``, how many samples have no such value.
    """
    samples = target_of(ctx)
    kind = kind_of(ctx.dataset, path)
    if kind == "categories":
        found = samples.count_values(path)
        other = found.pop(None, 0)
        most = sorted(found.items(), key=lambda one: (-one[1], str(one[0])))
        return {
            "values": [value for value, _ in most],
            "counts": [count for _, count in most],
            "other": other,
        }
    low, high = samples.bounds(path, safe=True)
    if low is None:
        return {"edges": [], "counts": [], "other": len(samples)}
    if kind == "dates":
        counts, edges, other = samples.histogram_values(path, bins=BINS)
        edges = [one.replace(tzinfo=timezone.utc).timestamp() for one in edges]
    else:
        # The end of the range is not part of it.
        end = high + ((high - low) * 1e-9 or 1.0)
        whole = isinstance(ctx.dataset.get_field(path), fo.IntField)
        bins = min(BINS, int(high - low) + 1) if whole else BINS
        counts, _, other = samples.histogram_values(path, bins=bins, range=(low, end))
        edges = np.linspace(low, end, bins + 1)  # FiftyOne gives those of whole numbers rounded
    return {"edges": list(map(float, edges)), "counts": counts, "other": other}


@foo.execution_cache(prompt_scoped=True, residency="ephemeral")
def count_remaining(
    ctx: Any,
    view: str,
    filters: str,
    label_field: str | None,
    tag: str | None,
    objects: str | None,
) -> int:
    """How many samples, or objects, that are not labeled pass all of some filters, in one query.

    ``view`` is part of the key of the cache alone; ``filters`` are those of a recipe, as JSON.
    """
    left = unlabeled(target_of(ctx), [label_field], tag)
    inside = f"{list_path(ctx.dataset, objects)}." if objects else None
    of_objects = []
    for one in Recipe.of({"budget": 1, "filters": json.loads(filters)}).filters:
        if inside and one.column.startswith(inside):
            of_objects.append(_passes(one, one.column.removeprefix(inside)))
        else:
            left = left.match(_passes(one, one.column))
    if not objects:
        return int(left.count())
    for condition in of_objects:
        left = left.filter_labels(objects, condition)
    return int(left.count(list_path(ctx.dataset, objects)))


def _passes(one: Any, path: str) -> Any:
    """What MongoDB checks, so that what is missing or NaN passes no filter."""
    value = ViewField(path)
    if one.in_ is not None:
        return value.is_in(one.in_)
    if one.not_in is not None:
        return value.exists() & ~value.is_in(one.not_in)
    if one.min is None and one.max is None:
        raise InvalidInput(f"filters: that of {one.column!r} cannot be counted")
    # To MongoDB what is missing is less than any number, and NaN, too.
    date = isinstance(one.min if one.max is None else one.max, datetime)
    least = datetime.min if date else -float("inf")
    low = value >= (least if one.min is None else one.min)
    return low if one.max is None else low & (value <= one.max)
