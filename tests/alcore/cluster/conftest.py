"""Actors that serve one selection after another."""

from itertools import pairwise

import numpy as np
import pyarrow
import pytest
from pyarrow import parquet

import alcore
from alcore.cluster import ArraySource, ShardedPool, Workers


@pytest.fixture(scope="session")
def workers(ray_cluster):
    with Workers() as started:
        yield started


@pytest.fixture
def chosen_by_shards(workers):
    """Select from a pool in shards that end at the given rows."""

    def choose(pool, recipe, ends=(), **more):
        edges = [0, *ends, pool.n]
        parts = [pool.part(low, high) for low, high in pairwise(edges)]
        sharded = ShardedPool([ArraySource(part) for part in parts])
        return alcore.select(sharded, recipe, backend=workers, **more)

    return choose


@pytest.fixture(scope="session")
def pool():
    """3,000 samples with ties: few different numbers, and copies of vectors in different shards."""
    rng = np.random.default_rng(0)
    n = 3000
    X = rng.normal(size=(n, 8))
    X[2000:2600] = X[100:700]
    P = rng.dirichlet(np.ones(4) * 0.5, n)
    P[2000:2600] = P[100:700]
    labeled = np.zeros(n, dtype=bool)
    labeled[rng.permutation(n)[:10]] = True
    labeled[[2000, 100]] = False
    return alcore.Pool(
        n,
        ids=[f"s{row}" for row in range(n)],
        labeled=labeled,
        columns={
            "embeddings": X,
            "predictions": P,
            "number": rng.integers(0, 5, n).astype(float),
            "light": np.array(["day", "dusk", "night"], dtype=object)[rng.integers(0, 3, n)],
        },
    )


@pytest.fixture
def table(tmp_path):
    """600 samples in a Parquet file of row groups of 100, and the same as a pool."""
    rng = np.random.default_rng(0)
    X = rng.normal(size=(600, 5)).astype(np.float32)
    columns = {
        "id": [f"s{row}" for row in range(600)],
        "embeddings": pyarrow.FixedSizeListArray.from_arrays(X.reshape(-1), 5),
        "number": [None if row % 7 == 0 else float(row % 11) for row in range(600)],
        "light": [None if row % 50 == 0 else ["day", "night"][row % 2] for row in range(600)],
        "labeled": [row % 100 == 3 for row in range(600)],
    }
    path = tmp_path / "pool.parquet"
    parquet.write_table(pyarrow.table(columns), path, row_group_size=100)
    number = np.array([np.nan if one is None else one for one in columns["number"]])
    pool = alcore.Pool(
        600,
        columns["id"],
        np.array(columns["labeled"]),
        {"embeddings": X, "number": number, "light": columns["light"]},
        missing={"number": np.isnan(number)},
    )
    return path, pool
