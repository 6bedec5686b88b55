"""How the shards and the coordinator learn what concerns the whole pool; see ``Parts``."""

from __future__ import annotations

import threading
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from queue import SimpleQueue
from typing import Any, TypeVar

from ..data.parts import Parts
from ..data.pool import Pool
from .sources import Source

T = TypeVar("T")


@dataclass(frozen=True)
class _Question:
    mine: Any


@dataclass(frozen=True)
class _End:
    result: Any
    error: BaseException | None


class _Abandoned(BaseException):
    pass


class _Shards(Parts):
    """Several parts of a pool, each of which is read from its source.

    Args:
        number: which part this is.
        sources: what the parts are read from.
    """

    def __init__(self, number: int, sources: Sequence[Source]) -> None:
        self.number = number
        self._sources = sources

    @property
    def several(self) -> bool:
        """Whether there are other parts."""
        return True

    @property
    def count(self) -> int:
        """How many parts there are that have samples."""
        return len(self._sources)

    def read(self, number: int) -> Pool:
        """The pool of another part, read from its source."""
        return self._sources[number].read()


class Conversation(_Shards):
    """The parts of a pool as a shard sees them, whose work stops wherever it gathers.

    The work runs in a thread of its own. The coordinator asks what was ``found``, and tells what all
    have found by ``learn``, until the work is done.

    Args:
        number: which part this is.
        sources: what the parts are read from.
        work: what to do; it gathers by the parts that it is given.
    """

    def __init__(self, number: int, sources: Sequence[Source], work: Callable[[Parts], Any]) -> None:
        super().__init__(number, sources)
        self._said: SimpleQueue[_Question | _End] = SimpleQueue()
        self._heard: SimpleQueue[list[Any] | None] = SimpleQueue()
        self._open: _Question | _End | None = None
        self._thread = threading.Thread(target=self._run, args=(work,), daemon=True)
        self._thread.start()

    def gathered(self, mine: T) -> list[T]:
        """What each part has found, in their order; ``mine`` is what this one has."""
        self._said.put(_Question(mine))
        answer = self._heard.get()
        if answer is None:
            raise _Abandoned
        return answer

    def found(self) -> Any:
        """What this part has found, as soon as it gathers; None when the work is done.

        Raises:
            Exception: what the work has raised.
        """
        if self._open is None:
            self._open = self._said.get()
        if isinstance(self._open, _Question):
            return self._open.mine
        if self._open.error is not None:
            raise self._open.error
        return None

    def learn(self, together: list[Any]) -> None:
        """Let the work go on with what all parts have found."""
        self.found()
        self._open = None
        self._heard.put(together)

    def result(self) -> Any:
        """The result of the work, which gathers nothing more.

        Raises:
            Exception: what the work has raised.
        """
        self.found()
        assert isinstance(self._open, _End)
        return self._open.result

    def abandon(self) -> None:
        """End the work, where it has not come to its end."""
        self._heard.put(None)
        self._thread.join()

    def _run(self, work: Callable[[Parts], Any]) -> None:
        try:
            self._said.put(_End(work(self), None))
        except _Abandoned:
            pass
        except BaseException as error:
            self._said.put(_End(None, error))


class Listening(_Shards):
    """The parts of a pool as the coordinator sees them: it is one of them, without samples.

    Args:
        sources: what the shards are read from.
        ask: gives what each shard has found.
        tell: tells every shard what all have found.
    """

    def __init__(
        self,
        sources: Sequence[Source],
        ask: Callable[[], list[Any]],
        tell: Callable[[list[Any]], None],
    ) -> None:
        super().__init__(len(sources), sources)
        self._ask = ask
        self._tell = tell

    def gathered(self, mine: T) -> list[T]:
        """What each part has found, in their order; ``mine`` is what this one has."""
        together = [*self._ask(), mine]
        self._tell(together)
        return together
