"""Histograms of fields, and the number of samples that pass filters, both computed by MongoDB."""

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
MOST_VALUES = 200  # values of a category in a dropdown; a longer list is not usable


def kind_of(dataset: Any, path: str) -> str | None:
    """Return whether a field holds "numbers", "dates" or "categories"; None for other types."""
    field = dataset.get_field(path)
    if isinstance(field, (fo.DateField, fo.DateTimeField)):
        return "dates"
    if isinstance(field, (fo.FloatField, fo.IntField)):
        return "numbers"
    return "categories" if isinstance(field, (fo.StringField, fo.BooleanField)) else None


@foo.execution_cache(prompt_scoped=True, residency="ephemeral")
def histogram(ctx: Any, view: str, path: str) -> dict[str, Any]:
    """Return the histogram of a field in the target view. ``view`` is used only as a cache key.

    Returns:
        for categories, ``values``, the most frequent first; for numbers and dates, ``edges``, one more
        than there are bins, for dates in seconds since 1970. For both, ``counts``, the number of each
        value or in each bin, and ``other``, the number of samples without such a value.
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
        # MongoDB excludes the upper end of the range, so it must lie above the largest value.
        end = high + ((high - low) * 1e-9 or 1.0)
        whole = isinstance(ctx.dataset.get_field(path), fo.IntField)
        bins = min(BINS, int(high - low) + 1) if whole else BINS
        counts, _, other = samples.histogram_values(path, bins=bins, range=(low, end))
        edges = np.linspace(low, end, bins + 1)  # for integers, FiftyOne returns rounded edges
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
    """Count the unlabeled samples, or their objects, that pass all filters, in one query.

    Args:
        ctx: the context of the operator.
        view: the key of the target view; used only as a cache key.
        filters: the filters of a recipe, as JSON.
        label_field: the field of labels; samples with a value in it are labeled.
        tag: samples with this tag are labeled too.
        objects: the field of the objects to count; None to count samples.

    Raises:
        InvalidInput: if a filter is not valid, or if MongoDB cannot check it.
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
    """Return a filter as an expression for MongoDB, which no missing value and no NaN passes.

    Raises:
        InvalidInput: if the filter has no values and no bounds.
    """
    value = ViewField(path)
    if one.in_ is not None:
        return value.is_in(one.in_)
    if one.not_in is not None:
        return value.exists() & ~value.is_in(one.not_in)
    if one.min is None and one.max is None:
        raise InvalidInput(f"filters: that of {one.column!r} cannot be counted")
    # For MongoDB a missing value and NaN are less than any number, so a lower bound excludes them.
    date = isinstance(one.min if one.max is None else one.max, datetime)
    least = datetime.min if date else -float("inf")
    low = value >= (least if one.min is None else one.min)
    return low if one.max is None else low & (value <= one.max)
