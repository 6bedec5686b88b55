"""A dataset in shards: each actor of a Ray cluster reads the samples of a range of ids by itself."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass
from typing import Any

import fiftyone as fo
from bson import ObjectId

from ...alcore import InvalidInput, Recipe
from ..dataset.fields import declared_classes
from ..dataset.fiftyone_private import (
    dataset_of,
    id_of,
    id_ranges,
    plain_stages,
    stages_of,
    view_of_stages,
)
from ..reading.read import Labeled, completed, read
from .installed import needed_engine, not_sendable, sendable, written


@dataclass(frozen=True)
class ShardRequest:
    """What an actor needs to know to read its samples, as plain values.

    Attributes:
        dataset: the name of the dataset.
        dataset_id: its id, by which another database is noticed.
        stages: the stages of the view.
        ids: the first and the last id of the samples.
        recipe: the recipe, with its strategies and columns filled in.
        labeled: the fields of ``Labeled``.
    """

    dataset: str
    dataset_id: str
    stages: Sequence[dict[str, Any]]
    ids: tuple[str, str]
    recipe: dict[str, Any]
    labeled: dict[str, Any]


def sharded(
    view: Any, recipe: Any, shards: int, labeled: Labeled | None = None
) -> tuple[Any, dict[str, Any]]:
    """Return the samples of a view in shards, which the actors of a Ray cluster read from the database.

    This process reads no sample. On every machine of the cluster FiftyOne must reach the same database
    and have this plugin. The rows are in the order of their ids, whatever the order of the view.

    Args:
        view: a dataset or a view of samples.
        recipe: what to choose by, as for ``select``.
        shards: how many; there are no more than samples.
        labeled: which samples count as labeled; None for none.

    Returns:
        The pool and the recipe for ``alcore.select(pool, recipe, backend="ray")``.

    Raises:
        InvalidInput: the view is empty or its fields do not fit, or the package ``alcore`` is not
            installed. Values that cannot be used are refused when a shard is read.
    """
    engine = needed_engine("a pool in shards")
    if shards < 1:
        raise InvalidInput(f"shards: {shards} hold nothing; give 1 or more")
    labeled = labeled or Labeled()
    filled = written(completed(view, Recipe.of(recipe), labeled))
    dataset, stages = dataset_of(view), plain_stages(stages_of(view.view()))
    ranges = id_ranges(view, shards)
    if not ranges:
        raise InvalidInput("the view is empty: there is nothing to choose from")
    requests = [
        ShardRequest(dataset.name, id_of(dataset), stages, ids, filled, asdict(labeled))
        for ids in ranges
    ]
    sources = [engine.cluster.ArraySource(_reading(asdict(one), __name__)) for one in requests]
    return engine.cluster.ShardedPool(sources), filled


def _reading(request: dict[str, Any], module: str) -> Callable[[], Any]:
    """Return a function that reads a shard on any machine.

    It is sent as it stands here, since other processes know this module only once FiftyOne has loaded
    its plugins; so it uses nothing but its arguments.
    """

    def reading() -> Any:
        import importlib

        import fiftyone.operators

        fiftyone.operators.list_operators(builtin=False)  # loads the plugins
        return importlib.import_module(module).read_shard(request)

    return reading


def read_shard(request: dict[str, Any]) -> Any:
    """Return the samples of a shard, as a pool of the installed engine.

    Raises:
        InvalidInput: that of the installed engine; the dataset is not in this machine's database, or
            the samples cannot be read.
    """
    engine = needed_engine("a pool in shards")
    one = ShardRequest(**request)
    first, last = one.ids
    try:
        return engine.Pool(**_columns(one))
    except (InvalidInput, engine.InvalidInput) as error:
        raise engine.InvalidInput(f"shard of the ids {first} to {last}: {error}") from None


def _columns(one: ShardRequest) -> dict[str, Any]:
    dataset = _dataset(one)
    inside = {"_id": {"$gte": ObjectId(one.ids[0]), "$lte": ObjectId(one.ids[1])}}
    view = view_of_stages(dataset, list(one.stages)).match(inside).sort_by("id")
    pool = read(view, Recipe.of(one.recipe), Labeled(**one.labeled)).pool
    odd = not_sendable(pool)
    if odd:
        raise InvalidInput(f"{odd[0]!r} holds objects or maps, which cannot be chosen by in shards")
    for column, classes in pool.classes.items():
        # Otherwise each shard would know only the classes that occur in it.
        if list(classes) != declared_classes(dataset, column):
            raise InvalidInput(
                f"the dataset does not declare the classes of {column!r}; set "
                f"dataset.classes[{column!r}] or dataset.default_classes"
            )
    return sendable(pool)


def _dataset(one: ShardRequest) -> Any:
    where = "set FIFTYONE_DATABASE_URI on every machine of the cluster"
    if not fo.dataset_exists(one.dataset):
        raise InvalidInput(f"this machine's database has no dataset {one.dataset!r}; {where}")
    dataset = fo.load_dataset(one.dataset)
    if id_of(dataset) != one.dataset_id:
        raise InvalidInput(f"{one.dataset!r} is another dataset in this machine's database; {where}")
    dataset.reload()
    return dataset
