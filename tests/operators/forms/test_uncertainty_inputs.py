"""select_informative and compute_scores, as a user calls them and as forms."""

import numpy as np
import pytest

import alcore as engine
from support.operators import form_of

CSV = "truth,glass,paper,{2}\nglass,0,1,2\npaper,5,0,1\n{2},1,1,0\n"


@pytest.fixture
def select(operator):
    return operator("select_informative")


@pytest.fixture
def compute(operator):
    return operator("compute_scores")


def chosen_by(dataset, tag):
    run = dataset.load_run_results(tag)
    return run.ids


def sorted_by(dataset, values, budget):
    order = np.argsort(-np.asarray(values), kind="stable")[:budget]
    ids = dataset.values("id")
    return [ids[row] for row in order.tolist()]


@pytest.mark.parametrize(
    ("options", "field", "measure"),
    [
        ({"predictions": "predictions", "measure": "entropy"}, "predictions.logits", "entropy"),
        ({"predictions": "sure"}, "sure.probs", "margin"),
    ],
)
def test_one_field(dataset, select, options, field, measure):
    select(dataset, budget=5, tag="r", **options)
    values = np.stack(dataset.values(field)).astype(float)
    if field.endswith("logits"):
        values = np.exp(values) / np.exp(values).sum(1, keepdims=True)
    scored = getattr(engine.scores, measure)(values)
    assert chosen_by(dataset, "r") == sorted_by(dataset, scored, 5)


@pytest.mark.parametrize(
    "options",
    [
        {"members": "dropout.members", "measure": "bald"},
        {"members": "dropout.members", "measure": "vote_entropy", "batch": "power"},
        {"members": "dropout.members", "batch": "batch_bald", "samples": 500},
        {"several": ["one", "two"], "measure": "consensus_entropy"},
        {"predictions": ["boxes", "bare"]},
        {"several": ["first", "second"]},
        {"predictions": "boxes", "aggregate": "sum", "empty": "most"},
        {"predictions": "heat", "measure": "stored", "aggregate": "top_share"},
        {"predictions": "seg", "measure": "entropy", "aggregate": "boundary"},
        {"predictions": "tags_with_logits", "aggregate": None},
        {"predicted_loss": "variance"},
    ],
)
def test_every_source(kinds, select, options):
    result = select(kinds, budget=3, tag="r", **options).result
    assert result["chosen"] == 3
    assert len(kinds.match_tags("r")) == 3


def test_costs_by_csv_json_and_dict(dataset, select):
    names = ["glass", "paper", "a very long class name for mixed waste"]
    table = [[0, 1, 2], [5, 0, 1], [1, 1, 0]]
    as_dict = {t: dict(zip(names, row, strict=True)) for t, row in zip(names, table, strict=True)}
    found = []
    for number, cost in enumerate((CSV.replace("{2}", names[2]), as_dict)):
        options = {"budget": 4, "tag": f"c{number}", "predictions": "sure", "cost": cost}
        select(dataset, **options, skip_chosen=False)
        found.append(chosen_by(dataset, f"c{number}"))
    assert found[0] == found[1]
    P = np.array(dataset.values("sure.probs"))
    order = dataset.classes.get("sure") or [names[i] for i in range(3)]
    scored = engine.scores.expected_cost(P, engine.scores.cost_matrix(as_dict, order))
    assert found[0] == sorted_by(dataset, scored, 4)


def test_a_temperature_fitted_on_labels(dataset, select):
    result = select(
        dataset,
        budget=4,
        tag="t",
        predictions="predictions",
        temperature="fit",
        label_field="ground_truth",
    ).result
    assert result["chosen"] == 4
    report = dataset.load_run_results("t").report
    assert report["stages"][0]["reached"]["uncertainty"]["after"]["temperature"] > 0


@pytest.mark.parametrize(
    ("options", "sentence"),
    [
        ({"several": ["one"]}, "name two or more fields"),
        ({"predictions": "one", "batch": "batch_bald"}, "'batch_bald' is for members"),
        ({"predictions": "one", "cost": "[[0, 1"}, "cost: is not JSON"),
        ({"predictions": "one", "cost": [[0, 1], [1, 0]]}, "for each of the 3 classes"),
        ({"source": "guess"}, "there is no 'guess'; choose one of one field, costs"),
        ({}, "several fields could be the predictions"),
        ({"members": "boxes"}, "'boxes' is a Detections; it takes arrays of members"),
        ({"predictions": "one", "temperature": "fit"}, "'fit' needs labels"),
        ({"predictions": "one", "aggregate": "sum"}, None),
    ],
)
def test_what_is_wrong_is_said_and_nothing_written(kinds, select, invalid, state, options, sentence):
    before = state(kinds)
    if sentence is None:
        assert select(kinds, budget=2, tag="r", **options).result["chosen"] == 2
        return
    with pytest.raises(Exception) as error:
        select(kinds, budget=2, tag="r", **options)
    assert sentence in str(error.value)
    assert state(kinds) == before


@pytest.mark.parametrize(
    ("params", "asked"),
    [
        ({}, {"predictions", "measure_margin", "batch", "temperature", "multi_label"}),
        ({"predictions": "boxes"}, {"aggregate_max", "empty", "min_confidence"}),
        ({"predictions": "boxes", "aggregate_max": "top_k"}, {"top_k"}),
        ({"predictions": "seg", "aggregate_mean": "quantile"}, {"quantile"}),
        ({"source": "several fields", "several": ["one", "two"]}, {"several", "measure_bald"}),
        ({"source": "members", "batch": "batch_bald"}, {"members", "samples"}),
        ({"source": "predicted loss", "batch": "power"}, {"predicted_loss", "coldness"}),
        ({"source": "costs"}, {"predictions", "costs_as", "cost_0", "cost_1"}),
    ],
)
def test_the_form_asks_what_the_source_needs(unchanged_kinds, select, params, asked):
    form = form_of(select, unchanged_kinds, **params)
    assert asked <= set(form)
    described = [form[n].view for n in (*asked, "batch") if hasattr(form[n].view, "choices")]
    assert all(choice.label for view in described for choice in view.choices)


def test_the_form_names_what_is_wrong(unchanged_kinds, select):
    form = form_of(select, unchanged_kinds, source="several fields")
    assert "name two or more fields" in form["recipe_error"].view.label
    assert form["budget"].invalid


# Scores


def test_scores_become_fields_that_say_what_they_are(dataset, compute):
    result = compute(dataset, predictions="sure", measures=["margin", "entropy"]).result
    assert result["fields"] == ["al_margin", "al_entropy"] and result["scored"]["al_margin"] == 48
    P = np.array(dataset.values("sure.probs"))
    for measure in ("margin", "entropy"):
        expected = getattr(engine.scores, measure)(P)
        np.testing.assert_allclose(dataset.values(f"al_{measure}"), expected, rtol=1e-5, atol=1e-6)
        field = dataset.get_field(f"al_{measure}")
        assert field.description.startswith("Higher = more worth labeling")
        assert field.info["entry"]["measure"] == measure
    assert dataset.sort_by("al_margin", reverse=True).first().al_margin == max(
        dataset.values("al_margin")
    )


def test_scores_by_entries_of_a_recipe(kinds, compute):
    entries = {
        "hard_boxes": {"strategy": "uncertainty", "column": "boxes"},
        "bald": {"strategy": "disagreement", "column": "dropout"},
        "models": {"strategy": "disagreement", "column": ["boxes", "bare"]},
    }
    result = compute(kinds, scores=entries).result
    assert result["scored"] == {"hard_boxes": 5, "bald": 6, "models": 5}
    assert kinds.values("hard_boxes")[4] is None


def test_a_delegated_call_does_the_same(dataset, compute):
    import fiftyone.operators.delegated as food

    compute(dataset, predictions="sure", prefix="later", delegate=True)
    food.DelegatedOperationService().execute_queued_operations(dataset_name=dataset.name)
    dataset.reload()
    assert len(dataset.exists("later_margin")) == 48


@pytest.mark.parametrize(
    ("options", "sentence"),
    [
        ({"predictions": "one", "measures": ["bald"]}, "there is no 'bald' here; there are margin"),
        ({"predictions": "one", "prefix": "1"}, "'1_margin' must start with a letter"),
        (
            {"scores": {"variance": {"strategy": "random"}}},
            "'variance' exists and holds something else",
        ),
        (
            {"scores": {"x": {"strategy": "batch_bald", "column": "dropout"}}},
            "change with every sample",
        ),
        ({"scores": {"x": {"strategy": "uncertainty", "column": "none"}}}, "has no field 'none'"),
        ({"scores": {}, "predictions": "one", "measures": []}, None),
        ({"scores": "{"}, "scores: is not JSON"),
        ({"color": 1}, "unknown option 'color'"),
    ],
)
def test_what_cannot_be_scored_is_said_and_nothing_written(kinds, compute, state, options, sentence):
    before = state(kinds)
    if sentence is None:
        assert compute(kinds, **options).result["fields"] == ["al_margin"]
        return
    with pytest.raises(Exception) as error:
        compute(kinds, **options)
    assert sentence in str(error.value)
    assert state(kinds) == before


def test_own_scores_are_replaced_only_when_asked(dataset, compute, invalid):
    compute(dataset, predictions="sure")
    with pytest.raises(invalid, match="'al_margin' exists; choose another name, or set overwrite"):
        compute(dataset, predictions="sure")
    dataset.set_values("al_margin", [2.0] * len(dataset))
    compute(dataset.limit(5), predictions="sure", overwrite=True)
    assert max(dataset.limit(5).values("al_margin")) <= 1
    assert dataset.skip(5).values("al_margin") == [2.0] * 43  # what is outside the view stays


def test_a_write_that_fails_leaves_no_field(dataset, compute, state, monkeypatch):
    import fiftyone as fo

    before = state(dataset)
    write = fo.Dataset.set_values

    def fail(self, name, *args, **kwargs):
        if name == "al_entropy":
            raise ConnectionError("the database went away")
        return write(self, name, *args, **kwargs)

    monkeypatch.setattr(fo.Dataset, "set_values", fail)
    with pytest.raises(Exception, match="went away"):
        compute(dataset, predictions="sure", measures=["margin", "entropy"])
    assert state(dataset) == before


@pytest.mark.parametrize(
    ("step", "number"), [("set_values", 2), ("rename_sample_fields", 1), ("rename_sample_fields", 2)]
)
def test_an_overwrite_that_fails_leaves_the_earlier_scores(
    dataset, compute, plugin, state, break_at, step, number
):
    names = ("al_margin", "al_entropy")

    def found():
        fields = [dataset.get_field(name) for name in names]
        sentence = [(field.description, field.info) for field in fields]
        return state(dataset), [dataset.values(name) for name in names], sentence

    compute(dataset, predictions="sure", measures=["margin", "entropy"])
    before = found()
    method, swap = plugin("operators.compute.scores").METHOD, plugin("operators.dataset.field_swap")
    values = dict.fromkeys(dataset.values("id"), 2.0)
    fields = {name: swap.NewField(values, "new", {"method": method}) for name in names}
    calls = break_at(step, number)
    with pytest.raises(KeyboardInterrupt):
        swap.write_fields(dataset, fields)
    assert len(calls) >= number, "the step was never reached"
    assert found() == before
    swap.write_fields(dataset, fields)
    assert found() == (before[0], [[2.0] * 48] * 2, [("new", {"method": method})] * 2)


def test_the_form_of_scores(unchanged_kinds, compute):
    form = form_of(compute, unchanged_kinds, predictions="one")
    assert "margin" in form["measures_margin"].view.values()
    taken = form_of(compute, unchanged_kinds, predictions="one", prefix="1")
    assert "must start with a letter" in taken["error"].view.label and taken["measures_margin"].invalid


def test_costs_by_the_table_of_a_form(dataset, select):
    """As the App sends them: a row for each truth, which lacks what was left at 1."""
    form = form_of(select, dataset, source="costs", predictions="sure")
    assert {"costs_as", "cost_0", "cost_1", "cost_2"} <= set(form) and "error" not in form
    import fiftyone.operators as foo

    table = {"costs_as": "table", "cost_0": {"to_1": 7.0, "to_2": 1.0}, "cost_2": {"to_0": 0.0}}
    params = {"source": "costs", "predictions": "sure", "budget": 4, "tag": "t", **table}
    foo.execute_operator(select.uri, {"dataset": dataset}, params=params)
    names = sorted(dataset.distinct("sure.label"))
    cost = dataset.get_run_info("t").config.recipe["strategies"][0]["cost"]
    assert cost[names[0]] == {names[1]: 7.0, names[2]: 1.0}
    assert cost[names[1]] == {names[0]: 1.0, names[2]: 1.0}
    assert cost[names[2]] == {names[0]: 0.0, names[1]: 1.0}


def test_gains_by_the_table_of_a_form(dataset, select):
    import fiftyone.operators as foo

    table = {"costs_are": "gain", "costs_as": "table", "gain_0": {"to_1": -7.0}, "cost": "of before"}
    params = {"source": "costs", "predictions": "sure", "budget": 4, "tag": "g", **table}
    foo.execute_operator(select.uri, {"dataset": dataset}, params=params)
    names = sorted(dataset.distinct("sure.label"))
    entry = dataset.get_run_info("g").config.recipe["strategies"][0]
    assert "cost" not in entry
    assert entry["gain"][names[0]] == {names[0]: 1.0, names[1]: -7.0, names[2]: 0.0}


def test_costs_of_many_classes_are_text(dataset, select):
    dataset.default_classes = [str(number) for number in range(20)]
    form = form_of(select, dataset, source="costs", predictions="sure")
    assert "cost" in form and "cost_0" not in form


def test_objects_are_chosen_and_tagged(kinds, operator, state):
    """Each box a candidate: label tags, and a view of patches; or the images they lie in."""
    import fiftyone.operators as foo

    before = state(kinds)
    result = operator("select_uncertain")(kinds, objects="boxes", budget=3, tag="hard").result
    assert (result["chosen"], result["chosen_from"]) == (3, "boxes")
    assert kinds.count_label_tags("boxes") == {"hard": 3}
    assert len(kinds.load_saved_view("hard")) == 3
    operator("undo_selection")(kinds, "hard")
    assert state(kinds) == before and not kinds.count_label_tags("boxes")
    options = {"objects": "boxes", "result": "samples", "budget": 4, "tag": "images"}
    result = operator("select_informative")(kinds, measure="entropy", **options).result
    assert result["images"] == len(kinds.match_tags("images")) <= 4
    form = form_of(foo.get_operator(operator("select_informative").uri), kinds, objects="boxes")
    assert {"objects", "result"} <= set(form) and "recipe_error" not in form
