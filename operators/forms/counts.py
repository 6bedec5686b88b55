"""Counts of samples and objects for a form, computed once for each form."""

from __future__ import annotations

import json
from typing import Any

import fiftyone.operators as foo
import fiftyone.operators.types as types

from ..dataset.fiftyone_private import plain_collection, shows_parts
from ..dataset.labeled_samples import count_labeled, unlabeled
from ..dataset.object_labels import count_objects
from ..dataset.views import target_of


def view_key(ctx: Any) -> str:
    """Return the target view as JSON, which is a cache key."""
    return json.dumps(plain_collection(target_of(ctx)), default=str)


@foo.execution_cache(prompt_scoped=True, residency="ephemeral")
def count_samples(
    ctx: Any,
    view: str,
    label_field: str | None,
    tag: str | None,
    predictions: str | None,
    objects: str | None,
    ranks: tuple[str, ...] = (),
) -> dict[str, Any]:
    """Count the samples of the target view.

    Args:
        ctx: the context of the operator.
        view: the key of the target view; used only as a cache key.
        label_field: the field of labels; samples with a value in it are labeled.
        tag: samples with this tag are labeled too.
        predictions: a field; the text also counts the samples without a value in it.
        objects: a field of objects; the text then counts its objects.
        ranks: fields of the ranks of earlier selections, whose samples count as labeled.

    Returns:
        ``total`` and ``labeled``, numbers of samples, and ``text``, a line for the form.
    """
    samples = target_of(ctx)
    known = [label_field, *ranks]
    total, labeled = count_labeled(samples, known, tag)
    candidates = total - labeled
    text = f"{candidates} samples to choose from, {labeled} labeled"
    if predictions and ctx.dataset.get_field(predictions) is not None:
        without = total - len(samples.exists(predictions))
        if without:
            text += f", {without} without a prediction (these cannot be chosen)"
    if objects and ctx.dataset.get_field(objects) is not None and not shows_parts(samples):
        among = count_objects(unlabeled(samples, known, tag), objects)
        text = f"{among} objects to choose from, in {candidates} samples; {labeled} samples are labeled"
    return {"total": total, "labeled": labeled, "text": text}


def counts_notice(ctx: Any, inputs: Any, thing: str, kept: str) -> None:
    """Add a notice with the number of samples.

    Args:
        ctx: the context of the operator.
        inputs: the inputs of the form.
        thing: what is counted, such as "images".
        kept: a sentence on existing values, which are not computed again.
    """
    total = count_samples(ctx, view_key(ctx), None, None, None, None)["total"]
    inputs.view("counts", types.Notice(label=f"{total} {thing}; {kept}"))


def images_or_objects(objects: str | None) -> str:
    """Return what is counted, in a few words for a form."""
    return f"images, of which the objects of {objects}" if objects else "images"
