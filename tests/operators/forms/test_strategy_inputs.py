"""The form of any strategy, and its card, are drawn from the strategy itself."""

import pytest

from support.operators import form_of

# Strategies that this dataset has no fields for, as it has no members, objects or maps.
NO_FIELDS = {"batch_bald", "clasp", "pal"}


@pytest.fixture
def strategies(plugin):
    return plugin("alcore.strategies")


def test_every_strategy_is_offered_with_its_words(unchanged, operator, strategies):
    offered = form_of(operator("select"), unchanged)["strategy"].view.choices
    lines = {choice.value: choice.description for choice in offered if choice.value}
    assert lines == {name: one.about.line for name, one in strategies.BY_NAME.items()}


def test_every_basic_option_is_in_the_form_and_on_the_card(unchanged, operator, plugin, strategies):
    options = plugin("operators.forms.options")
    for name, one in strategies.BY_NAME.items():
        form = form_of(operator("select"), unchanged, strategy=name)
        shown = {option.name for option in options.options_of(unchanged, name, {})}
        for option, info in one.model_fields.items():
            basics = strategies.basics_of(info)
            if any(not basic.when for basic in basics):
                assert f"{name}_{option}" in form and option in shown
            elif not basics:
                assert f"{name}_{option}" not in form
        more = form_of(operator("select"), unchanged, strategy=name, more_options=True)
        assert set(more) >= set(form)
        assert (f"{name}_strength" in more) == ("strength" in one.model_fields)


def test_any_strategy_chooses_by_its_form_alone(dataset, operator, strategies):
    dataset.limit(2).tag_samples("like")
    more = {
        "similarity": {"similarity_to": "like"},
        "like_failures": {"like_failures_to": "like"},
        "expected_cost": {"expected_cost_cost": "[[0, 1, 2], [3, 0, 1], [1, 4, 0]]"},
        "coverage": {"coverage_kernel": "cosine"},
        "weight": {"weight_column": "sharpness", "weight_prefer": "low"},
        "balance": {"balance_column": "taken"},
    }
    for name in strategies.BY_NAME:
        if name in NO_FIELDS:
            continue
        result = operator("select")(
            dataset,
            strategy=name,
            budget=3,
            tag=f"by_{name}",
            skip_chosen=False,
            **more.get(name, {}),
        ).result
        assert result["chosen"] == 3
        (entry,) = dataset.get_run_info(result["run_key"]).config.recipe["strategies"]
        assert entry["strategy"] == name
    assert dataset.get_run_info("by_balance").config.recipe["strategies"][0]["by"] == "hour"
    assert dataset.get_run_info("by_weight").config.recipe["strategies"][0]["prefer"] == "low"


def test_options_of_a_column_follow_its_kind(kinds, plugin):
    options = plugin("operators.forms.options")

    def names(strategy, column):
        return [one.name for one in options.options_of(kinds, strategy, {"column": column})]

    assert names("uncertainty", "one") == ["column", "measure"]
    assert names("uncertainty", "boxes") == ["column", "measure", "aggregate"]
    assert names("uncertainty", "heat") == ["column", "measure", "aggregate"]
    assert names("disagreement", "bare and boxes") == ["column"]
    assert names("balance", "variance") == ["column", "target", "bins"]
    over = options.options_of(kinds, "uncertainty", {"column": "boxes"})[-1]
    assert over.choices[0].path == "max"
