"""A selection is written as one thing, and undone as one."""

import pytest

RECIPE = {
    "budget": 6,
    "seed": 3,
    "strategies": [
        {"strategy": "uncertainty", "column": "predictions"},
        {"strategy": "diversity", "column": "embeddings"},
    ],
}


@pytest.fixture
def run(plugin, running):
    reading = plugin("operators.reading.read")

    def run_selection(view, recipe=RECIPE, progress=None, **request):
        labeled = reading.Labeled("ground_truth")
        return running.run_selection(
            view, recipe, running.SelectionRequest(labeled=labeled, **request), progress
        )

    return run_selection


def test_everything_it_writes(dataset, run):
    result = run(dataset, tag="round-1")
    assert result["run_key"] == "round_1"
    view = dataset.load_saved_view("round-1")
    results = dataset.load_run_results("round_1")
    assert view.values("id") == results.ids
    assert view.values("round_1_rank") == [1, 2, 3, 4, 5, 6]
    assert dataset.match_tags("round-1").count() == 6
    assert len(results.gains) == len(results.reasons) == 6
    assert set(results.reasons[0]) == {"uncertainty", "diversity"}
    assert results.report["labeled"] == 8
    config = dataset.get_run_info("round_1").config
    assert config.recipe["strategies"][0]["column"] == "predictions"
    assert config.seed == 3
    assert set(config.versions) >= {"active_learning", "fiftyone", "torch"}
    assert dataset.list_runs(method="alcore/select") == ["round_1"]


def test_the_view_it_chose_from_is_kept(dataset, run):
    view = dataset.skip(20)
    run(view, tag="late")
    assert dataset.load_run_view("late").values("id") == view.values("id")
    assert set(dataset.load_run_results("late").ids) <= set(view.values("id"))


def test_the_saved_view_stays_small(dataset, run):
    run(dataset, {**RECIPE, "budget": 30}, tag="big")
    ids = dataset.load_run_results("big").ids
    assert not any(one in str(dataset.load_saved_view("big")._serialize()) for one in ids)


def test_no_tag_and_no_view(dataset, run):
    result = run(dataset, tag="", saved_view="")
    assert result["run_key"] == "selection_1" and result["tag"] is None
    assert dataset.list_saved_views() == [] and dataset.count_sample_tags() == {}
    assert run(dataset, tag="", saved_view="")["run_key"] == "selection_2"


def test_undo_leaves_the_dataset_as_it_was(dataset, run, writing, state):
    dataset.limit(5).tag_samples("mine")
    before = state(dataset)
    run(dataset, tag="round-1")
    assert state(dataset) != before
    assert writing.undo(dataset, "round_1") == 6
    assert state(dataset) == before


def test_undo_leaves_a_tag_that_was_there(dataset, run, writing):
    chosen = run(dataset, tag="a")
    ids = dataset.load_run_results(chosen["run_key"]).ids
    writing.undo(dataset, "a")
    dataset.select(ids[:2]).tag_samples("queue")
    run(dataset, tag="queue", overwrite=True)
    assert dataset.match_tags("queue").count() == 6
    writing.undo(dataset, "queue")
    assert sorted(dataset.match_tags("queue").values("id")) == sorted(ids[:2])


def test_undo_after_samples_were_deleted(dataset, run, writing):
    run(dataset, tag="a")
    dataset.delete_samples(dataset.load_run_results("a").ids[:2])
    writing.undo(dataset, "a")
    assert dataset.count_sample_tags() == {} and dataset.list_runs() == []


def test_undo_of_what_is_not_there(dataset, run, writing, invalid):
    run(dataset, tag="a")
    with pytest.raises(invalid, match="no selection 'b'; there are: 'a'"):
        writing.undo(dataset, "b")


def test_the_same_call_twice(dataset, run, state, invalid):
    run(dataset, tag="round-1")
    before = state(dataset)
    with pytest.raises(invalid, match="'round_1' exists; choose another name, or set overwrite"):
        run(dataset, tag="round-1")
    assert state(dataset) == before
    run(dataset, {**RECIPE, "budget": 4}, tag="round-1", overwrite=True)
    assert dataset.match_tags("round-1").count() == 4
    assert len(dataset.load_saved_view("round-1")) == 4


def test_names_that_are_taken(dataset, run, invalid):
    dataset.limit(3).tag_samples("done")
    with pytest.raises(invalid, match="tag: 'done' is in use, by 3 samples"):
        run(dataset, tag="done")
    dataset.save_view("mine", dataset.limit(2))
    with pytest.raises(invalid, match="saved_view: 'mine' exists"):
        run(dataset, tag="new", saved_view="mine")
    with pytest.raises(invalid, match="run_key"):
        run(dataset, run_key="not a name")
    config = dataset.init_run(method="other")
    dataset.register_run("theirs", config)
    with pytest.raises(invalid, match="a run of another kind"):
        run(dataset, run_key="theirs", overwrite=True)


BREAKS = ["register_run", "save_run_results", "add_sample_field", "set_values", "save_view"]


@pytest.mark.parametrize("overwrite", [False, True])
@pytest.mark.parametrize("step", BREAKS)
def test_a_failure_half_way_leaves_nothing(dataset, run, state, break_at, step, overwrite):
    if overwrite:
        run(dataset, {**RECIPE, "budget": 4}, tag="round-1")
    before = state(dataset)
    rows = dataset.values("round_1_rank") if overwrite else None
    calls = break_at(step)
    view = dataset if step == "register_run" else dataset.view()
    with pytest.raises(KeyboardInterrupt):
        run(view, tag="round-1", overwrite=overwrite)
    assert calls, "the step was never reached"
    assert state(dataset) == before
    if overwrite:
        assert dataset.values("round_1_rank") == rows
        assert dataset.load_saved_view("round-1").values("round_1_rank") == [1, 2, 3, 4]


def test_a_run_canceled_while_choosing_leaves_nothing(dataset, run, state):
    before = state(dataset)

    def stop(share, label):
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        run(dataset, tag="round-1", progress=stop)
    assert state(dataset) == before


@pytest.mark.parametrize(
    "recipe",
    [
        {"budget": 0},
        {"budget": -1},
        {"budget": 5, "strategies": [{"strategy": "uncertainty", "column": "nope"}]},
        {"budget": 5, "strategies": [{"strategy": "diversity", "column": "place"}]},
        {"budget": 5, "strategies": [{"strategy": "uncertainty", "colum": "predictions"}]},
        {
            "budget": 5,
            "strategies": [{"strategy": "balance", "column": "predictions", "target": {"nobody": 1.0}}],
        },
        {"budget": 5, "filters": [{"column": "place", "in": ["nowhere"]}]},
    ],
)
def test_bad_recipes_change_nothing(dataset, run, state, invalid, recipe):
    before = state(dataset)
    with pytest.raises(invalid):
        run(dataset, recipe, tag="round-1")
    assert state(dataset) == before


def test_selections_are_listed_oldest_first(dataset, run, plugin):
    run(dataset, tag="one")
    run(dataset, tag="two")
    selections = plugin("operators.dataset.selection_records").selections
    assert [one["run_key"] for one in selections(dataset)] == ["one", "two"]


def test_a_selection_repeats_itself(dataset, run):
    run(dataset, tag="one")
    config = dataset.get_run_info("one").config
    run(dataset.load_run_view("one"), config.recipe, tag="two")
    one, two = dataset.load_run_results("one"), dataset.load_run_results("two")
    assert one.ids == two.ids and one.gains == two.gains
