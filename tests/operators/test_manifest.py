"""What the manifest lists is what is registered: FiftyOne drops a mismatch without a word."""

import inspect
import json
import re
from pathlib import Path

import pytest
import yaml

import alcore

ROOT = Path(__file__).resolve().parents[2]
MANIFEST = yaml.safe_load((ROOT / "fiftyone.yml").read_text())


def registered(panels):
    import fiftyone.operators as foo

    found = foo.list_operators(builtin=False)
    prefix = MANIFEST["name"] + "/"
    return {
        one.name: one
        for one in found
        if one.uri.startswith(prefix) and isinstance(one, foo.Panel) == panels
    }


def test_operators_and_panels_are_those_listed(plugin):
    assert set(registered(panels=False)) == set(MANIFEST["operators"])
    assert set(registered(panels=True)) == set(MANIFEST["panels"])


def test_nothing_failed_to_load(plugin):
    from fiftyone.operators.registry import OperatorRegistry

    assert OperatorRegistry().list_errors() == []


def test_every_operator_declares_its_risk(plugin):
    risks = {name: str(one.config.risk_level.value) for name, one in registered(False).items()}
    assert risks == {
        "open_active_learning": "low",
        "show_result": "low",
        "select": "medium",
        "select_uncertain": "medium",
        "select_informative": "medium",
        "select_diverse": "medium",
        "select_representative": "medium",
        "select_test_set": "medium",
        "select_by_metadata": "medium",
        "select_by_similarity": "medium",
        "find_near_duplicates": "medium",
        "find_outliers": "medium",
        "find_weak_slices": "medium",
        "select_balanced": "medium",
        "select_like_failures": "medium",
        "compute_zero_shot_predictions": "medium",
        "send_to_annotation": "medium",
        "import_annotations": "medium",
        "undo_selection": "high",
        "list_selections": "low",
        "compute_dropout_predictions": "medium",
        "compute_embeddings": "medium",
        "compute_image_metadata": "medium",
        "fit_loss_predictor": "medium",
        "compute_scores": "medium",
        "compute_business_value": "medium",
        "advise_stopping": "low",
        "advise_strategy": "low",
        "compare_strategies": "low",
        "record_round": "medium",
    }


def test_what_the_panel_or_another_form_does_is_not_listed_twice(plugin):
    found = registered(False)
    hidden = {name for name, one in found.items() if one.config.unlisted}
    assert hidden == {"select_uncertain", "list_selections", "show_result", "undo_selection"}
    listed = [one.config.label for name, one in found.items() if name not in hidden]
    assert len(set(listed)) == len(listed)


@pytest.mark.parametrize(
    ("typed", "name"),
    [
        ("active learning", "select"),
        ("uncertainty", "select_informative"),
        ("diversity", "select_diverse"),
        ("coreset", "select_diverse"),
        ("near duplicates", "find_near_duplicates"),
        ("outliers", "find_outliers"),
        ("test set", "select_test_set"),
        ("embeddings", "compute_embeddings"),
        ("stop", "advise_stopping"),
        ("recommendation", "advise_strategy"),
        ("false positives", "select_like_failures"),
        ("clip", "compute_zero_shot_predictions"),
        ("benchmark", "compare_strategies"),
        ("simulate", "compare_strategies"),
        ("learning curve", "record_round"),
    ],
)
def test_an_operator_is_found_by_what_people_type(plugin, typed, name):
    """The App looks for what is typed in labels, names and descriptions."""
    one = registered(False)[name]
    texts = (one.config.label, one.uri, one.config.description)
    assert not one.config.unlisted and any(typed in text.lower() for text in texts)


def test_versions_agree():
    assert MANIFEST["version"] == alcore.__version__
    assert f'version = "{alcore.__version__}"' in (ROOT / "pyproject.toml").read_text()


def test_the_engine_knows_no_fiftyone():
    for path in (ROOT / "alcore").rglob("*.py"):
        assert "import fiftyone" not in path.read_text(), path


def test_the_root_imports_nothing_of_its_own_at_the_top():
    """FiftyOne runs it anew for every request, and pytest trips over a relative import in it."""
    lines = (ROOT / "__init__.py").read_text().splitlines()
    assert [one for one in lines if one.startswith(("import", "from"))] == ["from typing import Any"]


SKILL = (ROOT / "skills" / "active-learning" / "SKILL.md").read_text()


def test_the_skill_has_the_front_matter_that_agents_read():
    head = yaml.safe_load(SKILL.split("---")[1])
    assert head["name"] == "active-learning" and 0 < len(head["description"]) <= 1024
    assert len(head["compatibility"]) <= 500


def test_the_skill_names_every_operator_and_calls_them_by_their_options(plugin):
    found = registered(False)
    assert [name for name in found if f"`{name}`" not in SKILL] == ["show_result"]  # the App's own
    calls = [json.loads(one) for one in re.findall(r"```json\n(.*?)```", SKILL, re.DOTALL)]
    assert len(calls) >= 6
    for call in calls:
        operator = found[call["operator"]]
        takes = inspect.signature(operator.__call__).parameters
        known = operator.known_options() if "options" in takes else set(takes)
        assert set(call["params"]) <= known, call
