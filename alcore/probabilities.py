"""Turning what a model gave, logits or probabilities, into checked probabilities."""

from typing import Any

import numpy as np
import torch

from .errors import InvalidInput, name_samples

SUM_TOLERANCE = 1e-3


def as_probabilities(
    values: Any,
    *,
    given: str = "probabilities",
    temperature: float = 1.0,
    name: str = "predictions",
    ids: Any = None,
) -> np.ndarray:
    """Check predictions and bring them to probabilities.

    Args:
        values: (N, C) probabilities or logits, or (T, N, C) members, which are averaged.
        given: "probabilities" or "logits".
        temperature: divides the logits; for probabilities, ``p ** (1 / temperature)`` renormalised,
            which is the same thing.
        name: the column's name, for errors.
        ids: the samples' ids, for errors.

    Returns:
        (N, C) float64, rows that sum to 1: give a part of the rows at a time where N is large.

    Raises:
        InvalidInput: rows with NaN or infinite values, negative probabilities, or rows that do not
            sum to 1.
    """
    tensor = torch.as_tensor(np.asarray(values))
    members = tensor[None] if tensor.ndim == 2 else tensor
    if members.ndim != 3:
        raise InvalidInput(
            f"{name}: predictions must be (N, C) or (T, N, C), not {tuple(tensor.shape)}"
        )
    known = range(members.shape[1]) if ids is None else ids
    chunk = members.to(torch.float64)
    if given == "logits":
        _refuse(name, "NaN or infinite logits", ~chunk.isfinite(), known)
        p = torch.softmax(chunk / temperature, dim=-1)
    else:
        _refuse(name, "NaN or infinite probabilities", ~chunk.isfinite(), known)
        _refuse(name, "negative probabilities", chunk < 0, known)
        total = chunk.sum(-1, keepdim=True)
        not_one = "probabilities that do not sum to 1 (if they are logits, say so)"
        _refuse(name, not_one, (total - 1).abs() > SUM_TOLERANCE, known)
        p = chunk / total
        if temperature != 1.0:
            p = torch.softmax(p.log() / temperature, dim=-1)
    return p.mean(0).numpy()


def _refuse(name: str, what: str, bad: torch.Tensor, ids: Any) -> None:
    rows = bad.any(-1).any(0).nonzero().flatten().numpy()
    if len(rows):
        raise InvalidInput(
            f"{name}: {name_samples(ids, rows)} with {what}; correct them or leave them out"
        )
