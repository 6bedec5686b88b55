"""What is chosen from is asked, and is never silently what an earlier selection chose."""

import json

import pytest

from support.operators import form_of


def shown(view):
    """What the App sends of a view that is open."""
    return {"view": json.loads(json.dumps(view._serialize(), default=str))}


def form(operator, dataset, view=None, **params):
    from fiftyone.operators.executor import ExecutionContext

    sent = {"dataset_name": dataset.name, "params": params, **(shown(view) if view is not None else {})}
    ctx = ExecutionContext(sent, operator_uri=operator.uri)
    return operator.resolve_input(ctx).type.properties


@pytest.fixture
def select(operator):
    return operator("select_informative")


@pytest.fixture
def chosen(dataset, select):
    select(dataset, predictions="predictions", budget=5, label_field="ground_truth", tag="first")
    return dataset


def test_the_view_of_a_user_is_the_default(chosen, select):
    inputs = form(select, chosen, chosen.limit(20))
    assert inputs["view_target"].default == "CURRENT_VIEW"
    assert "11 samples to choose from, 9 labeled" in inputs["counts"].view.label


def test_what_a_selection_chose_is_offered_and_not_the_default(chosen, select):
    view = chosen.load_saved_view("first")
    inputs = form(select, chosen, view)
    assert inputs["view_target"].default == "DATASET"
    assert "CURRENT_VIEW" in inputs["view_target"].type.values
    assert "35 samples to choose from" in inputs["counts"].view.label
    inputs = form(select, chosen, view, view_target="CURRENT_VIEW")
    assert "0 samples to choose from" in inputs["counts"].view.label


def test_so_are_the_objects_of_a_selection(kinds, operator, select):
    operator("select")(kinds, objects="boxes", budget=2, strategy="random", tag="few")
    inputs = form(select, kinds, kinds.load_saved_view("few"))
    assert inputs["view_target"].default == "DATASET_VIEW"
    assert "6 samples to choose from" in inputs["counts"].view.label


def test_what_has_no_target_does_not_ask(chosen, operator):
    assert "view_target" not in form_of(operator("record_round"), chosen)
