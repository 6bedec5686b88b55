"""Turn the output of a model, logits or probabilities, into checked probabilities."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import torch

from .device import to_array
from .errors import InvalidInput, name_samples

# Probabilities rounded to two digits sum to 1 within some hundredths, and are divided by their sum.
SUM_TOLERANCE = 0.05
RANGE_TOLERANCE = 1e-3


@dataclass(frozen=True)
class Conversion:
    """What ``convert_in_place`` did.

    Attributes:
        given: what the column was taken for: "probabilities" or "logits".
        scaled: (N,) bool, the rows that were divided by their sum.
        faults: pairs of (N,) bool, the rows that are not probabilities, and what is wrong with them; no
            row is in two of them.
    """

    given: str
    scaled: np.ndarray
    faults: list[tuple[np.ndarray, str]]

    def notes(self, name: str, thing: str, declared: bool) -> list[str]:
        """Sentences for the user.

        Args:
            name: the column.
            thing: what a row stands for, such as "sample".
            declared: whether it was known what the column holds.
        """
        notes = []
        if not declared:
            done = "softmax is applied" if self.given == "logits" else "they are used as they are"
            notes.append(f"field {name!r} is taken to hold {self.given}: {done}")
        if self.scaled.any():
            notes.append(
                f"field {name!r}: the probabilities of {int(self.scaled.sum()):,} {thing}s sum to 1 "
                f"only within {SUM_TOLERANCE}, and are divided by their sum"
            )
        return notes


def as_probabilities(
    values: Any,
    *,
    given: str = "probabilities",
    temperature: float = 1.0,
    name: str = "predictions",
    ids: Any = None,
    average: bool = True,
) -> np.ndarray:
    """Check predictions over classes that exclude each other, and turn them into probabilities.

    Args:
        values: (N, C) probabilities or logits, or (T, N, C) members.
        given: "probabilities" or "logits".
        temperature: divides the logits; for probabilities, ``p ** (1 / temperature)`` renormalized,
            which is equivalent.
        name: the column's name, for errors.
        ids: the samples' ids, for errors.
        average: whether members are averaged.

    Returns:
        (N, C) float64, or (T, N, C) for members that are not averaged; rows sum to 1. Rows that sum to
        1 within ``SUM_TOLERANCE`` are divided by their sum. Where N is large, call it on a part of the
        rows at a time, because the result is float64.

    Raises:
        InvalidInput: rows with NaN or infinite values, negative probabilities, or rows that do not
            sum to 1.
    """
    values = to_array(values)
    chunk = _members(values, name)
    known = range(chunk.shape[1]) if ids is None else ids
    if given == "logits":
        _refuse(name, "NaN or infinite logits", ~chunk.isfinite(), known)
        p = torch.softmax(chunk / temperature, dim=-1)
    else:
        _refuse(name, "NaN or infinite probabilities", ~chunk.isfinite(), known)
        _refuse(name, "negative probabilities (if they are logits, say so)", chunk < 0, known)
        total = chunk.sum(-1, keepdim=True)
        not_one = "probabilities that do not sum to 1 (if they are logits, say so)"
        _refuse(name, not_one, (total - 1).abs() > SUM_TOLERANCE, known)
        p = chunk / total
        if temperature != 1.0:
            p = torch.softmax(p.log() / temperature, dim=-1)
    return _as_asked(p, values, average)


def as_independent(
    values: Any,
    *,
    given: str = "probabilities",
    temperature: float = 1.0,
    name: str = "predictions",
    ids: Any = None,
) -> np.ndarray:
    """The same for classes that do not exclude each other: each in [0, 1], from logits by a sigmoid.

    Returns:
        (N, C) float64; members are averaged.

    Raises:
        InvalidInput: rows with NaN, infinite values, or probabilities outside 0 to 1.
    """
    values = to_array(values)
    chunk = _members(values, name)
    known = range(chunk.shape[1]) if ids is None else ids
    _refuse(name, f"NaN or infinite {given}", ~chunk.isfinite(), known)
    if given != "logits":
        outside = (chunk < 0) | (chunk > 1 + RANGE_TOLERANCE)
        _refuse(name, "probabilities outside 0 to 1 (if they are logits, say so)", outside, known)
        chunk = chunk.clamp(0, 1)
    if given == "logits" or temperature != 1.0:
        logits = chunk if given == "logits" else torch.logit(chunk)
        chunk = torch.sigmoid(logits / temperature)
    return _as_asked(chunk, values, True)


def convert_in_place(
    values: np.ndarray,
    present: np.ndarray,
    *,
    given: str | None = None,
    independent: bool = False,
    exclusive: bool = True,
) -> Conversion:
    """Turn a whole column of class vectors into probabilities, in place.

    Without ``given`` the whole column is taken for logits, unless most of its rows are probabilities.
    What is given as probabilities never goes through a softmax: rows that sum to 1 within
    ``SUM_TOLERANCE`` are divided by their sum, other rows are faults.

    Args:
        values: (N, C), or (N, T, C) members of each sample; float, changed in place.
        present: (N,) bool, the rows that have a value.
        given: "probabilities", "logits", or None where it is not known.
        independent: whether the classes do not exclude each other. Logits then go through a sigmoid,
            and a column with values outside 0 to 1 is taken for logits.
        exclusive: whether probabilities have to sum to 1.

    Returns:
        what was done, and the rows that are not probabilities.
    """
    axes = tuple(range(1, values.ndim))
    good = ((values >= 0) & (values <= 1 + RANGE_TOLERANCE)).all(axes)
    if exclusive and not independent:
        near = np.abs(values.sum(-1, dtype=np.float64) - 1) <= SUM_TOLERANCE
        good = (values >= 0).all(axes) & near.reshape(len(values), -1).all(1)
    if given is None:
        odd = int((present & ~good).sum())
        few = 2 * odd < int(present.sum()) if not (independent and exclusive) else odd == 0
        given = "probabilities" if few else "logits"
    none = np.zeros(len(values), dtype=bool)
    if given == "logits":
        _sigmoid_in_place(values) if independent else _softmax_in_place(values)
        return Conversion("logits", none, [])
    if not exclusive or independent:
        what = "class probabilities outside 0 to 1"
        what += "" if not exclusive else " (logits need given: logits)"
        return Conversion("probabilities", none, [(present & ~good, what)])
    total = values.sum(-1, keepdims=True, dtype=np.float64)
    off = np.abs(total - 1) > RANGE_TOLERANCE
    scaled = present & good & off.reshape(len(values), -1).any(1)
    values[scaled] = values[scaled] / total[scaled]
    negative = present & (values < 0).any(axes)
    faults = [
        (negative, "negative probabilities (logits need given: logits)"),
        (present & ~good & ~negative, "probabilities that do not sum to 1"),
    ]
    return Conversion("probabilities", scaled, faults)


def _sigmoid_in_place(values: np.ndarray) -> None:
    with np.errstate(over="ignore"):
        np.divide(1, 1 + np.exp(-values), out=values)


def _softmax_in_place(values: np.ndarray) -> None:
    values -= values.max(axis=-1, keepdims=True)
    np.exp(values, out=values)
    values /= values.sum(axis=-1, keepdims=True)


def _members(values: np.ndarray, name: str) -> torch.Tensor:
    """(T, N, C) float64; T is 1 for a single prediction."""
    tensor = torch.as_tensor(values)
    members = tensor[None] if tensor.ndim == 2 else tensor
    if members.ndim != 3:
        raise InvalidInput(
            f"{name}: predictions must be (N, C) or (T, N, C), not {tuple(tensor.shape)}"
        )
    return members.to(torch.float64)


def _as_asked(p: torch.Tensor, values: np.ndarray, average: bool) -> np.ndarray:
    return (p.mean(0) if average or values.ndim == 2 else p).numpy()


def _refuse(name: str, what: str, bad: torch.Tensor, ids: Any) -> None:
    rows = bad.any(-1).any(0).nonzero().flatten().numpy()
    if len(rows):
        raise InvalidInput(
            f"{name}: {name_samples(ids, rows)} with {what}; correct them or leave them out"
        )
