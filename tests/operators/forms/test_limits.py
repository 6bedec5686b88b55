"""Costs and groups, as operators take them."""

from collections import Counter

import pytest

from support.datasets import copy_of, kept, new_name

WEIGHT = {"strategies": [{"strategy": "weight", "column": "sharpness"}]}


@pytest.fixture(scope="module")
def grouped_master(mongod, images):
    """Eight groups of a left and a right image each."""
    import fiftyone as fo

    dataset = fo.Dataset(new_name())
    dataset.add_group_field("pair", default="left")
    samples = []
    for number in range(8):
        pair = fo.Group()
        for side, path in (("left", images[2 * number]), ("right", images[2 * number + 1])):
            sharpness = number / 10 + (0.5 if side == "right" else 0)
            samples.append(fo.Sample(filepath=path, pair=pair.element(side), sharpness=sharpness))
    dataset.add_samples(samples, progress=False)
    with kept(dataset):
        yield dataset


@pytest.fixture
def grouped(grouped_master):
    with copy_of(grouped_master) as dataset:
        yield dataset


def test_labeling_costs_are_kept_to(dataset, operator):
    dataset.set_values("minutes", [1.0 + n % 4 for n in range(48)])
    result = operator("select")(
        dataset, recipe=WEIGHT | {"cost": {"column": "minutes", "budget": 10}}, tag="paid"
    ).result
    assert sum(dataset.match_tags("paid").values("minutes")) <= 10 < 10 + result["chosen"]
    by_form = operator("select_uncertain")(
        dataset, predictions="predictions", budget=40, cost_field="minutes", cost_budget=7, tag="form"
    ).result
    assert sum(dataset.match_tags("form").values("minutes")) <= 7
    assert "costs more than is left of 7" in by_form["stopped"]


def test_groups_are_chosen_as_wholes_or_a_few_of_each(dataset, operator):
    dataset.set_values("video", [f"video {n // 6}" for n in range(48)])
    operator("select_uncertain")(
        dataset, predictions="predictions", budget=14, group_field="video", tag="whole"
    )
    assert set(Counter(dataset.match_tags("whole").values("video")).values()) == {6}
    operator("select_uncertain")(
        dataset, predictions="predictions", budget=16, group_field="video", group_limit=2, tag="few"
    )
    assert set(Counter(dataset.match_tags("few").values("video")).values()) == {2}


def test_groups_of_a_grouped_dataset_are_chosen_as_wholes(grouped, operator):
    view = grouped.select_group_slices(["left", "right"])
    operator("select")(
        view, recipe=WEIGHT | {"groups": {"column": "pair.id", "whole": True}}, budget=5, tag="pairs"
    )
    chosen = grouped.select_group_slices(["left", "right"]).match_tags("pairs")
    assert set(Counter(chosen.values("pair.id")).values()) == {2}
    assert sorted(chosen.values("sharpness")) == pytest.approx([0.6, 0.7, 1.1, 1.2])
    assert sorted(chosen.values("pairs_rank")) == [1, 2, 3, 4]
    assert grouped.load_saved_view("pairs").values("pairs_rank") == [1, 2, 3, 4]
    operator("undo_selection")(grouped, run_key="pairs")
    assert grouped.select_group_slices(["left", "right"]).count_sample_tags() == {}


def test_dynamic_groups_are_chosen_as_wholes(dataset, operator):
    recipe = WEIGHT | {"budget": 20, "groups": {"column": "place", "whole": True}}
    view = dataset.group_by("place", order_by="sharpness")
    result = operator("select")(view, recipe=recipe, tag="dynamic").result
    assert result["chosen"] == 16
    assert len(set(dataset.match_tags("dynamic").values("place"))) == 1


@pytest.mark.parametrize(
    "options, message",
    [
        ({"cost_field": "sharpness"}, "cost_budget: is missing"),
        ({"cost_field": "place", "cost_budget": 3}, "'place' is a StringField; it takes numbers"),
        ({"group_field": "nowhere"}, "no field 'nowhere'"),
    ],
)
def test_what_cannot_limit_is_refused(dataset, operator, invalid, state, options, message):
    before = state(dataset)
    with pytest.raises(invalid, match=message):
        operator("select_uncertain")(dataset, predictions="predictions", budget=3, **options)
    assert state(dataset) == before


def test_a_rule_of_its_own_goes_with_neither(dataset, operator, invalid):
    with pytest.raises(invalid, match="groups: does not go with 'typiclust'"):
        operator("select_representative")(
            dataset, method="typiclust", embeddings="embeddings", budget=3, group_field="place"
        )
