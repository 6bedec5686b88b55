"""Several predictions of each sample: the members of a committee, or dropout passes."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

from ...data.errors import InvalidInput
from ...data.probabilities import as_probabilities
from ...data.settings import chunk_size
from .predictions import NUMBERS_A_CHUNK, IdsOf
from .task import Task


def names_of(column: str | list[str]) -> list[str]:
    """The columns that hold the members: one with all of them, or one for each."""
    return [column] if isinstance(column, str) else column


def members_of(column: str | list[str], task: Task) -> list[np.ndarray]:
    """T arrays (N, C), one per member, from one column or several.

    Raises:
        InvalidInput: columns of the wrong kind or with different classes, or fewer than two members.
    """
    members: list[np.ndarray] = []
    widths: dict[str, int] = {}
    for name in names_of(column):
        values = task.pool.column(name, task.user)
        if not isinstance(values, np.ndarray) or values.ndim == 1:
            raise InvalidInput(
                f"{task.user}: column {name!r} must hold predictions, (N, C), or members (T, N, C)"
            )
        members += list(values) if values.ndim == 3 else [values]
        widths[name] = values.shape[-1]
    if len(set(widths.values())) > 1:
        each = ", ".join(f"{width} in {name!r}" for name, width in widths.items())
        raise InvalidInput(
            f"{task.user}: the members are of unequal shape: classes {each}; give predictions of the "
            "same classes"
        )
    named = {name: task.pool.classes[name] for name in widths if name in task.pool.classes}
    if len({tuple(classes) for classes in named.values()}) > 1:
        raise InvalidInput(
            f"{task.user}: {', '.join(map(repr, named))} name their classes differently; give "
            "predictions of the same classes in the same order"
        )
    need_two(len(members), column, task)
    return members


def need_two(count: int, column: str | list[str], task: Task) -> None:
    """Refuse fewer than two members.

    Raises:
        InvalidInput: there are fewer than two members, so that none can disagree.
    """
    if count < 2:
        raise InvalidInput(
            f"{task.user}: column {column!r} has {count} member; members cannot disagree unless "
            "there are 2 or more: give several columns, or (T, N, C)"
        )


def member_probabilities(
    column: str | list[str], given: str, task: Task, members: list[np.ndarray], rows: np.ndarray
) -> Iterator[np.ndarray]:
    """(T, R, C) float64 probabilities of ``rows`` of the pool, a part of the rows at a time.

    Raises:
        InvalidInput: values that are not probabilities or logits.
    """
    given = task.pool.given.get(names_of(column)[0], given)
    step = max(1, chunk_size(NUMBERS_A_CHUNK) // (len(members) * members[0].shape[-1] or 1))
    for start in range(0, len(rows), step):
        task.tick()
        part = rows[start : start + step]
        yield as_probabilities(
            np.stack([member[part] for member in members]),
            given=given,
            name=f"{task.user}: column {column!r}",
            ids=IdsOf(task.pool.ids, part),
            average=False,
        )
