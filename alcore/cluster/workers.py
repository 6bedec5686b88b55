"""The actors of a Ray cluster that hold the shards."""

from __future__ import annotations

import os
from types import TracebackType
from typing import Any

from typing_extensions import Self

from ..data.errors import InvalidInput
from .shard import Shard


class Workers:
    """Actors, each of which can hold a shard.

    They are started when they are needed. ``select(..., backend="ray")`` starts its own and ends them;
    workers that are given as the backend serve several selections::

        with alcore.cluster.Workers() as workers:
            alcore.select(pool, recipe, backend=workers)

    Raises:
        InvalidInput: Ray is not installed, or there is no cluster.
    """

    def __init__(self) -> None:
        self._ray = connected()
        # An actor takes no processor for itself: there may be more shards than processors.
        self._start = self._ray.remote(num_cpus=0, max_restarts=0, scheduling_strategy="SPREAD")(
            Shard
        ).remote
        self._actors: list[Any] = []

    @property
    def processors(self) -> int:
        """How many processors the cluster has."""
        return int(self._ray.cluster_resources().get("CPU", 1))

    def actor(self, number: int) -> Any:
        """The actor of that number."""
        while len(self._actors) <= number:
            self._actors.append(self._start())
        return self._actors[number]

    def replace(self, number: int) -> None:
        """Start a new actor instead of one that was lost."""
        self._actors[number] = self._start()

    def stop(self) -> None:
        """End all actors."""
        for actor in self._actors:
            self._ray.kill(actor)
        self._actors = []

    def __enter__(self) -> Self:
        """The workers."""
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        """End all actors."""
        self.stop()


def connected() -> Any:
    """The module ``ray``, connected to a cluster.

    Raises:
        InvalidInput: Ray is not installed, or there is no cluster.
    """
    try:
        import ray
    except ImportError:
        raise InvalidInput(
            "backend: 'ray' needs Ray, which is not installed: pip install -r requirements-ray.txt"
        ) from None
    if not ray.is_initialized():
        # Without an address, Ray would take any cluster that it finds on this machine.
        address = os.environ.get("RAY_ADDRESS")
        if not address:
            raise InvalidInput(
                "backend: 'ray' is not connected to a cluster: call ray.init() before, or set "
                "RAY_ADDRESS"
            )
        try:
            ray.init(address=address, log_to_driver=False)
        except (ConnectionError, ValueError, RuntimeError) as error:
            raise InvalidInput(
                f"backend: 'ray' finds no cluster at RAY_ADDRESS {address!r} "
                f"({str(error).splitlines()[0]})"
            ) from None
    return ray
