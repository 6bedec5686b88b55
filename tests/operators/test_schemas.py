"""What an agent reads of an operator: every input says what it is and what it is without a value."""

from pathlib import Path

import pytest
import yaml

from support.operators import form_of

MANIFEST = yaml.safe_load((Path(__file__).resolve().parents[2] / "fiftyone.yml").read_text())
# The App's own, which have no form.
WITHOUT_FORM = {"open_active_learning", "show_result"}
OPERATORS = [name for name in MANIFEST["operators"] if name not in WITHOUT_FORM]
SHOWN = ("Notice", "Error", "Warning", "Header", "MarkdownView", "PlotlyView")
MOST_CHOICES = 20  # what FiftyOne's MCP server shows of them


def inputs_of(properties, within=""):
    """Every input of a form as a pair of its path and itself; what a form only shows is none."""
    for name, one in properties.items():
        if type(one.view).__name__ in SHOWN:
            continue
        nested = getattr(one.type, "properties", None)
        if nested is not None:
            yield from inputs_of(nested, f"{within}{name}.")
        else:
            yield f"{within}{name}", one


def lacks(one):
    """What an agent would miss of an input; empty if nothing."""
    view = one.view.to_json()
    described = view.get("description") or ""
    choices = view.get("choices") or []
    told = bool(choices) and all(each["label"] != each["value"] for each in choices)
    without = one.required or one.default is not None or "left empty" in described.lower()
    is_text = type(one.type).__name__ in ("String", "List")
    return [
        what
        for what, there in {
            "a label": view.get("label"),
            "a description": described or told,
            "a default": without,
            f"at most {MOST_CHOICES} choices, or a text": len(choices) <= MOST_CHOICES or is_text,
        }.items()
        if not there
    ]


@pytest.mark.parametrize("name", OPERATORS)
def test_every_input_says_what_it_is(operator, unchanged, unchanged_street, unchanged_kinds, name):
    for dataset in (unchanged, unchanged_street, unchanged_kinds):
        for path, one in inputs_of(form_of(operator(name), dataset)):
            assert not lacks(one), f"{name}: {path} lacks {' and '.join(lacks(one))}"


# Inputs that the first form does not show.
FURTHER = [
    ("select", {"strategy": "uncertainty", "more_options": True}),
    ("select", {"strategy": "coverage", "more_options": True}),
    ("select", {"strategy": "balance", "more_options": True}),
    ("select", {"cost_field": "sharpness", "group_field": "place"}),
    ("select_diverse", {"method": "diversity"}),
    ("select_diverse", {"kernel": "ball"}),
    ("select_by_metadata", {"fields": ["sharpness", "place", "taken"]}),
    ("select_by_similarity", {"examples": "ids"}),
    ("select_by_similarity", {"examples": "prompt", "use": "filter"}),
    ("select_balanced", {"by": "sharpness", "also": ["place"], "target": "shares"}),
    ("select_balanced", {"by": "taken"}),
    ("select_balanced", {"method": "class_balanced"}),
    ("select_balanced", {"method": "minority"}),
    ("select_informative", {"source": "members"}),
    ("select_informative", {"source": "several fields"}),
    ("select_informative", {"source": "predicted loss"}),
    ("select_informative", {"source": "costs"}),
    ("select_informative", {"batch": "power"}),
    ("select_representative", {"method": "representatives"}),
    ("select_test_set", {"target": "reference", "size_by": "interval"}),
    ("select_test_set", {"target": "shares", "method": "active", "embeddings": "embeddings"}),
    ("compute_business_value", {"costs_as": "text"}),
    ("compute_dropout_predictions", {"source": "torchvision"}),
    ("compute_embeddings", {"source": "self_supervised"}),
    ("advise_stopping", {"price": 1.0}),
    ("advise_strategy", {"mistakes": "unequal"}),
    ("send_to_annotation", {"to": "files"}),
]


@pytest.mark.parametrize(("name", "params"), FURTHER)
def test_so_does_every_input_that_another_one_shows(operator, unchanged, name, params):
    for path, one in inputs_of(form_of(operator(name), unchanged, **params)):
        assert not lacks(one), f"{name}: {path} lacks {' and '.join(lacks(one))}"


def test_above_twenty_fields_a_path_is_a_text_with_suggestions(operator, dataset):
    for number in range(MOST_CHOICES):
        dataset.set_values(f"vector_{number}", dataset.values("embeddings"))
    found = form_of(operator("select_diverse"), dataset)["embeddings"]
    assert type(found.type).__name__ == "String" and len(found.view.choices) > MOST_CHOICES
    assert found.default in [one.value for one in found.view.choices]
