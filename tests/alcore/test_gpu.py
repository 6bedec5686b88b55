"""What a GPU chooses is what the CPU chooses, with few launches and waits a pick.

Where there is no GPU these tests run on a pretended one (see ``support/pretended_gpu.py``).
"""

from __future__ import annotations

import numpy as np
import pytest
import torch
from torch import nn

import alcore
from alcore.data.settings import changed
from alcore.geometry.distance_statistics import distances_to, duplicate_groups, neighborhood
from alcore.networks.dropout import predict_members
from alcore.networks.layers import embed_batches
from support.pretended_gpu import pretended_gpu

N, D, CLASSES, MEMBERS = 2400, 32, 5, 4  # N x D is above what is computed in float64
BUDGET = 60
P, V = {"column": "predictions"}, {"column": "embeddings"}
MARGIN, DIVERSE = {"strategy": "uncertainty", **P}, {"strategy": "diversity", **V}
COVER, BALANCE = {"strategy": "coverage", **V}, {"strategy": "balance", **P}
WHOLE = {"groups": {"column": "video", "whole": True}}
# For each recipe the most launches and the most waits a pick.
RECIPES = {
    "uncertainty": ({"strategies": [MARGIN]}, 2, 1),
    "disagreement": ({"strategies": [{"strategy": "disagreement", "column": "members"}]}, 2, 1),
    "diversity": ({"strategies": [DIVERSE]}, 5, 1.5),
    "coverage": ({"strategies": [COVER]}, 85, 5),
    "coverage by graph": ({"strategies": [COVER]}, 40, 15),
    "coverage with balls": (
        {"strategies": [{**COVER, "kernel": "ball", "clusters": 5}]},
        120,
        15,
    ),
    "determinantal": ({"strategies": [{"strategy": "determinantal", **V}]}, 30, 4),
    "badge": ({"strategies": [{"strategy": "badge", **P, "embeddings": "embeddings"}]}, 25, 12),
    "typicality": ({"strategies": [{"strategy": "typicality", **V}]}, 4, 1),
    "typiclust": ({"strategies": [{"strategy": "typiclust", **V}]}, 70, 10),
    "representatives": ({"strategies": [{"strategy": "representatives", **V}]}, 2, 1),
    "balance": ({"strategies": [BALANCE]}, 55, 20),
    "three": ({"strategies": [MARGIN, DIVERSE, BALANCE]}, 45, 12),
    "groups of scores": ({"strategies": [MARGIN], **WHOLE}, 3, 0.8),
    "groups of differing": ({"strategies": [DIVERSE], **WHOLE}, 100, 25),
    "groups of covering": ({"strategies": [COVER], **WHOLE}, 60, 1.2),
}


@pytest.fixture(scope="module")
def pool():
    rng = np.random.default_rng(0)
    return alcore.Pool(
        N,
        labeled=np.arange(N) < 20,
        columns={
            "embeddings": rng.standard_normal((N, D)).astype(np.float32),
            "predictions": rng.dirichlet(np.ones(CLASSES), N),
            "members": rng.dirichlet(np.ones(CLASSES), (MEMBERS, N)),
            "video": [f"video {row // 12}" for row in range(N)],
        },
        classes={"predictions": [f"class {one}" for one in range(CLASSES)]},
    )


@pytest.mark.parametrize("name", RECIPES)
def test_picks_launches_and_waits(pool, gpu, name):
    more, most_launches, most_waits = RECIPES[name]
    recipe = {"budget": BUDGET, **more}
    with changed(**({"coverage_kept_up_to": 0} if name.endswith("by graph") else {})):
        here = alcore.select(pool, recipe, "cpu")
        assert not gpu.launches and not gpu.waits
        there = alcore.select(pool, recipe, "cuda")
    assert there.indices.tolist() == here.indices.tolist()
    assert there.report["device"].startswith("cuda")
    assert 0 < gpu.launches.total() <= most_launches * len(there), gpu.launches
    assert 0 < gpu.waits.total() <= most_waits * len(there), gpu.waits


def test_batch_bald(gpu):
    members = np.random.default_rng(0).dirichlet(np.ones(10), (20, 500))
    entry = {"strategy": "batch_bald", "column": "members", "samples": 2000}
    pool, recipe = (
        alcore.Pool(500, columns={"members": members}),
        {"budget": 8, "strategies": [entry]},
    )
    here, there = (alcore.select(pool, recipe, device) for device in ("cpu", "cuda"))
    assert here.indices.tolist() == there.indices.tolist()
    np.testing.assert_allclose(here.gains, there.gains, rtol=1e-4)
    assert gpu.launches.total() <= 200 * 8 and gpu.waits.total() <= 35 * 8


def test_scores(pool, gpu):
    for entry in (MARGIN, {"strategy": "similarity", **V, "to": [3, 4]}):
        here, there = (alcore.score(pool, entry, device) for device in ("cpu", "cuda"))
        np.testing.assert_allclose(there, here, rtol=1e-6)
    assert gpu.launches


def test_a_test_set(pool, gpu):
    spec = {"size": 50, "method": "herding", "embeddings": "embeddings", "random_sets": 1}
    here, there = (alcore.select_test_set(pool, spec, device=device) for device in ("cpu", "cuda"))
    assert there.indices.tolist() == here.indices.tolist()
    assert there.held_out.tolist() == here.held_out.tolist()
    assert 0 < gpu.launches.total() <= 18 * 50 and 0 < gpu.waits.total() <= 3 * 50, gpu.waits


def test_distances_and_duplicates(gpu):
    rng = np.random.default_rng(1)
    X = rng.standard_normal((2000, 40)).astype(np.float32)
    X[1000:] = X[:1000] + 1e-3 * rng.standard_normal((1000, 40)).astype(np.float32)
    rows, centers = np.arange(100), np.arange(1500, 2000)
    for metric in ("euclidean", "cosine"):
        here, there = (distances_to(X, rows, centers, metric, device) for device in ("cpu", "cuda"))
        np.testing.assert_allclose(there, here, rtol=1e-5)
        here, there = (neighborhood(X, metric, device) for device in ("cpu", "cuda"))
        np.testing.assert_allclose(there.neighbors, here.neighbors, rtol=1e-5)
        distance = here.suggested
        here, there = (duplicate_groups(X, distance, metric, device) for device in ("cpu", "cuda"))
        assert there.tolist() == here.tolist() and there.max() == 1000
    assert gpu.launches


class TakesAList(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.last = nn.Linear(6, 3)

    def forward(self, images: list[torch.Tensor]) -> torch.Tensor:
        return self.last(torch.stack(images).flatten(1))


def test_a_network_that_takes_lists_has_them_on_the_gpu(gpu):
    x = torch.randn(4, 2, 3)
    net = TakesAList()
    here, there = (next(embed_batches(net, [list(x)], "output", device)) for device in ("cpu", "cuda"))
    torch.testing.assert_close(there, here)
    assert there.dtype == torch.float32 and gpu.launches


def test_vectors_are_in_float32(gpu):
    """Half precision is infinite above 65,504 and knows no number between 1 and 1.00098."""
    net = nn.Linear(1, 1, bias=False)
    with torch.no_grad():
        net.weight.fill_(1000)
    assert (
        next(embed_batches(net, [torch.full((2, 1), 200.0)], "output", "cuda")).tolist() == [[2e5]] * 2
    )
    with torch.no_grad():
        net.weight.fill_(1)
    tokens = torch.tensor([1, 1 + 2**-10, 1])[None, :, None].repeat(2, 1, 1)
    (halved,) = embed_batches(net, [tokens], "output", "cuda", autocast=True)
    np.testing.assert_allclose(halved, 1 + 2**-10 / 3, rtol=1e-6)


def test_masks_are_drawn_and_uploaded_once(gpu, monkeypatch):
    net = nn.Sequential(nn.Linear(8, 16), nn.Dropout(0.5), nn.Linear(16, 3))
    batches = list(torch.randn(5, 4, 8))
    expected = torch.cat(list(predict_members(net, batches, members=3)), 1)
    gpu.forget()
    found = torch.cat(list(predict_members(net, batches, members=3, device="cuda")), 1)
    torch.testing.assert_close(found, expected, rtol=1e-3, atol=1e-3)
    assert gpu.waits["upload"] <= 4 + 3 + 5  # parameters, masks, batches


def test_small_heads_are_trained_on_the_cpu(gpu):
    rng = np.random.default_rng(0)
    X, losses = rng.standard_normal((120, 5)), rng.random(120)
    found = alcore.fit_loss_predictor(X, losses, np.arange(120) < 60, epochs=2)
    assert len(found.scores) == 120 and not gpu.launches


def test_a_batch_that_does_not_fit_says_so():
    net, batch = nn.Sequential(nn.Dropout(0.5), nn.Linear(8, 40)), torch.randn(30, 8)
    with pretended_gpu() as gpu:
        net.to("cuda")
        gpu.largest = 1000
        for run in (embed_batches(net, [batch], "output"), predict_members(net, [batch])):
            with pytest.raises(
                alcore.InvalidInput, match="cuda:0 has too little free memory; take smaller batches"
            ):
                next(run)
