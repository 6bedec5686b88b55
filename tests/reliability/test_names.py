"""Names are compared as FiftyOne compares them, and nothing of the user's is overwritten or removed."""

import pytest

BY = {"strategies": [{"strategy": "random"}], "budget": 4}
# How each operator is called that writes a selection.
WRITERS = {
    "select": {"recipe": BY},
    "find_outliers": {"embeddings": "embeddings", "neighbors": 2, "field": ""},
    "select_test_set": {"size": 4, "method": "random"},
    "find_weak_slices": {
        "outcome": "sharpness",
        "fields": ["place"],
        "minimum": 2,
        "false_discoveries": 1.0,
        "slice": "place: dock",
    },
}


@pytest.fixture(params=WRITERS)
def write(request, operator, dataset):
    options = WRITERS[request.param]
    if request.param == "find_weak_slices":
        right = [0.0 if one == "dock" else 1 + n / 99 for n, one in enumerate(dataset.values("place"))]
        dataset.set_values("sharpness", right)

    def run(**more):
        return operator(request.param)(dataset, **{**options, **more}).result

    return run


@pytest.mark.parametrize("mine", ["next batch", "Next-Batch", "NEXT_BATCH"])
@pytest.mark.parametrize("overwrite", [False, True])
def test_a_view_that_is_the_same_to_fiftyone(dataset, write, everything, invalid, mine, overwrite):
    dataset.save_view(mine, dataset.limit(3), description="the user's")
    before = everything(dataset)
    with pytest.raises(invalid, match="is the same to FiftyOne, and is not this selection's"):
        write(tag="Next Batch", overwrite=overwrite)
    assert everything(dataset) == before and len(dataset.load_saved_view(mine)) == 3
    write(tag="Next Batch", saved_view="another", overwrite=overwrite)
    assert len(dataset.load_saved_view(mine)) == 3


def test_two_selections_do_not_share_a_view(write, invalid):
    write(tag="one", saved_view="Same View")
    with pytest.raises(invalid, match="saved_view: 'same-view' exists as 'Same View'"):
        write(tag="two", saved_view="same-view", overwrite=True)


def test_undo_leaves_what_the_user_made_anew(dataset, write, writing):
    import fiftyone as fo

    result = write(tag="mine")
    dataset.delete_saved_view(result["saved_view"])
    dataset.save_view(result["saved_view"], dataset.limit(2))
    rank = f"{result['run_key']}_rank"
    dataset.delete_sample_field(rank)
    dataset.add_sample_field(rank, fo.FloatField)
    dataset.set_values(rank, [0.5] * len(dataset))
    writing.undo(dataset, result["run_key"])
    assert len(dataset.load_saved_view(result["saved_view"])) == 2
    assert dataset.values(rank) == [0.5] * len(dataset)
    assert dataset.list_runs() == [] and dataset.count_sample_tags().get("mine") is None


def test_overwrite_leaves_what_the_user_made_anew(dataset, write, invalid):
    result = write(tag="mine")
    dataset.delete_saved_view(result["saved_view"])
    dataset.save_view(result["saved_view"], dataset.limit(2))
    with pytest.raises(invalid, match="saved_view: 'mine' exists, and is not this selection's"):
        write(tag="mine", overwrite=True)
    assert len(dataset.load_saved_view("mine")) == 2


@pytest.mark.parametrize("tag", ["次回", "✓✓", "Ünï", "a/b {c}", "x" * 300, "1", "class", "$tag.x"])
def test_tags_of_any_script(dataset, write, writing, everything, tag):
    before = everything(dataset)
    result = write(tag=tag)
    assert result["tag"] == tag and dataset.match_tags(tag).count() > 0
    assert dataset.has_saved_view(result["saved_view"])
    again = write(tag=tag, overwrite=True)
    assert again["run_key"] == result["run_key"] and len(dataset.list_runs()) == 1
    writing.undo(dataset, result["run_key"])
    assert everything(dataset) == before


@pytest.mark.parametrize(
    "names, message",
    [
        ({"tag": "  "}, "tag: '  ' holds blanks alone"),
        (
            {"tag": "t", "saved_view": "✓✓"},
            "saved_view: FiftyOne needs a letter from A to Z or a digit",
        ),
        ({"tag": "t", "saved_view": "x" * 2000}, "at most 1,551 characters"),
        ({"tag": "t", "run_key": "_p"}, "run_key: '_p' must start with a letter"),
        ({"tag": "t", "run_key": "a b"}, "run_key: 'a b' must start with a letter"),
    ],
)
def test_names_that_cannot_be_are_refused_before_any_work(
    dataset, write, everything, invalid, names, message
):
    before = everything(dataset)
    with pytest.raises(invalid, match=message):
        write(**names)
    assert everything(dataset) == before


def test_read_only_tags_are_refused_before_any_work(dataset, write, writing, everything, invalid):
    first = write(tag="first")
    tags = dataset.get_field("tags")
    tags.read_only = True
    tags.save()
    before = everything(dataset)
    with pytest.raises(invalid, match="field 'tags' is read-only"):
        write(tag="second")
    assert everything(dataset) == before
    writing.undo(dataset, first["run_key"])
    assert "first" not in dataset.count_sample_tags() and dataset.get_field("tags").read_only
    write(tag="", run_key="without")


def test_read_only_labels_are_refused_before_any_work(kinds, operator, writing, everything, invalid):
    recipe = {"budget": 2, "strategies": [{"strategy": "random"}]}
    operator("select")(kinds, recipe=recipe, objects="boxes", tag="first")
    field = kinds.get_field("boxes")
    field.read_only = True
    field.save()
    before = everything(kinds)
    with pytest.raises(invalid, match="field 'boxes' is read-only"):
        operator("select")(kinds, recipe=recipe, objects="boxes", tag="second")
    assert everything(kinds) == before
    writing.undo(kinds, "first")
    assert len(kinds.select_labels(tags="first", fields="boxes")) == 0


def test_undo_strips_only_what_no_other_selection_claims(dataset, running, writing):
    def select(key, ids, **more):
        recipe = {"budget": len(ids), "filters": [{"column": "id", "in": ids}]}
        recipe["strategies"] = [{"strategy": "random"}]
        request = running.SelectionRequest(tag="queue", run_key=key, saved_view="", **more)
        running.run_selection(dataset, recipe, request)

    ids = dataset.values("id")
    sample = dataset[ids[0]]
    sample.tags = ["queue"]
    sample.save()
    select("one", ids[:3], overwrite=True)
    select("two", ids[1:5], overwrite=True)

    def tagged():
        return sorted(dataset.match_tags("queue").values("id"))

    assert tagged() == sorted(ids[:5])
    writing.undo(dataset, "one")
    assert tagged() == sorted([ids[0], *ids[1:5]])
    writing.undo(dataset, "two")
    assert tagged() == [ids[0]]
