"""Nearest points by a few leading directions, beside all distances."""

import numpy as np
import pytest
import torch

from alcore.geometry.distances import squared_lengths
from alcore.geometry.leading_directions import leading_directions
from support.problems import low_rank_vectors


@pytest.mark.parametrize("so_far", [np.inf, 3.0])
def test_rows_that_are_sure_have_their_nearest_point_and_most_are(so_far):
    X = torch.from_numpy(low_rank_vectors())
    directions = leading_directions(X)
    rows = torch.randperm(len(X), generator=torch.Generator().manual_seed(0))[:3000]
    points, lengths = X[-200:], squared_lengths(X)
    nearest = torch.full((len(rows),), so_far)
    unsure = directions.lower(X, lengths[rows], rows, points, lengths[-200:], nearest)
    true = (torch.cdist(X[rows].double(), points.double()) ** 2).amin(1).clamp(max=so_far)
    rounding = 1e-5 * lengths[rows]
    assert ((nearest - true).abs() <= rounding)[~unsure].all()
    assert (nearest >= true - rounding).all()
    assert unsure.float().mean() < 0.1


def test_few_directions_of_vectors_without_any_are_not_used():
    rng = np.random.default_rng(0)
    assert leading_directions(torch.from_numpy(rng.standard_normal((6000, 24), np.float32))) is None


def test_many_dimensions_beside_few_rows_are_not_decomposed():
    assert leading_directions(torch.ones(100, 50)) is None
