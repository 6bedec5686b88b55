"""Every strategy has a card, which makes its recipe entry, and of which the entry makes the card."""

import json

import pytest

from support.headless_panel import HeadlessPanel


@pytest.fixture
def cards(plugin):
    return plugin("operators.panel.cards")


TEXTS = {"to": "like", "cost": '{"glass": {"paper": 5}, "paper": {"glass": 1}}'}


def test_every_strategy_has_a_card(dataset, plugin, cards):
    known = plugin("alcore.strategies").BY_NAME
    recipe = plugin("alcore.recipe").Recipe
    dataset.limit(1).tag_samples("like")
    for strategy, model in known.items():
        card = cards.new_card(dataset, strategy, "ground_truth")
        asked = {name: text for name, text in TEXTS.items() if name in model.model_fields}
        card["main"] |= asked
        if not cards.values_of(card).get("column") and strategy != "random":
            assert "there is none yet" in cards.missing_of(dataset, card)
            continue  # no field fits: the dataset has no members
        assert cards.missing_of(dataset, card) is None
        entry = cards.entry_of(dataset, card)
        assert recipe.of({"budget": 3, "strategies": [entry]}).strategies
        again = cards.card_of(dataset, entry, "ground_truth")
        assert cards.entry_of(dataset, again) == entry
        assert cards.alone_of([card]) is None
        assert (cards.alone_of([card, card]) is None) == (not model.alone)


def test_a_card_takes_no_field_of_the_strategy_before(dataset, cards):
    """As the App reports a card whose strategy has just changed from typiclust."""
    left = {"strength": 1, "column": "embeddings"}
    card = {"kind": "other", "strategy": "badge", "main": left, "more": {}}
    entry = cards.entry_of(dataset, card)
    assert entry == {"strategy": "badge", "column": "predictions", "embeddings": "embeddings"}


def test_every_strategy_is_on_a_kind_of_card(plugin):
    kinds = plugin("operators.panel.kinds")
    assert set(kinds.MORE.strategies) == set(plugin("alcore.strategies").BY_NAME)
    for name, kind in kinds.KINDS.items():
        assert set(kind.strategies) <= set(kinds.MORE.strategies)
        assert kind.title and kind.promise and kind.needs
        assert all(kinds.kind_of(name) is kind for name in [name])


def test_places_and_times_are_no_output_of_a_model(dataset, plugin):
    kinds = plugin("operators.panel.kinds")
    kind = kinds.KINDS["places"]
    found = [one.path for one in kinds.columns_of(dataset, kind, "balance", "ground_truth")]
    assert {"place", "taken", "sharpness", "night"} <= set(found)
    assert not any(path.startswith(("predictions", "sure", "scored")) for path in found)


def test_errors_name_cards_by_their_titles(cards):
    found = [{"kind": "wrong", "strategy": "uncertainty"}, {"kind": "other", "strategy": "badge"}]
    error = "recipe: strategies[1] (badge): 'column' is missing"
    assert cards.in_words(error, found) == "BADGE: 'column' is missing"
    assert cards.in_words("strategies[0] (uncertainty): no", found) == "What the model gets wrong: no"


def only(panel, kind):
    """Leave a card of one kind alone, and return its id."""
    for card in list(panel.state["order"]):
        panel.event("on_card", card=card, action="remove")
    panel.event("on_add", kind=kind)
    return panel.state["order"][0]


def change(panel, card, place, **values):
    panel.state["form"][card][place] = {**panel.state["form"][card][place], **values}


def test_a_card_with_a_rule_of_its_own_stands_alone(dataset, plugin):
    panel = HeadlessPanel(dataset)
    panel.event("on_add", kind="other")
    card = panel.state["order"][-1]
    path = f"form.{card}.more.strategy"
    panel.event("on_strategy", path=path, value="typiclust")
    sentence = "TypiClust chooses by a rule of its own"
    panel.event("on_select")
    assert panel.error.startswith(sentence)
    assert panel.texts().count(sentence) == 1
    assert dataset.list_runs() == []
    for other in panel.state["order"][:-1]:
        panel.event("on_card", card=other, action="remove")
    assert sentence not in panel.texts()


def test_examples_are_named_by_a_tag_and_never_chosen(dataset, plugin):
    dataset[10:13].tag_samples("like these")
    panel = HeadlessPanel(dataset)
    card = only(panel, "alike")
    change(panel, card, "main", to="like these")
    panel.enter("wanted", budget=4, tag="alike")
    panel.event("on_select")
    panel.finish()
    assert panel.error == ""
    recipe = dataset.get_run_info("alike").config.serialize()["recipe"]
    examples = dataset.match_tags("like these").values("id")
    assert recipe["strategies"][0]["to"] == recipe["filters"][0]["not_in"] == examples


def test_a_missing_table_of_costs_is_said(dataset, plugin):
    panel = HeadlessPanel(dataset)
    card = only(panel, "costly")
    panel.event("on_preview")
    assert panel.error == "Costly mistakes: enter the table of costs, as CSV or JSON"
    change(panel, card, "main", cost="not a table")
    panel.event("on_preview")
    panel.finish()
    assert "cost" in panel.error and panel.state.get("preview") is None


def test_cards_are_copied_and_moved(dataset, plugin):
    panel = HeadlessPanel(dataset)
    first, second = panel.state["order"]
    panel.event("on_card", card=first, action="copy")
    assert panel.cards()[0] == panel.cards()[1]
    panel.event("on_card", card=second, action="up")
    panel.event("on_card", card=second, action="up")
    assert panel.state["order"][0] == second
    panel.event("on_card", card=second, action="up")  # it is the first already
    assert panel.state["order"][0] == second


def test_recipes_round_trip_and_are_never_replaced(dataset, plugin):
    panel = HeadlessPanel(dataset)
    panel.enter("recipes", name="mine")
    panel.event("on_save_recipe")
    before = panel.cards()
    panel.event("on_card", card=panel.state["order"][0], action="remove")
    panel.enter("recipes", name="mine")
    panel.event("on_save_recipe")
    assert panel.error.startswith("There is a recipe 'mine' already")
    panel.enter("recipes", saved="mine")
    panel.event("on_open_recipe")
    assert panel.cards() == before
    panel.event("on_delete_recipe")
    panel.enter("recipes", saved="mine")
    panel.event("on_open_recipe")
    assert panel.error == "Choose a saved recipe first"


def test_cards_that_the_user_changed_are_not_proposed_anew(dataset, plugin):
    panel = HeadlessPanel(dataset)
    panel.event("on_card", card=panel.state["order"][0], action="remove")
    before = panel.cards()
    panel.event("on_made")
    assert panel.cards() == before


def test_an_input_that_the_user_changed_keeps_its_card(dataset, plugin):
    panel = HeadlessPanel(dataset)
    first = panel.state["order"][0]
    before = panel.cards()
    panel.event("on_made")
    assert first not in panel.state["order"] and panel.cards() == before  # proposed anew
    change(panel, panel.state["order"][0], "main", strength=0.5)
    panel.event("on_change")
    kept = list(panel.state["order"])
    panel.event("on_made")
    assert panel.state["order"] == kept and panel.cards()[0]["main"]["strength"] == 0.5


def test_a_card_tells_which_fields_do_not_fit_and_why(dataset, plugin):
    import fiftyone as fo

    dataset.add_sample_field("a *b*", fo.StringField)
    panel = HeadlessPanel(dataset)
    only(panel, "unlike")
    panel.event("on_card", card=panel.state["order"][0], action="open")
    told = panel.text("not_offered")
    assert told.startswith("Not offered: ")
    assert "predictions" in told and "(Classification)" in told and "sharpness (float)" in told
    assert told.endswith("It takes a vector field or a similarity run.")
    assert "embeddings" not in told and "filepath" not in told
    assert r"a \*b\*" in told


def test_what_is_not_chosen_is_named_and_not_blank(dataset, plugin):
    """The App shows a placeholder in place of an empty value."""
    dataset.delete_sample_field("ground_truth")
    panel = HeadlessPanel(dataset)
    assert panel.shown["labels"]["view"]["placeholder"] == "no sample is labeled"


def test_a_recipe_of_two_stages_is_opened_as_it_stands(dataset):
    panel = HeadlessPanel(dataset)
    two_stages = {
        "stages": [
            {"budget": 20, "strategies": [{"strategy": "uncertainty", "column": "predictions"}]},
            {"budget": 5, "strategies": [{"strategy": "diversity", "column": "embeddings"}]},
        ]
    }
    panel.enter("recipes", text=json.dumps(two_stages))
    panel.event("on_import_recipe")
    assert "more than cards can show" in panel.texts()
    panel.event("on_more")
    panel.event("on_export_recipe")
    assert "foo.get_operator" in panel.text("as_python_text")
    panel.event("on_preview")
    panel.finish()
    assert panel.error == "" and panel.state["preview"]["chosen"] == 5
    panel.event("on_cards")
    panel.event("on_step", step="matters")
    assert "more than cards can show" not in panel.texts()
