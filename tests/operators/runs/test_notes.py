"""What is approximate is told to the user."""

import pytest


@pytest.fixture
def preview(plugin):
    run = plugin("operators.runs.run")
    changed = plugin("alcore.data.settings").changed

    def previewed(dataset, entry, budget=10, **settings):
        recipe = {"budget": budget, "strategies": [{"column": "embeddings", **entry}]}
        with changed(**settings):
            reading, _ = run.preview(dataset, recipe, run.SelectionRequest())
        return reading.notes

    return previewed


def test_an_approximate_graph_is_told_and_an_exact_one_is_not(unchanged, preview, plugin, monkeypatch):
    graph = plugin("alcore.geometry.neighbor_graph")
    monkeypatch.setattr(graph, "LONGEST", 8)
    monkeypatch.setattr(graph, "SHORTEST", 8)
    large = {"coverage_kept_up_to": 0, "exact_neighbors_up_to": 0}
    told = preview(unchanged, {"strategy": "coverage"}, **large)
    assert any("coverage: neighbors are approximate (recall 0." in note for note in told)
    assert any("of the samples are certain" in note for note in told)
    told = preview(unchanged, {"strategy": "typicality", "neighbors": 2}, **large)
    assert any("typicality: neighbors are approximate" in note for note in told)
    assert not any("neighbors" in note for note in preview(unchanged, {"strategy": "coverage"}))


def test_samples_that_stand_for_all_are_told(unchanged, preview, plugin, monkeypatch):
    coverage = plugin("alcore.strategies.coverage")
    for name, value in {"FAR_BEYOND": 0, "LEAST_DRAWN": 5, "DRAWN_A_CENTER": 1}.items():
        monkeypatch.setattr(coverage, name, value)
    told = preview(unchanged, {"strategy": "coverage"}, coverage_kept_up_to=0)
    assert "coverage: 10 samples, drawn from 48, stand for all" in told
