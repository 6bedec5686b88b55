"""Like failures: the samples nearest to what a model failed on, and a share that covers the rest."""

from __future__ import annotations

from dataclasses import replace
from typing import Annotated, Any, ClassVar, Literal

import numpy as np
import torch
from pydantic import Field

from ..data.settings import chunk_size
from ..optimizers.combining import Term
from ..optimizers.greedy import greedy
from .base import Rule
from .common.choice import Choice
from .common.examples import Examples, examples_of
from .common.task import Task
from .common.vocabulary import About, Basic, Family, Share, Vectors
from .coverage import Coverage

ROWS_A_CHUNK = 1 << 14


class LikeFailures(Rule):
    """The samples nearest to given failures, each failure in turn, and a share that covers the pool.

    In each round every failure, in the order given, takes the candidate most similar to it (by cosine)
    that no other has taken. So no failure is forgotten, however many lie together. The rest of the
    budget goes to ``coverage``, given the labeled samples and those that were taken: failures that
    nobody knows of yet are found there.

    The value of a pick is its similarity to its failure, ``(1 + cosine) / 2``; of one that covers, 0.
    The report names the failure that each pick answers.
    """

    about: ClassVar[About] = About(
        favors="like what the model got wrong, each failure in turn",
        misleads="blind to failures that no evaluation has seen; the covered share is for these",
        title="Like failures",
        family=Family.VALUE,
    )

    strategy: Literal["like_failures"] = "like_failures"
    column: Annotated[Vectors, Basic("Embeddings")] = Field(description="embeddings")
    to: Annotated[Examples, Basic("Failures")] = Field(
        description="ids of samples of the pool, or vectors; the worst first"
    )
    covered: Annotated[Share, Basic("Share that covers")] = Field(
        0.3, description="the share of the budget that covers the pool instead"
    )

    def examples(self) -> list[tuple[str, list[Any]]]:
        """The column of vectors and the failures to compare with."""
        return [(self.column, self.to)]

    def choose(self, task: Task) -> Choice:
        """Choose ``task.picks`` candidates; see ``Strategy.choose``."""
        count = min(task.picks, len(task.candidates))
        like = count - int(self.covered * count + 0.5)
        rows, values, answers = self._in_turn(task, like)
        rest = self._covering(task, rows, count - len(rows))
        return Choice(
            np.concatenate([rows, rest]),
            np.concatenate([values, np.zeros(len(rest))]),
            {
                "like failures": len(rows),
                "covering": len(rest),
                "answers": [*answers, *[None] * len(rest)],
            },
        )

    def _in_turn(self, task: Task, count: int) -> tuple[np.ndarray, np.ndarray, list[Any]]:
        """(k,) positions of candidates, (k,) their similarities, and the failure that each answers."""
        if count == 0:
            return np.zeros(0, dtype=np.int64), np.zeros(0), []
        prepare = task.vectors(self.column, "cosine")
        failures = prepare.of(examples_of(task.pool, self.column, self.to, task.user))
        order, near = _nearest(prepare, failures, task, count)
        place = np.zeros(len(failures), dtype=np.int64)
        taken = np.zeros(len(task.candidates), dtype=bool)
        rows: list[int] = []
        values: list[float] = []
        answers: list[Any] = []
        while len(rows) < count:
            for one in range(len(failures)):
                if len(rows) == count:
                    break
                while taken[order[one, place[one]]]:
                    place[one] += 1
                row = int(order[one, place[one]])
                taken[row] = True
                rows.append(row)
                values.append((1 + float(near[one, place[one]])) / 2)
                answers.append(one if isinstance(self.to[one], list) else self.to[one])
        return np.array(rows, dtype=np.int64), np.array(values), answers

    def _covering(self, task: Task, taken: np.ndarray, count: int) -> np.ndarray:
        """(count,) positions of candidates that cover the pool, where ``taken`` count as labeled."""
        if count == 0:
            return np.zeros(0, dtype=np.int64)
        labeled = task.pool.labeled.copy()
        labeled[task.candidates[taken]] = True
        left = np.delete(np.arange(len(task.candidates)), taken)
        rest = replace(
            task,
            pool=task.pool.with_labeled(labeled),
            candidates=task.candidates[left],
            picks=count,
            cache={},
        )
        objective = Coverage(column=self.column).objective(rest)
        picks = greedy([Term(objective, 1.0)], len(left), count, device=task.device)
        return np.asarray(left[picks.rows])


def _nearest(
    prepare: Any, failures: torch.Tensor, task: Task, count: int
) -> tuple[np.ndarray, np.ndarray]:
    """(F, k) the candidates nearest to each failure, ties to the lower, and (F, k) their cosines.

    No failure can need more than ``count`` of them.
    """
    best = torch.zeros((len(failures), 0), dtype=failures.dtype, device=failures.device)
    rows = torch.zeros((len(failures), 0), dtype=torch.int64, device=failures.device)
    step = chunk_size(ROWS_A_CHUNK)
    for start in range(0, len(task.candidates), step):
        here = np.arange(start, min(start + step, len(task.candidates)))
        near = (failures @ prepare(task.candidates[here]).T).clamp_(-1, 1)  # (F, chunk)
        best = torch.cat([best, near], dim=1)
        rows = torch.cat(
            [rows, torch.as_tensor(here, device=failures.device).expand(len(failures), -1)], dim=1
        )
        order = best.sort(dim=1, descending=True, stable=True).indices[:, :count]
        best, rows = best.gather(1, order), rows.gather(1, order)
        task.tick()
    return rows.cpu().numpy(), best.to(torch.float64).cpu().numpy()
