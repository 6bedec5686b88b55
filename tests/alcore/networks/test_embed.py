"""Vectors from layers, crops, PCA, pooling over objects, neighbors' accuracy, collapse."""

import numpy as np
import pytest
import torch
from sklearn.decomposition import PCA
from sklearn.neighbors import KNeighborsClassifier
from torch import nn

from alcore import InvalidInput
from alcore.geometry.neighbor_accuracy import neighbor_accuracy
from alcore.geometry.reduction import fit_pca, pool_objects
from alcore.images.crops import crop_box
from alcore.networks.collapse import spread_of
from alcore.networks.layers import default_layer, embed_batches
from alcore.networks.networks import architectures, headless


class Net(nn.Module):
    def __init__(self):
        super().__init__()
        torch.manual_seed(0)
        self.body = nn.Sequential(nn.Conv2d(3, 6, 3), nn.BatchNorm2d(6), nn.ReLU())
        self.drop = nn.Dropout(0.5)
        self.last = nn.Linear(6, 2)
        self.unused = nn.Identity()

    def forward(self, x):
        return self.last(self.drop(self.body(x).mean((2, 3))))


def embed(model, x, layer=None, parts=3):
    return torch.cat(list(embed_batches(model, x.split(parts), layer)))


@pytest.fixture
def x():
    return torch.randn(7, 3, 8, 8, generator=torch.Generator().manual_seed(1))


def test_layers_hold_what_the_network_computes(x):
    net = Net().eval()
    with torch.no_grad():
        maps = net.body(x)
        pooled = maps.mean((2, 3))
        assert torch.allclose(embed(net, x), pooled, atol=1e-6)  # the input of the last linear layer
        assert torch.allclose(embed(net, x, "<last"), pooled, atol=1e-6)
        assert torch.allclose(embed(net, x, "body"), pooled, atol=1e-6)
        assert torch.allclose(embed(net, x, "body.0"), net.body[0](x).mean((2, 3)), atol=1e-6)
        assert torch.allclose(embed(net, x, "<body"), x.mean((2, 3)), atol=1e-6)
        assert torch.allclose(embed(net, x, "output"), net(x), atol=1e-6)


def test_tokens_are_averaged(x):
    net = nn.Sequential(nn.Flatten(2), nn.Identity())
    assert torch.allclose(embed(net, x, "1"), x.flatten(2).mean(1))


def test_the_network_is_left_as_it_was(x):
    net = Net().train()
    before = {name: one.clone() for name, one in net.state_dict().items()}
    embed(net, x)
    assert all(module.training for module in net.modules())
    assert not any(module._forward_hooks for module in net.modules())
    assert all(torch.equal(one, before[name]) for name, one in net.state_dict().items())


def test_layers_that_cannot_be_read(x):
    with pytest.raises(InvalidInput, match="Net has no layer 'bodi'; close to it are body"):
        embed(Net(), x, "bodi")
    with pytest.raises(InvalidInput, match="'unused' is not called when the model predicts"):
        embed(Net(), x, "unused")
    with pytest.raises(InvalidInput, match=r"'output' holds \(\d,\)"):
        embed(nn.Flatten(0), torch.ones(3), "output")


class SequenceFirst(nn.Module):
    """Tokens, samples, channels, as torch's transformer layers take them."""

    def __init__(self):
        super().__init__()
        torch.manual_seed(0)
        self.layer = nn.TransformerEncoderLayer(4, 2, 8)
        self.last = nn.Linear(4, 2)

    def forward(self, x):
        tokens = x.flatten(2)[..., :4].transpose(0, 1)  # three
        return self.last(self.layer(tokens).mean(0))


@pytest.mark.parametrize("batch", [1, 2, 3, 7])
def test_layers_whose_first_axis_is_not_the_samples(x, batch):
    net = SequenceFirst()
    with pytest.raises(InvalidInput, match=r"'layer' holds \(3, \d, 4\) for \d samples, and its first"):
        embed(net, x, "layer", batch)
    assert embed(net, x, "<last", batch).shape == (7, 4)
    held = list(embed_batches(net, [list(x)], "output", prepare=torch.stack))
    assert held[0].shape == (7, 2)


def test_maps_whose_last_axis_is_the_channels(monkeypatch):
    import torchvision

    # Truncated normals take seconds to draw, and any others do as well here.
    monkeypatch.setattr(nn.init, "trunc_normal_", nn.init.normal_)
    x = torch.randn(3, 3, 64, 64, generator=torch.Generator().manual_seed(0))
    torch.manual_seed(0)
    swin = torchvision.models.swin_t(weights=None).eval()
    with torch.no_grad():
        for name, part in (("features.7", swin.features), ("features.3", swin.features[:4])):
            assert torch.allclose(embed(swin, x, name), part(x).mean((1, 2)), atol=1e-4)
        normed = swin.norm(swin.features(x)).mean((1, 2))
        assert torch.allclose(embed(swin, x, "permute"), normed, atol=1e-4)
        convnext = torchvision.models.convnext_tiny(weights=None).eval()
        maps = convnext.features(x)
        assert torch.allclose(embed(convnext, x, "features.7"), maps.mean((2, 3)), atol=1e-4)
        assert embed(convnext, x, "features.7.0.block.3").shape == (3, 4 * 768)
    with pytest.raises(InvalidInput, match=r"channels first and last; .* another image size"):
        embed(swin, torch.randn(1, 3, 384, 384), "features.1")


FAMILIES = "alexnet convnext_tiny densenet121 efficientnet_b0 googlenet inception_v3 mnasnet0_5"
FAMILIES += (
    " mobilenet_v2 mobilenet_v3_small resnet18 shufflenet_v2_x0_5 squeezenet1_1 swin_t vgg11 vit_b_16"
)


def test_classifiers_of_torchvision_are_read_before_their_logits():
    import torchvision

    for name in FAMILIES.split():
        options = {"init_weights": False} if name in ("googlenet", "inception_v3") else {}
        with torch.device("meta"):
            model = torchvision.models.get_model(name, weights=None, num_classes=7, **options)
        layer = model.get_submodule(default_layer(model).removeprefix("<"))
        assert getattr(layer, "out_features", getattr(layer, "out_channels", None)) == 7, name


@pytest.mark.parametrize("name", ["resnet18", "mobilenet_v3_small", "squeezenet1_1"])
def test_torchvisions_classifiers(name):
    import torchvision

    torch.manual_seed(0)
    model = torchvision.models.get_model(name, weights=None, num_classes=4).eval()
    x = torch.randn(2, 3, 224, 224)
    found = embed(model, x)
    with torch.no_grad():
        if name == "squeezenet1_1":
            expected = model.classifier[0](model.features(x)).mean((2, 3))
        else:
            last = model.get_submodule(default_layer(model)[1:])
            expected = torch.linalg.lstsq(last.weight, (model(x) - last.bias).T).solution.T
            expected, found = expected @ last.weight.T, found @ last.weight.T
    assert torch.allclose(found, expected, atol=1e-4)


def test_heads_are_taken_off():
    x = torch.randn(2, 3, 64, 64)
    for name in ("resnet18", "mobilenet_v3_small", "shufflenet_v2_x0_5"):
        assert name in architectures()
        model = headless(name).eval()
        with torch.no_grad():
            assert model(x).ndim == 2
    a, b, c = (headless("resnet18", seed).conv1.weight for seed in (0, 0, 1))
    assert torch.equal(a, b) and not torch.equal(a, c)
    with pytest.raises(InvalidInput, match="'vgg16' is not a torchvision classifier that can be"):
        headless("vgg16")


def test_crops():
    assert crop_box((0.25, 0.5, 0.5, 0.25), 100, 80, 0.0) == (25, 40, 75, 60)
    assert crop_box((0.25, 0.5, 0.5, 0.25), 100, 80, 0.1) == (20, 38, 80, 62)
    assert crop_box((-0.1, 0.9, 0.4, 0.4), 100, 80, 0.0) == (0, 72, 30, 80)
    assert crop_box((0.5, 0.5, 1e-4, 1e-4), 100, 80, 0.0) == (50, 40, 51, 41)
    for nothing in ((0.5, 0.5, 0, 0.1), (1.2, 0.1, 0.2, 0.2), (float("nan"), 0, 1, 1)):
        assert crop_box(nothing, 100, 80) is None
    for no_box in (None, (), (0.1, 0.1, 0.5), (0.1, None, 0.5, 0.5), ("a", "b", "c", "d"), 3):
        assert crop_box(no_box, 100, 80) is None


def test_pca_is_that_of_scikit_learn():
    x = np.random.default_rng(0).normal(size=(60, 12)).astype(np.float32)
    theirs = PCA(4, random_state=3)
    expected = theirs.fit_transform(x)
    basis = fit_pca(x, 4, 3)
    np.testing.assert_allclose(basis.apply(x), expected, atol=1e-4)
    assert basis.explained == pytest.approx(theirs.explained_variance_ratio_.sum())
    assert np.array_equal(basis.apply(x), fit_pca(x, 4, 3).apply(x))
    for components in (0, 13):
        with pytest.raises(InvalidInput, match="60 vectors of 12 dimensions cannot"):
            fit_pca(x, components)


def test_vectors_of_images_from_those_of_their_objects():
    x = np.random.default_rng(0).normal(size=(5, 3)).astype(np.float32)
    offsets = np.array([0, 2, 2, 5])
    mean, most = pool_objects(x, offsets, "mean"), pool_objects(x, offsets, "max")
    np.testing.assert_allclose(mean[[0, 2]], [x[:2].mean(0), x[2:].mean(0)], rtol=1e-6)
    np.testing.assert_array_equal(most[[0, 2]], [x[:2].max(0), x[2:].max(0)])
    assert np.isnan(mean[1]).all() and np.isnan(most[1]).all()
    with pytest.raises(InvalidInput, match="there is no 'median'"):
        pool_objects(x, offsets, "median")


def test_the_accuracy_of_neighbors_is_that_of_leaving_one_out():
    rng = np.random.default_rng(0)
    labels = rng.integers(0, 3, 90)
    x = (rng.normal(size=(3, 8))[labels] + rng.normal(size=(90, 8))).astype(np.float32)
    unit = x / np.linalg.norm(x, axis=1, keepdims=True)
    right = 0
    for row in range(90):
        others = np.arange(90) != row
        judge = KNeighborsClassifier(1).fit(unit[others], labels[others])
        right += judge.predict(unit[[row]])[0] == labels[row]
    assert neighbor_accuracy(x, labels, 1) == pytest.approx(right / 90)
    assert neighbor_accuracy(x, [f"class {one}" for one in labels], 5) > 0.6
    same = np.ones((20, 4), dtype=np.float32)  # each sample is as near as itself
    assert neighbor_accuracy(same, ["a"] * 20) == 1
    with pytest.raises(InvalidInput, match="needs a label for each"):
        neighbor_accuracy(x, labels[:3])


def test_of_even_votes_the_closer_counts():
    angles = np.array([0.0, 0.1, 0.3])
    x = np.stack([np.cos(angles), np.sin(angles)], 1)
    assert neighbor_accuracy(x, ["a", "a", "b"], 2) == pytest.approx(2 / 3)


def test_collapse():
    rng = np.random.default_rng(0)
    everywhere = spread_of(rng.normal(size=(2000, 32)))
    assert everywhere.spread == pytest.approx(1, abs=0.02) and everywhere.effective_rank > 30
    assert not everywhere.collapsed and "effective rank 3" in str(everywhere)
    one = rng.normal(size=32)
    for collapsed in (
        np.tile(one, (100, 1)),
        one + 0.01 * rng.normal(size=(100, 32)),
        rng.normal(size=(100, 1)) * one,  # on a line
    ):
        assert spread_of(collapsed).collapsed
    for odd in (np.nan, np.inf):
        vectors = rng.normal(size=(100, 32))
        vectors[3, 4] = odd
        assert np.isnan(spread_of(vectors).spread) and spread_of(vectors).collapsed
