"""The advice in the panel: questions, an answer that stays, and the recipe taken as cards."""

import json

import pytest

from support.headless_panel import HeadlessPanel


@pytest.fixture
def panel(dataset):
    return HeadlessPanel(dataset)


def test_a_recipe_is_proposed_explained_and_taken(panel, dataset):
    assert "advise" not in panel.shown
    panel.event("on_advice")
    assert {"aim", "test_set", "advise"} <= set(panel.shown) and "take" not in panel.shown
    panel.enter("advice", aim="edge", test_set="rare")
    panel.event("on_advise_strategy")
    panel.finish()
    assert not panel.error
    assert "samples are labeled" in panel.texts() and "Choose the test set first" in panel.texts()
    proposed = panel.state["advice"]["recipe"]
    panel.event("on_take_advice")
    text = panel.state["rare"]["json"]  # what cards cannot show is kept as JSON
    taken = json.loads(text)["strategies"] if text else panel.cards()
    assert [one["strategy"] for one in taken] == [one["strategy"] for one in proposed["strategies"]]
    assert "advise" not in panel.shown
    again = HeadlessPanel(dataset)
    again.event("on_advice")
    assert "samples are labeled" in again.texts()
    panel.event("on_preview")
    panel.finish()
    assert not panel.error and panel.state["preview"]["chosen"] > 0


def test_what_cannot_be_looked_at_is_a_sentence(panel, dataset):
    dataset.set_values("embeddings", [[float("nan")] * 4] * len(dataset))
    panel.event("on_advice")
    panel.event("on_advise_strategy")
    panel.finish()
    assert "\n" not in panel.error and "Traceback" not in panel.error


def test_the_advice_on_one_dataset_is_not_shown_on_another(panel, street):
    panel.event("on_advice")
    panel.event("on_advise_strategy")
    panel.finish()
    panel.collection = street  # the App keeps the state of the panel
    panel.event("on_change_dataset")
    assert "advise" not in panel.shown and not panel.state["advice"]
    assert panel.state["loaded"] == street.name
