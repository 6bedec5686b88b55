"""Selection from a pool in shards, each held by an actor of a Ray cluster; see ``docs/ray.md``.

Ray is imported only when ``select`` is called with ``backend="ray"``.
"""

from .sources import ArraySource, NpySource, ParquetSource, ShardedPool, Source
from .workers import Workers

__all__ = ["ArraySource", "NpySource", "ParquetSource", "ShardedPool", "Source", "Workers"]
