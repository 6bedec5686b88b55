"""The neighbor graph, beside all distances."""

import numpy as np
import pytest
import torch

from alcore.data.settings import changed
from alcore.geometry.neighbor_graph import list_length, neighbor_graph


def made(X, t, drawn=None, **options):
    x = torch.from_numpy(X)
    drawn = np.random.default_rng(0).permutation(len(X)) if drawn is None else drawn
    return neighbor_graph(lambda numbers: x[torch.from_numpy(numbers)], X.shape[1], drawn, t, **options)


def clustered(n, d, dtype=np.float32):
    rng = np.random.default_rng(1)
    centers = 3 * rng.normal(size=(9, d))
    return (centers[rng.integers(0, 9, n)] + rng.normal(size=(n, d))).astype(dtype)


def distances(X):
    return ((X[:, None].astype(np.float64) - X[None]) ** 2).sum(-1)


@pytest.mark.parametrize("dtype", [np.float64, np.float32])
@pytest.mark.parametrize(("n", "t", "chunk"), [(90, 90, 7), (90, 11, 7), (300, 40, 64), (50, 1, 8)])
def test_lists_hold_the_nearest_and_begin_with_the_vector_itself(dtype, n, t, chunk):
    X = clustered(n, 5, dtype)
    with changed(largest_chunk=chunk):
        graph = made(X, t)
    everything = distances(X)
    assert graph.neighbors[:, 0].tolist() == list(range(n))
    assert (graph.recall, graph.how, graph.complete) == (1.0, "exact", n == t)
    for row, near, squared in zip(everything, graph.neighbors, graph.squared, strict=True):
        assert set(near.tolist()) == set(np.argsort(row, kind="stable")[:t].tolist())
        np.testing.assert_allclose(squared, row[near], rtol=1e-4, atol=1e-4)


def test_a_large_graph_finds_as_many_as_it_says_whatever_the_order_of_the_rows():
    X = clustered(4000, 12)
    drawn = np.random.default_rng(0).permutation(len(X))
    with changed(exact_neighbors_up_to=0):
        graph = made(X, 30, drawn)
        turned = made(X[::-1].copy(), 30, len(X) - 1 - drawn)
    exact = np.argsort(_rows(X, 300), axis=1)[:, :30]
    hits = np.mean([np.isin(a, b).mean() for a, b in zip(exact, graph.neighbors[:300], strict=True)])
    assert 0.97 <= graph.recall < 1
    assert hits == pytest.approx(graph.recall, abs=0.02)
    same = [
        set(mine.tolist()) == set((len(X) - 1 - theirs).tolist())
        for mine, theirs in zip(graph.neighbors, turned.neighbors.flip(0), strict=True)
    ]
    assert np.mean(same) > 0.999


def _rows(X, count):
    x = X.astype(np.float64)
    return ((x[:count] ** 2).sum(1)[:, None] + (x**2).sum(1)) - 2 * x[:count] @ x.T


@pytest.mark.parametrize("chunk", [16, 10**9])
def test_where_most_are_copies_every_list_is_full(chunk):
    X = np.zeros((600, 3), dtype=np.float32)
    X[:40] = clustered(40, 3)
    with changed(exact_neighbors_up_to=0, largest_chunk=chunk):
        graph = made(X, 64)
    assert all(len(set(near.tolist())) == 64 for near in graph.neighbors)
    assert graph.neighbors[:, 0].tolist() == list(range(600))


@pytest.mark.parametrize("rows_a_part", [1, 16, 10**9])
def test_the_listing_names_every_entry(rows_a_part):
    graph = made(clustered(70, 4), 9)
    with changed(largest_chunk=rows_a_part):
        starts, positions = graph.listing
    for number in range(70):
        at = positions[starts[number] : starts[number + 1]]
        assert at.tolist() == (graph.neighbors.flatten() == number).nonzero().flatten().tolist()


@pytest.mark.parametrize(
    ("n", "length"), [(5, 5), (128, 128), (10**6, 128), (1_500_000, 89), (10**7, 64)]
)
def test_lists_are_shorter_in_larger_graphs(n, length):
    assert list_length(n) == length


def test_a_tile_is_all_that_is_done_between_two_ticks():
    ticks = []
    with changed(largest_chunk=50):
        made(clustered(200, 3), 5, tick=lambda: ticks.append(1))
    assert len(ticks) == (200 // 50) ** 2


@pytest.mark.parametrize("limit", [0, 1 << 38])
def test_what_a_tick_raises_ends_the_work_at_once(limit):
    X, ticks = clustered(200, 3), []

    def tick():
        ticks.append(1)
        if len(ticks) == last:
            raise InterruptedError

    with changed(exact_neighbors_up_to=limit, largest_chunk=50):
        last = 0
        made(X, 5, tick=tick)
        every = len(ticks)
        for last in (1, every // 3, every // 2, every):
            ticks.clear()
            with pytest.raises(InterruptedError):
                made(X, 5, tick=tick)
            assert len(ticks) == last
