"""Recipes: what they accept, what they become, and what they say of a mistake."""

import json

import pytest

import alcore
from alcore import InvalidInput, Recipe
from alcore.strategies import BY_NAME

UNCERTAINTY = {"strategy": "uncertainty", "column": "p"}
DIVERSITY = {"strategy": "diversity", "column": "e"}
RANDOM = {"strategy": "random"}

FULL = {
    "budget": 100,
    "filters": [
        {"column": "sharpness", "min": 20, "max": 80.5},
        {"column": "taken", "min": "2024-01-01T00:00:00Z"},
        {"column": "site", "in": ["dock", "road"]},
        {"column": "id", "not_in": ["a"]},
    ],
    "strategies": [
        {**UNCERTAINTY, "measure": "entropy", "given": "logits", "temperature": 2.0},
        {**DIVERSITY, "metric": "cosine", "minimum_distance": 0.1, "strength": 0.5},
        {
            "strategy": "coverage",
            "column": "e",
            "kernel": "cosine",
            "bandwidth": 0.7,
            "weights": {"column": "p", "measure": "ratio"},
        },
        {"strategy": "balance", "column": "p", "target": {"a": 0.5}, "labels": "truth", "name": "even"},
        {"strategy": "weight", "column": "sharpness", "prefer": [1, 2], "strength": -1},
        {"strategy": "weight", "column": "noise", "prefer": {"around": 5, "width": 0.5}},
        {"strategy": "weight", "column": "light", "prefer": ["night", "dusk"]},
        {"strategy": "weight", "column": "wet", "prefer": [True]},
        {"strategy": "weight", "column": "lens", "prefer": {"wide": 1, "tele": 0}},
        RANDOM,
    ],
    "combine": "sum",
    "seed": 7,
}


def complaint(recipe):
    with pytest.raises(InvalidInput) as error:
        Recipe.of(recipe)
    return str(error.value)


def one(**entry):
    return {"budget": 10, "strategies": [entry]}


def filtered(**entry):
    return {"budget": 10, "filters": [entry]}


def test_dict_json_and_recipe_are_the_same():
    recipe = Recipe.of(FULL)
    assert Recipe.of(json.dumps(FULL)) == recipe
    assert Recipe.of(recipe) is recipe
    assert Recipe.of(recipe.model_dump_json(by_alias=True)) == recipe
    assert Recipe.of(recipe.model_dump(by_alias=True)) == recipe
    assert Recipe.of(recipe.model_dump(by_alias=True, exclude_none=True)) == recipe


def test_it_holds_what_was_given():
    recipe = Recipe.of(FULL)
    uncertainty, diversity, coverage, balance, weight, bell, ranking, wet, lens, _ = recipe.strategies
    assert (uncertainty.measure, uncertainty.given, uncertainty.temperature) == ("entropy", "logits", 2)
    assert (diversity.metric, diversity.minimum_distance, diversity.strength) == ("cosine", 0.1, 0.5)
    assert (coverage.kernel, coverage.bandwidth, coverage.weights.measure) == ("cosine", 0.7, "ratio")
    assert (balance.target, balance.labels, balance.name) == ({"a": 0.5}, "truth", "even")
    assert weight.prefer == (1, 2)
    assert (bell.prefer.around, bell.prefer.width) == (5, 0.5)
    assert (ranking.prefer, wet.prefer) == (["night", "dusk"], [True])
    assert lens.prefer == {"wide": 1, "tele": 0}
    assert recipe.filters[0].min == 20
    assert recipe.filters[1].min.year == 2024
    assert recipe.filters[2].in_ == ["dock", "road"]
    assert (recipe.budget, recipe.combine, recipe.seed) == (100, "sum", 7)


def test_what_is_left_out_has_a_default():
    recipe = Recipe.of({"budget": 0.25, "strategies": [UNCERTAINTY, {**DIVERSITY, "strength": 0}]})
    assert recipe.budget == 0.25
    assert (recipe.combine, recipe.seed, recipe.filters, recipe.stages) == ("product", 0, [], None)
    assert (recipe.strategies[0].measure, recipe.strategies[0].strength) == ("margin", 1)
    assert recipe.strategies[1].metric == "euclidean"


def test_a_recipe_cannot_be_changed_afterwards():
    recipe = Recipe.of(FULL)
    with pytest.raises(ValueError, match="frozen"):
        recipe.budget = 3


def test_one_stage_and_stages_read_alike():
    whole = Recipe.of({"budget": 3, "strategies": [RANDOM], "combine": "sum"})
    staged = Recipe.of({"stages": [{"budget": 3, "strategies": [RANDOM], "combine": "sum"}]})
    assert whole.in_stages() == staged.in_stages()


def test_the_json_schema_describes_every_strategy_and_option():
    schema = Recipe.model_json_schema()
    json.dumps(schema)
    assert set(schema["properties"]) == {
        "budget",
        "strategies",
        "filters",
        "combine",
        "batch",
        "coldness",
        "cost",
        "groups",
        "stop",
        "stages",
        "seed",
    }
    entries = schema["$defs"]
    known = schema["properties"]["strategies"]["anyOf"][0]["items"]["discriminator"]["mapping"]
    assert set(known) == set(BY_NAME)
    measures = entries["Uncertainty"]["properties"]["measure"]["anyOf"]
    assert measures[0]["enum"] == ["entropy", "margin", "least_confidence", "ratio"]
    of_filters = {"column", "min", "max", "in", "not_in", "similar_to", "minimum_distance", "classes"}
    assert set(entries["Filter"]["properties"]) == of_filters
    assert all(entry["additionalProperties"] is False for entry in entries.values())
    assert all("description" in entry for entry in entries.values())


MISTAKES = {
    "top level": (
        {"budget": 10, "strategys": []},
        "recipe: unknown option 'strategys'; it takes budget",
    ),
    "option": (
        one(**UNCERTAINTY, mesure="margin"),
        "strategies[0] (uncertainty): unknown option 'mesure'; it takes name, strength, column, m",
    ),
    "choice": (
        one(**UNCERTAINTY, measure="margn"),
        "strategies[0] (uncertainty).measure: input should be 'entropy', 'margin', 'least_confidence'",
    ),
    "second entry": (
        {"budget": 10, "strategies": [RANDOM, {**DIVERSITY, "metrik": "cosine"}]},
        "strategies[1] (diversity): unknown option 'metrik'; it takes name, strength, column, metric",
    ),
    "inner uncertainty": (
        one(strategy="coverage", column="e", weights={"column": "p", "mesure": "margin"}),
        "strategies[0] (coverage).weights: unknown option 'mesure'; it takes name, strength, column",
    ),
    "strategy": (
        one(strategy="uncertanty", column="p"),
        "strategies[0]: unknown strategy 'uncertanty'; there are coverage, uncertainty",
    ),
    "no strategy": (one(column="p"), "strategies[0]: 'strategy' is missing; there are coverage"),
    "no column": (
        one(strategy="diversity"),
        "strategies[0] (diversity): 'column' is missing; it takes name, strength, column, metric",
    ),
    "no entries": ({"budget": 10, "strategies": []}, "strategies: list should have at least 1 item"),
    "entry no dict": ({"budget": 10, "strategies": ["random"]}, "strategies[0]: input should be"),
    "strategies no list": ({"budget": 10, "strategies": RANDOM}, "strategies: input should be a"),
    "same strategy twice": (
        {"budget": 10, "strategies": [UNCERTAINTY, UNCERTAINTY]},
        "strategies: two are named 'uncertainty p'; give each a name of its own",
    ),
    "same name twice": (
        {"budget": 10, "strategies": [{**UNCERTAINTY, "name": "a"}, {**DIVERSITY, "name": "a"}]},
        "strategies: two are named 'a'; give each a name of its own",
    ),
    "combine": (
        {"budget": 10, "combine": "sums"},
        "combine: input should be 'product', 'sum' or 'lightly'",
    ),
    "cost without budget": (
        {"strategies": [RANDOM], "cost": {"column": "minutes"}},
        "cost: 'budget' is missing; it takes column, budget",
    ),
    "cost below 0": (
        {"strategies": [RANDOM], "cost": {"column": "minutes", "budget": -1}},
        "cost.budget: input should be greater than 0",
    ),
    "groups of neither kind": (
        {"budget": 3, "strategies": [RANDOM], "groups": {"column": "video"}},
        "groups: needs one of: whole, at_most",
    ),
    "groups of a rule": (
        {
            "budget": 3,
            "strategies": [{"strategy": "minority", "column": "p"}],
            "groups": {"column": "video", "whole": True},
        },
        "groups: does not go with 'minority', which chooses by a rule of its own",
    ),
    "cost of what is drawn": (
        {"strategies": [RANDOM], "batch": "power", "cost": {"column": "c", "budget": 1}},
        "cost: does not go with 'power'",
    ),
    "no budget": ({"strategies": [RANDOM]}, "budget: is missing; say how many samples to choose"),
    "stages and budget": (
        {"budget": 10, "stages": [{"budget": 3}]},
        "cost, groups and stop belong inside the stages",
    ),
    "stages and strategies": (
        {"strategies": [RANDOM], "stages": [{"budget": 3}]},
        "cost, groups and stop belong inside the stages",
    ),
    "stage without budget": (
        {"stages": [{}]},
        "stages[0]: budget: is missing; say how many samples to choose",
    ),
    "option of a stage": (
        {"stages": [{"budget": 3}, {"budget": 1, "combin": "sum"}]},
        "stages[1]: unknown option 'combin'; it takes budget, strategies, filters, combine",
    ),
    "strategy of a stage": (
        {"stages": [{"budget": 3, "strategies": [{"strategy": "x"}]}]},
        "stages[0].strategies[0]: unknown strategy 'x'; there are coverage",
    ),
    "names in a stage": (
        {"stages": [{"budget": 3, "strategies": [RANDOM, RANDOM]}]},
        "stages[0]: strategies: two are named 'random'",
    ),
    "budget of a stage": ({"stages": [{"budget": 0}]}, "stages[0]: 0 is not a budget"),
    "range the wrong way round": (
        one(strategy="weight", column="n", prefer=[3, 1]),
        "strategies[0] (weight): prefer: the range [3.0, 1.0] is the wrong way round",
    ),
    "range of three": (
        one(strategy="weight", column="n", prefer=[1, 2, 3]),
        "strategies[0] (weight).prefer: a range is [from, to], and of categories there are names",
    ),
    "no preference": (
        one(strategy="weight", column="n", prefer="most"),
        "strategies[0] (weight).prefer: give 'high', 'low', a range [from, to], {'around': a, 'width'",
    ),
    "bell without width": (
        one(strategy="weight", column="n", prefer={"around": 3}),
        "strategies[0] (weight).prefer: 'width' is missing; it takes around, width",
    ),
    "option of a bell": (
        one(strategy="weight", column="n", prefer={"around": 3, "width": 1, "hight": 1}),
        "strategies[0] (weight).prefer: unknown option 'hight'; it takes around, width",
    ),
    "bell of no width": (
        one(strategy="weight", column="n", prefer={"around": 3, "width": 0}),
        "strategies[0] (weight).prefer.width: input should be greater than or equal to",
    ),
    "ranked twice": (
        one(strategy="weight", column="n", prefer=["night", "night"]),
        "strategies[0] (weight): prefer: 'night' is named twice",
    ),
    "ranking of names and numbers": (
        one(strategy="weight", column="n", prefer=["night", 3]),
        "strategies[0] (weight).prefer[1]: input should be a valid boolean, or input should be a valid",
    ),
    "all worth the same": (
        one(strategy="weight", column="n", prefer={"night": 1}),
        "strategies[0] (weight): prefer: give at least two categories that are not worth the same",
    ),
    "worth below 0": (
        one(strategy="weight", column="n", prefer={"night": -1, "day": 1}),
        "strategies[0] (weight).prefer.night: input should be greater than or equal to 0",
    ),
    "bandwidth": (one(strategy="coverage", column="e", bandwidth=-1), "(coverage).bandwidth: "),
    "temperature": (one(**UNCERTAINTY, temperature=0), "(uncertainty).temperature: "),
    "minimum distance": (one(**DIVERSITY, minimum_distance=0), "(diversity).minimum_distance: "),
    "target": (
        one(strategy="balance", column="p", target="unifrm"),
        "strategies[0] (balance).target: input should be 'uniform' or 'input'",
    ),
    "share below 0": (one(strategy="balance", column="p", target={"a": -1}), "(balance).target"),
    "strength": (one(**RANDOM, strength=float("inf")), "(random).strength: input should be a finite"),
    "filter says nothing": (
        filtered(column="n"),
        "filters[0]: needs one of: min and/or max, in, not_in",
    ),
    "filter says two things": (
        filtered(column="n", min=1, **{"in": [1]}),
        "filters[0]: needs one of: min and/or max, in, not_in",
    ),
    "option of a filter": (
        filtered(column="n", minimum=1),
        "filters[0]: unknown option 'minimum'; it takes column, min, max, in, not_in",
    ),
    "filter without column": (
        filtered(min=1),
        "filters[0]: 'column' is missing; it takes column, min, max, in, not_in",
    ),
    "filter of a stage": (
        {"stages": [{"budget": 3, "filters": [{"colum": "n", "min": 1}]}]},
        "stages[0].filters[0]: unknown option 'colum'; it takes column, min, max, in, not_in",
    ),
    "bound no number": (filtered(column="n", min="abc"), "filters[0].min: "),
    "seed": ({"budget": 10, "seed": -1}, "seed: input should be greater than or equal to 0"),
    "not JSON": ("{budget: 3}", "recipe: is not JSON: "),
    "a list": ([1], "recipe: input should be a "),
    "JSON of a list": ("[1]", "recipe: input should be a "),
}


@pytest.mark.parametrize(("recipe", "sentence"), MISTAKES.values(), ids=MISTAKES.keys())
def test_a_mistake_is_named_with_its_place_and_what_may_stand_there(recipe, sentence):
    said = complaint(recipe)
    assert said.startswith("recipe: ")
    assert sentence in said
    assert "\n" not in said


@pytest.mark.parametrize("budget", [0, -1, 0.0, -0.5, 1.5, True, "x", "3", float("nan"), [1]])
def test_what_is_no_budget_is_said_to_be_none(budget):
    assert complaint({"budget": budget}) == (
        f"recipe: budget: {budget!r} is not a budget; give a count of at least 1, or a share above 0 "
        "and at most 1.0"
    )


@pytest.mark.parametrize("budget", [1, 10**9, 0.001, 1.0])
def test_a_budget_is_a_count_or_a_share(budget):
    kept = Recipe.of({"budget": budget}).budget
    assert (kept, type(kept)) == (budget, type(budget))


def test_bad_input_is_also_a_value_error():
    assert issubclass(InvalidInput, ValueError)


def test_select_says_the_same():
    with pytest.raises(InvalidInput, match="recipe: unknown option 'budgets'"):
        alcore.select(alcore.Pool(3), {"budgets": 2})
