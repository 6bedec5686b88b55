"""BatchBALD: how much the labels of a whole batch tell about which member is right."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np
import torch

from ..data.device import numbers_a_chunk
from .objective import Objective

NUMBERS_A_CHUNK = 1 << 20
# Members of up to this many numbers are kept on a GPU, in float64: 4 GiB.
KEPT_UP_TO = 1 << 29
# A smaller gain is a rounding error of 0: in float64, and in float32 for drawn outcomes.
ROUNDING, NOISE = 1e-13, 1e-6


@dataclass(frozen=True)
class Outcomes:
    """Possible labels of the chosen samples, and what each outcome says about the members.

    These are either all C^b outcomes of b chosen samples (``drawn_by`` is None), or M random ones,
    equally many drawn from each of the K members.

    Attributes:
        weights: (M, K), the probability of each member given the outcome.
        mass: (M,), the probability of each outcome, or its share of the drawn ones.
        drawn_by: (M,), the member that each outcome was drawn from.
        chosen: for each chosen sample, the probabilities (K, C) by each member.
    """

    weights: torch.Tensor
    mass: torch.Tensor
    drawn_by: torch.Tensor | None
    chosen: tuple[torch.Tensor, ...]

    @property
    def exact(self) -> bool:
        """Whether these are all possible outcomes, rather than drawn ones."""
        return self.drawn_by is None

    @classmethod
    def of_nothing(cls, members: int, device: torch.device) -> Outcomes:
        """The single outcome before anything is chosen, with equal probabilities of the members."""
        level = torch.full((1, members), 1 / members, dtype=torch.float64, device=device)
        return cls(level, torch.ones(1, dtype=torch.float64, device=device), None, ())

    def with_one_more(self, p: torch.Tensor, samples: int, seed: int) -> Outcomes:
        """The outcomes after one more sample is chosen.

        Args:
            p: (K, C) the sample's probabilities by each member.
            samples: how many outcomes to keep; all while there are at most this many.
            seed: the seed of random draws.
        """
        chosen = (*self.chosen, p)
        if self.drawn_by is None and len(self.mass) * p.shape[1] <= samples:
            joint = self.weights[:, None, :] * p.T  # (M, C, K)
            share = joint.sum(-1)
            mass = (self.mass[:, None] * share).flatten()
            weights = joint / share[..., None]
            possible = mass > 0
            return Outcomes(weights.flatten(0, 1)[possible], mass[possible], None, chosen)
        if self.drawn_by is None:
            return self._drawn(chosen, samples, seed)
        return self._extended(p, seed, len(chosen) - 1)

    def _drawn(self, chosen: tuple[torch.Tensor, ...], samples: int, seed: int) -> Outcomes:
        """Draw outcomes of all chosen samples."""
        members, device = self.weights.shape[1], self.weights.device
        each = math.ceil(samples / members)
        drawn_by = torch.arange(members, device=device).repeat_interleave(each)
        weights = torch.full((len(drawn_by), members), 1 / members, dtype=torch.float64, device=device)
        mass = torch.full((len(drawn_by),), 1 / len(drawn_by), dtype=torch.float64, device=device)
        outcomes = Outcomes(weights, mass, drawn_by, ())
        for number, p in enumerate(chosen):
            outcomes = outcomes._extended(p, seed, number)
        return outcomes

    def _extended(self, p: torch.Tensor, seed: int, number: int) -> Outcomes:
        """Let each outcome's own member draw the label of one more sample."""
        assert self.drawn_by is not None
        members = len(p)
        each = len(self.drawn_by) // members
        # Stratified draws, one from each of equal parts of [0, 1], have less noise than independent
        # draws. They are drawn on the CPU, so that a GPU gives the same result.
        generator = np.random.default_rng([seed, number])
        order = generator.permuted(np.tile(np.arange(each), (members, 1)), axis=1)
        place = (order + generator.random((members, each))) / each
        steps = p.cpu().cumsum(1)
        labels = torch.searchsorted(steps / steps[:, -1:], torch.from_numpy(place), right=True)
        labels = labels.clamp_(max=p.shape[1] - 1).flatten().to(p.device)
        weights = self.weights * p.T[labels]
        weights = weights / weights.sum(1, keepdim=True)
        return Outcomes(weights, self.mass, self.drawn_by, (*self.chosen, p))

    def entropy_of(self, p: torch.Tensor) -> torch.Tensor:
        """(R,) nats: the entropy of each label given the labels of the chosen; ``p`` is (R, K, C)."""
        rows, _, classes = p.shape
        weights, mass = self._working
        columns = p.transpose(0, 1).reshape(p.shape[1], rows * classes).to(weights.dtype)
        expected = weights @ columns
        logs = expected.clamp(min=torch.finfo(expected.dtype).tiny).log_().mul_(expected)
        return 0 - (mass @ logs).to(torch.float64).reshape(rows, classes).sum(1)

    @cached_property
    def _working(self) -> tuple[torch.Tensor, torch.Tensor]:
        """Weights and mass for computation: float32 is precise enough for drawn outcomes."""
        dtype = torch.float64 if self.drawn_by is None else torch.float32
        return self.weights.to(dtype), self.mass.to(dtype)


class BatchBaldBlock:
    """The values of a few candidates, updated as some of them are chosen (see ``Block``)."""

    def __init__(self, objective: BatchBald, rows: torch.Tensor, values: torch.Tensor) -> None:
        self._objective = objective
        self._outcomes = objective.outcomes
        self._p = objective.members_of(rows)
        self._expected = objective.expected[rows]
        self.values = values.cpu().numpy()

    def pick(self, position: int) -> None:
        """Update ``values`` after the candidate at ``position`` is chosen."""
        o = self._objective
        self._outcomes = self._outcomes.with_one_more(self._p[position], o.samples, o.seed)
        self.values = o.gain(self._outcomes, self._p, self._expected).cpu().numpy()


class BatchBald(Objective):
    """The gain of joint mutual information ``I(y_1 ... y_b; member)`` in nats, at least 0.

    By the chain rule it is ``H(y_i | y_1 ... y_b-1) - mean_k H(y_i | k)``: a copy of a chosen sample
    tells little that is new. The entropy is exact, over all outcomes of the chosen labels, while there
    are at most ``samples`` outcomes. Beyond that it is the mean over ``samples`` drawn outcomes, with
    an error of the order ``1 / sqrt(samples)``. Drawn outcomes are kept from pick to pick. Up to that
    error, gains therefore never rise, and lazy greedy picks the same samples as plain greedy.

    K members can tell at most log K nats. Near that bound the gains are noise; the report shows it.

    Source: Kirsch, van Amersfoort and Gal, BatchBALD (2019), equations 6 to 12.

    Args:
        members: T arrays (N, C) of probabilities or logits.
        rows: (n,) the candidates' rows among the N.
        samples: how many outcomes are kept; rounded up, so that each member draws equally many.
        seed: the seed of random draws.
        device: the device of large arrays.
        logits: whether the members are logits.
    """

    update_cost = 3

    def __init__(
        self,
        members: Sequence[np.ndarray],
        rows: torch.Tensor,
        samples: int,
        seed: int,
        device: torch.device,
        logits: bool = False,
    ) -> None:
        self._members = members
        self._logits = logits
        self._rows = rows
        self._device = device
        self.samples = samples
        self.seed = seed
        self.most = math.log(len(members))
        self.scale = self.most
        self.outcomes = Outcomes.of_nothing(len(members), device)
        self.expected = torch.zeros(len(rows), dtype=torch.float64, device=device)
        self._information = 0.0
        self._kept: torch.Tensor | None = None
        numbers = len(rows) * len(members) * members[0].shape[1]
        if device.type != "cpu" and numbers <= KEPT_UP_TO:
            self._kept = self._prepared(slice(None))
        for part in self._parts(torch.arange(len(rows), device=device), 1):
            p = self.members_of(part)
            terms = p.clamp(min=torch.finfo(p.dtype).tiny).log_().mul_(p)
            self.expected[part] = 0 - terms.sum(-1).mean(1)

    def values(self, rows: torch.Tensor | None) -> torch.Tensor:
        """(R,) float64, the present values of ``rows`` (all if None), higher = more worth labeling."""
        rows = torch.arange(len(self._rows), device=self._device) if rows is None else rows
        out = torch.empty(len(rows), dtype=torch.float64, device=self._device)
        done = 0
        for part in self._parts(rows, len(self.outcomes.mass)):
            gains = self.gain(self.outcomes, self.members_of(part), self.expected[part])
            out[done : done + len(part)] = gains
            done += len(part)
        return out

    def block(self, rows: torch.Tensor, values: torch.Tensor) -> BatchBaldBlock:
        """A block of the candidates at ``rows``, whose present values are ``values`` up to rounding."""
        return BatchBaldBlock(self, rows, values)

    def add(self, rows: torch.Tensor) -> None:
        """Record that the candidates at ``rows`` are chosen."""
        for row in rows:
            p, expected = self.members_of(row[None]), self.expected[row]
            self._information += float(self.gain(self.outcomes, p, expected[None]))
            self.outcomes = self.outcomes.with_one_more(p[0], self.samples, self.seed)

    def gain(self, outcomes: Outcomes, p: torch.Tensor, expected: torch.Tensor) -> torch.Tensor:
        """(R,) float64 nats, the gain of candidates.

        Args:
            outcomes: the outcomes of the chosen samples.
            p: (R, K, C) the candidates' probabilities by each member.
            expected: (R,) their mean entropy over the members.
        """
        each = max(outcomes.weights.shape) * max(1, p.shape[2])
        step = max(1, numbers_a_chunk(NUMBERS_A_CHUNK, p.device) // each)
        gain = torch.cat([outcomes.entropy_of(part) for part in p.split(step)]) - expected
        return torch.where(gain <= (ROUNDING if outcomes.exact else NOISE), 0.0, gain)

    def members_of(self, rows: torch.Tensor) -> torch.Tensor:
        """(R, K, C) float64 probabilities of the candidates at ``rows``, by each member."""
        return self._prepared(rows) if self._kept is None else self._kept[rows]

    def _prepared(self, rows: torch.Tensor | slice) -> torch.Tensor:
        where = self._rows[rows].cpu().numpy()
        taken = np.stack([member[where] for member in self._members], axis=1)
        p = torch.from_numpy(taken.astype(np.float64)).to(self._device)
        return p.softmax(-1) if self._logits else p / p.sum(-1, keepdim=True)

    def report(self) -> dict[str, Any]:
        """The state reached so far, as plain values that JSON can hold."""
        return {
            "joint_information": self._information,
            "most_there_is": self.most,
            "exact": self.outcomes.exact,
        }

    def _parts(self, rows: torch.Tensor, outcomes: int) -> list[torch.Tensor]:
        classes = self._members[0].shape[1]
        each = max(len(self._members), outcomes) * max(1, classes)
        step = max(1, numbers_a_chunk(NUMBERS_A_CHUNK, self._device) // each)
        return list(rows.split(step)) if len(rows) else []
