"""Predicted losses: the ranking loss, the head on a network, and heads fitted afterwards."""

import numpy as np
import pytest
import torch
from scipy.stats import spearmanr
from torch import nn

from alcore import InvalidInput
from alcore.data.settings import settings
from alcore.networks.loss_prediction import (
    DETACH_AFTER,
    LossPredictionModule,
    fit_loss_predictor,
    joint_loss,
    ranking_loss,
)


def ranking_loss_by_loop(predicted, losses, margin):
    """Pair by pair, in plain numbers."""
    pairs = len(predicted) // 2
    total = 0.0
    for i in range(pairs):
        j = 2 * pairs - 1 - i
        sign = int(losses[i] > losses[j]) - int(losses[i] < losses[j])
        total += max(0.0, -sign * (predicted[i] - predicted[j]) + margin)
    return total / pairs


@pytest.mark.parametrize("size", [2, 3, 8, 31, 64])
@pytest.mark.parametrize("margin", [0.0, 1.0, 2.5])
def test_ranking_loss_is_that_of_a_loop(size, margin):
    rng = np.random.default_rng(size)
    predicted = rng.normal(size=size)
    losses = rng.integers(0, 5, size).astype(float)  # some pairs are equal
    ours = ranking_loss(torch.tensor(predicted), torch.tensor(losses), margin)
    assert float(ours) == pytest.approx(ranking_loss_by_loop(predicted, losses, margin), abs=1e-12)


def test_a_pair_told_apart_by_the_margin_costs_nothing():
    losses = torch.tensor([3.0, 1.0])
    assert ranking_loss(torch.tensor([5.0, 4.0]), losses) == 0
    assert ranking_loss(torch.tensor([5.0, 4.5]), losses) == 0.5
    assert ranking_loss(torch.tensor([4.0, 5.0]), losses) == 2
    assert ranking_loss(torch.tensor([4.0, 5.0]), losses, margin=0.25) == 1.25


def test_a_batch_without_a_pair_costs_nothing_and_can_be_trained_on():
    predicted = torch.tensor([2.0], requires_grad=True)
    loss = ranking_loss(predicted, torch.tensor([1.0]))
    loss.backward()
    assert loss == 0 and predicted.grad == 0


def test_no_gradient_goes_into_the_true_losses():
    losses = torch.tensor([1.0, 2.0, 3.0, 5.0], requires_grad=True)
    predicted = torch.tensor([0.5, 0.1, 0.2, 0.3], requires_grad=True)
    ranking_loss(predicted, losses).backward()
    assert losses.grad is None and predicted.grad.abs().sum() > 0
    joint_loss(losses, predicted.detach()).backward()
    np.testing.assert_array_equal(losses.grad, [0.25] * 4)  # the mean alone


def test_shapes_that_do_not_fit():
    with pytest.raises(InvalidInput, match=r"not \(4, 1\) and \(4,\)"):
        ranking_loss(torch.zeros(4, 1), torch.zeros(4))
    with pytest.raises(InvalidInput, match=r"features of \(3, 5\) channels, not of \(5, 3\)"):
        LossPredictionModule([3, 5])([torch.zeros(2, 5), torch.zeros(2, 3)])
    with pytest.raises(InvalidInput, match="at least one feature"):
        LossPredictionModule([])


def test_the_module_pools_maps_of_any_size_and_takes_vectors():
    torch.manual_seed(0)
    head = LossPredictionModule([4, 6, 3], width=8)
    maps, vectors, volumes = torch.randn(5, 4, 7, 9), torch.randn(5, 6), torch.randn(5, 3, 2, 3, 4)
    out = head([maps, vectors, volumes])
    assert out.shape == (5,)
    pooled = [maps.mean((2, 3)), vectors, volumes.mean((2, 3, 4))]
    torch.testing.assert_close(out, head(pooled))
    parts = [torch.relu(one @ f.weight.T + f.bias) for one, f in zip(pooled, head.layers, strict=True)]
    by_hand = torch.cat(parts, 1) @ head.last.weight[0] + head.last.bias
    torch.testing.assert_close(out, by_hand)


class Small(nn.Module):
    """A network whose feature maps are caught by hooks, as a user's would be."""

    def __init__(self):
        super().__init__()
        self.first = nn.Sequential(nn.Conv2d(1, 6, 3), nn.ReLU())
        self.second = nn.Sequential(nn.Conv2d(6, 10, 3), nn.ReLU())
        self.last = nn.Linear(10, 3)
        self.maps = []
        for layer in (self.first, self.second):
            layer.register_forward_hook(lambda layer, given, out: self.maps.append(out))

    def forward(self, x):
        self.maps = []
        return self.last(self.second(self.first(x)).mean((2, 3)))


@pytest.mark.parametrize("detach", [False, True])
def test_detach_stops_the_gradient_into_the_network(detach):
    torch.manual_seed(0)
    net, head = Small(), LossPredictionModule([6, 10], width=4)
    net(torch.randn(8, 1, 8, 8))
    ranking_loss(head(net.maps, detach=detach), torch.rand(8)).backward()
    reached = [p.grad is not None and bool(p.grad.any()) for p in (*net.first.parameters(),)]
    assert reached == [not detach, not detach]
    assert all(p.grad is not None for p in head.parameters())


def test_joint_training_predicts_the_losses_of_unseen_samples():
    torch.manual_seed(0)
    rng = np.random.default_rng(0)
    # Class by brightness; stripes stand for noise in the label, so that they are what loss goes by.
    y = torch.tensor(rng.integers(0, 3, 600))
    striped = torch.tensor(rng.random(600) < 0.5)
    x = 0.3 * torch.randn(600, 1, 8, 8) + 2 * (y[:, None, None, None] - 1.0)
    x[striped, :, ::2] += 2.0
    x[striped, :, 1::2] -= 2.0
    y[striped] = torch.tensor(rng.integers(0, 3, int(striped.sum())))
    net, head = Small(), LossPredictionModule([6, 10], width=16)
    optimizer = torch.optim.Adam([*net.parameters(), *head.parameters()], lr=1e-2)
    epochs = 10
    for epoch in range(epochs):
        for rows in torch.randperm(400).split(50):
            losses = nn.functional.cross_entropy(net(x[rows]), y[rows], reduction="none")
            predicted = head(net.maps, detach=epoch >= DETACH_AFTER * epochs)
            optimizer.zero_grad()
            joint_loss(losses, predicted).backward()
            optimizer.step()
    with torch.no_grad():
        losses = nn.functional.cross_entropy(net(x[400:]), y[400:], reduction="none")
        predicted = head(net.maps)
    assert spearmanr(predicted, losses).statistic > 0.5


def problem(n=400, d=8, labeled=150, noise=0.3, seed=0):
    """Losses that are a smooth function of the vectors, and noise."""
    rng = np.random.default_rng(seed)
    vectors = rng.normal(size=(n, d))
    truth = np.exp(vectors[:, 0] + 0.5 * np.abs(vectors[:, 1]) + noise * rng.normal(size=n))
    mask = np.zeros(n, dtype=bool)
    mask[rng.permutation(n)[:labeled]] = True
    return vectors, truth, mask


def test_a_signal_is_found_and_carries_over_to_the_unlabeled():
    vectors, truth, mask = problem()
    found = fit_loss_predictor(vectors, truth, mask, seed=1)
    assert found.labeled == 150 and found.scores.shape == (400,)
    assert found.scores.dtype == np.float64
    assert found.correlation > 0.6
    assert found.correlation == pytest.approx(
        spearmanr(found.scores[mask], truth[mask]).statistic, abs=1e-12
    )
    assert spearmanr(found.scores[~mask], truth[~mask]).statistic > 0.6
    assert found.chance == pytest.approx(1.64 / np.sqrt(149))


def test_the_scale_and_place_of_vectors_do_not_matter():
    vectors, truth, mask = problem()
    constant = np.full((400, 2), 7.0)
    moved = np.concatenate([vectors * [1e4, *[1e-4] * 7] + 3, constant], axis=1)
    found = fit_loss_predictor(moved, truth, mask)
    assert found.correlation > 0.6


def test_what_is_held_out_is_not_seen():
    """With far more features than samples a head that saw a sample would know its loss by heart."""
    rng = np.random.default_rng(3)
    correlations = []
    for seed in range(4):
        vectors, losses = rng.normal(size=(120, 300)), rng.exponential(size=120)
        everyone = np.ones(120, dtype=bool)
        found = fit_loss_predictor(vectors, losses, everyone, folds=3, seed=seed, epochs=20)
        correlations.append(found.correlation)
    assert np.abs(np.mean(correlations)) < 0.12  # its standard error is 0.046
    assert max(correlations) < 0.35


def test_a_labeled_score_does_not_depend_on_its_own_loss():
    vectors, truth, mask = problem(n=120, labeled=60)
    row = int(np.flatnonzero(mask)[5])
    changed = truth.copy()
    changed[row] = 100 * truth.max()
    before = fit_loss_predictor(vectors, truth, mask, epochs=10)
    after = fit_loss_predictor(vectors, changed, mask, epochs=10)
    # All but one head have seen it; the score of this row is of the one which has not.
    assert after.scores[row] == before.scores[row]
    assert not np.array_equal(before.scores[~mask], after.scores[~mask])


def test_only_the_labeled_samples_losses_are_looked_at():
    vectors, truth, mask = problem(n=150, labeled=60)
    blank = np.where(mask, truth, np.nan)
    ours = fit_loss_predictor(vectors, blank, mask, epochs=5)
    np.testing.assert_array_equal(
        ours.scores, fit_loss_predictor(vectors, truth, mask, epochs=5).scores
    )


def test_several_arrays_chunks_and_types(monkeypatch):
    vectors, truth, mask = problem()
    parts = [vectors[:, :3].astype(np.float32), vectors[:, 3:].astype(np.float16)]
    whole = fit_loss_predictor(parts, truth, mask, epochs=10)
    assert whole.correlation > 0.5
    monkeypatch.setattr(settings, "largest_chunk", 8 * 7)
    in_chunks = fit_loss_predictor(parts, truth, mask, epochs=10)
    np.testing.assert_allclose(in_chunks.scores, whole.scores, atol=1e-5)


def test_the_same_seed_gives_the_same_and_leaves_torch_alone():
    vectors, truth, mask = problem(n=150, labeled=60)
    torch.manual_seed(5)
    expected = torch.rand(3)
    torch.manual_seed(5)
    one = fit_loss_predictor(vectors, truth, mask, seed=2, epochs=5)
    assert torch.equal(torch.rand(3), expected)
    two = fit_loss_predictor(vectors, truth, mask, seed=2, epochs=5)
    other = fit_loss_predictor(vectors, truth, mask, seed=3, epochs=5)
    np.testing.assert_array_equal(one.scores, two.scores)
    assert not np.array_equal(one.scores, other.scores)


def test_vectors_that_are_all_the_same_teach_nothing():
    _, truth, mask = problem()
    found = fit_loss_predictor(np.ones((400, 4)), truth, mask, epochs=2)
    assert found.correlation == 0 and not found.scores.any()


def test_progress_is_told_and_may_stop():
    vectors, truth, mask = problem(n=100, labeled=60)
    told = []
    fit_loss_predictor(
        vectors, truth, mask, folds=3, epochs=2, progress=lambda *step: told.append(step)
    )
    assert told == [(done, 6) for done in range(1, 7)]

    def stop(done, total):
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        fit_loss_predictor(vectors, truth, mask, progress=stop)


def with_row(array, row, value):
    changed = np.array(array, dtype=float)
    changed[row] = value
    return changed


def test_refusals():
    vectors, truth, mask = problem(n=100, labeled=60)
    first = int(np.flatnonzero(mask)[0])
    few = mask & (np.cumsum(mask) <= 49)
    cases = [
        ((vectors, truth, few), {}, "49 labeled samples are too few .* at least 50"),
        ((vectors, truth, mask), {"minimum": 61}, "60 labeled samples are too few"),
        ((vectors, truth, mask), {"folds": 1}, "folds: 1 does not do for 60 labeled"),
        ((vectors, truth, mask), {"folds": 31}, "folds: 31 does not do"),
        ((vectors, np.full(100, 0.25), mask), {}, "all 60 labeled samples have the same loss, 0.25"),
        ((vectors, with_row(truth, first, np.nan), mask), {}, rf"1 sample \(id {first}\) with NaN"),
        ((with_row(vectors, 7, np.inf), truth, mask), {}, r"features: 1 sample \(id 7\) with NaN"),
        (([vectors, with_row(vectors, 7, np.nan)], truth, mask), {}, r"features\[1\]: 1 sample"),
        (([vectors, vectors[:90]], truth, mask), {}, "unequal length: 100, 90"),
        ((vectors, truth[:90], mask), {}, r"100 samples have features: .* not \(90,\)"),
        ((vectors, truth, mask.astype(int)), {}, "bools, not .* of int64"),
        ((vectors[0], truth, mask), {}, r"must be \(N, d\), not \(8,\)"),
        (([], truth, mask), {}, "at least one array"),
    ]
    for given, options, sentence in cases:
        with pytest.raises(InvalidInput, match=sentence):
            fit_loss_predictor(*given, **options)
