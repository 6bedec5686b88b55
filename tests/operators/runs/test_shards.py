"""A dataset in shards that the actors of a Ray cluster read from the database by themselves."""

import pytest

from support.datasets import CLASSES

BY_CLASSES = {"strategy": "uncertainty", "column": "predictions"}
BY_VECTORS = {"strategy": "diversity", "column": "embeddings"}
RECIPE = {"budget": 9, "strategies": [BY_CLASSES, BY_VECTORS]}


@pytest.fixture(scope="module")
def workers(ray_cluster):
    """Actors for all tests, for each takes seconds to import FiftyOne."""
    import alcore

    with alcore.cluster.Workers() as workers:
        yield workers


@pytest.fixture
def shards(plugin):
    return plugin("operators.runs.shards")


@pytest.fixture
def labeled(plugin):
    return plugin("operators.reading.read").Labeled("ground_truth")


@pytest.fixture
def declared(dataset):
    """The dataset, which says what its predictions are of."""
    dataset.classes = {"predictions": CLASSES}
    dataset.save()


@pytest.fixture
def chosen_in_shards(shards, workers):
    """What the actors choose of a view in so many shards."""
    import alcore

    def chosen(view, recipe, count, labeled=None):
        pool, filled = shards.sharded(view, recipe, count, labeled)
        return alcore.select(pool, filled, backend=workers)

    return chosen


@pytest.mark.parametrize("count", [1, 3])
def test_shards_choose_what_one_process_does(
    plugin, chosen_in_shards, labeled, dataset, declared, count
):
    run = plugin("operators.runs.run")
    _, here = run.preview(dataset, RECIPE, run.SelectionRequest(labeled=labeled))
    there = chosen_in_shards(dataset, RECIPE, count, labeled)
    assert there.ids == here.ids
    assert sum(there.report["shards"]["sizes"]) == len(dataset)
    assert len(there.report["shards"]["sizes"]) == count
    assert there.report["labeled"] == here.report["labeled"] > 0


def test_a_view_is_read_in_the_order_of_ids(chosen_in_shards, dataset):
    view = dataset.sort_by("sharpness").limit(20)
    recipe = {"budget": 5, "strategies": [BY_VECTORS]}
    there = chosen_in_shards(view, recipe, 3)
    plain = chosen_in_shards(dataset.select(view.values("id")), recipe, 3)
    assert there.ids == plain.ids
    assert set(there.ids) <= set(view.values("id"))


def test_classes_must_be_declared(chosen_in_shards, dataset):
    import alcore

    with pytest.raises(
        alcore.InvalidInput, match=r"does not declare the classes of 'predictions'; set"
    ):
        chosen_in_shards(dataset, {"budget": 3, "strategies": [BY_CLASSES]}, 2)


def test_what_cannot_be_read_is_refused_before_an_actor_starts(shards, invalid, dataset):
    with pytest.raises(invalid, match="the view is empty"):
        shards.sharded(dataset.limit(0), RECIPE, 2)
    with pytest.raises(invalid, match="shards: 0 hold nothing"):
        shards.sharded(dataset, RECIPE, 0)
    with pytest.raises(invalid, match="has no field 'nowhere'"):
        shards.sharded(dataset, {**RECIPE, "strategies": [{**BY_VECTORS, "column": "nowhere"}]}, 2)


def test_a_dataset_that_is_gone_is_named(shards, workers, dataset):
    import alcore

    pool, filled = shards.sharded(dataset, {"budget": 3, "strategies": [BY_VECTORS]}, 2)
    name = dataset.name
    dataset.name = f"{name}-renamed"
    with pytest.raises(alcore.InvalidInput, match=rf"has no dataset '{name}'; set FIFTYONE_DATABASE"):
        alcore.select(pool, filled, backend=workers)
