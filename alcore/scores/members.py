"""Disagreement of several predictions of the same sample: committees, dropout passes.

Each measure takes ``members``: the probabilities by T members for N samples and C classes, as
(T, N, C) or as a list of T arrays (N, C), numpy or torch. Rows are renormalized. Everything is computed
in float64, because in float32 BALD of near-certain predictions is noise. The result is (N,) float64 of
the same kind, higher = more worth labeling. Entropies are in nats. Members are read one at a time, in
chunks of samples, so that memory does not grow with T x N x C.

Sources: Houlsby et al., Bayesian Active Learning for Classification and Preference Learning (2011);
Gal, Islam and Ghahramani, Deep Bayesian Active Learning with Image Data (2017); Settles, Active
Learning Literature Survey (2010), section 3.2; McCallum and Nigam, Employing EM and Pool-Based Active
Learning for Text Classification (1998).
"""

from collections.abc import Callable, Iterator, Sequence
from typing import Any

import torch

from ..data.device import numbers_a_chunk
from .arrays import array_of, as_given, device_of, tensor_of

ROUNDING = 1e-12  # a smaller difference of entropies is a rounding error of 0
NUMBERS_A_CHUNK = 1 << 16  # of one member: half a MiB of float64, which stays in a core's cache


def bald(members: Any) -> Any:
    """Mutual information of label and member, ``H(mean_t p_t) - mean_t H(p_t)``, in [0, log T] nats."""
    return _over(members, lambda p: p.information())


def predictive_entropy(members: Any) -> Any:
    """Entropy of the mean prediction, ``H(mean_t p_t)``, in [0, log C] nats."""
    return _over(members, lambda p: _entropy(p.mean()))


def consensus_entropy(members: Any) -> Any:
    """Entropy of the committee's mean prediction (soft vote entropy): ``predictive_entropy``."""
    return predictive_entropy(members)


def expected_entropy(members: Any) -> Any:
    """Mean entropy of the members, ``mean_t H(p_t)``, in [0, log C] nats (aleatoric uncertainty)."""
    return _over(members, lambda p: p.mean_and_entropy()[1])


def kl_to_consensus(members: Any) -> Any:
    """Mean divergence of the members from their mean, ``mean_t KL(p_t || mean)``, in nats.

    It equals ``bald``, computed by another formula.
    """
    return _over(members, lambda p: p.divergences().mean(0))


def max_disagreement(members: Any) -> Any:
    """Greatest divergence of a member from the mean, ``max_t KL(p_t || mean)``, in nats."""
    return _over(members, lambda p: p.divergences().amax(0))


def vote_entropy(members: Any) -> Any:
    """Entropy of the members' votes for their best class, in [0, log min(T, C)] nats."""
    return _over(members, lambda p: _entropy(p.votes()))


def variation_ratio(members: Any) -> Any:
    """Share of the members that do not vote for the most voted class, in [0, 1 - 1/T]."""
    return _over(members, lambda p: 1 - p.votes().amax(-1))


def mean_std(members: Any) -> Any:
    """Standard deviation over members, mean over classes: ``mean_c sqrt(mean_t (p_tc - mean_c)^2)``."""
    return _over(members, lambda p: p.deviation().mean(-1))


def variance(members: Any) -> Any:
    """Variance over members of a regression's values (T, N) or (T, N, D), mean over D; at least 0."""
    stack = _same_shape(members)
    count, *more = stack[0].shape
    if len(more) > 1:
        raise ValueError(f"members must be (T, N) or (T, N, D), not T x {tuple(stack[0].shape)}")
    device = device_of(stack[0])
    found = torch.zeros(count, dtype=torch.float64, device=device)
    step = max(1, numbers_a_chunk(NUMBERS_A_CHUNK, device) // max(1, *more, 1))
    for start in range(0, count, step):
        chunk = [tensor_of(one[start : start + step]).to(torch.float64) for one in stack]
        mean = sum(chunk, torch.zeros(())) / len(chunk)
        total = torch.zeros_like(mean)
        for member in chunk:
            total += (member - mean).square_()
        found[start : start + step] = (total / len(chunk)).reshape(len(mean), -1).mean(-1)
    return as_given(found, _first(members))


class _Chunk:
    """The predictions of a chunk of samples by every member, processed one member at a time."""

    def __init__(self, members: Sequence[torch.Tensor]) -> None:
        self._members = members

    def __iter__(self) -> Iterator[torch.Tensor]:
        for member in self._members:
            p = member.to(torch.float64)
            yield p / p.sum(-1, keepdim=True)

    def mean(self) -> torch.Tensor:
        return sum(self, torch.zeros(())) / len(self._members)

    def mean_and_entropy(self) -> tuple[torch.Tensor, torch.Tensor]:
        """The mean prediction (R, C), and the members' mean entropy (R,)."""
        mean, entropies = torch.zeros(()), torch.zeros(())
        for member in self._members:
            p = member.to(torch.float64)
            total = p.sum(-1, keepdim=True)
            p = p.div(total) if p is member else p.div_(total)
            mean = mean + p
            entropies = entropies + _entropy(p)
        return mean / len(self._members), entropies / len(self._members)

    def information(self) -> torch.Tensor:
        mean, entropies = self.mean_and_entropy()
        return _no_rounding(_entropy(mean) - entropies)

    def votes(self) -> torch.Tensor:
        total = torch.zeros_like(self._members[0], dtype=torch.float64)
        for p in self:
            total[torch.arange(len(p)), p.argmax(-1)] += 1
        return total / len(self._members)

    def deviation(self) -> torch.Tensor:
        mean = self.mean()
        total = torch.zeros_like(mean)
        for p in self:
            total += (p - mean).square_()
        return (total / len(self._members)).sqrt_()

    def divergences(self) -> torch.Tensor:
        """(T, R), each member's divergence from the mean."""
        logs = self.mean().clamp(min=torch.finfo(torch.float64).tiny).log()
        rows = []
        for p in self:
            # Where p is 0, its term is 0. Where p is above 0, the mean is above 0 too.
            cross = torch.where(p > 0, p * logs, 0.0).sum(-1)
            rows.append(-_entropy(p) - cross)
        return _no_rounding(torch.stack(rows))


def _no_rounding(difference: torch.Tensor) -> torch.Tensor:
    # This form keeps NaN; torch.where(difference > ROUNDING, difference, 0) would turn it into 0.
    return torch.where(difference <= ROUNDING, 0.0, difference)


def _entropy(p: torch.Tensor) -> torch.Tensor:
    # In float64, log and a product are several times faster than torch's entr, with the same result.
    # 0 minus the sum, not its negative, because -0 to a negative power would be -inf.
    return 0 - p.clamp(min=torch.finfo(p.dtype).tiny).log_().mul_(p).sum(-1)


def _over(members: Any, measure: Callable[[_Chunk], torch.Tensor]) -> Any:
    stack = stacked(members)
    count, classes = stack[0].shape
    device = device_of(stack[0])
    out = torch.zeros(count, dtype=torch.float64, device=device)
    step = max(1, numbers_a_chunk(NUMBERS_A_CHUNK, device) // max(1, classes))
    for start in range(0, count if classes else 0, step):
        chunk = slice(start, start + step)
        out[chunk] = measure(_Chunk([tensor_of(member[chunk]) for member in stack]))
    return as_given(out, _first(members))


def stacked(members: Any) -> list[Any]:
    """T tensors or arrays (N, C) of one shape, not copied.

    Raises:
        ValueError: no members, or members of unequal shape.
    """
    stack = _same_shape(members)
    if len(stack[0].shape) != 2:
        shape = ", ".join(map(str, stack[0].shape))
        raise ValueError(f"members must be (T, N, C), T arrays of one shape (N, C), not ({shape})")
    return stack


def _same_shape(members: Any) -> list[Any]:
    if isinstance(members, list | tuple):
        stack = [array_of(one) for one in members]
    else:
        whole = array_of(members)
        stack = [whole[t] for t in range(len(whole))] if whole.ndim > 1 else []
    shapes = {tuple(one.shape) for one in stack}
    if len(shapes) != 1:
        shape = ", ".join(map(str, sorted(shapes))) or "nothing"
        raise ValueError(f"members must be (T, N, C), T arrays of one shape (N, C), not {shape}")
    return stack


def _first(members: Any) -> Any:
    return members[0] if isinstance(members, list | tuple) else members
