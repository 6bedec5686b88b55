"""Disagreement of several predictions of the same sample: committees, dropout passes.

Each measure takes ``members`` (T, N, C): T members' probabilities for N samples and C classes. Rows are
renormalised, all is computed in float64 (in float32, BALD of near-certain predictions is noise), and
(N,) float64 comes back, higher = more worth labelling. Entropies are in nats. One member after the other
is read, some samples at a time, so that memory does not grow with T x N x C.

Sources: Houlsby et al., BALD (2011); Gal et al., Deep Bayesian Active Learning with Image Data (2017);
Settles, Active Learning Literature Survey (2010), section 3.2; McCallum and Nigam (1998).
"""

from collections.abc import Callable, Iterator
from typing import Any

import numpy as np
import torch

NUMBERS_A_CHUNK = 1 << 17  # of one member's chunk: 1 MiB of float64, which stays in cache


def bald(members: Any) -> np.ndarray:
    """Mutual information of label and member, ``H(mean_t p_t) - mean_t H(p_t)``, in [0, log T] nats."""
    return _over(members, lambda p: _entropy(p.mean) - p.mean_entropy)


def predictive_entropy(members: Any) -> np.ndarray:
    """Entropy of the mean prediction, ``H(mean_t p_t)``, in [0, log C] nats."""
    return _over(members, lambda p: _entropy(p.mean))


def consensus_entropy(members: Any) -> np.ndarray:
    """Entropy of the committee's mean prediction (soft vote entropy): ``predictive_entropy``."""
    return predictive_entropy(members)


def expected_entropy(members: Any) -> np.ndarray:
    """Mean entropy of the members, ``mean_t H(p_t)``, in [0, log C] nats: noise, not ignorance."""
    return _over(members, lambda p: p.mean_entropy)


def kl_to_consensus(members: Any) -> np.ndarray:
    """Mean divergence of the members from their mean, ``mean_t KL(p_t || mean)``, in nats.

    The same number as ``bald``, computed the other way.
    """
    return _over(members, lambda p: p.divergences().mean(0))


def max_disagreement(members: Any) -> np.ndarray:
    """Greatest divergence of a member from the mean, ``max_t KL(p_t || mean)``, in nats."""
    return _over(members, lambda p: p.divergences().amax(0))


def vote_entropy(members: Any) -> np.ndarray:
    """Entropy of the members' votes for their best class, in [0, log min(T, C)] nats."""
    return _over(members, lambda p: _entropy(p.votes))


def variation_ratio(members: Any) -> np.ndarray:
    """Share of the members that do not vote for the most voted class, in [0, 1 - 1/T]."""
    return _over(members, lambda p: 1 - p.votes.amax(-1))


def mean_std(members: Any) -> np.ndarray:
    """Standard deviation over members, mean over classes, ``mean_c sqrt(E[p_c^2] - E[p_c]^2)``."""
    return _over(members, lambda p: p.deviation.mean(-1))


class _Chunk:
    """Some samples' predictions by every member; the statistics are made of one member at a time."""

    def __init__(self, members: torch.Tensor) -> None:
        self._members = members

    def __iter__(self) -> Iterator[torch.Tensor]:
        for member in self._members:
            p = member.to(torch.float64)
            yield p / p.sum(-1, keepdim=True)

    @property
    def mean(self) -> torch.Tensor:
        total = torch.zeros_like(self._members[0], dtype=torch.float64)
        for p in self:
            total += p
        return total / len(self._members)

    @property
    def mean_entropy(self) -> torch.Tensor:
        total = torch.zeros(self._members.shape[1], dtype=torch.float64)
        for p in self:
            total += _entropy(p)
        return total / len(self._members)

    @property
    def votes(self) -> torch.Tensor:
        total = torch.zeros_like(self._members[0], dtype=torch.float64)
        for p in self:
            total[torch.arange(len(p)), p.argmax(-1)] += 1
        return total / len(self._members)

    @property
    def deviation(self) -> torch.Tensor:
        mean = self.mean
        total = torch.zeros_like(mean)
        for p in self:
            total += (p - mean).square_()
        return (total / len(self._members)).sqrt_()

    def divergences(self) -> torch.Tensor:
        mean = self.mean
        logs = mean.log()
        rows = []
        for p in self:
            # Where p is 0 its term is 0, whatever the mean; where p is not, neither is the mean.
            cross = torch.where(p > 0, p * logs, 0.0).sum(-1)
            rows.append(-_entropy(p) - cross)
        return torch.stack(rows).clamp_(min=0)


def _entropy(p: torch.Tensor) -> torch.Tensor:
    return torch.special.entr(p).sum(-1)


def _over(members: Any, measure: Callable[[_Chunk], torch.Tensor]) -> np.ndarray:
    stack = torch.as_tensor(members if isinstance(members, torch.Tensor) else np.asarray(members))
    if stack.ndim != 3:
        raise ValueError(f"members must be (T, N, C), not {tuple(stack.shape)}")
    count = stack.shape[1]
    out = np.zeros(count)
    step = max(1, NUMBERS_A_CHUNK // max(1, stack.shape[2]))
    for start in range(0, count, step):
        chunk = slice(start, start + step)
        # Differences of nearly equal entropies may come out a rounding below 0.
        out[chunk] = measure(_Chunk(stack[:, chunk])).clamp_(min=0).numpy()
    return out
