"""Uncertainty of single predictions. N samples, C classes that exclude each other.

Each measure takes ``probabilities`` (N, C), numpy or torch, renormalizes its rows, and returns (N,) of
the same kind in float64, in [0, 1]: 0 where the row is one-hot, 1 where it is uniform. One class: 0
everywhere.
Source: Settles, Active Learning Literature Survey (2010), section 3.1.
"""

import math
from collections.abc import Callable
from typing import Any

import torch

from ..data.device import numbers_a_chunk
from .arrays import array_of, as_given, at_least_float32, device_of, tensor_of

NUMBERS_A_CHUNK = 1 << 17  # half a MiB of float32, which stays in a core's cache
# Above this, float32 sums give a row's entropy to 5 digits; rows below are recomputed in float64.
FLOAT32_ENTROPY = 0.05
FLOAT32_SUM = 1e-3
SURE = 1e-5  # a value below this, computed as 1 - x, has lost too many digits


def entropy(probabilities: Any) -> Any:
    """Shannon entropy divided by its greatest value, ``-sum_c p_c log p_c / log C``."""
    return _by_chunks(probabilities, lambda p: nats(p) / math.log(p.shape[1]))


def margin(probabilities: Any) -> Any:
    """One minus the lead of the best class over the second best, ``1 - (p_(1) - p_(2))``."""

    def measure(p: torch.Tensor) -> torch.Tensor:
        best = p.topk(2, dim=1).values.to(torch.float64)
        found = 1 - (best[:, 0] - best[:, 1]) / _total(p)
        return _redone_where_sure(found, p, lambda q, rest: rest + q.topk(2, dim=1).values[:, 1])

    return _by_chunks(probabilities, measure)


def least_confidence(probabilities: Any) -> Any:
    """One minus the highest probability, divided by its greatest value, ``(1 - p_(1)) C / (C - 1)``."""

    def measure(p: torch.Tensor) -> torch.Tensor:
        classes = p.shape[1]
        lacking = 1 - p.amax(1).to(torch.float64) / _total(p)
        lacking = _redone_where_sure(lacking, p, lambda q, rest: rest)
        return lacking * (classes / (classes - 1))

    return _by_chunks(probabilities, measure)


def ratio(probabilities: Any) -> Any:
    """The second highest probability divided by the highest, ``p_(2) / p_(1)``."""

    def measure(p: torch.Tensor) -> torch.Tensor:
        best = p.topk(2, dim=1).values.to(torch.float64)
        return best[:, 1] / best[:, 0]

    return _by_chunks(probabilities, measure)


def nats(p: torch.Tensor) -> torch.Tensor:
    """(R,) float64 entropy, in nats, of the rows of ``p`` (R, C) after each is divided by its sum."""
    if p.dtype == torch.float64:
        q = p / _total(p)[:, None]
        found = 0 - _times_log(q).sum(1)
        return _redone_where_sure(found, p, _nats_of_sure)
    total = p.sum(1).to(torch.float64)
    found = total.log() - _times_log(p).sum(1).to(torch.float64) / total
    inexact = ((found < FLOAT32_ENTROPY) | ((total - 1).abs() > FLOAT32_SUM)).nonzero().flatten()
    if len(inexact):
        found[inexact] = nats(p[inexact].to(torch.float64))
    return found


def _nats_of_sure(q: torch.Tensor, rest: torch.Tensor) -> torch.Tensor:
    others = q.scatter(1, q.argmax(1, keepdim=True), 0)
    return -torch.log1p(-rest) * (1 - rest) - _times_log(others).sum(1)


def _redone_where_sure(
    found: torch.Tensor,
    p: torch.Tensor,
    measure: Callable[[torch.Tensor, torch.Tensor], torch.Tensor],
) -> torch.Tensor:
    """Recompute values near 0 from the sum of all classes except the best one.

    That sum keeps the digits that ``1 - p_(1)`` loses. ``measure`` takes (R, C) probabilities and (R,)
    these sums.
    """
    sure = (found < SURE).nonzero().flatten()
    if len(sure):
        q = p[sure].to(torch.float64)
        q = q / q.sum(1, keepdim=True)
        rest = q.scatter(1, q.argmax(1, keepdim=True), 0).sum(1)
        found[sure] = measure(q, rest)
    return found


def _times_log(p: torch.Tensor) -> torch.Tensor:
    """``p log p``, 0 for 0; several times faster than torch's entr, with the same result."""
    return p.clamp(min=torch.finfo(p.dtype).tiny).log_().mul_(p)


def _total(p: torch.Tensor) -> torch.Tensor:
    return p.sum(1, dtype=torch.float64)


def _by_chunks(probabilities: Any, measure: Callable[[torch.Tensor], torch.Tensor]) -> Any:
    p = array_of(probabilities)
    if p.ndim != 2:
        raise ValueError(f"probabilities must be (N, C), not {tuple(p.shape)}")
    device = device_of(p)
    out = torch.zeros(len(p), dtype=torch.float64, device=device)
    step = max(1, numbers_a_chunk(NUMBERS_A_CHUNK, device) // max(1, p.shape[1]))
    for start in range(0, len(p) if p.shape[1] > 1 else 0, step):
        chunk = at_least_float32(tensor_of(p[start : start + step]))
        out[start : start + step] = measure(chunk).clamp_(0, 1)
    return as_given(out, probabilities)
