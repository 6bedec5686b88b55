"""The operators, called from Python as a user does, and as delegated jobs."""

import pytest

from support.operators import form_of, last_line


def test_select_takes_a_whole_recipe(dataset, operator):
    recipe = {
        "budget": 5,
        "strategies": [{"strategy": "uncertainty", "column": "predictions"}],
        "filters": [{"column": "place", "in": ["dock"]}],
    }
    execution = operator("select")(dataset, recipe=recipe, tag="r", saved_view="v")
    assert execution.result["chosen"] == 5
    assert set(dataset.load_saved_view("v").values("place")) == {"dock"}


def test_select_with_a_budget_alone(dataset, operator):
    result = operator("select")(dataset, budget=5, label_field="ground_truth").result
    assert result["chosen"] == 5 and result["labeled"] == 8


def test_a_share_and_stages(dataset, operator):
    result = operator("select")(dataset, budget=0.25, label_field="ground_truth").result
    assert result["chosen"] == 10
    stages = {
        "stages": [
            {"budget": 20, "strategies": [{"strategy": "uncertainty", "column": "predictions"}]},
            {"budget": 4, "strategies": [{"strategy": "diversity", "column": "embeddings"}]},
        ]
    }
    assert operator("select")(dataset, recipe=stages, tag="staged").result["chosen"] == 4


def test_stages_that_refine_are_read_and_filled_in_as_others(dataset, operator):
    minority = {"strategy": "minority", "column": "predictions"}
    margin = {"strategy": "uncertainty", "column": "sure"}
    refine = {"strategies": [minority, margin], "first": 12, "draws": 2, "rounds": 2}
    recipe = {"stages": [{"refine": refine}, {"budget": 4}]}
    result = operator("select")(
        dataset, recipe=recipe, label_field="ground_truth", tag="refined"
    ).result
    assert (result["chosen"], result["pool"]) == (4, 40)
    kept = dataset.get_run_info(result["run_key"]).config.recipe["stages"]
    assert kept[0]["refine"]["strategies"][0]["labels"] == "ground_truth.label"
    assert [one["strategy"] for one in kept[1]["strategies"]] == ["coverage", "balance"]


FAMILIES = [
    ("select_uncertain", {"predictions": "predictions", "measure": "entropy"}),
    ("select_uncertain", {"predictions": "sure", "embeddings": "embeddings"}),
    ("select_diverse", {"embeddings": "embeddings"}),
    ("select_diverse", {"embeddings": "listed", "method": "diversity", "metric": "cosine"}),
    ("select_balanced", {"by": "predictions"}),
    ("select_balanced", {"by": "place", "target": "shares", "shares": '{"dock": 1.0}'}),
    ("select_balanced", {"by": "place", "target": "shares", "shares": {"dock": 1.0}}),
    ("select_balanced", {"by": "predictions", "predictions": "predictions"}),
]


@pytest.mark.parametrize("name, options", FAMILIES)
def test_families(dataset, operator, name, options):
    result = operator(name)(dataset, budget=6, tag="f", label_field="ground_truth", **options).result
    assert result["chosen"] == 6
    if options.get("by") == "place":
        assert set(dataset.match_tags("f").values("place")) == {"dock"}


def test_minimum_distance_stops_early(dataset, operator):
    result = operator("select_diverse")(
        dataset, embeddings="embeddings", method="diversity", minimum_distance=3.0, budget=40
    ).result
    assert 0 < result["chosen"] < 40 and "minimum_distance" in result["stopped"]


def test_a_view_and_the_selected_samples(dataset, operator):
    import fiftyone.operators as foo

    view = dataset.skip(30)
    operator("select")(view, budget=3, tag="late")
    assert set(dataset.match_tags("late").values("id")) <= set(view.values("id"))
    some = dataset.values("id")[10:15]
    foo.execute_operator(
        "@alcore/active_learning/select",
        {"dataset": dataset, "selected": some},
        params={"budget": 3, "tag": "some", "view_target": "SELECTED_SAMPLES"},
    )
    assert set(dataset.match_tags("some").values("id")) <= set(some)


def test_list_and_undo(dataset, operator, state):
    before = state(dataset)
    operator("select")(dataset, budget=5, tag="one", label_field="ground_truth")
    rows = operator("list_selections")(dataset).result["selections"]
    assert [row["run_key"] for row in rows] == ["one"]
    assert rows[0]["strategies"] == "coverage x balance"
    assert operator("undo_selection")(dataset, "one").result == {"run_key": "one", "samples": 5}
    assert state(dataset) == before


def test_errors_before_anything_runs(dataset, operator, invalid, state):
    before = state(dataset)
    with pytest.raises(invalid, match="unknown option 'bugdet'; it takes"):
        operator("select_uncertain")(dataset, bugdet=5)
    with pytest.raises(invalid, match="no field 'nope'; fields that fit: 'embeddings'"):
        operator("select_diverse")(dataset, embeddings="nope")
    with pytest.raises(invalid, match="0 is not a budget"):
        operator("select")(dataset, budget=0)
    with pytest.raises(invalid, match="is not JSON"):
        operator("select")(dataset, recipe="{")
    with pytest.raises(invalid, match="should be 'entropy', 'margin'"):
        operator("select_uncertain")(dataset, measure="entrpy", predictions="predictions")
    with pytest.raises(invalid, match="shares: must be JSON"):
        operator("select_balanced")(dataset, by="place", target="shares", shares="{dock")
    assert state(dataset) == before


def test_errors_while_running(dataset, operator, state, invalid):
    before = state(dataset)
    with pytest.raises(invalid) as error:
        operator("select")(dataset.match_tags("nobody"), budget=3)
    assert "the view is empty" in last_line(error)
    with pytest.raises(invalid) as error:
        operator("select_balanced")(
            dataset, by="predictions", target="shares", shares='{"nobody": 1.0}'
        )
    assert "target names 'nobody', which is no class" in last_line(error)
    assert state(dataset) == before


def test_forms_offer_only_fields_that_fit(dataset, operator):
    form = form_of(operator("select_uncertain"), dataset)
    assert set(form["predictions"].type.values) == {"predictions", "sure", "scored", "ground_truth"}
    assert set(form["embeddings"].type.values) == {"", "embeddings", "listed"}
    form = form_of(operator("select_balanced"), dataset)
    assert {"predictions", "place", "night"} <= set(form["by"].type.values)
    assert "embeddings" not in form["by"].type.values


def test_forms_count(dataset, operator):
    dataset.skip(40).set_field("predictions", None).save()
    form = form_of(operator("select_uncertain"), dataset, predictions="predictions")
    told = form["counts"].view.label
    assert "40 samples to choose from, 8 labeled" in told and "8 without a prediction" in told


def test_forms_count_what_is_labeled_by_field_and_tag_once(dataset, operator):
    dataset[6:10].tag_samples("done")
    form = form_of(operator("select_uncertain"), dataset, labeled_tag="done")
    assert "38 samples to choose from, 10 labeled" in form["counts"].view.label


def test_forms_count_objects_of_samples_without_labels(kinds, operator):
    kinds.limit(1).tag_samples("done")
    given = {"objects": "boxes", "labeled_tag": "done", "label_field": "lines"}
    told = form_of(operator("select_uncertain"), kinds, **given)["counts"].view.label
    assert told == "0 objects to choose from, in 1 samples; 5 samples are labeled"
    del given["label_field"]
    told = form_of(operator("select_uncertain"), kinds, **given)["counts"].view.label
    assert told == "5 objects to choose from, in 5 samples; 1 samples are labeled"


def test_forms_refuse(dataset, operator):
    form = form_of(operator("select_uncertain"), dataset, predictions="predictions", budget=0)
    assert form["budget"].invalid and "not a budget" in form["budget"].error_message
    dataset.limit(2).tag_samples("taken")
    form = form_of(operator("select"), dataset, tag="taken", label_field="ground_truth")
    assert form["tag"].invalid and "'taken' is in use" in form["tag"].error_message
    form = form_of(operator("select"), dataset, recipe='{"budgt": 3}')
    assert "unknown option 'budgt'" in form["recipe_error"].view.label


def test_a_dataset_with_nothing_that_fits(mongod, images, operator):
    import fiftyone as fo

    dataset = fo.Dataset()
    dataset.add_samples([fo.Sample(filepath=path) for path in images[:5]], progress=False)
    assert (
        "no Classification"
        in form_of(operator("select_uncertain"), dataset)["predictions_missing"].view.label
    )
    result = operator("select")(dataset, budget=2, tag="any").result  # by chance
    assert result["chosen"] == 2
    dataset.delete()


def test_delegated(dataset, operator):
    import fiftyone.operators.delegated as food

    dataset.persistent = True
    execution = operator("select")(
        dataset, budget=5, tag="queued", label_field="ground_truth", delegate=True
    )
    assert execution.delegated and dataset.count_sample_tags() == {}
    service = food.DelegatedOperationService()
    service.execute_queued_operations(dataset_name=dataset.name)
    done = service.get(execution.result["id"])
    assert str(done.run_state) == "completed", done.result
    dataset.reload()
    assert dataset.count_sample_tags() == {"queued": 5}


def test_a_delegated_job_that_fails_says_why(dataset, operator):
    import fiftyone.operators.delegated as food

    dataset.persistent = True
    execution = operator("select")(dataset.view(), budget=5, tag="queued", delegate=True)
    dataset.limit(1).tag_samples("queued")  # taken by the time the worker comes to it
    service = food.DelegatedOperationService()
    service.execute_queued_operations(dataset_name=dataset.name)
    done = service.get(execution.result["id"])
    assert str(done.run_state) == "failed" and "tag: 'queued' is in use" in done.result.error
