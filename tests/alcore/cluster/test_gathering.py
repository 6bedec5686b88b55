"""What the parts of a pool learn of each other, and how large the messages are."""

import pickle

import numpy as np
import pytest

from alcore.cluster.gathering import Conversation
from alcore.cluster.messages import Found, size_of
from alcore.data.parts import median_of


def results_of(works):
    """The results of several parts, each of which does its work."""
    parts = [Conversation(number, [], work) for number, work in enumerate(works)]
    while (found := [part.found() for part in parts])[0] is not None:
        for part in parts:
            part.learn(found)
    return [part.result() for part in parts]


@pytest.mark.parametrize("sizes", [(1, 0), (3, 4, 0), (50, 1, 20)])
def test_the_median_of_all_parts(sizes):
    rng = np.random.default_rng(sum(sizes))
    numbers = [rng.integers(0, 9, size) * rng.choice([0.1, 1e300]) for size in sizes]
    works = [lambda parts, mine=mine: median_of(mine, parts) for mine in numbers]
    assert results_of(works) == [np.median(np.concatenate(numbers))] * len(sizes)


def test_an_error_comes_to_the_one_who_asks():
    part = Conversation(0, [], lambda parts: parts.gathered(1)[5])
    assert part.found() == 1
    part.learn([1])
    with pytest.raises(IndexError):
        part.found()


def test_work_that_is_abandoned_ends():
    part = Conversation(0, [], lambda parts: parts.gathered(1))
    part.abandon()
    assert not part._thread.is_alive()


def test_the_size_of_a_message_is_that_of_its_bytes():
    rows = np.arange(200)
    found = Found(rows, [rows.astype(float)], [{"vectors": np.ones((200, 16), dtype=np.float32)}])
    assert size_of(found) == pytest.approx(len(pickle.dumps(found)), abs=1000)
