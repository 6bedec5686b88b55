"""An actor that is lost in the middle of a selection is replaced, and the picks stay the same."""

import os
import signal

import numpy as np
import pytest
import ray

import alcore
from alcore.cluster import NpySource, ShardedPool

STRATEGIES = [
    {"strategy": "diversity", "column": "embeddings"},
    {"strategy": "balance", "column": "classes", "bins": [1.0, 2.0]},
]


def pid_of(actor):
    return ray.get(actor.__ray_call__.remote(lambda self: os.getpid()))


@pytest.fixture
def files(tmp_path):
    rng = np.random.default_rng(0)
    columns = {
        "embeddings": rng.normal(size=(900, 6)).astype(np.float32),
        "classes": rng.integers(0, 3, 900).astype(float),
    }
    for name, values in columns.items():
        np.save(tmp_path / f"{name}.npy", values)
    return columns, {name: str(tmp_path / f"{name}.npy") for name in columns}


def test_an_actor_killed_in_mid_selection(workers, files):
    columns, paths = files
    recipe = {"budget": 120, "strategies": STRATEGIES}
    alone = alcore.select(alcore.Pool(900, columns=columns), recipe, device="cpu")
    at = {"left": [40]}

    def kill(chosen, budget):
        if at["left"] and chosen >= at["left"][0]:
            at["left"].pop(0)
            os.kill(pid_of(workers.actor(1)), signal.SIGKILL)

    sources = [NpySource(paths, 0, 200), NpySource(paths, 200, 650), NpySource(paths, 650)]
    with alcore.data.settings.changed(block_sizes={0: 8, 1: 8, 2: 8, 3: 8}):
        chosen = alcore.select(ShardedPool(sources), recipe, backend=workers, progress=kill)
    assert at["left"] == []
    assert chosen.report["shards"]["replaced"] == 1
    assert chosen.indices.tolist() == alone.indices.tolist()
    assert chosen.ids == alone.ids
