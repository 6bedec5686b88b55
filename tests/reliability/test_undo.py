"""Undo restores what was, whatever was selected between and whatever the user has changed since."""

import random

import pytest

from support.kills import WRITES

# How each operator that writes a selection is called; {} is replaced by a number.
WRITERS = {
    "select": {"budget": 5, "label_field": "ground_truth"},
    "select_uncertain": {"predictions": "predictions", "budget": 5},
    "select_informative": {"predictions": "sure", "embeddings": "embeddings", "budget": 4},
    "select_diverse": {"embeddings": "embeddings", "budget": 4},
    "select_representative": {"embeddings": "embeddings", "budget": 4},
    "select_balanced": {"by": "place", "budget": 6},
    "select_by_metadata": {"preferences": [{"field": "sharpness"}], "budget": 4},
    "select_by_similarity": {"embeddings": "embeddings", "example_tag": "mine", "budget": 4},
    "select_test_set": {"size": 5, "method": "random"},
    "find_outliers": {"embeddings": "embeddings", "neighbors": 2, "field": "odd_{}"},
    "find_near_duplicates": {"embeddings": "embeddings", "distance": 0.9, "field": "near_{}"},
}


def edits_of(dataset, rng, undone):
    """What the user may do between selections; each edit also says how it is kept."""
    import fiftyone as fo

    ids = dataset.values("id")

    def tag():
        dataset.select(rng.sample(ids, 3)).tag_samples("mine")

    def label():
        some = rng.sample(ids, 3)
        values = dict.fromkeys(some, fo.Classification(label="glass"))
        dataset.set_values("ground_truth", values, key_field="id")

    def view():
        dataset.save_view(f"view {rng.random():.9f}", dataset.limit(3))

    def field():
        dataset.set_values(f"field_{rng.randrange(10**9)}", [1.0] * len(ids))

    return [tag, label, view, field]


@pytest.mark.parametrize("seed", range(2))
def test_sequences_of_selections_edits_and_undos(dataset, operator, writing, everything, seed):
    rng = random.Random(seed)
    dataset.limit(4).tag_samples("mine")
    steps = list(WRITERS) * 2
    rng.shuffle(steps)
    made = []
    plain = dataset.clone()  # the same dataset, on which only the user works
    both = [edits_of(one, random.Random(seed), made) for one in (dataset, plain)]
    for number, name in enumerate(steps):
        which = rng.randrange(4)
        for edits in both:
            edits[which]()
        options = {
            key: value.format(number) if isinstance(value, str) else value
            for key, value in WRITERS[name].items()
        }
        shared = rng.random() < 0.4
        tag = "queue" if shared else f"tag {number}"
        more = {"tag": tag, "run_key": f"run_{number}", "saved_view": f"shown {number}"}
        if name.startswith("select"):
            more["skip_chosen"] = False  # else nothing is left in the end
        operator(name)(dataset, **options, **more, overwrite=shared)
        made.append(f"run_{number}")
        if rng.random() < 0.4:
            writing.undo(dataset, made.pop(rng.randrange(len(made))))
    rng.shuffle(made)
    for key in made:
        writing.undo(dataset, key)
    expected, found = everything(plain), everything(dataset)
    try:
        assert {name: found[name] for name in found if name != "samples"} == {
            name: expected[name] for name in expected if name != "samples"
        }
        paths = set(dataset.get_field_schema()) - {"ground_truth"} | {"ground_truth.label"}
        for path in sorted(paths):  # the user's new labels have ids of their own in each
            if path not in ("created_at", "last_modified_at"):
                assert str(dataset.values(path)) == str(plain.values(path)), path
    finally:
        plain.delete()


def test_many_ids_are_sent_in_parts(dataset, operator, writing, everything, plugin, monkeypatch):
    """As with 900,000 ids, which are too long for one command to MongoDB."""
    private = plugin("operators.dataset.fiftyone_private")
    monkeypatch.setattr(private, "IDS_A_COMMAND", 5)
    dataset.limit(2).tag_samples("queue")
    before = everything(dataset)
    longest = _longest_list_of_ids(monkeypatch)
    operator("select")(dataset, budget=30, label_field="ground_truth", tag="queue", overwrite=True)
    assert dataset.match_tags("queue").count() >= 30
    assert longest() == 5
    writing.undo(dataset, "queue")
    assert everything(dataset) == before


def _longest_list_of_ids(monkeypatch):
    """Returns a function that returns the length of the longest list of ids that was sent since."""
    from fiftyone.core.collections import SampleCollection

    lengths = [0]
    whole = SampleCollection.select

    def select(self, ids, *args, **kwargs):
        lengths.append(len(ids) if isinstance(ids, (list, tuple)) else 1)
        return whole(self, ids, *args, **kwargs)

    monkeypatch.setattr(SampleCollection, "select", select)
    return lambda: max(lengths)


def test_writes_are_known():
    assert {"insert", "update", "delete"} <= WRITES
