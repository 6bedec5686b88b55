"""Groups of rows close together, beside all distances."""

import numpy as np
import pytest
import torch

from alcore.data.settings import changed
from alcore.geometry.groups import groups_around
from support.problems import clustered_vectors


@pytest.mark.parametrize("part", [16, 256])
def test_no_nearer_point_is_skipped_and_most_others_are(part):
    X = torch.from_numpy(clustered_vectors(spread=0.5))
    groups = groups_around(X, X[:256], 0.9)
    rows = torch.randperm(len(X), generator=torch.Generator().manual_seed(0))[:1000]
    points = torch.from_numpy(clustered_vectors(spread=0.5)[-300:])
    apart = torch.cdist(X[rows].double(), points.double())
    below = apart.kthvalue(3, dim=1).values  # so that a few points are nearer, one just not
    compared = torch.zeros(apart.shape, dtype=torch.bool)
    with changed(largest_chunk=part):
        for some, near in groups.near(rows, below.float(), points):
            compared[some[:, None], near] = True
    assert compared[apart < below[:, None] * (1 - 1e-6)].all()
    assert compared.float().mean() < 0.5


def test_rows_without_clusters_are_not_grouped():
    X = torch.from_numpy(np.random.default_rng(0).standard_normal((6000, 12), dtype=np.float32))
    assert groups_around(X, X[:256], 0.25) is None
