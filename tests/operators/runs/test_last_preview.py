"""A selection writes what was previewed, while nothing has changed; and why each was chosen."""

import numpy as np
import pytest

RECIPE = {
    "budget": 5,
    "strategies": [
        {"strategy": "uncertainty", "column": "predictions"},
        {"strategy": "diversity", "column": "embeddings"},
    ],
}


@pytest.fixture
def request_of(running, plugin):
    labeled = plugin("operators.reading.read").Labeled
    return lambda **more: running.SelectionRequest(labeled=labeled("ground_truth"), **more)


@pytest.fixture
def choices(running, monkeypatch):
    """The list of all selections that are really computed."""
    made = []
    whole = running.select

    def counted(*args, **kwargs):
        made.append(1)
        return whole(*args, **kwargs)

    monkeypatch.setattr(running, "select", counted)
    return made


def test_a_selection_writes_what_was_previewed(dataset, running, request_of, choices):
    _, chosen = running.preview(dataset.view(), RECIPE, request_of())
    result = running.run_selection(dataset.view(), RECIPE, request_of(tag="next"))
    assert len(choices) == 1
    assert running.view_of(dataset, result).values("id") == chosen.ids


def label_one(dataset):
    import fiftyone as fo

    sample = dataset.exists("ground_truth", False).first()
    sample["ground_truth"] = fo.Classification(label="new")
    sample.save()


def move_one(dataset):
    sample = dataset.last()
    sample["embeddings"] = -sample["embeddings"]
    sample.save()


def delete_one(dataset):
    dataset.delete_samples(dataset.skip(20).limit(1))


@pytest.mark.parametrize("change", [label_one, move_one, delete_one])
def test_any_change_of_the_data_is_seen(dataset, running, request_of, choices, change):
    running.preview(dataset.view(), RECIPE, request_of())
    change(dataset)
    running.preview(dataset.view(), RECIPE, request_of())
    assert len(choices) == 2


def test_another_view_other_labels_and_another_recipe_are_seen(dataset, running, request_of, choices):
    running.preview(dataset.view(), RECIPE, request_of())
    running.preview(dataset.limit(40), RECIPE, request_of())
    running.preview(dataset.limit(40), RECIPE, running.SelectionRequest())
    running.preview(dataset.limit(40), {**RECIPE, "budget": 6}, running.SelectionRequest())
    assert len(choices) == 4


def test_why_is_told_in_numbers_that_brute_force_gives(dataset, running, request_of, plugin):
    reading, chosen = running.preview(dataset.view(), RECIPE, request_of())
    why = chosen.report["why"]
    pool = reading.pool
    assert why["ids"] == chosen.ids and why["of"] == len(chosen)

    scores = plugin("alcore").score(pool, RECIPE["strategies"][0])
    candidates = scores[~pool.labeled]
    expected = [(candidates < scores[row]).mean() for row in chosen.indices]
    np.testing.assert_allclose(why["higher"]["uncertainty"], expected, atol=1e-6)

    vectors = pool.columns["embeddings"].astype(np.float64)
    others = {"nearest_labeled": np.flatnonzero(pool.labeled), "nearest_chosen": chosen.indices}
    for kind, rows in others.items():
        for row in chosen.indices:
            rest = rows[rows != row]
            apart = np.linalg.norm(vectors[rest] - vectors[row], axis=1)
            name, distance = why[kind][pool.ids[row]]
            assert name == pool.ids[rest[apart.argmin()]]
            assert distance == pytest.approx(apart.min(), rel=1e-3)


def test_why_is_stored_with_the_selection(dataset, running, request_of):
    result = running.run_selection(dataset.view(), RECIPE, request_of(tag="next"))
    stored = dataset.load_run_results(result["run_key"]).report["why"]
    assert stored["ids"] == running.view_of(dataset, result).values("id")


def test_what_each_strategy_cost_the_others(dataset, running, request_of, plugin):
    reading, chosen = running.preview(dataset.view(), RECIPE, request_of())
    costs = plugin("operators.evaluation.strategy_costs").costs_of
    rows = costs(reading, chosen, lambda share, label: None)
    assert [row[0] for row in rows] == ["uncertainty", "diversity"]
    by_it = {row[0]: row[2:] for row in rows}
    mine, alone, _ = (float(one.split()[1].rstrip("%")) for one in by_it["uncertainty"])
    assert mine <= alone
    radius, alone, _ = map(float, by_it["diversity"])
    assert radius >= alone > 0


def test_one_strategy_gives_nothing_up(dataset, running, request_of, plugin):
    recipe = {"budget": 3, "strategies": RECIPE["strategies"][:1]}
    reading, chosen = running.preview(dataset.view(), recipe, request_of())
    costs = plugin("operators.evaluation.strategy_costs").costs_of
    assert costs(reading, chosen, lambda share, label: None) == []
