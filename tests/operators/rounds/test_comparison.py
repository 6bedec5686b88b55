"""Two rounds side by side: the numbers of the table are those computed plainly."""

import numpy as np
import pytest


def test_overlap_balance_and_coverage(pool, rooms, choose, label):
    first = choose(pool, "first", 30)
    label(pool, first)
    second = choose(pool, "second", 20)
    label(pool, second, 10)
    one, other = rooms.rounds.rounds_of(pool, "ground_truth")
    rows = {row[0]: row[1:] for row in rooms.comparison.compare(pool, one, other)}
    assert rows["samples"] == ["30", "20"] and rows["also in the other"] == ["0 (0%)", "0 (0%)"]
    assert rows["labeled"] == ["30 (100%)", "10 (50%)"]
    vectors = np.stack(pool.values("embeddings")).astype(float)
    ids = pool.values("id")
    chosen = [set(pool.exists(f"{key}_rank").values("id")) for key in (first, second)]
    rest = [row for row, name in enumerate(ids) if name not in chosen[0] | chosen[1]]
    for text, mine in zip(
        rows["mean distance of the rest to the nearest, by embeddings"], chosen, strict=True
    ):
        centers = vectors[[row for row, name in enumerate(ids) if name in mine]]
        apart = np.linalg.norm(vectors[rest][:, None] - centers[None], axis=2).min(1)
        assert float(text) == pytest.approx(apart.mean(), rel=1e-2)


@pytest.mark.parametrize(
    ("counts", "value"),
    [({}, 0), ({"a": 3}, 0), ({"a": 3, "b": 3}, 1), ({"a": 3, "b": 1}, 0.8113), ({"a": 2, "b": 0}, 0)],
)
def test_evenness(rooms, counts, value):
    assert rooms.comparison.evenness(counts) == pytest.approx(value, abs=1e-4)


def test_without_embeddings_and_labels(pool, rooms, choose):
    choose(pool, "first", 5)
    choose(pool, "second", 5)
    pool.delete_sample_field("embeddings")
    rows = rooms.comparison.compare(pool, *rooms.rounds.rounds_of(pool, "ground_truth"))
    assert [row[0] for row in rows] == ["samples", "also in the other", "labeled"]
