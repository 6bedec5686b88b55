"""Diverse, representative and similar samples, near-duplicates and outliers: as alcore has them."""

import numpy as np
import pytest

import alcore as engine
from support.operators import form_of


@pytest.fixture
def pool(dataset):
    return pool_of(dataset)


def pool_of(dataset):
    """The dataset's columns as arrays, the first 8 labeled."""
    logits = np.stack(dataset.values("predictions.logits")).astype(np.float64)
    p = np.exp(logits) / np.exp(logits).sum(1, keepdims=True)
    return engine.Pool(
        len(dataset),
        ids=dataset.values("id"),
        labeled=np.arange(len(dataset)) < 8,
        columns={"embeddings": np.stack(dataset.values("embeddings")), "predictions": p},
    )


def chosen_by(dataset, operator, options):
    operator(dataset, budget=6, tag="r", label_field="ground_truth", **options)
    return dataset.load_run_results("r").ids


E = {"column": "embeddings"}
P = {"column": "predictions"}
WEIGHTED = {"weights": P}
CASES = [
    ("select_diverse", {}, [{"strategy": "coverage", **E}]),
    ("select_diverse", {"kernel": "cosine"}, [{"strategy": "coverage", "kernel": "cosine", **E}]),
    ("select_diverse", {"predictions": "predictions"}, [{"strategy": "coverage", **E, **WEIGHTED}]),
    (
        "select_diverse",
        {"method": "probcover", "radius": 0.5},
        [{"strategy": "coverage", "kernel": "ball", "radius": 0.5, **E}],
    ),
    (
        "select_diverse",
        {"method": "probcover", "predictions": "predictions"},
        [{"strategy": "coverage", "kernel": "ball", "clusters": 3, **E, **WEIGHTED}],
    ),
    (
        "select_diverse",
        {"method": "k_center", "metric": "cosine", "ignore_outliers": 0.2},
        [{"strategy": "diversity", "metric": "cosine", "ignore_outliers": 0.2, **E}],
    ),
    ("select_diverse", {"method": "determinantal"}, [{"strategy": "determinantal", **E}]),
    ("select_diverse", {"method": "k_means"}, [{"strategy": "representatives", **E}]),
    (
        "select_diverse",
        {"method": "k_medoids", "metric": "cosine"},
        [{"strategy": "representatives", "method": "k_medoids", "metric": "cosine", **E}],
    ),
    (
        "select_diverse",
        {"method": "badge", "predictions": "predictions", "seed": 3},
        [{"strategy": "badge", **P, "embeddings": "embeddings"}],
    ),
    ("select_representative", {}, [{"strategy": "typiclust", **E}]),
    ("select_representative", {"neighbors": 5}, [{"strategy": "typiclust", "neighbors": 5, **E}]),
    (
        "select_representative",
        {"method": "typicality", "different": False},
        [{"strategy": "typicality", **E}],
    ),
    (
        "select_representative",
        {"method": "typicality", "predictions": "predictions"},
        [
            {"strategy": "typicality", **E},
            {"strategy": "uncertainty", **P},
            {"strategy": "diversity", **E},
        ],
    ),
    (
        "select_representative",
        {"method": "outliers"},
        [{"strategy": "typicality", "strength": -1, **E}],
    ),
    (
        "select_representative",
        {"method": "coverage"},
        [{"strategy": "coverage", "kernel": "cosine", **E}],
    ),
    (
        "select_representative",
        {"method": "representative_informative", "predictions": "predictions", "beta": 2.0},
        [{"strategy": "representative_informative", "beta": 2.0, **P}],
    ),
]


@pytest.mark.parametrize(("name", "options", "strategies"), CASES)
def test_picks_are_those_of_alcore(unchanged, operator, state, name, options, strategies):
    before = state(unchanged)
    by_model = options.get("method") == "representative_informative"
    given = options if by_model else {"embeddings": "embeddings", **options}
    recipe = {"budget": 6, "strategies": strategies, "seed": options.get("seed", 0)}
    expected = engine.select(pool_of(unchanged), recipe).ids
    assert chosen_by(unchanged, operator(name), given) == expected
    operator("undo_selection")(unchanged, "r")
    assert state(unchanged) == before


def test_near_duplicates_are_removed_first(dataset, operator, pool):
    X = pool.columns["embeddings"]
    X[20:30] = X[30:40] + 1e-3
    dataset.set_values("embeddings", list(X))
    given = {"embeddings": "embeddings", "duplicates_within": 0.1}
    recipe = {
        "budget": 40,
        "filters": [{"column": "embeddings", "minimum_distance": 0.1}],
        "strategies": [{"strategy": "coverage", **E}],
    }
    select = operator("select_diverse")
    result = select(dataset, budget=40, tag="r", label_field="ground_truth", **given).result
    assert result["chosen"] == 30
    assert dataset.load_run_results("r").ids == engine.select(pool, recipe).ids


def similar(pool, ids, entries=(), filters=(), **options):
    strategies = [{"strategy": "similarity", "to": ids, **E, **options}, *entries]
    filters = [{"column": "id", "not_in": ids}, *filters]
    return engine.select(pool, {"budget": 6, "filters": filters, "strategies": strategies}).ids


def test_like_a_tag_and_unlike_it(dataset, operator, pool):
    dataset[10:13].tag_samples("like")
    ids = dataset.values("id")[10:13]
    select = operator("select_by_similarity")
    given = {"embeddings": "embeddings", "example_tag": "like"}
    assert chosen_by(dataset, select, given) == similar(pool, ids)
    operator("undo_selection")(dataset, "r")
    unlike = {**given, "prefer": "unlike", "predictions": "predictions", "different": True}
    entries = [{"strategy": "uncertainty", **P}, {"strategy": "diversity", "metric": "cosine", **E}]
    assert chosen_by(dataset, select, unlike) == similar(pool, ids, entries, strength=-1)


def test_like_what_is_selected(dataset, operator, pool):
    import fiftyone.operators as foo

    ids = dataset.values("id")[12:15]
    params = {"embeddings": "embeddings", "examples": "selected", "budget": 6, "tag": "r"}
    uri = operator("select_by_similarity").uri
    request = {"dataset": dataset, "selected": ids}
    foo.execute_operator(uri, request, params={**params, "label_field": "ground_truth"})
    assert dataset.load_run_results("r").ids == similar(pool, ids)
    form = form_of(
        operator("select_by_similarity"), dataset, {"selected": ids}, **{**params, "tag": "s"}
    )
    assert "SELECTED_SAMPLES" not in form["view_target"].type.values and "recipe_error" not in form


def test_a_threshold_before_another_choice(dataset, operator, pool):
    ids = dataset.values("id")[10:12]
    given = {"embeddings": "embeddings", "example_ids": ids, "use": "filter", "threshold": 0.2}
    filters = [
        {"column": "id", "not_in": ids},
        {"column": "embeddings", "similar_to": ids, "min": 0.2},
    ]
    recipe = {"budget": 6, "filters": filters, "strategies": [{"strategy": "coverage", **E}]}
    expected = engine.select(pool, recipe).ids
    assert chosen_by(dataset, operator("select_by_similarity"), given) == expected


def test_examples_need_not_be_in_the_view(dataset, operator, pool):
    ids = dataset.values("id")[10:12]
    operator("select_by_similarity")(
        dataset.skip(20), embeddings="embeddings", example_ids=ids, budget=4, tag="r"
    )
    X = pool.columns["embeddings"]
    X = X / np.linalg.norm(X, axis=1, keepdims=True)
    order = np.argsort(-(X[20:] @ X[10:12].T).max(1), kind="stable")[:4] + 20
    assert dataset.load_run_results("r").ids == [pool.ids[row] for row in order.tolist()]
    record = dataset.get_run_info("r").config
    assert record.recipe["strategies"][0]["to"] == ids
    vectors = record.examples["embeddings"]  # by which it can be repeated
    assert set(vectors) == set(ids) and {len(one) for one in vectors.values()} == {6}


class TextModel:
    """Stands for a model that reads text: a prompt is the number of a dimension."""

    can_embed_prompts = True

    def __enter__(self):
        return self

    def __exit__(self, *args):
        return False

    def embed_prompts(self, prompts):
        return np.stack([np.eye(6)[int(prompt)] for prompt in prompts])


def test_like_a_text(dataset, operator, pool, monkeypatch, state):
    import fiftyone.brain as fob
    import fiftyone.zoo as foz

    select = operator("select_by_similarity")
    fob.compute_similarity(dataset, embeddings="embeddings", brain_key="plain")
    before = state(dataset)
    for key in ("embeddings", "plain"):
        with pytest.raises(Exception, match=f"'{key}' is no similarity run whose model reads text"):
            select(dataset, embeddings=key, prompt="2")
    assert state(dataset) == before
    monkeypatch.setattr(foz, "load_zoo_model", lambda name, **kwargs: TextModel())
    fob.compute_similarity(dataset, embeddings="embeddings", model="reads-text", brain_key="clip")
    given = {"embeddings": "clip", "prompt": "2"}
    recipe = {"budget": 6, "strategies": [{"strategy": "similarity", "to": [np.eye(6)[2]], **E}]}
    assert chosen_by(dataset, select, given) == engine.select(pool, recipe).ids
    with pytest.raises(Exception, match="the model of 'clip' cannot embed it"):
        select(dataset, embeddings="clip", prompt="a cat", tag="s")


REFUSED = [
    ("select_diverse", {"method": "nearest"}, "there is no 'nearest'; choose one of coverage"),
    ("select_diverse", {"minimum_distance": 0.0, "method": "diversity"}, "minimum_distance"),
    ("select_diverse", {"duplicates_within": -1.0}, "minimum_distance: input should be greater"),
    ("select_diverse", {"method": "badge", "predictions": "sharpness"}, "'sharpness' is a FloatField"),
    ("select_representative", {"method": "dense"}, "there is no 'dense'; choose one of typiclust"),
    ("select_representative", {"predictions": "predictions"}, "'typiclust' chooses by itself"),
    ("select_by_similarity", {}, "example_tag: name the tag"),
    ("select_by_similarity", {"example_tag": "none"}, "nothing has the tag 'none'"),
    ("select_by_similarity", {"example_ids": ["0" * 24]}, "examples: 1 of 1 are not in"),
    ("select_by_similarity", {"examples": "selected"}, "select one or more samples in the App"),
    ("select_by_similarity", {"example_ids": ["x"], "use": "sort"}, "use: there is no 'sort'"),
    ("find_near_duplicates", {"distance": -1.0}, "distance: -1.0 is not a number above 0"),
    ("find_near_duplicates", {"field": "sharpness"}, "field 'sharpness' exists"),
    ("find_near_duplicates", {"metric": "l1"}, "should be 'euclidean' or 'cosine'"),
    ("find_near_duplicates", {"run_key": "1st"}, "run_key: '1st' must start with a letter"),
    ("find_outliers", {"share": 0.0}, "share: 0.0 is not a share above 0"),
    ("find_outliers", {"neighbors": 0}, "neighbors: 0 is not a count"),
    ("find_outliers", {"color": 1}, "unknown option 'color'"),
    ("find_outliers", {"embeddings": "sharpness"}, "'sharpness' is a FloatField; it takes a vector"),
]


@pytest.mark.parametrize(("name", "options", "sentence"), REFUSED)
def test_what_is_wrong_is_said_and_nothing_written(unchanged, operator, state, name, options, sentence):
    before = state(unchanged)
    with pytest.raises(Exception) as error:
        operator(name)(unchanged, **{"embeddings": "embeddings", **options})
    assert sentence in str(error.value)
    assert state(unchanged) == before


FORMS = [
    ("select_diverse", {"method": "probcover"}, {"radius", "clusters", "predictions"}),
    ("select_diverse", {"method": "badge"}, {"predictions", "duplicates_within"}),
    ("select_diverse", {"method": "diversity"}, {"metric", "minimum_distance", "ignore_outliers"}),
    ("select_representative", {"method": "typicality"}, {"metric", "predictions", "different"}),
    ("select_representative", {"method": "representative_informative"}, {"predictions", "beta"}),
    ("select_by_similarity", {"examples": "prompt", "use": "filter"}, {"prompt", "threshold"}),
    ("find_near_duplicates", {}, {"distance", "label_field", "show_preview"}),
    ("find_outliers", {}, {"share", "neighbors", "show_preview"}),
]


@pytest.mark.parametrize(("name", "params", "asked"), FORMS)
def test_forms_ask_what_the_method_needs(unchanged, operator, name, params, asked):
    form = form_of(operator(name), unchanged, **params)
    assert asked <= set(form)
    if "clusters" in asked:
        assert form["clusters"].default == 3


@pytest.mark.parametrize(
    ("name", "params"),
    [
        ("select_diverse", {"embeddings": "embeddings"}),
        ("select_representative", {"embeddings": "listed", "method": "typicality"}),
        ("select_uncertain", {"predictions": "predictions"}),
        ("find_near_duplicates", {"embeddings": "embeddings"}),
        ("find_outliers", {"embeddings": "embeddings", "metric": "cosine"}),
    ],
)
def test_a_preview_draws_and_writes_nothing(unchanged, operator, state, name, params):
    before = state(unchanged)
    form = form_of(operator(name), unchanged, show_preview=True, budget=5, **params)
    assert "preview_error" not in form and "preview_text" in form
    data = form["plot_0"].view.data
    assert data and all(len(trace["x"]) == len(trace["y"]) for trace in data)
    assert state(unchanged) == before


def test_a_plane_is_offered_where_it_is_installed(unchanged, operator, plugin, monkeypatch):
    params = {"embeddings": "embeddings", "show_preview": True, "budget": 5}
    form = form_of(operator("select_diverse"), unchanged, **params)
    assert "plane" not in form and form["plot_0"].view.layout["xaxis"]["title"]["text"]
    module = plugin("alcore.geometry.projection")
    monkeypatch.setattr(module, "methods", lambda: ["pca", "umap"])
    monkeypatch.setattr(module, "_fitted", lambda X, method, seed, count: X[:, :2])
    form = form_of(operator("select_diverse"), unchanged, plane="umap", **params)
    assert form["plane"].type.values == ["pca", "umap"]
    assert not form["plot_0"].view.layout["xaxis"]["title"]["text"]


def test_the_preview_says_what_cannot_be_computed(dataset, operator):
    vectors = dataset.values("embeddings")
    dataset.set_values("embeddings", [np.full(6, np.nan), *vectors[1:]])
    for name in ("select_diverse", "find_outliers"):
        form = form_of(operator(name), dataset, show_preview=True, embeddings="embeddings")
        assert "NaN or infinite values" in form["preview_error"].view.label


# Found, not chosen


@pytest.fixture
def copied(dataset):
    """Of 48 samples 40 to 45 are nearly copies of 0, 0, 1, 30, 31 and 32."""
    X = np.stack(dataset.values("embeddings"))
    X[40:46] = X[[0, 0, 1, 30, 31, 32]] + 1e-3
    dataset.set_values("embeddings", list(X))
    return dataset


def test_near_duplicates_are_grouped_and_tagged(copied, operator, state):
    ids = copied.values("id")
    before = state(copied)
    find = operator("find_near_duplicates")
    result = find(copied, embeddings="embeddings").result
    assert (result["groups"], result["samples"], result["tagged"]) == (5, 11, 6)
    assert copied.match_tags("near-duplicate").values("id") == ids[40:46]
    view = copied.load_saved_view("near-duplicate")
    assert view.values("near_duplicate_group") == [1, 1, 1, 2, 2, 3, 3, 4, 4, 5, 5]
    assert view.values("id")[:5] == [ids[0], ids[40], ids[41], ids[1], ids[42]]
    assert len(copied.exists("near_duplicate_group")) == 11
    rows = operator("list_selections")(copied).result["selections"]
    assert rows[0]["strategies"] == "near duplicates"
    # What was found is not taken for labeled.
    chosen = operator("select")(copied, budget=4, skip_chosen=True, tag="next").result
    assert chosen["labeled"] == 0
    operator("undo_selection")(copied, "next")
    operator("undo_selection")(copied, "near_duplicate")
    assert state(copied) == before


def test_of_a_group_a_labeled_sample_stays(copied, operator):
    ids = copied.values("id")
    truth = copied.values("ground_truth")
    copied.set_values("ground_truth", [None] * 45 + [truth[0], None, None])
    given = {"embeddings": "embeddings", "metric": "cosine", "label_field": "ground_truth"}
    operator("find_near_duplicates")(copied, distance=1e-5, tag="copy", field="", **given)
    assert copied.match_tags("copy").values("id") == [ids[32], *ids[40:45]]
    assert copied.get_field("near_duplicate_group") is None


def test_where_there_are_none_nothing_is_written(dataset, operator, state):
    before = state(dataset)
    find = operator("find_near_duplicates")
    result = find(dataset, embeddings="embeddings", distance=1e-6).result
    assert result["groups"] == 0 and result["run_key"] is None
    assert state(dataset) == before


@pytest.mark.parametrize("metric", ["euclidean", "cosine"])
def test_outliers_are_the_least_typical(dataset, operator, pool, state, metric):
    before = state(dataset)
    given = {"embeddings": "embeddings", "metric": metric, "neighbors": 5}
    result = operator("find_outliers")(dataset, share=0.25, tag="odd", **given).result
    assert (result["samples"], result["tagged"]) == (48, 12)
    scored = engine.score(pool, {"strategy": "typicality", "metric": metric, "neighbors": 5, **E})
    np.testing.assert_allclose(dataset.values("typicality"), scored)
    order = np.argsort(scored, kind="stable")[:12]
    assert dataset.load_saved_view("odd").values("id") == [pool.ids[row] for row in order.tolist()]
    assert dataset.count_sample_tags() == {"odd": 12}
    operator("undo_selection")(dataset, "odd")
    assert state(dataset) == before


def test_an_overwrite_that_fails_leaves_what_was_found_before(dataset, operator, state, monkeypatch):
    import fiftyone as fo

    find = operator("find_outliers")
    find(dataset, embeddings="embeddings", share=0.5)
    before, values = state(dataset), dataset.values("typicality")
    save, calls = fo.Dataset.save_view, []

    def fail_once(self, *args, **kwargs):
        calls.append(args)
        if len(calls) == 1:
            raise ConnectionError("the database went away")
        return save(self, *args, **kwargs)

    monkeypatch.setattr(fo.Dataset, "save_view", fail_once)
    with pytest.raises(Exception, match="went away"):
        find(dataset, embeddings="listed", overwrite=True)
    assert state(dataset) == before and dataset.values("typicality") == values


def test_a_delegated_find_does_the_same(copied, operator):
    import fiftyone.operators.delegated as food

    copied.persistent = True
    operator("find_near_duplicates")(copied, embeddings="embeddings", delegate=True)
    food.DelegatedOperationService().execute_queued_operations(dataset_name=copied.name)
    copied.reload()
    assert copied.count_sample_tags() == {"near-duplicate": 6}
