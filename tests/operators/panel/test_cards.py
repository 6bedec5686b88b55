"""Every strategy has a card, which makes its recipe entry, and of which the entry makes the card."""

import pytest


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
