"""A selection by the App's operators on a Ray cluster."""

import pytest

from support.operators import form_of, last_line, offered

RECIPE = {
    "budget": 6,
    "strategies": [
        {"strategy": "diversity", "column": "embeddings"},
        {"strategy": "weight", "column": "sharpness"},
    ],
}


def test_it_chooses_what_this_machine_alone_would(dataset, operator, ray_cluster):
    select = operator("select")
    there = select(dataset, recipe=RECIPE, device="ray", tag="there").result
    here = select(dataset, recipe=RECIPE, tag="here", skip_chosen=False).result
    assert dataset.match_tags("there").values("id") == dataset.match_tags("here").values("id")
    assert there["chosen"] == here["chosen"] == 6
    with pytest.raises(Exception) as refused:
        select(dataset, recipe={**RECIPE, "batch": "power"}, device="ray", tag="never")
    assert "is not possible with backend: 'ray'" in last_line(refused)
    assert "never" not in dataset.distinct("tags")


@pytest.mark.parametrize("name", ["select_uncertain", "select_diverse", "select_balanced"])
def test_the_form_offers_a_cluster_where_one_is_configured(dataset, operator, monkeypatch, name):
    monkeypatch.delenv("RAY_ADDRESS", raising=False)
    assert "device" not in form_of(operator(name), dataset)
    monkeypatch.setenv("RAY_ADDRESS", "ray://somewhere:10001")
    assert offered(form_of(operator(name), dataset)["device"]) == ["auto", "ray"]
