"""The base class of strategies: options, the columns to read, a description, and an objective.

A strategy is one file with a frozen pydantic model whose fields are its options. Everything else that
depends on the strategies (the union in a recipe, its JSON schema, the columns to read, forms, cards,
the table in the docs, the contract test) is derived from the list in ``strategies/__init__.py``.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any, ClassVar, Literal

import numpy as np
from pydantic import Field, model_validator
from pydantic.fields import FieldInfo
from typing_extensions import Self

from ..data.errors import InvalidInput
from ..objectives import Accumulated, Objective, Sum
from .common.choice import Choice
from .common.task import Task
from .common.vocabulary import About, Options, Reads, column_kinds

LabelsUse = Literal["needed", "helpful"]


class Strategy(Options):
    """A strategy and its options; a subclass adds options of its own.

    Class attributes:
        strategy: its name in a recipe.
        about: what forms and docs say about it.
        alone: whether it chooses by its own rule and must be the only strategy of its stage.
        depends_on_picks: whether a pick changes the values of the other candidates.
        highest: the highest value there can be, where that is known beforehand.
        divisible: whether it can choose from a pool in parts, each held by another process. What it
            needs to know of the whole pool it gathers by ``task.parts``, and its objective is
            ``Divisible``.
    """

    about: ClassVar[About]
    alone: ClassVar[bool] = False
    depends_on_picks: ClassVar[bool] = False
    highest: ClassVar[float | None] = None
    divisible: ClassVar[bool] = False

    strategy: str
    name: str | None = Field(None, description="what reasons and report call it")
    strength: float = Field(
        1.0, allow_inf_nan=False, description="its weight; negative inverts it, 0 leaves it out"
    )

    def objective(self, task: Task) -> Objective:
        """The objective that values each candidate, given the labeled and the chosen samples.

        Raises:
            InvalidInput: a column is absent, of the wrong kind, or has unusable values.
        """
        raise NotImplementedError

    def choose(self, task: Task) -> Choice:
        """Choose ``task.picks`` candidates; only for a strategy with ``alone``.

        Raises:
            InvalidInput: as ``objective``.
        """
        raise NotImplementedError

    def excluded(self, task: Task) -> np.ndarray:
        """(k,) int64 rows of the pool that it never chooses while there are others."""
        return np.zeros(0, dtype=np.int64)

    def why_refused(self) -> str | None:
        """Why it may refuse all remaining candidates: the end of "every other candidate ...".

        None where it never refuses one.
        """
        return None

    def accumulated(self, task: Task) -> Accumulated:
        """The accumulated value of the chosen samples, for the recipe's ``combine: "lightly"``.

        Raises:
            InvalidInput: its values change with every pick, so that they cannot be added up.
        """
        if self.alone or self.depends_on_picks:
            raise InvalidInput(
                f"{task.user}: does not add up, as combine: 'lightly' requires; it takes diversity, "
                "balance, typicality, similarity, weight, random, and scores of predictions"
            )
        rows = np.union1d(task.candidates, self.known(task))
        weights = np.zeros(task.pool.n)
        weights[rows] = self.summands(task, rows)
        return Sum.of(weights, task.candidates, self.known(task), task.pool.ids, task.user)

    def summands(self, task: Task, rows: np.ndarray) -> np.ndarray:
        """(R,) float64, what each row of the pool in ``rows`` adds under ``combine: "lightly"``."""
        values = self.objective(task.of(rows)).values(None)
        return np.asarray(values.cpu().numpy())

    def known(self, task: Task) -> np.ndarray:
        """(L,) int64, the labeled rows that have a value in every column of ``judged_by``."""
        return np.flatnonzero(task.pool.labeled & task.pool.present(self.judged_by()))

    # What can be filled in before it is used

    def labels_use(self) -> LabelsUse | None:
        """Whether it needs the true classes of labeled samples, or would profit from them.

        None where it has no use for them, or has them already.
        """
        return None

    def with_labels(self, column: str) -> Self:
        """A copy that reads the true classes from ``column``."""
        return self.model_copy(update={"labels": column})

    def with_columns(self, change: Callable[[str, Reads], str]) -> Self:
        """A copy with columns renamed by ``change``, nested strategies included.

        Args:
            change: takes a column and what it is read as, and returns its new name.
        """
        update: dict[str, Any] = {}
        for option, field in type(self).model_fields.items():
            value: Any = getattr(self, option)
            if isinstance(value, Strategy):
                update[option] = value.with_columns(change)
                continue
            reads = self._reads_of(field, value)
            if reads is not None and isinstance(value, str):
                update[option] = change(value, reads)
            elif reads is not None:
                update[option] = [change(one, reads) for one in value]
        return self.model_copy(update=update)

    def with_nested(self, change: Callable[[Strategy], Strategy]) -> Self:
        """A copy with ``change`` applied to every strategy among its options."""
        update = {
            option: change(getattr(self, option))
            for option in type(self).model_fields
            if isinstance(getattr(self, option), Strategy)
        }
        return self.model_copy(update=update)

    # What its options say about its columns

    def declared_logits(self) -> bool:
        """Whether it says that its predictions are logits."""
        return getattr(self, "given", "probabilities") == "logits"

    def declared_independent(self) -> bool:
        """Whether it says that the classes of its predictions do not exclude each other."""
        return bool(getattr(self, "multi_label", False))

    def ignored_below(self) -> float:
        """The confidence in [0, 1] below which it ignores objects."""
        return 0.0

    def takes_evaluation(self) -> bool:
        """Whether it reads which of the labeled samples' predicted objects are right."""
        return False

    def compared_by(self) -> tuple[str, str] | None:
        """The column of vectors by which it compares samples, and the metric; None without one."""
        vectors = [column for column, reads in self.columns().items() if reads is Reads.VECTORS]
        return (vectors[0], getattr(self, "metric", "cosine")) if vectors else None

    def measure_name(self) -> str:
        """The measure by which it judges, in a word; empty where it has but one."""
        return str(getattr(self, "measure", None) or "")

    def examples(self) -> list[tuple[str, list[Any]]]:
        """Pairs of a column of vectors and the ids, or vectors, of the examples to compare with."""
        return []

    # What it reads, from the annotations of its options

    def columns(self) -> dict[str, Reads]:
        """Every column that it reads and its kind, those of nested strategies included."""
        return {column: reads for column, reads, _ in self._columns()}

    def of_labeled(self) -> list[str]:
        """The columns that it reads only for labeled samples."""
        return [column for column, _, labeled in self._columns() if labeled]

    def judged_by(self) -> list[str]:
        """The columns in which a sample must have a value to be a candidate."""
        return list(dict.fromkeys(column for column, _, labeled in self._columns() if not labeled))

    def nested(self) -> Iterator[Strategy]:
        """The strategies among its options."""
        for option in type(self).model_fields:
            value = getattr(self, option)
            if isinstance(value, Strategy):
                yield value

    def _columns(self) -> Iterator[tuple[str, Reads, bool]]:
        """Each column, its kind, and whether it is read only for labeled samples."""
        for option, field in type(self).model_fields.items():
            value: Any = getattr(self, option)
            if isinstance(value, Strategy):
                yield from value._columns()
                continue
            reads = self._reads_of(field, value)
            if reads is not None:
                columns: Any = [value] if isinstance(value, str) else value
                labeled = any(labeled for _, _, labeled in column_kinds(field))
                yield from ((column, reads, labeled) for column in columns)

    def _reads_of(self, field: FieldInfo, value: Any) -> Reads | None:
        """The kind of the columns that an option names; None where it names no column."""
        kinds = (reads for kind, reads, _ in column_kinds(field) if isinstance(value, kind))
        return next(kinds, None)


class Rule(Strategy):
    """A strategy that chooses by its own rule and must be the only one of its stage."""

    alone: ClassVar[bool] = True
    depends_on_picks: ClassVar[bool] = True

    @model_validator(mode="after")
    def _no_strength(self) -> Rule:
        if self.strength != 1:
            raise ValueError("strength: it chooses by a rule of its own, which takes none")
        return self
