"""Groups of rows close together, beside all distances."""

import numpy as np
import pytest
import torch

from alcore.data.settings import changed
from alcore.geometry.groups import groups_around
from support.problems import clustered_vectors


@pytest.mark.parametrize(("part", "share"), [(1, 0.3), (256, 0.9)])
def test_no_nearer_point_is_skipped_and_others_are(part, share):
    X = torch.from_numpy(clustered_vectors(d=2, spread=0.2))
    groups = groups_around(X, X[:256], 1.0)
    rows = torch.randperm(len(X), generator=torch.Generator().manual_seed(0))[:1000]
    points = torch.from_numpy(clustered_vectors(d=2, spread=0.2)[-300:])
    apart = torch.cdist(X[rows].double(), points.double())
    below = apart.kthvalue(3, dim=1).values  # so that a few points are nearer, one just not
    compared = torch.zeros(apart.shape, dtype=torch.bool)
    with changed(largest_chunk=part):
        for some, near in groups.near(rows, below.float(), points):
            compared[some[:, None], near] = True
    assert compared[apart < below[:, None] * (1 - 1e-6)].all()
    assert compared.float().mean() < share


def test_rows_without_clusters_are_not_grouped():
    X = torch.from_numpy(np.random.default_rng(0).standard_normal((6000, 12), dtype=np.float32))
    assert groups_around(X, X[:256], 0.25) is None
