"""The candidates of all shards, as the greedy sees them; a lost shard is replaced and caught up."""

from __future__ import annotations

import sys
from collections.abc import Iterator, Sequence
from typing import Any

import numpy as np
import torch

from ..data.errors import InvalidInput
from ..data.settings import settings
from ..objectives import Block, Divisible, Summed
from ..optimizers.candidates import Proposal, Top
from ..optimizers.combining import Term, combined, scales_of, scales_of_inverted
from .messages import Chosen, Found, Traffic
from .shard import News, tensors
from .sources import Source
from .workers import Workers

# A shard proposes at least so many candidates, and of a block this many times its share.
LEAST_PROPOSED, SPARE = 8, 2
# Of so many candidates of each shard the values are summed up at once in the beginning.
SUMMED_AT_ONCE = 1 << 16
# How often one shard is replaced in a selection.
MOST_REPLACED = 3


class Shards:
    """The shards of a pool, held by workers.

    Each question goes to all of them, together with the news since the last one. All news are kept. An
    actor that is lost is replaced by a new one, which reads the shard from its source, is told all the
    news, and is asked again.

    Args:
        workers: the actors.
        sources: what the shards are read from.
    """

    def __init__(self, workers: Workers, sources: Sequence[Source]) -> None:
        self._workers = workers
        self.sources = sources
        self._news: list[News] = []
        self._known: list[int | None] = [None] * len(sources)
        self._replaced = [0] * len(sources)
        self.traffic = Traffic()

    def __len__(self) -> int:
        """How many shards there are."""
        return len(self.sources)

    @property
    def replaced(self) -> int:
        """How many actors were lost and replaced."""
        return sum(self._replaced)

    def tell(self, what: str, *arguments: Any) -> None:
        """Give news to all shards, with the next question."""
        self._news.append((what, arguments))

    def ask(self, question: str, *arguments: Any) -> list[Any]:
        """The answers of all shards, in their order.

        Raises:
            InvalidInput: what a shard raises; or one was lost and could not be replaced.
        """
        refs = [self._send(number, question, arguments) for number in range(len(self))]
        answers = [self._answer(number, ref, question, arguments) for number, ref in enumerate(refs)]
        self.traffic.count(answers)
        return answers

    def forget(self) -> None:
        """Let the workers go."""
        for number in range(len(self)):
            if self._known[number] is not None:
                self._workers.actor(number).forget.remote()

    def _send(self, number: int, question: str, arguments: tuple[Any, ...]) -> Any:
        known = self._known[number]
        news = self._news[known or 0 :]
        self.traffic.count(news, arguments)
        if known is None:
            news = [("hold", (number, self.sources)), *news]
        self._known[number] = len(self._news)
        return self._workers.actor(number).answer.remote(news, question, *arguments)

    def _answer(self, number: int, ref: Any, question: str, arguments: tuple[Any, ...]) -> Any:
        from ray.exceptions import RayActorError

        while True:
            try:
                return _got(ref)
            except RayActorError as error:
                self._replaced[number] += 1
                if self._replaced[number] > MOST_REPLACED:
                    raise InvalidInput(
                        f"backend: 'ray': the actor of shard {number} was lost {MOST_REPLACED + 1} "
                        "times; it may need more memory than its machine has "
                        f"({str(error).splitlines()[0]})"
                    ) from None
                self._workers.replace(number)
                self._known[number] = None
                ref = self._send(number, question, arguments)


def _got(ref: Any) -> Any:
    """The result of a call; an error within it is raised as it was."""
    import ray
    from ray.exceptions import RayTaskError

    try:
        return ray.get(ref)
    except RayTaskError as error:
        if isinstance(error.cause, InvalidInput):
            raise error.cause from None
        raise


class ShardedCandidates:
    """The candidates of all shards; see ``Choosable``.

    Args:
        shards: the actors that hold them.
        terms: objectives without candidates, which hold what those of the shards have in common.
        combine: as in ``greedy``.
    """

    def __init__(self, shards: Shards, terms: Sequence[Term], combine: str) -> None:
        self._combine = combine
        self._shards = shards
        self._terms = terms
        self._objectives = [one.objective for one in terms if isinstance(one.objective, Divisible)]
        self._summed = [isinstance(one, Summed) for one in self._objectives]

    def rescale(self, which: Sequence[bool]) -> None:
        """Set the scales of these terms to their highest values, where picks change them."""
        self._scale(scales_of(self._terms, self._highest(), which))

    def scale_inverted(self) -> None:
        """Raise the scale of each term of negative strength to its highest value, if that is higher."""
        if any(term.strength < 0 for term in self._terms):
            self._scale(scales_of_inverted(self._terms, self._highest()))

    def top(self) -> Top | None:
        """The best candidate by the present bounds, which must be exact; None where there is none."""
        self._shards.traffic.begin()
        found = [one for one in self._shards.ask("top") if one is not None]
        if not found:
            return None
        best = max(found, key=lambda one: (one.gain, -int(one.rows[0])))
        values = np.array([float(one[0]) for one in best.values])
        return Top(int(best.rows[0]), best.gain, values, best)

    def propose(self, size: int) -> Proposal | None:
        """The best ``size`` candidates or about as many; None where no candidate is left."""
        self._shards.traffic.begin()
        count = len(self._shards)
        self._sum_up(max(LEAST_PROPOSED, SPARE * size // count))
        answers = self._shards.ask(
            "propose",
            max(LEAST_PROPOSED, SPARE * size // count),
            max(1, settings.kinds_a_block // count),
        )
        found = [one for one in answers if one is not None]
        if not found:
            return None
        together = self._best(_together(found), SPARE * size)
        blocks = self._blocks(together)
        return Proposal(
            together.rows,
            blocks,
            together.limit,
            together.limit_row,
            frozenset(together.stand_ins),
            handle=together,
        )

    def _best(self, found: Found, size: int) -> Found:
        """The best ``size`` of what was found, so that a block does not grow with the number of shards.

        The others are bounded by the best of them. With stand-ins, all are needed.
        """
        if len(found.rows) <= size or found.stand_ins:
            return found
        total = combined(self._terms, found.values, self._combine)
        order = np.argsort(-total, kind="stable")
        kept, best = np.sort(order[:size]), order[size]
        limit, limit_row = float(total[best]), int(found.rows[best])
        if (found.limit, -found.limit_row) > (limit, -limit_row):
            limit, limit_row = found.limit, found.limit_row
        return Found(
            found.rows[kept],
            [values[kept] for values in found.values],
            [{name: array[kept] for name, array in one.items()} for one in found.traits],
            limit,
            limit_row,
        )

    def _blocks(self, found: Found) -> list[Block]:
        entries: Iterator[Any] = iter(())
        if any(self._summed):
            of_summed = [one for one, here in zip(found.traits, self._summed, strict=True) if here]
            entries = zip(*self._shards.ask("entries", of_summed), strict=True)
        return [
            objective.block_from(len(found.rows), next(entries))
            if isinstance(objective, Summed)
            else objective.block_of(tensors(traits), torch.from_numpy(values))
            for objective, traits, values in zip(
                self._objectives, found.traits, found.values, strict=True
            )
        ]

    def sum_up_all(self) -> None:
        """Sum up the values of all candidates, where objectives are summed."""
        self._sum_up(sys.maxsize, SUMMED_AT_ONCE)

    def _sum_up(self, size: int, most: int | None = None) -> None:
        """Sum up values until the best ``size`` of each shard are exact."""
        if not any(self._summed):
            return
        step = most or 2 * size
        while True:
            wanted = self._shards.ask("wanted", size, step)
            numbers = [np.concatenate(one) for one in zip(*wanted, strict=True)]
            if len(numbers[0]) == 0:
                return
            summands = zip(*self._shards.ask("summands", numbers), strict=True)
            sums = [np.sum(one, axis=0) for one in summands]
            self._shards.tell("supply", numbers, sums)
            step = most or 2 * step

    def choose(self, best: Top | Proposal, taken: Sequence[int] = (0,)) -> None:
        """Choose some of the proposed rows, by their positions, in that order."""
        found: Found = best.handle
        places = np.array(taken)
        traits = [{name: array[places] for name, array in one.items()} for one in found.traits]
        for objective, one in zip(self._objectives, traits, strict=True):
            objective.add_traits(tensors(one))
        self._shards.tell("choose", Chosen(found.rows[places], traits))

    def renew(self, which: Sequence[bool]) -> None:
        """Evaluate these terms for all rows."""
        self._shards.tell("renew", list(which))

    def _highest(self) -> list[float]:
        highest: list[float] = np.max(self._shards.ask("highest"), axis=0).tolist()
        return highest

    def _scale(self, scales: Sequence[float | None]) -> None:
        for term, scale in zip(self._terms, scales, strict=True):
            if scale is not None:
                term.objective.scale = scale
        self._shards.tell("scale", list(scales))


def _together(found: list[Found]) -> Found:
    """What several shards have found, as one: their rows follow each other."""
    limit = max(one.limit for one in found)
    first = np.cumsum([0, *(len(one.rows) for one in found)])
    return Found(
        np.concatenate([one.rows for one in found]),
        [np.concatenate(values) for values in zip(*(one.values for one in found), strict=True)],
        [
            {name: np.concatenate([one[name] for one in traits]) for name in traits[0]}
            for traits in zip(*(one.traits for one in found), strict=True)
        ],
        limit,
        min(one.limit_row for one in found if one.limit == limit),
        [
            int(start) + place
            for start, one in zip(first, found, strict=False)
            for place in one.stand_ins
        ],
    )
