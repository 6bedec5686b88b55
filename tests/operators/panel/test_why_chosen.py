"""Why an image was chosen, in words."""

import pytest

URI = "@alcore/active_learning/why_chosen"
RECIPE = {
    "budget": 4,
    "strategies": [
        {"strategy": "uncertainty", "column": "predictions"},
        {"strategy": "diversity", "column": "embeddings"},
    ],
}


@pytest.fixture
def texts(dataset, plugin):
    """The texts that the panel shows of a sample."""
    import fiftyone.operators as foo

    def shown(sample):
        params = {"panel_id": "w", "__method__": "on_load", "panel_state": {}}
        where = {"dataset": dataset, "current_sample": sample}
        requests = foo.execute_operator(URI, where, params=params).executor.to_json()["requests"]
        output = next(one["params"]["output"] for one in requests if "output" in one["params"])
        properties = output["type"]["properties"].values()
        return "\n".join(str(one.get("default") or one["view"].get("label")) for one in properties)

    return shown


def test_a_chosen_image_tells_its_rank_and_its_reasons(dataset, operator, texts):
    operator("select")(dataset, recipe=RECIPE, label_field="ground_truth", tag="next")
    first, *_ = dataset.load_saved_view("next").values("id")
    text = texts(first)
    assert "Chosen by next" in text and "Number 1 of 4 in the order chosen." in text
    assert "More uncertain than" in text and "% of the pool." in text
    assert "from the nearest labeled image:" in text
    assert "from the nearest other chosen image:" in text
    assert "Diversity: it added" in text


def test_an_image_that_nothing_chose_says_so(dataset, operator, texts):
    assert "No selection has chosen this image" in texts(dataset.first().id)
    operator("select")(dataset, recipe=RECIPE, label_field="ground_truth", tag="next")
    assert "No selection has chosen this image" in texts(dataset.first().id)
