"""Embeddings on a real dataset: networks of every source, objects, PCA, brain runs, breaking off."""

import numpy as np
import pytest
import torch
from PIL import Image
from torch import nn

from support.networks import SIZE, Prepare
from support.operators import form_of, last_line, offered

NAME = "compute_embeddings"


class Tiny(nn.Module):
    def __init__(self, seed=0):
        super().__init__()
        torch.manual_seed(seed)
        self.body = nn.Sequential(nn.Conv2d(3, 6, 3, stride=2), nn.BatchNorm2d(6), nn.ReLU())
        self.last = nn.Linear(6, 3)

    def forward(self, x):
        return self.last(self.body(x).mean((2, 3)))


@pytest.fixture
def compute(dataset, operator):
    """Runs the operator with a small network from Python."""

    def run(view=None, model=None, **options):
        options = {"transform": Prepare(), "field": "vectors", **options}
        return operator(NAME)(dataset if view is None else view, model or Tiny(), **options).result

    return run


@pytest.fixture
def kept(tmp_path, monkeypatch):
    """Where checkpoints go."""
    monkeypatch.setenv("ALCORE_CHECKPOINTS", str(tmp_path / "kept"))
    return tmp_path / "kept"


def activations(images, model=None):
    """What the network computes before its last layer, for PIL images."""
    model, prepare = (model or Tiny()).eval(), Prepare()
    with torch.no_grad():
        return model.body(torch.stack([prepare(one) for one in images])).mean((2, 3)).numpy()


def opened(dataset):
    return [Image.open(path).convert("RGB") for path in dataset.values("filepath")]


def stored(view, field="vectors"):
    view._root_dataset.reload()
    return np.stack(view.values(field))


# Whole images


def test_what_is_written(dataset, compute):
    import fiftyone as fo

    result = compute()
    assert (result["embedded"], result["skipped"], result["left_out"]) == (48, 0, 0)
    assert (result["layer"], result["dimensions"], result["notes"]) == ("<last", 6, [])
    np.testing.assert_allclose(stored(dataset), activations(opened(dataset)), atol=1e-5)
    field = dataset.get_field("vectors")
    assert isinstance(field, fo.VectorField) and "Tiny, layer <last" in field.description
    assert field.info["method"] == "alcore/embeddings" and field.info["made"] == result["made"]
    assert set(field.info["settings"]) == {"model", "layer", "transform", "components"}
    assert field.info["date"].startswith("20")


def test_layers(dataset, compute, invalid):
    compute(layer="output", field="logits")
    compute(layer="body.0", field="maps")
    assert stored(dataset, "logits").shape == (48, 3) and stored(dataset, "maps").shape == (48, 6)
    with pytest.raises(invalid, match="Tiny has no layer 'bady'; close to it are body"):
        compute(layer="bady", field="other")
    assert dataset.get_field("other") is None


def test_selecting_by_it(dataset, compute, operator):
    compute()
    recipe = {"budget": 5, "strategies": [{"strategy": "diversity", "column": "vectors"}]}
    assert operator("select")(dataset, recipe=recipe, tag="apart").result["chosen"] == 5


def test_neighbors_are_judged_where_there_are_labels(dataset, compute):
    import fiftyone as fo

    assert (
        "neighbor_accuracy" not in compute(label_field=None) or len(dataset.exists("ground_truth")) < 10
    )
    names = ["a", "b"] * 24
    dataset.set_values("truth", [fo.Classification(label=one) for one in names])
    assert 0 <= compute(label_field="truth")["neighbor_accuracy"] <= 1


def test_only_what_is_missing_is_embedded(dataset, compute):
    compute(dataset.limit(20))
    dataset.set_values("vectors", {dataset.first().id: np.ones(6)}, key_field="id")
    result = compute()
    assert (result["embedded"], result["skipped"]) == (28, 20)
    assert "20 samples held embeddings of the same settings" in result["notes"][0]
    assert (dataset.first().vectors == 1).all()
    assert (compute()["embedded"], compute()["skipped"]) == (0, 48)


@pytest.mark.parametrize(
    "change, what",
    [
        ({"model": Tiny(seed=7)}, "another model;"),
        ({"transform": lambda image: Prepare()(image)}, "another transform;"),
        ({"layer": "output"}, "another layer;"),
        ({"components": 2}, "another components;"),
    ],
)
def test_other_settings_need_overwrite(dataset, compute, invalid, change, what):
    made = compute(dataset.limit(20))["made"]
    before = stored(dataset.limit(20))
    with pytest.raises(invalid, match=what):
        compute(**change)
    assert np.array_equal(stored(dataset.limit(20)), before)
    with pytest.raises(invalid, match="of other settings, 20 of them outside this view"):
        compute(dataset.skip(30), overwrite=True, **change)
    assert np.array_equal(stored(dataset.limit(20)), before)
    result = compute(dataset.limit(25), overwrite=True, **change)
    dataset.reload()
    assert (result["embedded"], result["skipped"]) == (25, 0) and result["made"] != made
    assert dataset.exists("vectors").values("id") == dataset.limit(25).values("id")


def test_a_run_that_breaks_off_before_anything_is_written(dataset, compute, state):
    before = state(dataset)
    for fails_at in (5, 40):
        with pytest.raises(ZeroDivisionError):
            compute(transform=Prepare(fails_at=fails_at), components=2)
    assert state(dataset) == before


def test_a_run_that_breaks_off_later_can_be_taken_up(dataset, compute, plugin, parts):
    unfinished = plugin("operators.dataset.resumable_field").Unfinished
    with pytest.raises(unfinished, match=r"a fault .* samples are embedded and stay, and the same"):
        compute(transform=Prepare(fails_at=40), batch_size=8)
    there = len(dataset.exists("vectors"))
    assert 0 < there < 48
    result = compute(batch_size=8)
    assert (result["embedded"], result["skipped"]) == (48 - there, there)
    np.testing.assert_allclose(stored(dataset), activations(opened(dataset)), atol=1e-5)


def test_canceling(dataset, plugin, state):
    embedding = plugin("operators.compute.embedding")
    embedders = plugin("operators.compute.embedders")
    before = state(dataset)

    def cancel(share, label):
        raise KeyboardInterrupt

    embedder = embedders.load_embedder(Tiny(), transform=Prepare())
    with pytest.raises(KeyboardInterrupt):
        embedding.embed_view(dataset.view(), embedder, embedding.EmbeddingRequest("vectors"), cancel)
    assert state(dataset) == before


def test_images_that_cannot_be_opened(dataset, compute, invalid, tmp_path, state):
    import fiftyone as fo

    (tmp_path / "text.jpg").write_text("no image at all")
    paths = [tmp_path / "text.jpg", tmp_path / "nowhere.png"]
    ids = dataset.add_samples([fo.Sample(filepath=str(path)) for path in paths], progress=False)
    result = compute(batch_size=7)
    assert (result["embedded"], result["left_out"]) == (48, 2)
    assert "2 samples" in result["notes"][0] and ids[0] in result["notes"][0]
    assert dataset.select(ids).values("vectors") == [None] * 2
    before = state(dataset)
    with pytest.raises(invalid, match="nothing could be embedded: of 2 samples 2 cannot be opened"):
        compute(dataset.select(ids), field="none")
    assert state(dataset) == before


def test_vectors_that_are_not_finite(dataset, compute):
    class Odd(Tiny):
        def forward(self, x):
            return super().forward(x) * torch.where(torch.arange(len(x)) == 0, torch.nan, 1.0)[:, None]

    result = compute(model=Odd(), layer="output", batch_size=24)
    assert (result["embedded"], result["left_out"]) == (46, 2) and "NaN" in result["notes"][0]


def test_vectors_that_are_not_one_an_image(dataset, compute, plugin, invalid, state):
    embedding, embedders = plugin("operators.compute.embedding"), plugin("operators.compute.embedders")
    before = state(dataset)

    class Halves(nn.Module):
        def forward(self, batch):
            return batch["images"].flatten(1)[::2]

    embedder = embedders.Embedder(
        "halves", Halves(), Prepare(), "output", lambda given: {"images": torch.stack(given)}
    )
    with pytest.raises(invalid, match="'output' gives 16 vectors for 32 images"):
        embedding.embed_view(dataset.view(), embedder, embedding.EmbeddingRequest("vectors"))
    assert state(dataset) == before


def test_networks_that_take_images_of_any_size(dataset, compute, invalid):
    def whole(image):
        return torch.from_numpy(np.asarray(image, dtype=np.float32)).permute(2, 0, 1)

    def cut(image):
        return whole(image)[:, : 10 + image.getpixel((0, 0))[0] % 5]

    assert compute(transform=cut)["embedded"] == 48
    with pytest.raises(invalid, match="images of different sizes may lead to"):
        compute(model=nn.Flatten(), layer="output", transform=cut, field="other")
    assert dataset.get_field("other") is None


def test_refusals(dataset, compute, operator, invalid, state):
    before = state(dataset)
    refused = {
        "'predictions' exists and holds no embeddings": {"field": "predictions"},
        "'embeddings' exists and holds no embeddings": {"field": "embeddings", "overwrite": True},
        r"'a\.b' must start with a letter": {"field": "a.b"},
        "batch_size: 0 is not a size": {"batch_size": 0},
        "seed: -1 is negative": {"seed": -1},
        "components: -2 leave nothing": {"components": -2},
        "components: 48 vectors of 6 dimensions cannot": {"components": 7},
        r"brain_key: 'a b' must start": {"brain_key": "a b"},
        "pool: is over the objects": {"pool": "mean"},
        "has no field 'boxes'": {"objects": "boxes"},
        "a worker cannot be given a model": {"delegate": True},
    }
    for sentence, options in refused.items():
        with pytest.raises(invalid, match=sentence):
            compute(**options)
        assert state(dataset) == before
    with pytest.raises(invalid, match="the view is empty"):
        compute(dataset.match_tags("nobody"))
    with pytest.raises(invalid, match="model: int is not a model"):
        operator(NAME)(dataset, 3, field="other")


# PCA and brain runs


def test_pca_is_scikit_learns_and_serves_what_comes_later(dataset, compute):
    from sklearn.decomposition import PCA

    first = dataset.limit(30)
    raw = activations(opened(first))
    result = compute(first, components=3)
    fitted = PCA(3, random_state=0).fit(raw)
    np.testing.assert_allclose(stored(first), fitted.transform(raw), atol=1e-4)
    assert "PCA keeps" in result["notes"][-1] and result["dimensions"] == 3
    info = dataset.get_field("vectors").info
    assert info["pca"]["components"] == 3 and info["made"] == result["made"]
    again = compute(components=3)
    assert (again["embedded"], again["skipped"]) == (18, 30) and again["made"] == result["made"]
    expected = fitted.transform(activations(opened(dataset)))
    np.testing.assert_allclose(stored(dataset), expected, atol=1e-4)
    compute(overwrite=True)
    assert "vectors_pca" not in dataset.list_runs() and stored(dataset).shape == (48, 6)


def test_a_break_before_the_pca(dataset, compute, plugin, monkeypatch):
    def fail(*args):
        raise MemoryError

    with monkeypatch.context() as patch:
        patch.setattr(plugin("operators.compute.pca"), "fit_basis", fail)
        with pytest.raises(MemoryError):
            compute(components=2)
    assert stored(dataset).shape == (48, 6)
    compute(components=2)
    assert stored(dataset).shape == (48, 2)


def test_pca_counts_what_is_embedded_and_leaves_nothing_half_made(
    dataset, compute, invalid, parts, tmp_path, state
):
    (tmp_path / "text.png").write_text("no image at all")
    view, before = dataset.limit(12), state(dataset)
    bad = dict.fromkeys(view.values("id")[3:], str(tmp_path / "text.png"))
    dataset.set_values("filepath", bad, key_field="id")
    for _ in range(2):
        with pytest.raises(invalid, match="components: 3 vectors of 6 dimensions cannot"):
            compute(view, components=4)
        assert state(dataset) == before
    assert compute(view, components=2)["embedded"] == 3
    held = stored(view.limit(3))
    with pytest.raises(invalid, match="components: 3 vectors of 6 dimensions cannot"):
        compute(view, components=4, overwrite=True)
    assert np.array_equal(stored(view.limit(3)), held)


def test_few_new_samples_are_brought_to_the_kept_basis(dataset, compute):
    compute(dataset.limit(40), components=3)
    result = compute(dataset.skip(47), components=3)
    assert (result["embedded"], result["dimensions"]) == (1, 3)
    compute(components=3)
    raw = activations(opened(dataset))
    axes = np.linalg.svd(raw[:40] - raw[:40].mean(0))[2][:3]
    expected = (raw - raw[:40].mean(0)) @ axes.T
    np.testing.assert_allclose(np.abs(stored(dataset)), np.abs(expected), atol=1e-4)


@pytest.mark.parametrize("components", [2, 6])
def test_pca_is_of_all_the_field_holds(dataset, compute, plugin, parts, components):
    with pytest.raises(plugin("operators.dataset.resumable_field").Unfinished):
        compute(transform=Prepare(fails_at=20), batch_size=4, components=components)
    there = dataset.exists("vectors").values("id")
    compute(dataset.skip(24), components=components)
    both = dataset.exists("vectors")
    assert 0 < len(there) < 24 and both.values("id")[: len(there)] == there
    raw = activations(opened(both))
    axes = np.linalg.svd(raw - raw.mean(0))[2][:components]
    expected = (raw - raw.mean(0)) @ axes.T
    np.testing.assert_allclose(np.abs(stored(both)), np.abs(expected), atol=1e-4)
    assert dataset.get_field("vectors").info["fitted_on"] == len(both)


@pytest.mark.parametrize("components", [2, 6])
def test_a_break_within_the_pca(dataset, compute, plugin, monkeypatch, components):
    images = plugin("operators.compute.embedding_field").EmbeddingField
    whole = images.write

    def half(self, values):
        if self.parts.count and len(values) == 48 and self.dataset.count("vectors"):
            whole(self, dict(list(values.items())[:20]))
            raise MemoryError
        whole(self, values)

    expected = compute(field="unbroken", components=components) and stored(dataset, "unbroken")
    with monkeypatch.context() as patch:
        patch.setattr(images, "write", half)
        with pytest.raises(MemoryError):
            compute(components=components)
    compute(components=components)
    np.testing.assert_allclose(stored(dataset), expected, atol=1e-5)


def test_the_basis_of_a_field_that_was_deleted_is_forgotten(dataset, compute):
    compute(components=2)
    dataset.delete_sample_field("vectors")
    compute(model=Tiny(seed=7), components=2)
    raw = activations(opened(dataset), Tiny(seed=7))
    axes = np.linalg.svd(raw - raw.mean(0))[2][:2]
    expected = np.abs((raw - raw.mean(0)) @ axes.T)
    np.testing.assert_allclose(np.abs(stored(dataset)), expected, atol=1e-4)


def test_brain_runs(dataset, compute, invalid):
    compute(dataset.limit(40), brain_key="alike")
    dataset.reload()
    query = dataset.first()
    found = dataset.sort_by_similarity(query.id, k=5, brain_key="alike")
    x = stored(dataset.limit(40)).astype(np.float64)
    x -= x.mean(0)  # as FiftyOne does
    unit = x / np.linalg.norm(x, axis=1, keepdims=True)
    similar = dict(zip(dataset.limit(40).values("id"), unit @ unit[0], strict=True))
    best = sorted(similar.values(), reverse=True)[:5]
    np.testing.assert_allclose([similar[one] for one in found.values("id")], best, atol=1e-6)
    points = dataset.load_brain_results("alike_plane").points
    assert points.shape == (40, 2)
    compute(brain_key="alike")
    assert dataset.load_brain_results("alike").total_index_size == 48
    with pytest.raises(invalid, match="'alike' is a run over something else"):
        compute(field="other", brain_key="alike")


@pytest.mark.parametrize("step", ["compute_similarity", "compute_visualization"])
def test_brain_runs_outlast_a_failure(dataset, compute, monkeypatch, step):
    import fiftyone.brain as fob

    def fail(*args, **options):
        raise MemoryError

    compute(dataset.limit(40), brain_key="alike")
    with monkeypatch.context() as patch:
        patch.setattr(fob, step, fail)
        with pytest.raises(MemoryError):
            compute(brain_key="alike")
    dataset.reload()
    assert sorted(dataset.list_brain_runs()) == ["alike", "alike_plane"]
    assert dataset.load_brain_results("alike").total_index_size == 40
    compute(brain_key="alike")
    dataset.reload()
    dataset.clear_cache()
    assert sorted(dataset.list_brain_runs()) == ["alike", "alike_plane"]
    assert dataset.load_brain_results("alike").total_index_size == 48
    assert dataset.load_brain_results("alike_plane").points.shape == (48, 2)


# Objects


@pytest.fixture
def boxes(dataset):
    """0, 1 or 2 boxes an image, one of them without area."""
    import fiftyone as fo

    rng = np.random.default_rng(3)
    labels = []
    for row in range(len(dataset)):
        found = [
            fo.Detection(label="a", bounding_box=rng.uniform(0.1, 0.45, 4).tolist())
            for _ in range(row % 3)
        ]
        labels.append(fo.Detections(detections=found))
    labels[4].detections[0].bounding_box = [0.5, 0.5, 0, 0.1]
    dataset.set_values("found", labels)
    return dataset


def hand_made(dataset, padding=0.1):
    """Vectors of crops, by label id."""
    made = {}
    for sample in dataset:
        image = Image.open(sample.filepath).convert("RGB")
        for one in sample.found.detections:
            x, y, w, h = one.bounding_box
            if w:
                edges = [x - padding * w, y - padding * h, x + w + padding * w, y + h + padding * h]
                left, upper = int(max(0, edges[0]) * image.width), int(max(0, edges[1]) * image.height)
                right = int(np.ceil(min(1, edges[2]) * image.width))
                lower = int(np.ceil(min(1, edges[3]) * image.height))
                made[one.id] = activations([image.crop((left, upper, right, lower))])[0]
    return made


def by_label(dataset, attribute="embedding"):
    dataset.reload()
    pairs = zip(
        dataset.values("found.detections.id", unwind=True),
        dataset.values(f"found.detections.{attribute}", unwind=True),
        strict=True,
    )
    return {one: vector for one, vector in pairs if vector is not None}


def test_objects_are_cut_out(boxes, compute):
    result = compute(objects="found", field=None, batch_size=5)
    assert (result["embedded"], result["left_out"]) == (47, 1)
    assert result["path"] == "found.detections.embedding"
    assert "1 object (id" in result["notes"][0] and "without area" in result["notes"][0]
    found, expected = by_label(boxes), hand_made(boxes)
    assert found.keys() == expected.keys()
    for one, vector in expected.items():
        np.testing.assert_allclose(found[one], vector, atol=1e-5)
    info = boxes.get_field("found.detections.embedding").info
    assert info["method"] == "alcore/embeddings" and info["settings"]["padding"] == 0.1


def test_objects_without_a_box_are_left_out(boxes, compute):
    import fiftyone as fo

    sample = boxes.first()
    sample["found"] = fo.Detections(
        detections=[fo.Detection(label="a"), fo.Detection(label="a", bounding_box=[0.1, 0.1, 0.5])]
    )
    sample.save()
    result = compute(objects="found", field="embedding")
    assert (result["embedded"], result["left_out"]) == (47, 3)
    assert "3 objects (ids" in result["notes"][0] and "without area" in result["notes"][0]


def test_objects_are_taken_up_again(boxes, compute, plugin, parts):
    with pytest.raises(
        plugin("operators.dataset.resumable_field").Unfinished, match="embedded and stay"
    ):
        compute(objects="found", field="embedding", transform=Prepare(fails_at=40), batch_size=4)
    there = len(by_label(boxes))
    assert 0 < there < 47
    result = compute(objects="found", field="embedding", batch_size=4)
    assert (result["embedded"], result["skipped"]) == (47 - there, there)
    expected = hand_made(boxes)
    for one, vector in by_label(boxes).items():
        np.testing.assert_allclose(vector, expected[one], atol=1e-5)


def test_vectors_of_images_from_their_objects(boxes, compute):
    for pool, reduce in (("mean", np.mean), ("max", np.max)):
        result = compute(objects="found", field="embedding", pool=pool)
        assert "for 31 images; 17 without objects have none" in result["notes"][-1]
        made = by_label(boxes)
        for sample in boxes:
            vectors = [made[one.id] for one in sample.found.detections if one.id in made]
            if vectors:
                np.testing.assert_allclose(sample[f"found_{pool}"], reduce(vectors, axis=0), atol=1e-6)
            else:
                assert sample[f"found_{pool}"] is None
        info = boxes.get_field(f"found_{pool}").info
        assert info["pooled_from"] == "found.detections.embedding" and info["pool"] == pool


def test_pooled_vectors_of_another_view_stay(boxes, compute, break_at):
    options = {"objects": "found", "field": "embedding", "pool": "mean"}
    compute(boxes.limit(24), **options)
    first = boxes.limit(24).exists("found_mean").values(["id", "found_mean"])
    compute(boxes.skip(24), **options)
    boxes.reload()
    assert len(boxes.exists("found_mean")) == 31
    assert np.array_equal(boxes.select(first[0]).values("found_mean"), first[1])
    assert boxes.get_field("found_mean").info["pool"] == "mean"
    boxes.set_values("found", {boxes.skip(2).first().id: None}, key_field="id")
    compute(**options)
    assert len(boxes.exists("found_mean")) == 30


def test_pooled_vectors_outlast_a_write_that_fails(boxes, compute, break_at, state):
    options = {"objects": "found", "field": "embedding"}
    compute(pool="mean", pool_field="pooled", **options)
    before, held = state(boxes), boxes.exists("pooled").values(["id", "pooled"])
    break_at("set_values")
    with pytest.raises(KeyboardInterrupt):
        compute(pool="max", pool_field="pooled", **options)
    assert state(boxes) == before and boxes.get_field("pooled").info["pool"] == "mean"
    assert np.array_equal(boxes.select(held[0]).values("pooled"), held[1])
    compute(pool="max", pool_field="pooled", **options)
    assert state(boxes) == before and boxes.get_field("pooled").info["pool"] == "max"


def test_objects_are_selected_by_it(boxes, compute, operator):
    compute(objects="found", field="embedding")
    entry = {"strategy": "diversity", "column": "found.detections.embedding"}
    recipe = {"budget": 6, "strategies": [entry]}
    result = operator("select")(boxes, recipe=recipe, objects="found", tag="apart").result
    assert result["chosen"] == 6 and result["chosen_from"] == "found"
    made = by_label(boxes)
    chosen = boxes.load_run_results("apart").label_ids
    names = list(made)
    x = np.stack([made[one] for one in names]).astype(np.float64)
    first = int(((x - x.mean(0)) ** 2).sum(1).argmin())
    second = int(((x - x[first]) ** 2).sum(1).argmax())
    assert list(chosen[:2]) == [names[first], names[second]]


def test_objects_with_pca_and_brain_runs(boxes, compute):
    compute(objects="found", field="embedding", components=2, brain_key="alike_objects")
    assert {len(one) for one in by_label(boxes).values()} == {2}
    index = boxes.load_brain_results("alike_objects")
    assert index.total_index_size == 47 and index.config.patches_field == "found"
    patches = boxes.to_patches("found")
    query = next(iter(by_label(boxes)))
    assert patches.sort_by_similarity(query, k=3, brain_key="alike_objects").first().id == query


def test_objects_that_cannot_be_cut_out(kinds, operator, invalid):
    with pytest.raises(invalid, match="shows parts of samples, such as patches; give the samples"):
        operator(NAME)(kinds.to_patches("boxes"), Tiny())
    with pytest.raises(invalid, match="'lines' have no boxes to cut out; boxes, bare do"):
        operator(NAME)(kinds, Tiny(), objects="lines")
    assert operator(NAME)(kinds, Tiny(), objects="boxes", image_size=SIZE).result["embedded"] == 7


# What selections say of the embeddings they were made by


def listed(operator, dataset):
    dataset.reload()
    rows = operator("list_selections")(dataset).result["selections"]
    return {one["run_key"]: one["changed"] for one in rows}


def test_a_selection_knows_its_embeddings(boxes, compute, operator):
    made = compute(brain_key="alike")["made"]
    compute(objects="found", field="embedding", brain_key="alike_objects")

    def choose(column, tag, objects=None):
        recipe = {"budget": 3, "strategies": [{"strategy": "diversity", "column": column}]}
        operator("select")(boxes, recipe=recipe, tag=tag, objects=objects)
        return boxes.get_run_info(tag).config.embeddings

    (used,) = choose("vectors", "by_field")
    assert (used["field"], used["made"], used["layer"]) == ("vectors", made, "<last")
    (used,) = choose("alike", "by_run")
    assert (used["column"], used["field"], used["made"]) == ("alike", "vectors", made)
    (used,) = choose("alike_objects", "by_objects", "found")
    assert used["field"] == "found.detections.embedding"
    recipe = {"budget": 3, "strategies": [{"strategy": "diversity", "column": "embeddings"}]}
    operator("select")(boxes, recipe=recipe, tag="by_others")
    assert set(listed(operator, boxes).values()) == {""}
    compute()  # all is there: nothing is made anew
    assert set(listed(operator, boxes).values()) == {""}
    compute(layer="output", overwrite=True)
    boxes.delete_sample_field("found.detections.embedding")
    assert listed(operator, boxes) == {
        "by_field": "since then vectors was made anew",
        "by_run": "since then vectors was made anew",
        "by_objects": "since then found.detections.embedding is gone",
        "by_others": "",
    }


# Networks by name


@pytest.fixture
def state_file(tmp_path):
    import torchvision

    torch.manual_seed(0)
    module = torchvision.models.mobilenet_v3_small(weights=None, num_classes=3)
    torch.save(module.state_dict(), tmp_path / "mine.pt")
    return str(tmp_path / "mine.pt")


def test_an_architecture_with_a_state_file(dataset, operator, state_file):
    import torchvision

    options = {"weights": state_file, "image_size": 32, "field": "mobile"}
    result = operator(NAME)(dataset.limit(6), "mobilenet_v3_small", **options).result
    assert (result["embedded"], result["layer"]) == (6, "<classifier.3")
    assert result["model"] == "mobilenet_v3_small (mine.pt)" and result["dimensions"] == 1024
    model = torchvision.models.mobilenet_v3_small(weights=None, num_classes=3).eval()
    model.load_state_dict(torch.load(state_file, weights_only=True))
    model.classifier[3] = nn.Identity()
    usual = torchvision.transforms.Compose(
        [
            torchvision.transforms.Resize((32, 32)),
            torchvision.transforms.ToTensor(),
            torchvision.transforms.Normalize((0.485, 0.456, 0.406), (0.229, 0.224, 0.225)),
        ]
    )
    with torch.no_grad():
        expected = model(torch.stack([usual(one) for one in opened(dataset.limit(6))])).numpy()
    np.testing.assert_allclose(stored(dataset.limit(6), "mobile"), expected, atol=1e-4)


def in_cache(tmp_path, monkeypatch, name):
    """Weights made here where torch keeps those that it has downloaded."""
    import torchvision

    weights = torchvision.models.get_model_weights(name).DEFAULT
    folder = tmp_path / "hub" / "checkpoints"
    folder.mkdir(parents=True)
    monkeypatch.setenv("TORCH_HOME", str(tmp_path))
    torch.manual_seed(0)
    model = torchvision.models.get_model(name, weights=None).eval()
    torch.save(model.state_dict(), folder / weights.url.rsplit("/", 1)[1])
    return weights, model


def test_weights_that_torchvision_downloads(dataset, operator, tmp_path, monkeypatch):
    """They are there already, as after a download; the loading is torchvision's own."""
    weights, model = in_cache(tmp_path, monkeypatch, "squeezenet1_1")
    result = operator(NAME)(dataset.limit(3), "squeezenet1_1", field="squeezed").result
    assert result["embedded"] == 3 and result["model"] == "squeezenet1_1 (DEFAULT)"
    x = torch.stack([weights.transforms()(one) for one in opened(dataset.limit(3))])
    with torch.no_grad():
        expected = model.features(x).mean((2, 3)).numpy()
    np.testing.assert_allclose(stored(dataset.limit(3), "squeezed"), expected, atol=1e-4)


def test_a_zoo_model(dataset, operator, tmp_path, monkeypatch):
    """Its file is there already, as after a download; the loading is FiftyOne's own."""
    import fiftyone as fo

    weights, model = in_cache(tmp_path, monkeypatch, "shufflenet_v2_x0_5")
    monkeypatch.setattr(fo.config, "model_zoo_dir", str(tmp_path))
    torch.save(model.state_dict(), tmp_path / weights.url.rsplit("/", 1)[1])
    name = "shufflenetv2-0.5x-imagenet-torch"
    result = operator(NAME)(dataset.limit(3), name, field="shuffled").result
    assert (result["embedded"], result["model"], result["dimensions"]) == (3, name, 1024)
    dataset.limit(3).compute_embeddings(
        fo.zoo.load_zoo_model(name), embeddings_field="theirs", num_workers=0, progress=False
    )
    np.testing.assert_allclose(
        stored(dataset.limit(3), "shuffled"), stored(dataset.limit(3), "theirs"), atol=1e-4
    )


def test_models_of_fiftyone_with_a_collate_function(dataset, operator):
    import fiftyone as fo

    class Theirs(fo.core.models.Model, fo.core.models.EmbeddingsMixin):
        media_type = "image"
        has_embeddings = True
        has_collate_fn = True
        ragged_batches = False
        preprocess = True
        transforms = staticmethod(lambda image: {"mean": np.asarray(image).mean((0, 1))})
        collate_fn = staticmethod(lambda made: np.stack([one["mean"] for one in made]))

        def embed_all(self, batch):
            return 2 * batch

    model = Theirs()
    assert operator(NAME)(dataset, model, field="doubled").result["embedded"] == 48
    assert model.preprocess  # as it was
    expected = [2 * np.asarray(one).mean((0, 1)) for one in opened(dataset)]
    np.testing.assert_allclose(stored(dataset, "doubled"), expected, rtol=1e-5)


def test_names_that_are_refused(dataset, operator, state, invalid):
    before = state(dataset)
    for name, sentence in (
        ("os:getcwd", "is not a factory that this server allows"),
        ("no-such-model", "is not a torch model of FiftyOne's zoo"),
    ):
        with pytest.raises(invalid) as error:
            operator(NAME)(dataset, name, field="vectors")
        assert sentence in last_line(error)
    assert state(dataset) == before


def test_delegated(dataset, operator, state_file):
    import fiftyone.operators.delegated as food

    dataset.persistent = True
    options = {"weights": state_file, "image_size": 32, "field": "mobile"}
    queued = operator(NAME)(dataset.limit(4), "mobilenet_v3_small", delegate=True, **options)
    service = food.DelegatedOperationService()
    service.execute_queued_operations(dataset_name=dataset.name)
    done = service.get(queued.result["id"])
    assert str(done.run_state) == "completed", done.result
    assert stored(dataset.limit(4), "mobile").shape == (4, 1024)


# Trained on the images themselves


TRAINING = {
    "architecture": "shufflenet_v2_x0_5",
    "image_size": 32,
    "epochs": 1,
    "training_batch": 12,
    "field": "own",
}


def test_trained_on_the_images_themselves(dataset, operator, kept):
    result = operator(NAME)(dataset.limit(24), "simclr", agreement_field="agreement", **TRAINING).result
    assert result["embedded"] == 24 and result["dimensions"] == 1024
    assert "Trained on 24 images" in result["notes"][0] and "effective rank" in result["notes"][0]
    (checkpoint,) = kept.iterdir()
    dataset.reload()
    info = dataset.get_field("own").info
    assert info["trained"]["checkpoint"] == checkpoint.name
    assert info["trained"]["settings"]["method"] == "simclr"
    agreement = dataset.limit(24).values("agreement")
    assert all(-1 <= one <= 1 for one in agreement) and len(set(agreement)) > 1
    assert "prefer low" in dataset.get_field("agreement").description
    recipe = {
        "budget": 3,
        "strategies": [{"strategy": "weight", "column": "agreement", "prefer": "low"}],
    }
    chosen = operator("select")(dataset.limit(24), recipe=recipe, tag="coreset").result
    ids = dataset.limit(24).values("id")
    expected = [ids[row] for row in np.argsort(agreement, kind="stable")[:3]]
    assert dataset.load_saved_view(chosen["saved_view"]).values("id") == expected
    # What has come since is embedded with the same network, and nothing is trained again.
    again = operator(NAME)(dataset, "simclr", **TRAINING).result
    assert (again["embedded"], again["skipped"]) == (24, 24) and again["made"] == result["made"]
    assert "network that this field was made with" in again["notes"][0]
    assert list(kept.iterdir()) == [checkpoint]
    # The agreement is that of the images trained on, and is not dropped in silence.
    options = {**TRAINING, "agreement_field": "later"}
    notes = operator(NAME)(dataset.limit(24), "simclr", **options).result["notes"]
    assert "later: not written" in notes[1] and dataset.get_field("later") is None
    operator(NAME)(dataset.limit(24), "simclr", overwrite=True, **options)
    dataset.reload()
    assert dataset.limit(24).values("later") == agreement and list(kept.iterdir()) == [checkpoint]


def test_a_trained_network_is_kept(dataset, operator, kept):
    operator(NAME)(dataset.limit(24), "simsiam", **TRAINING)
    before = stored(dataset.limit(24), "own")
    dataset.delete_sample_field("own")
    result = operator(NAME)(dataset.limit(24), "simsiam", **TRAINING).result
    assert "trained already" in result["notes"][0]
    assert np.array_equal(stored(dataset.limit(24), "own"), before)


def test_training_that_is_refused(dataset, operator, invalid, kept, state):
    before = state(dataset)
    for sentence, options in {
        "epochs: 0 train nothing": {"epochs": 0},
        "has no classifier 'resnet9'": {"architecture": "resnet9"},
        "'vit_b_16' is not a torchvision classifier that can": {"architecture": "vit_b_16"},
        "'swin_t' is not a": {"architecture": "swin_t", "weights": "DEFAULT"},
        "learning_rate: inf is not finite": {"learning_rate": float("inf")},
        "agreement_field: dino is not contrastive": {"model": "dino", "agreement_field": "a"},
        "a network is trained on whole images": {"objects": "found"},
        "'sharpness' exists and holds something else": {"agreement_field": "sharpness"},
    }.items():
        options = {**TRAINING, "model": "simclr", **options}
        if "objects" in options:
            import fiftyone as fo

            dataset.add_sample_field("found", fo.EmbeddedDocumentField, fo.Detections)
            before = state(dataset)
        with pytest.raises(invalid, match=sentence):
            operator(NAME)(dataset, **options)
    assert state(dataset) == before and not kept.exists()


# Reading


def test_large_jpegs_are_decoded_smaller_and_stay_close(plugin, tmp_path):
    images = plugin("operators.compute.images")
    rng = np.random.default_rng(0)
    noise = Image.fromarray(rng.integers(0, 255, (40, 60, 3), dtype=np.uint8))
    noise.resize((1200, 800), Image.Resampling.BICUBIC).save(tmp_path / "large.jpg", quality=95)
    squared = images.Squared(64)
    broken = []
    ((_, batch),) = images.read_batches([("a", str(tmp_path / "large.jpg"))], squared, 4, broken)
    with Image.open(tmp_path / "large.jpg") as image:
        whole = squared(image.convert("RGB"))
    difference = (batch[0].float() - whole.float()).abs()
    assert difference.mean() < 1.5 and difference.max() < 16
    with images.opened(str(tmp_path / "large.jpg"), 64) as image:
        assert image.size == (300, 200)


# Forms


def test_photos_are_turned_as_their_exif_says(plugin, tmp_path):
    """As the App shows them, so that boxes are cut where they lie."""
    images = plugin("operators.compute.images")
    upright = np.zeros((40, 64, 3), dtype=np.uint8)
    upright[:, :32] = 255
    exif = Image.Exif()
    exif[0x0112] = 6  # turn by a quarter, clockwise, to show it
    turned = Image.fromarray(np.rot90(upright, 1).copy())
    for name in ("turned.jpg", "turned.png"):
        turned.save(tmp_path / name, exif=exif)
        cuts = images.Cuts(str(tmp_path / name), ["left"], [[0.0, 0.0, 0.5, 1.0]], 0.0)
        ((_, batch),) = images.read_crops([cuts], images.Squared(8), 4, [], [])
        assert batch.float().mean() > 250


def test_the_form(boxes, operator, monkeypatch):
    form = form_of(operator(NAME), boxes)
    assert form["source"].type.values == ["torchvision", "zoo", "self_supervised"]
    assert "resnet18" in offered(form["torchvision"]) and "weights" in form and "layer" in form
    assert "48 images" in form["counts"].view.label and "pool" not in form
    form = form_of(operator(NAME), boxes, source="zoo", objects="found")
    assert "clip-vit-base32-torch" in offered(form["zoo"]) and "weights" not in form
    assert form["field"].default == "embedding" and "pool" in form
    form = form_of(operator(NAME), boxes, source="self_supervised")
    assert form["self_supervised"].type.values[0] == "simclr" and "objects" not in form
    assert "vgg16" not in offered(form["architecture"])
    monkeypatch.setenv("ALCORE_MODEL_FACTORIES", "package.module:function")
    form = form_of(operator(NAME), boxes, source="factory")
    assert form["factory"].type.values == ["package.module:function"]


def test_the_form_refuses(dataset, operator):
    form = form_of(operator(NAME), dataset, field="predictions")
    assert form["field"].invalid and "holds no embeddings" in form["field"].error_message
    form = form_of(operator(NAME), dataset, source="self_supervised", field="new", epochs=0)
    assert form["field"].invalid and "epochs: 0" in form["field"].error_message
