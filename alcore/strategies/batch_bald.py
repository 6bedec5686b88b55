"""BatchBALD: samples whose labels together tell most about which member is right."""

from __future__ import annotations

from typing import Annotated, ClassVar, Literal

import torch
from pydantic import Field

from ..objectives import BatchBald as JointInformation
from ..objectives import Objective
from .base import Strategy
from .common.members import member_probabilities, members_of, names_of
from .common.task import Task
from .common.vocabulary import About, Basic, ClassMembers, Family, Given


class BatchBald(Strategy):
    """Samples whose labels together tell most about which member is right."""

    about: ClassVar[About] = About(
        favors="labels that together tell most about the right member; does not repeat itself",
        misleads="slow; of few members noise after some picks, as its report says",
        title="BatchBALD",
        family=Family.UNCERTAINTY,
        paper="Kirsch et al. 2019, BatchBALD, equation 10",
    )
    depends_on_picks: ClassVar[bool] = True

    strategy: Literal["batch_bald"] = "batch_bald"
    column: Annotated[ClassMembers, Basic("Members")] = Field(
        description="members (T, N, C), or a list with a column for each member"
    )
    samples: int = Field(
        10_000, gt=0, description="outcomes kept: all of them up to this many, else drawn"
    )
    given: Given = "probabilities"

    def objective(self, task: Task) -> Objective:
        """The objective that values the candidates of ``task``; see ``Strategy.objective``."""
        members = members_of(self.column, task)
        for _ in member_probabilities(self.column, self.given, task, members, task.candidates):
            task.tick()  # every value is checked before any is used
        return JointInformation(
            members,
            torch.from_numpy(task.candidates).to(task.device),
            self.samples,
            task.seed,
            task.device,
            logits=task.pool.given.get(names_of(self.column)[0], self.given) == "logits",
        )
