"""Coverage by the neighbor graph with short lists, beside a plain greedy with the same lists."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import alcore
from alcore.data.settings import changed
from alcore.geometry import neighbor_graph


def kernel_of(X, kernel, width):
    units = X / np.linalg.norm(X, axis=1, keepdims=True)
    squared = np.maximum(2 - 2 * units @ units.T, 0)
    np.fill_diagonal(squared, 0)
    if kernel == "cosine":
        return np.maximum(1 - squared / 2, 0), squared
    return (np.exp(-squared / width**2) if kernel == "gaussian" else squared < width**2), squared


def by_hand(X, length, kernel, width, weights, labeled, budget):
    """Gains over lists of the nearest; what a pick covers, exactly, of all. Picks, gains, covered."""
    n = len(X)
    K, squared = kernel_of(X, kernel, width)
    listed = np.zeros((n, n), dtype=bool)
    nearest = np.argsort(squared - np.eye(n), axis=1, kind="stable")[:, :length]
    np.put_along_axis(listed, nearest, True, 1)
    weights = np.where(labeled, 0, weights) / weights[~labeled].sum()
    best = K[:, labeled].max(1) if labeled.any() else np.zeros(n)
    chosen, gains = [], []
    for _ in range(budget):
        values = (weights[:, None] * listed * np.maximum(K - best[:, None], 0)).sum(0)
        values[labeled] = -1
        values[chosen] = -1
        chosen.append(int(values.argmax()))
        gains.append(values.max())
        best = np.maximum(best, K[:, chosen[-1]])
    return chosen, gains, (weights * best).sum()


@settings(max_examples=60)
@given(
    st.integers(0, 10**6),
    st.integers(12, 60),
    st.integers(1, 9),
    st.sampled_from(["gaussian", "cosine"]),
    st.sampled_from([0.0, 0.2]),
    st.integers(1, 5),
    st.integers(1, 50),
)
def test_it_chooses_as_a_plain_greedy_with_the_same_lists(seed, n, length, kernel, share, block, chunk):
    rng = np.random.default_rng(seed)
    X, weights = rng.normal(size=(n, 4)), rng.random(n) + 0.1
    labeled = rng.random(n) < share
    budget = (n - labeled.sum()) // 2
    pool = alcore.Pool(n, labeled=labeled, columns={"e": X, "w": weights})
    entry = {"strategy": "coverage", "column": "e", "kernel": kernel, "bandwidth": 0.6, "weights": "w"}
    with (
        pytest.MonkeyPatch.context() as patch,
        changed(
            coverage_kept_up_to=0, largest_chunk=chunk, block_sizes={cost: block for cost in range(4)}
        ),
    ):
        patch.setattr(neighbor_graph, "LONGEST", length)
        patch.setattr(neighbor_graph, "SHORTEST", 1)
        patch.setattr("alcore.strategies.coverage.FAR_BEYOND", n)
        chosen = alcore.select(pool, {"budget": int(budget), "strategies": [entry]}, device="cpu")
    rows, gains, covered = by_hand(X, length, kernel, 0.6, weights, labeled, budget)
    zeros = int((np.array(gains) < 1e-12).sum())  # among gains of 0 the order is that of the rows
    assert chosen.indices[: budget - zeros].tolist() == rows[: budget - zeros]
    np.testing.assert_allclose(chosen.gains, gains, rtol=1e-9, atol=1e-12)
    reached = chosen.report["stages"][0]["reached"]["coverage"]["after"]
    assert reached["covered"] == pytest.approx(covered, abs=1e-12)
    assert reached["listed"] == length


def test_one_pick_of_many_near_copies_covers_them_all():
    """More of them than a list holds; each pick would otherwise cover but a few of them."""
    rng = np.random.default_rng(0)
    X = rng.normal(size=(2000, 16)).astype(np.float32)
    X[:800] = X[0] + 1e-3 * rng.normal(size=(800, 16))
    pool = alcore.Pool(len(X), columns={"e": X})
    entry = {"strategy": "coverage", "column": "e", "bandwidth": 0.5}
    with changed(coverage_kept_up_to=0):
        chosen = alcore.select(pool, {"budget": 60, "strategies": [entry]}, device="cpu")
    assert chosen.indices[0] < 800
    assert (chosen.indices < 800).sum() == 1


@pytest.mark.parametrize("kernel", ["gaussian", "cosine", "ball"])
def test_it_covers_as_much_as_the_dense_greedy(kernel):
    rng = np.random.default_rng(0)
    centers = 2 * rng.normal(size=(30, 8))
    X = (centers[rng.integers(0, 30, 3000)] + rng.normal(size=(3000, 8))).astype(np.float32)
    pool = alcore.Pool(len(X), columns={"e": X})
    entry = {"strategy": "coverage", "column": "e", "kernel": kernel, "radius": 0.4}

    def covered(rows):
        K, _ = kernel_of(X.astype(np.float64), kernel, width)
        return K[:, rows].max(1).mean()

    recipe = {"budget": 60, "strategies": [entry]}
    dense = alcore.select(pool, recipe, device="cpu")
    with changed(coverage_kept_up_to=0):
        by_graph = alcore.select(pool, recipe, device="cpu")
    width = dense.report["stages"][0]["reached"]["coverage"]["after"].get("width", 1.0)
    chance = np.mean([covered(rng.permutation(3000)[:60]) for _ in range(5)])
    kept = (covered(by_graph.indices) - chance) / (covered(dense.indices) - chance)
    assert kept > 0.97
    assert by_graph.report["stages"][0]["reached"]["coverage"]["after"]["certain"] > 0.9
