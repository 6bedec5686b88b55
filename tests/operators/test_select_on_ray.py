"""A selection by the App's operators on a Ray cluster."""

import pytest

from support.operators import last_line

RECIPE = {
    "budget": 6,
    "strategies": [
        {"strategy": "diversity", "column": "embeddings"},
        {"strategy": "weight", "column": "sharpness"},
    ],
}


def test_it_chooses_what_this_machine_alone_would(dataset, operator, monkeypatch):
    import ray

    select = operator("select")
    monkeypatch.delenv("RAY_ADDRESS", raising=False)
    ray.init(num_cpus=2, include_dashboard=False, log_to_driver=False, logging_level="error")
    try:
        there = select(dataset, recipe=RECIPE, device="ray", tag="there").result
        with pytest.raises(Exception) as refused:
            select(dataset, recipe={**RECIPE, "batch": "power"}, device="ray", tag="never")
    finally:
        ray.shutdown()
    here = select(dataset, recipe=RECIPE, tag="here").result
    assert dataset.match_tags("there").values("id") == dataset.match_tags("here").values("id")
    assert there["chosen"] == here["chosen"] == 6
    assert "is not possible with backend: 'ray'" in last_line(refused)
    with pytest.raises(Exception) as refused:
        select(dataset, recipe=RECIPE, device="ray", tag="never")
    assert "is not connected to a cluster" in last_line(refused)
    assert "never" not in dataset.distinct("tags")
