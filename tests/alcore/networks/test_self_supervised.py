"""Training without labels: deterministic, taken up where it was broken off, and collapse is told."""

import math
import os

import numpy as np
import pytest
import torch
from torch import nn

from alcore import InvalidInput
from alcore.geometry.neighbor_accuracy import neighbor_accuracy
from alcore.networks import collapse, self_supervised
from alcore.networks.networks import state_of
from alcore.networks.self_supervised import CONTRASTIVE, METHODS, Settings, read_trained, train

N, SIZE = 24, 16
FAST = {"image_size": SIZE, "epochs": 2, "batch_size": 8}


@pytest.fixture(autouse=True)
def one_thread():
    """Many threads cost more than they bring with images this small."""
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(threads)


@pytest.fixture(scope="module")
def images():
    """Stripes in three directions, in colors that tell nothing."""
    rng = np.random.default_rng(0)
    made = []
    for row in range(N):
        x, y = np.meshgrid(np.arange(24), np.arange(20))
        wave = np.sin([x, y, x + y][row % 3] * 1.2 + rng.uniform(0, 6))
        colors = rng.integers(60, 255, 3)
        made.append(((wave[..., None] + 1) / 2 * colors).astype(np.uint8))
    return made


class Small(nn.Module):
    """Pooled features of a small network."""

    def __init__(self, seed=0):
        super().__init__()
        torch.manual_seed(seed)
        self.body = nn.Sequential(
            nn.Conv2d(3, 16, 3, stride=2, padding=1),
            nn.BatchNorm2d(16),
            nn.ReLU(),
            nn.Conv2d(16, 16, 3, stride=2, padding=1),
            nn.BatchNorm2d(16),
            nn.ReLU(),
        )
        self.drop = nn.Dropout(0.1)

    def forward(self, x):
        return self.drop(self.body(x).mean((2, 3)))


class Broken(Exception):
    pass


def break_after(batches):
    def progress(done, total):
        if done > batches:
            raise Broken

    return progress


def same(one, other):
    a, b = state_of(one), state_of(other)
    return a.keys() == b.keys() and all(torch.equal(a[name], b[name]) for name in a)


def test_the_losses_are_lightlys(images):
    from lightly import loss

    from alcore.networks import self_supervised_methods

    torch.manual_seed(0)
    views = [torch.randn(8, 3, SIZE, SIZE) for _ in range(2)]
    expected = {
        "simclr": lambda a, b: loss.NTXentLoss(0.2)(a, b),
        "barlow_twins": lambda a, b: loss.BarlowTwinsLoss()(a, b),
    }
    for name, judge in expected.items():
        value, first, second = self_supervised_methods.METHODS[name](Small(), 16, N)(views, 0)
        assert torch.equal(value, judge(first, second))
    siamese = self_supervised_methods.METHODS["simsiam"](Small(), 16, N)
    value, first, second = siamese(views, 0)
    near = loss.NegativeCosineSimilarity()
    both = near(siamese.predictor(first), second) + near(siamese.predictor(second), first)
    assert torch.allclose(value, both / 2)


@pytest.mark.parametrize("method", METHODS)
def test_broken_off_and_taken_up_again(images, tmp_path, method):
    settings = Settings(method, **FAST)
    start = Small()
    before = state_of(start)["body.0.weight"].clone()
    whole = train(images, settings, start=start, device="cpu")
    with pytest.raises(Broken):
        train(images, settings, tmp_path, start, "cpu", progress=break_after(4))
    assert [one.suffix for one in tmp_path.iterdir()] == [".pt"]
    again = train(images, settings, tmp_path, start, "cpu")
    assert (whole.epochs, again.epochs) == (2, 1)
    assert same(whole.backbone, again.backbone) and whole.losses == again.losses
    assert whole.spread == again.spread
    kept = train(images, settings, tmp_path, start, "cpu")
    assert kept.epochs == 0 and same(kept.backbone, whole.backbone)
    read = read_trained(again.path, settings, start)
    assert same(read.backbone, whole.backbone) and not read.backbone.training
    assert torch.equal(start.body[0].weight, before)  # it is copied from
    assert not same(whole.backbone, start)
    if method in CONTRASTIVE:
        assert np.array_equal(whole.agreement, again.agreement) and whole.agreement.shape == (N,)
        assert (np.abs(whole.agreement) <= settings.epochs).all() and whole.agreement.std() > 0
    else:
        assert whole.agreement is None


def test_what_is_random_is_the_seeds(images):
    settings = Settings(**FAST)
    start = Small()
    np.random.seed(5)
    torch.manual_seed(5)
    numbers, torchs = np.random.get_state()[1].copy(), torch.get_rng_state()
    one = train(images, settings, start=start, device="cpu")
    assert np.array_equal(np.random.get_state()[1], numbers)
    assert torch.equal(torch.get_rng_state(), torchs)
    other = train(images, settings, start=Small(), device="cpu", workers=2)
    assert same(one.backbone, other.backbone)
    changed = train(images, Settings(**FAST, seed=1), start=Small(), device="cpu")
    assert not same(one.backbone, changed.backbone)


def test_the_agreement_is_the_sum_of_cosines(images, monkeypatch):
    from alcore.networks import self_supervised_methods

    seen = []
    forward = self_supervised_methods.SimCLR.forward

    def noted(self, views, epoch):
        found = forward(self, views, epoch)
        seen.append(nn.functional.cosine_similarity(found[1], found[2]).detach())
        return found

    monkeypatch.setattr(self_supervised_methods.SimCLR, "forward", noted)
    trained = train(images, Settings(**FAST), start=Small(), device="cpu")
    assert trained.agreement.sum() == pytest.approx(float(torch.cat(seen).sum()), abs=1e-4)
    assert len(torch.cat(seen)) == 2 * N  # each image once an epoch


@pytest.mark.slow
def test_training_teaches_and_does_not_collapse(images):
    settings = Settings(image_size=SIZE, epochs=40, batch_size=24, learning_rate=5e-3)
    trained = train(images, settings, start=Small(), device="cpu")
    assert trained.losses[-1] < trained.losses[0] and not trained.spread.collapsed
    assert neighbor_accuracy(vectors_of(trained.backbone, images), np.arange(N) % 3) > 0.5


@pytest.mark.slow
def test_a_collapsed_network_is_told(images, monkeypatch):
    """Without its stop-gradient SimSiam collapses, as its paper shows."""
    from alcore.networks import self_supervised_methods

    def forward(self, views, epoch):
        first, second = (self.head(self.backbone(view)) for view in views)
        return self.loss(first, second), first, second

    monkeypatch.setattr(self_supervised_methods.SimSiam, "forward", forward)
    monkeypatch.setattr(
        self_supervised_methods.heads.SimSiamProjectionHead,
        "__init__",
        lambda self, d, hidden, out: self_supervised_methods.heads.ProjectionHead.__init__(
            self, [(d, hidden, None, nn.ReLU()), (hidden, out, None, None)]
        ),
    )
    settings = Settings("simsiam", image_size=SIZE, epochs=40, batch_size=24, learning_rate=1e-2)
    assert train(images, settings, start=Small(), device="cpu").spread.collapsed


def vectors_of(backbone, images):
    from PIL import Image

    x = np.stack([np.asarray(Image.fromarray(one).resize((SIZE, SIZE))) for one in images]) / 255
    with torch.no_grad():
        return backbone(torch.tensor(x, dtype=torch.float32).permute(0, 3, 1, 2)).numpy()


def test_an_architecture_from_scratch(images, tmp_path):
    settings = Settings(architecture="shufflenet_v2_x0_5", image_size=32, epochs=1, batch_size=12)
    trained = train(images, settings, tmp_path, device="cpu")
    assert trained.path.name.startswith("simclr-shufflenet_v2_x0_5-")
    assert trained.backbone(torch.zeros(2, 3, 32, 32)).shape == (2, 1024)
    assert same(read_trained(trained.path, settings).backbone, trained.backbone)


class Trap:
    def __init__(self, path):
        self.path = path

    def __reduce__(self):
        return (open, (self.path, "w"))


def test_checkpoints_that_cannot_be_read(images, tmp_path):
    settings = Settings(**FAST)
    path = train(images, settings, tmp_path, Small(), "cpu").path
    other = train(images[1:], settings, tmp_path, Small(), "cpu")
    assert other.epochs == 2 and other.path != path
    held = torch.load(path, weights_only=True)
    for content in ({"a": Trap(str(tmp_path / "sprung"))}, [1], {"format": 0}, {**held, "tensors": {}}):
        torch.save(content, path)
        with pytest.raises(InvalidInput, match=r"cannot be read .* remove .* to train anew"):
            train(images, settings, tmp_path, Small(), "cpu")
    assert not os.path.exists(tmp_path / "sprung")
    torch.save({**held, "losses": [1.0]}, path)
    with pytest.raises(InvalidInput, match="holds 1 of 2 epochs; train on"):
        read_trained(path, settings, Small())


def test_a_cpus_checkpoint_on_a_gpu(images, tmp_path, monkeypatch):
    """A GPU's scaler, which is enabled, is not to be given a CPU's empty state."""
    settings, scaler = Settings(**FAST), torch.amp.GradScaler
    with pytest.raises(Broken):
        train(images, settings, tmp_path, Small(), "cpu", progress=break_after(4))
    monkeypatch.setattr(torch.amp, "GradScaler", lambda *given, **options: scaler("cpu", enabled=True))
    assert train(images, settings, tmp_path, Small(), "cpu").epochs == 1


def test_the_spread_is_measured_once_of_few(images, monkeypatch):
    measured = []

    def spread_of(vectors):
        measured.append(tuple(vectors.shape))
        return collapse.spread_of(vectors)

    monkeypatch.setattr(self_supervised, "spread_of", spread_of)
    monkeypatch.setattr(self_supervised, "step_of", lambda count: 5)
    train(images, Settings(**FAST), start=Small(), device="cpu")
    assert measured == [(math.ceil(N / 5), 128)]


def test_the_spread_of_long_vectors_takes_few_of_them(monkeypatch):
    shapes, values = [], torch.linalg.svdvals
    monkeypatch.setattr(torch.linalg, "svdvals", lambda x: shapes.append(tuple(x.shape)) or values(x))
    collapse.spread_of(np.random.default_rng(0).normal(size=(5000, 16)))
    assert shapes == [(1000, 16)]


def test_cudnn_adds_in_one_order_while_it_trains(images, monkeypatch):
    cudnn = torch.backends.cudnn
    monkeypatch.setattr(cudnn, "benchmark", True)
    before, seen = (cudnn.deterministic, cudnn.benchmark), set()

    def look(done, total):
        seen.add((cudnn.deterministic, cudnn.benchmark))

    train(images, Settings(**FAST), start=Small(), device="cpu", progress=look)
    assert seen == {(True, False)} and (cudnn.deterministic, cudnn.benchmark) == before


def test_a_gpus_generators_are_seeded_and_restored(monkeypatch):
    import contextlib

    seeds, forked = [], []
    monkeypatch.setattr(torch.cuda, "manual_seed_all", seeds.append)
    monkeypatch.setattr(torch.cuda, "device_count", lambda: 2)
    monkeypatch.setattr(
        torch.random,
        "fork_rng",
        lambda devices: forked.append(list(devices)) or contextlib.nullcontext(),
    )
    for name in ("cpu", "cuda", "cuda"):
        on = torch.device(name)
        with self_supervised._own_randomness(on):
            self_supervised._seed(3, on=on)
            self_supervised._seed(4)
    assert len(seeds) == 2 and seeds[0] == seeds[1] and forked == [[], [0, 1], [0, 1]]


@pytest.mark.parametrize("method", ["simclr", "barlow_twins"])
def test_training_that_diverges(images, tmp_path, method):
    settings = Settings(method, **{**FAST, "epochs": 3}, learning_rate=1e30)
    with pytest.raises(InvalidInput, match=r"diverged in epoch \d; take a smaller learning_rate"):
        train(images, settings, tmp_path, Small(), "cpu")


@pytest.mark.parametrize(
    "options, sentence",
    [
        ({"method": "byol"}, "there is no 'byol'; choose simclr"),
        ({"architecture": "vgg16"}, "'vgg16' is not a torchvision classifier"),
        ({"image_size": 8}, "8 pixels show nothing"),
        ({"epochs": 0}, "0 train nothing"),
        ({"batch_size": 1}, "1 cannot be compared"),
        ({"learning_rate": 0.0}, "is not above 0"),
        ({"learning_rate": float("nan")}, "is not above 0"),
        ({"learning_rate": float("inf")}, "inf is not finite"),
        ({"seed": -1}, "-1 is negative"),
    ],
)
def test_settings_that_cannot_be(images, options, sentence):
    with pytest.raises(InvalidInput, match=sentence):
        train(images, Settings(**options))


def test_too_few_images(images):
    with pytest.raises(InvalidInput, match="3 are too few"):
        train(images[:3])
