"""advise_strategy: what it reads of a dataset, and what it proposes."""

import json
import uuid

import numpy as np
import pytest

from support.operators import form_of

NAMES = ["a", "b"]


@pytest.fixture
def advise(operator):
    return operator("advise_strategy")


@pytest.fixture
def make(mongod):
    """A dataset of 120 samples; what is asked for is there, for the first ones labels."""
    import fiftyone as fo

    made = []

    def make(labeled=60, embeddings=True, predictions=True, rare=0.5, copies=0, sure=0.9):
        rng = np.random.default_rng(0)
        codes = (rng.random(120) < rare).astype(int)
        dataset = fo.Dataset(f"test-{uuid.uuid4().hex[:8]}")
        made.append(dataset)
        dataset.add_samples([fo.Sample(f"/{i}.png") for i in range(120)])
        if labeled:
            truth = [fo.Classification(label=NAMES[c]) for c in codes]
            dataset.set_values("ground_truth", [*truth[:labeled], *[None] * (120 - labeled)])
        if embeddings:
            vectors = rng.normal(size=(120, 8)) + 3 * np.eye(2, 8)[codes]
            vectors[120 - copies :] = vectors[:copies] if copies else vectors[120:]
            dataset.set_values("embeddings", list(vectors))
        if predictions:
            p = np.where(np.eye(2)[codes] == 1, sure, 1 - sure)
            found = [
                fo.Classification(label=NAMES[row.argmax()], logits=np.log(row), confidence=row.max())
                for row in p
            ]
            dataset.set_values("predictions", found)
        dataset.default_classes = NAMES
        dataset.save()
        return dataset

    yield make
    for dataset in made:
        dataset.delete()


def names(result):
    return [one["strategy"] for one in result["recipe"]["strategies"]]


def test_with_all_it_is_the_default_and_it_can_be_run(make, advise, operator, state):
    dataset = make()
    before = state(dataset)
    result = advise(dataset).result
    assert state(dataset) == before
    (first,) = result["recipe"]["strategies"][:1]
    assert first["strategy"] == "coverage" and first["weights"]["strategy"] == "uncertainty"
    facts = result["facts"]
    assert (facts["samples"], facts["labeled"], facts["holds"]) == (120, 60, "classes")
    truth = dataset.values("ground_truth.label")[:60]
    assert facts["classes"] == {"a": truth.count("a"), "b": truth.count("b")}
    assert facts["accuracy"] == 1.0 and facts["calibration"] == pytest.approx(0.1)
    assert all(one["source"] for one in result["reasons"])
    recipe = {**result["recipe"], "budget": 10}
    chosen = operator("select")(dataset, recipe=json.dumps(recipe)).result
    assert chosen["chosen"] == 10


def test_a_bare_dataset_is_chosen_from_by_chance(make, advise):
    result = advise(make(labeled=0, embeddings=False, predictions=False)).result
    assert names(result) == ["random"]
    assert any("compute embeddings" in one for one in result["unknown"])


def test_few_labels_are_covered_and_not_doubted(make, advise):
    result = advise(make(labeled=6)).result
    assert result["recipe"]["strategies"] == [{"strategy": "coverage", "column": "embeddings"}]
    assert "With 6 labels" in result["reasons"][0]["reason"]


def test_rare_classes_copies_and_calibration_are_seen(make, advise):
    result = advise(make(rare=0.12, copies=20, sure=0.6)).result
    assert "balance" in names(result)
    first = result["recipe"]["strategies"][0]
    assert first["weights"]["temperature"] == "fit"
    assert result["facts"]["copies"] > 0.2
    assert any("near-duplicates" in one for one in result["next"])


def test_answers_change_the_recipe(make, advise):
    dataset = make()
    assert "typicality" in names(advise(dataset, aim="common").result)
    edge = advise(dataset, aim="edge").result["recipe"]["strategies"]
    assert {"strategy": "uncertainty", "column": "predictions", "strength": 0.5} in edge
    cost = {"a": {"b": 5.0}, "b": {"a": 1.0}}
    plain, costly = advise(dataset, cost=cost).result["recipe"]["strategies"][:2]
    assert plain == {"strategy": "coverage", "column": "embeddings"}
    assert costly["strategy"] == "expected_cost" and costly["gain"]["a"] == {"a": 0.0, "b": -5.0}
    assert any("rare classes" in one for one in advise(dataset, test_set="rare").result["next"])


def test_boxes_are_aggregated_and_their_evaluation_is_asked_for(kinds, advise):
    result = advise(kinds, label_field="bare", predictions="boxes", embeddings="").result
    assert result["recipe"]["strategies"][0] == {
        "strategy": "uncertainty",
        "column": "boxes",
        "aggregate": "top_k",
    }
    assert result["facts"]["holds"] == "boxes"
    assert any("evaluate its boxes" in one for one in result["unknown"])


def test_bad_input_is_told(make, advise, plugin):
    invalid = plugin("alcore").InvalidInput
    dataset = make()
    with pytest.raises(invalid, match=r"embeddings: .* has no field 'absent'"):
        advise(dataset, embeddings="absent")
    with pytest.raises(invalid, match="aim: 'nonsense' is not one of both, common, edge"):
        advise(dataset, aim="nonsense")


def test_the_form_and_the_result_are_drawn(make, advise):
    from fiftyone.operators import types

    dataset = make()
    assert {"label_field", "aim", "mistakes", "test_set", "budget"} <= set(form_of(advise, dataset))
    outputs = types.Object()
    advise.draw_result(outputs, advise(dataset).result)
    assert {"facts_text", "advice_text", "recipe_text"} <= set(outputs.properties)
