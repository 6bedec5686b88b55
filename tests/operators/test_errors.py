"""Every operator tells an error in a sentence: as its result in the App, as itself in Python."""

import logging

import pytest

OPERATORS = [
    "select",
    "select_uncertain",
    "select_informative",
    "select_diverse",
    "select_representative",
    "select_test_set",
    "select_by_metadata",
    "select_by_similarity",
    "select_balanced",
    "select_like_failures",
    "compute_zero_shot_predictions",
    "find_near_duplicates",
    "find_outliers",
    "find_weak_slices",
    "send_to_annotation",
    "import_annotations",
    "undo_selection",
    "list_selections",
    "compute_scores",
    "compute_business_value",
    "advise_stopping",
    "advise_strategy",
    "compare_strategies",
    "record_round",
    "compute_dropout_predictions",
    "compute_embeddings",
    "compute_image_metadata",
    "fit_loss_predictor",
]


def context(operator, dataset, results=None, **params):
    from fiftyone.operators.executor import ExecutionContext, Executor

    sent = {"dataset_name": dataset.name, "params": params, "results": results}
    return ExecutionContext(sent, executor=Executor(), operator_uri=operator.uri)


def shown(operator, dataset, results):
    ctx = context(operator, dataset, results)
    return operator.resolve_output(ctx).type.properties


def test_all_operators_are_here():
    from fiftyone.operators import list_operators

    ours = [one.name for one in list_operators(builtin=False) if "alcore" in one.uri]
    assert sorted(ours) == sorted(
        [*OPERATORS, "active_learning", "why_chosen", "open_active_learning", "show_result"]
    )


@pytest.mark.parametrize("name", OPERATORS)
@pytest.mark.parametrize(
    "error", [ValueError("what a pity"), MemoryError(), KeyError("x"), OSError("disk")]
)
def test_an_unexpected_error_is_a_sentence_and_its_traceback_goes_to_the_log(
    unchanged, operator, monkeypatch, caplog, name, error
):
    def fail(self, ctx):
        raise error

    one = operator(name)
    monkeypatch.setattr(type(one), "_execute", fail)
    with caplog.at_level(logging.ERROR):
        result = one.execute(context(one, unchanged))
    assert "\n" not in result["error"] and type(error).__name__ in result["error"]
    assert "Traceback" not in result["error"] and caplog.records[-1].exc_info
    view = shown(one, unchanged, result)["error"].view
    assert view.description == result["error"]


@pytest.mark.parametrize("name", OPERATORS)
def test_the_result_of_a_run_that_failed_elsewhere(unchanged, operator, name):
    assert "list of runs" in shown(operator(name), unchanged, None)["error"].view.description


@pytest.mark.parametrize("name", OPERATORS)
@pytest.mark.parametrize("results", [{}, {"unknown": 1}, {"notes": ["a note"]}])
def test_any_result_can_be_shown(unchanged, operator, name, results):
    assert shown(operator(name), unchanged, results) is not None


@pytest.mark.parametrize(
    ("name", "results", "sentence"),
    [
        ("select_diverse", {"chosen": 0, "stopped": "nothing is far enough"}, "Nothing was chosen"),
        ("list_selections", {"selections": []}, "There are no selections"),
        ("compute_image_metadata", {"measured": 0}, "Nothing was measured"),
        ("compute_embeddings", {"embedded": 0}, "Nothing was embedded"),
    ],
)
def test_a_result_with_nothing_in_it_says_so(unchanged, operator, name, results, sentence):
    assert sentence in shown(operator(name), unchanged, results)["nothing"].view.label


@pytest.mark.parametrize("name", OPERATORS)
def test_a_form_that_fails_says_so(unchanged, operator, monkeypatch, name):
    def fail(self, ctx, inputs):
        raise ZeroDivisionError("nothing to divide by")

    one = operator(name)
    monkeypatch.setattr(type(one), "draw_form", fail)
    form = one.resolve_input(context(one, unchanged, view_target="DATASET")).type.properties
    assert form["form_error"].invalid and "ZeroDivisionError" in form["form_error"].error_message


def test_errors_reach_python_as_themselves(dataset, operator, monkeypatch, invalid):
    one = operator("select")

    def fail(self, *args):
        raise ZeroDivisionError("nothing to divide by")

    with pytest.raises(invalid, match="there is no selection 'nope'; there are: none"):
        operator("undo_selection")(dataset, "nope")
    monkeypatch.setattr(type(one), "run", fail)
    with pytest.raises(ZeroDivisionError, match="nothing to divide by"):
        one(dataset, budget=3, label_field="ground_truth")


def test_a_field_or_dataset_deleted_meanwhile(dataset, operator, monkeypatch, invalid):
    one = operator("select_uncertain")
    run = type(one).run

    def run_later(self, view, options, report):
        dataset.delete_sample_field("predictions")
        return run(self, view, options, report)

    monkeypatch.setattr(type(one), "run", run_later)
    with pytest.raises(invalid, match="has no field 'predictions'"):
        one(dataset, predictions="predictions", budget=3)
    assert dataset.list_runs() == []


def test_a_dataset_deleted_meanwhile(dataset, operator, plugin):
    sentence_of = plugin("operators.runs.errors").sentence_of
    import fiftyone as fo

    copy = dataset.clone()
    name = copy.name
    copy.delete()
    try:
        fo.load_dataset(name)
    except Exception as error:
        assert "does not exist any more" in sentence_of(error, "here")


@pytest.mark.parametrize(
    "name, option, options",
    [
        ("select", "recipe", {}),
        ("compute_scores", "scores", {}),
        ("select_by_metadata", "filters", {}),
        ("select_by_metadata", "preferences", {}),
        ("select_test_set", "shares", {"size": 3, "strata": ["place"]}),
        ("compute_business_value", "gain", {"predictions": "sure", "label_field": "ground_truth"}),
    ],
)
@pytest.mark.parametrize("text, sentence", [("[" * 100_000, "nested too deeply"), ("{", "is not JSON")])
def test_json_that_cannot_be_read(unchanged, operator, invalid, name, option, options, text, sentence):
    with pytest.raises(invalid, match=f"{option}: .*{sentence}"):
        operator(name)(unchanged, **options, **{option: text})
