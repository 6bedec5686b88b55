"""What every strategy is: options, the columns it reads, words, and the objective it makes.

A strategy is one file: a frozen pydantic model whose fields are its options. Everything else that has
to know of a strategy (the union in a recipe, its JSON schema, the columns to read, forms, cards, the
table in the docs, the contract test) is derived from the list in ``strategies/__init__.py``.
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
    """Options of one strategy; a subclass adds its own and says what it is.

    Class attributes:
        strategy: the name by which a recipe calls it.
        about: its words.
        alone: whether it chooses by a rule of its own and stands alone in its stage.
        depends_on_picks: whether a pick changes what the other candidates are worth.
        highest: the highest value there can be, where that is known beforehand.
    """

    about: ClassVar[About]
    alone: ClassVar[bool] = False
    depends_on_picks: ClassVar[bool] = False
    highest: ClassVar[float | None] = None

    strategy: str
    name: str | None = Field(None, description="what reasons and report call it")
    strength: float = Field(
        1.0, allow_inf_nan=False, description="its weight; negative inverts it, 0 leaves it out"
    )

    def objective(self, task: Task) -> Objective:
        """What each candidate of the task is worth, given the labeled and those chosen.

        Raises:
            InvalidInput: a column that is not there, of another kind, or with unusable values.
        """
        raise NotImplementedError

    def choose(self, task: Task) -> Choice:
        """The choice of a strategy that stands alone.

        Raises:
            InvalidInput: as ``objective``.
        """
        raise NotImplementedError

    def excluded(self, task: Task) -> np.ndarray:
        """(k,) int64 rows of the pool that it does not choose whatever else there is."""
        return np.zeros(0, dtype=np.int64)

    def why_refused(self) -> str | None:
        """Why candidates may be left that it refuses, as the end of "every other candidate ..."."""
        return None

    def accumulated(self, task: Task) -> Accumulated:
        """What the chosen add up to by it, for the recipe's ``combine: "lightly"``.

        Raises:
            InvalidInput: its values change with every pick, so that they do not add up.
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
        """(R,) float64, what each of some rows of the pool adds under ``combine: "lightly"``."""
        values = self.objective(task.of(rows)).values(None)
        return np.asarray(values.cpu().numpy())

    def known(self, task: Task) -> np.ndarray:
        """(L,) int64, the labeled rows that have every column it judges by."""
        return np.flatnonzero(task.pool.labeled & task.pool.present(self.judged_by()))

    # What may be completed before it is used

    def labels_use(self) -> LabelsUse | None:
        """Whether true classes of the labeled samples are needed, or would help; None where not."""
        return None

    def with_labels(self, column: str) -> Self:
        """The same with the true classes in a column."""
        return self.model_copy(update={"labels": column})

    def with_columns(self, change: Callable[[str, Reads], str]) -> Self:
        """The same with every column that ``change`` gives another name, nested strategies included."""
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
        """The same with every strategy among its options changed."""
        update = {
            option: change(getattr(self, option))
            for option in type(self).model_fields
            if isinstance(getattr(self, option), Strategy)
        }
        return self.model_copy(update=update)

    # What it says of its columns

    def declared_logits(self) -> bool:
        """Whether it says that its predictions are logits."""
        return getattr(self, "given", "probabilities") == "logits"

    def declared_independent(self) -> bool:
        """Whether it says that the classes of its predictions do not exclude each other."""
        return bool(getattr(self, "multi_label", False))

    def ignored_below(self) -> float:
        """The confidence below which it does not count objects."""
        return 0.0

    def compared_by(self) -> tuple[str, str] | None:
        """The column of vectors by which it compares samples, and the metric; None without one."""
        vectors = [column for column, reads in self.columns().items() if reads is Reads.VECTORS]
        return (vectors[0], getattr(self, "metric", "cosine")) if vectors else None

    def measure_name(self) -> str:
        """The measure by which it judges, in a word; empty where it has but one."""
        return str(getattr(self, "measure", None) or "")

    def examples(self) -> list[tuple[str, list[Any]]]:
        """Columns of vectors with the ids, or vectors, that it compares them with."""
        return []

    # What it reads, from the annotations alone

    def columns(self) -> dict[str, Reads]:
        """Every column it reads and as what, those of nested strategies included."""
        return {column: reads for column, reads, _ in self._columns()}

    def of_labeled(self) -> list[str]:
        """The columns that it reads of labeled samples alone."""
        return [column for column, _, labeled in self._columns() if labeled]

    def judged_by(self) -> list[str]:
        """The columns without which it cannot judge a sample."""
        return list(dict.fromkeys(column for column, _, labeled in self._columns() if not labeled))

    def nested(self) -> Iterator[Strategy]:
        """The strategies among its options."""
        for option in type(self).model_fields:
            value = getattr(self, option)
            if isinstance(value, Strategy):
                yield value

    def _columns(self) -> Iterator[tuple[str, Reads, bool]]:
        """Each column, what it is read as, and whether of labeled samples alone."""
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
        """What the columns in an option are read as; None where it names none."""
        kinds = (reads for kind, reads, _ in column_kinds(field) if isinstance(value, kind))
        return next(kinds, None)


class Rule(Strategy):
    """A strategy that chooses by a rule of its own, and stands alone in its stage."""

    alone: ClassVar[bool] = True
    depends_on_picks: ClassVar[bool] = True

    @model_validator(mode="after")
    def _no_strength(self) -> Rule:
        if self.strength != 1:
            raise ValueError("strength: it chooses by a rule of its own, which takes none")
        return self
