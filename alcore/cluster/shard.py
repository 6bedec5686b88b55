"""A shard of a pool, held by an actor: it proposes its best candidates, and learns what was chosen."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import torch

from ..data.device import to_tensor
from ..data.pool import Pool
from ..objectives import Divisible, Summed
from ..optimizers.candidates import Candidates
from ..recipe import Recipe, Stage
from ..recipe.default import completed_stages
from .gathering import Conversation
from .messages import Chosen, Found
from .preparing import Plan, Prepared, own_rows, prepared
from .sources import Source

# News: the name of a method, and its arguments.
News = tuple[str, tuple[Any, ...]]


class Shard:
    """Some consecutive samples of a pool."""

    def __init__(self) -> None:
        self._number = 0
        self._sources: Sequence[Source] = []
        self._held: Pool | None = None
        self._conversation: Conversation | None = None
        self._prepared: Prepared | None = None
        self._candidates: Candidates | None = None
        self._first = 0

    def answer(self, news: Sequence[News], question: str, *arguments: Any) -> Any:
        """Take note of news, and answer a question.

        Args:
            news: what happened since the last question.
            question: the name of a method.
            arguments: those of the method.
        """
        for name, more in news:
            getattr(self, name)(*more)
        return getattr(self, question)(*arguments)

    # Questions

    def outline(self, recipe: Recipe) -> tuple[int, Pool, list[Stage]]:
        """How many samples there are, a pool with its columns but no sample, and the recipe's stages.

        Raises:
            InvalidInput: the source cannot be read, or strategies are missing and there is no default.
        """
        pool = self._pool
        return pool.n, pool.part(0, 0), completed_stages(recipe, pool) if pool.n else []

    def found(self) -> Any:
        """What this part has found, to be gathered.

        Raises:
            InvalidInput: as ``select``.
        """
        return self._talking.found()

    def ready(self) -> None:
        """Finish the preparation of a stage.

        Raises:
            InvalidInput: as ``select``.
        """
        self._finish()

    def highest(self) -> list[float]:
        """The highest value by each term; -inf without candidates."""
        return self._choosing.highest()

    def top(self) -> Found | None:
        """The best candidate by exact values; None where there is none."""
        best = self._choosing.top()
        if best is None:
            return None
        found = self._found(
            best.handle, [torch.from_numpy(best.values[k : k + 1]) for k in range(len(best.values))]
        )
        return Found(found.rows, found.values, found.traits, gain=best.gain)

    def propose(self, size: int, of_kinds: int) -> Found | None:
        """The best candidates with exact values; see ``Candidates.best``."""
        best = self._choosing.best(size, of_kinds)
        if best is None:
            return None
        rows = best.rows
        values = [
            objective.exact(rows, bound)
            for objective, bound in zip(self._objectives, self._choosing.values(rows), strict=True)
        ]
        self._choosing.correct(rows, values)
        found = self._found(rows, values)
        limit_row = -1
        if best.limit_row >= 0:
            limit_row = int(self._global_rows(np.array([best.limit_row]))[0])
        return Found(
            found.rows, found.values, found.traits, best.limit, limit_row, sorted(best.stand_ins)
        )

    def wanted(self, size: int, most: int) -> list[np.ndarray]:
        """The candidates whose values are to be summed up next; see ``Candidates.stale``.

        Returns:
            for each of the objectives that are summed their numbers, none where enough are exact.
        """
        rows = self._choosing.stale(size, most)
        return [objective.numbers(rows).numpy() for objective in self._summed]

    def summands(self, numbers: list[np.ndarray]) -> list[np.ndarray]:
        """What this shard adds to the values of candidates, for each objective that is summed."""
        return [
            objective.summands(to_tensor(one, torch.int64, torch.device("cpu"))).numpy()
            for objective, one in zip(self._summed, numbers, strict=True)
        ]

    def entries(self, traits: list[dict[str, np.ndarray]]) -> list[dict[str, np.ndarray]]:
        """What a block of candidates needs to know of this shard, for each objective that is summed."""
        return [
            arrays(objective.entries(tensors(one)))
            for objective, one in zip(self._summed, traits, strict=True)
        ]

    def reports(self) -> list[dict[str, Any]]:
        """What the objectives report of the state reached."""
        return [objective.report() for objective in self._objectives]

    def ids(self, rows: np.ndarray) -> list[Any]:
        """The ids of those of the ``rows`` of the whole pool that are in this shard, ascending."""
        return [self._pool.ids[row] for row in own_rows(rows, self._first, self._pool.n).tolist()]

    # News

    def hold(self, number: int, sources: Sequence[Source]) -> None:
        """Hold the shard of that number, of all that are read from these sources."""
        self.forget()
        self._number, self._sources = number, sources

    def forget(self) -> None:
        """Hold no samples any more."""
        if self._conversation is not None:
            self._conversation.abandon()
        Shard.__init__(self)

    def begin(self, plan: Plan) -> None:
        """Begin to prepare a stage."""
        pool = self._pool
        self._prepared = self._candidates = None
        self._conversation = Conversation(
            self._number, self._sources, lambda parts: prepared(pool, plan, parts)
        )

    def learn(self, together: list[Any]) -> None:
        """Go on with what all parts of the pool have found."""
        self._talking.learn(together)

    def choose(self, chosen: Chosen) -> None:
        """Take note of what was chosen, here or in other shards."""
        for objective, traits in zip(self._objectives, chosen.traits, strict=True):
            objective.add_traits(tensors(traits))
        mine = own_rows(chosen.rows, self._first, self._pool.n)
        assert self._prepared is not None
        positions = np.searchsorted(self._prepared.ready.task.candidates, mine)
        self._choosing.mark(torch.from_numpy(positions))

    def supply(self, numbers: list[np.ndarray], sums: list[np.ndarray]) -> None:
        """Take the values of candidates, here or in other shards, that were ``wanted``.

        Args:
            numbers: for each objective that is summed the numbers of the candidates.
            sums: for each of them the values.
        """
        cpu = torch.device("cpu")
        rows = torch.zeros(0, dtype=torch.int64)
        for objective, one, values in zip(self._summed, numbers, sums, strict=True):
            rows = objective.supply(
                to_tensor(one, torch.int64, cpu), to_tensor(values, torch.float64, cpu)
            )
        self._choosing.evaluate(rows)

    def renew(self, which: list[bool]) -> None:
        """Evaluate these terms for all candidates."""
        self._choosing.renew(which)

    def scale(self, scales: list[float | None]) -> None:
        """Set the scales of the terms."""
        self._choosing.scale(scales)

    @property
    def _pool(self) -> Pool:
        if self._held is None:
            self._held = self._sources[self._number].read()
        return self._held

    @property
    def _talking(self) -> Conversation:
        assert self._conversation is not None
        return self._conversation

    @property
    def _choosing(self) -> Candidates:
        self._finish()
        assert self._candidates is not None
        return self._candidates

    @property
    def _objectives(self) -> list[Divisible]:
        self._finish()
        assert self._prepared is not None
        return self._prepared.objectives

    @property
    def _summed(self) -> list[Summed]:
        return [one for one in self._objectives if isinstance(one, Summed)]

    def _finish(self) -> None:
        if self._prepared is None:
            self._prepared = one = self._talking.result()
            self._first = self._talking.first
            count = len(one.ready.task.candidates)
            combine = one.ready.stage.combine
            self._candidates = Candidates(one.terms, count, combine, torch.device("cpu"))
            if self._summed:  # not known yet
                self._candidates.mark(torch.zeros(0, dtype=torch.int64))

    def _found(self, rows: torch.Tensor, values: list[torch.Tensor]) -> Found:
        return Found(
            self._global_rows(rows.numpy()),
            [one.numpy() for one in values],
            [arrays(objective.traits(rows)) for objective in self._objectives],
        )

    def _global_rows(self, rows: np.ndarray) -> np.ndarray:
        assert self._prepared is not None
        return self._prepared.ready.task.candidates[rows] + self._first


def arrays(traits: dict[str, torch.Tensor]) -> dict[str, np.ndarray]:
    """Traits as arrays, to be sent."""
    return {name: values.cpu().numpy() for name, values in traits.items()}


def tensors(traits: dict[str, np.ndarray]) -> dict[str, torch.Tensor]:
    """Traits as tensors, as received."""
    cpu = torch.device("cpu")
    return {
        name: to_tensor(values, torch.from_numpy(np.zeros(0, values.dtype)).dtype, cpu)
        for name, values in traits.items()
    }
