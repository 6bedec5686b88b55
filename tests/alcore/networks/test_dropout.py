"""Dropout at prediction time: members' masks, their law, and what is left behind."""

import numpy as np
import pytest
import torch
from scipy.stats import chi2, chisquare
from torch import nn

from alcore import InvalidInput
from alcore.networks.dropout import dropout_layers, dropout_masks, predict_members


class Net(nn.Module):
    """Convolutions, batch normalization, both kinds of dropout."""

    def __init__(self):
        super().__init__()
        self.body = nn.Sequential(
            nn.Conv2d(1, 4, 3), nn.BatchNorm2d(4), nn.ReLU(), nn.Dropout2d(0.4), nn.Flatten()
        )
        self.drop = nn.Dropout(0.5)
        self.last = nn.Linear(4 * 36, 3)

    def forward(self, x):
        return self.last(self.drop(self.body(x)))


class Twice(nn.Module):
    """One dropout layer, called twice in a pass."""

    def __init__(self, p=0.5):
        super().__init__()
        self.drop = nn.Dropout(p)

    def forward(self, x):
        return torch.cat([self.drop(x), self.drop(x)], dim=1)


@pytest.fixture
def net():
    torch.manual_seed(0)
    net = Net()
    for _ in range(5):
        net(torch.randn(32, 1, 8, 8) + 1)  # gives the batch normalization something to know
    return net


def members_of(model, x, batch, **options):
    return torch.cat(list(predict_members(model, x.split(batch), **options)), dim=1)


def masks_of(layer, shape, member=0, seed=0):
    """What a layer multiplies ones by, for one member."""
    with dropout_masks(layer, seed, member):
        return layer(torch.ones(shape))


def test_shapes_and_types(net):
    batches = list(predict_members(net, torch.randn(10, 1, 8, 8).split(4), members=3))
    assert [tuple(one.shape) for one in batches] == [(3, 4, 3), (3, 4, 3), (3, 2, 3)]
    assert all(one.dtype == torch.float32 and not one.requires_grad for one in batches)


def test_a_sample_is_judged_alike_in_any_batch_and_order(net):
    x = torch.randn(30, 1, 8, 8)
    whole = members_of(net, x, 30, members=6, seed=4)
    torch.testing.assert_close(members_of(net, x, 1, members=6, seed=4), whole)
    torch.testing.assert_close(members_of(net, x, 7, members=6, seed=4), whole)
    order = torch.randperm(30)
    torch.testing.assert_close(members_of(net, x[order], 11, members=6, seed=4), whole[:, order])


def test_members_and_seeds_differ_and_repeat(net):
    x = torch.randn(5, 1, 8, 8)
    one = members_of(net, x, 5, members=4, seed=0)
    assert torch.equal(one, members_of(net, x, 5, members=4, seed=0))
    assert torch.equal(one[:2], members_of(net, x, 5, members=2, seed=0))  # more members, same first
    assert not torch.isclose(one, members_of(net, x, 5, members=4, seed=1)).all()
    assert all(not torch.allclose(one[i], one[j]) for i in range(4) for j in range(i))


def test_torchs_own_random_numbers_are_left_alone(net):
    torch.manual_seed(3)
    expected = torch.rand(4)
    torch.manual_seed(3)
    members_of(net, torch.zeros(2, 1, 8, 8), 2)
    assert torch.equal(torch.rand(4), expected)


def test_everything_is_as_it_was_afterwards(net):
    net.train()
    net.body[1].eval()  # a frozen batch normalization stays frozen
    flags = [module.training for module in net.modules()]
    state = {name: value.clone() for name, value in net.state_dict().items()}
    hooks = [(len(m._forward_hooks), len(m._forward_pre_hooks)) for m in net.modules()]

    def unchanged():
        same = all(torch.equal(value, state[name]) for name, value in net.state_dict().items())
        return same and (
            flags == [module.training for module in net.modules()]
            and hooks == [(len(m._forward_hooks), len(m._forward_pre_hooks)) for m in net.modules()]
        )

    members_of(net, torch.randn(9, 1, 8, 8), 4, members=3)
    assert unchanged()
    with pytest.raises(RuntimeError):
        list(predict_members(net, [torch.zeros(2, 5, 8, 8)]))  # five channels, not one
    assert unchanged()
    with pytest.raises(KeyboardInterrupt), dropout_masks(net, 0, 0):
        assert not any(module.training for module in net.modules())
        raise KeyboardInterrupt
    assert unchanged()
    running = predict_members(net, torch.randn(4, 1, 8, 8).split(2))
    next(running)
    assert unchanged() and torch.is_grad_enabled()  # between batches as well


def test_one_mask_for_the_whole_batch():
    out = masks_of(nn.Dropout(0.5), (6, 50))
    assert torch.equal(out, out[:1].expand(6, 50))
    assert set(out.unique().tolist()) == {0.0, 2.0}


@pytest.mark.parametrize(
    "kind, shape",
    [(nn.Dropout1d, (2, 40, 5)), (nn.Dropout2d, (2, 40, 3, 4)), (nn.Dropout3d, (2, 40, 2, 2, 2))],
)
def test_whole_channels_are_dropped(kind, shape):
    out = masks_of(kind(0.25), shape)
    by_channel = out.flatten(2)
    assert torch.equal(by_channel, by_channel[:1, :, :1].expand_as(by_channel))
    assert len(by_channel[0, :, 0].unique()) == 2


def test_a_layer_called_twice_has_a_mask_each_and_the_same_in_every_pass():
    model, x = Twice(), torch.ones(3, 64)
    with dropout_masks(model, 0, 0):
        first, second = model(x), model(x)
    assert torch.equal(first, second)
    assert not torch.equal(first[:, :64], first[:, 64:])


def test_two_layers_have_masks_of_their_own():
    both = nn.Sequential(nn.Dropout(0.5), nn.Dropout(0.5))
    assert 0 < (masks_of(both, (1, 400)) == 4).float().mean() < 0.5


def test_nothing_and_everything_dropped():
    out = masks_of(nn.Sequential(nn.Dropout(0.0), nn.Flatten(), nn.Dropout(0.5)), (2, 30))
    assert set(out.unique().tolist()) == {0.0, 2.0}
    out = masks_of(nn.Dropout(1.0), (2, 30))
    assert not out.any() and not out.isnan().any()


def test_dropping_in_place_is_as_torch_does_it():
    class InPlace(nn.Module):
        def __init__(self):
            super().__init__()
            self.drop = nn.Dropout(0.5, inplace=True)

        def forward(self, x):
            kept = x * 1
            self.drop(kept)
            return kept

    assert set(masks_of(InPlace(), (2, 60)).unique().tolist()) == {0.0, 2.0}


@pytest.mark.parametrize("p", [0.1, 0.5, 0.8])
def test_the_share_kept_is_that_of_the_layer(p):
    """Chi-square over members and places: independent of each other, each kept with 1 - p."""
    members, places = 400, 50
    kept = np.stack([masks_of(nn.Dropout(p), (1, places), m)[0].numpy() > 0 for m in range(members)])
    of_all = [kept.sum(), kept.size - kept.sum()]
    assert chisquare(of_all, [kept.size * (1 - p), kept.size * p]).pvalue > 1e-3
    expected = members * (1 - p)
    spread = ((kept.sum(0) - expected) ** 2 / (expected * p)).sum()
    assert 1e-3 < chi2.sf(spread, places) < 1 - 1e-3
    together = np.corrcoef(kept.T.astype(float))[np.triu_indices(places, 1)]
    assert abs(together.mean()) < 0.01 and together.std() == pytest.approx(members**-0.5, rel=0.15)


@pytest.mark.parametrize("kind, shape", [(nn.Dropout, (1, 12)), (nn.Dropout2d, (1, 4, 3, 1))])
def test_the_law_is_that_of_the_layer_in_training(kind, shape):
    """How many of 12 places are kept, and their sum, beside what torch itself draws."""
    torch.manual_seed(0)
    layer, draws = kind(0.4), 3000
    theirs = np.stack([layer.train()(torch.ones(shape)).flatten().numpy() for _ in range(draws)])
    ours = np.stack([masks_of(layer, shape, member).flatten().numpy() for member in range(draws)])
    assert set(np.unique(ours)) == set(np.unique(theirs))
    ours, theirs = (ours > 0).sum(1), (theirs > 0).sum(1)
    values = np.unique(np.concatenate([ours, theirs]))
    counts = np.array([[(each == value).sum() for value in values] for each in (ours, theirs)])
    counts = counts[:, counts.sum(0) >= 10]
    middle = counts.sum(0) / 2
    statistic = ((counts - middle) ** 2 / middle).sum()
    assert chi2.sf(statistic, counts.shape[1] - 1) > 1e-3


def test_many_members_of_a_linear_layer_average_to_what_is_not_dropped():
    torch.manual_seed(0)
    model = nn.Sequential(nn.Dropout(0.5), nn.Linear(40, 3))
    x = torch.randn(6, 40)
    outputs = members_of(model, x, 6, members=3000)
    error = outputs.std(0) / 3000**0.5
    assert ((outputs.mean(0) - model.eval()(x)).abs() < 4.5 * error).all()


def test_refusals(net):
    with pytest.raises(InvalidInput, match=r"Linear has no dropout layer .* called as a function"):
        dropout_layers(nn.Linear(2, 2))
    with pytest.raises(InvalidInput, match="has 1 dropout layers, but each drops with probability 0"):
        next(predict_members(nn.Sequential(nn.Dropout(0)), [torch.zeros(1, 2)]))
    with pytest.raises(InvalidInput, match="0 is not a number of members"):
        next(predict_members(net, [torch.zeros(1, 1, 8, 8)], members=0))
    with pytest.raises(InvalidInput, match=r"gave \(2, 3, 4\) for a batch of 2, not \(2, classes\)"):
        next(predict_members(nn.Dropout(0.5), [torch.zeros(2, 3, 4)]))


def test_autocast_does_nothing_on_a_cpu(net):
    x = torch.randn(4, 1, 8, 8)
    assert torch.equal(next(predict_members(net, [x], autocast=True)), next(predict_members(net, [x])))


def test_a_gpu_gives_the_same_members(net, gpu):
    x = torch.randn(8, 1, 8, 8)
    expected = members_of(net, x, 8, members=4)
    torch.testing.assert_close(
        members_of(net, x, 8, members=4, device="cuda"), expected, rtol=1e-3, atol=1e-3
    )
    half = members_of(net, x, 8, members=4, device="cuda", autocast=True)
    torch.testing.assert_close(half, expected, rtol=0.05, atol=0.05)
