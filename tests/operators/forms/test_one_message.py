"""A fault has one message in a form, and a form that lacks nothing has none."""

import pytest

from support.operators import form_of


def messages(inputs):
    """The errors that a form shows, by the names of their views."""
    return [name for name, one in inputs.items() if type(one.view).__name__ in ("Error", "Warning")]


@pytest.mark.parametrize(
    "name",
    [
        "select_informative",
        "select_diverse",
        "select_representative",
        "find_outliers",
        "compute_scores",
    ],
)
def test_a_missing_field_is_one_message(dataset, operator, name):
    for field in ("predictions", "sure", "scored", "embeddings", "listed", "ground_truth"):
        dataset.delete_sample_field(field)
    inputs = form_of(operator(name), dataset)
    (shown,) = messages(inputs)
    assert shown.endswith("_missing") and inputs[shown].invalid
    assert "This dataset has no" in inputs[shown].error_message


@pytest.mark.parametrize(
    "name",
    [
        "select",
        "select_informative",
        "select_diverse",
        "select_representative",
        "select_test_set",
        "select_balanced",
        "find_near_duplicates",
        "find_outliers",
        "find_weak_slices",
        "compute_scores",
        "advise_stopping",
    ],
)
def test_no_message_before_the_user_did_anything(unchanged, operator, name):
    assert messages(form_of(operator(name), unchanged)) == []
