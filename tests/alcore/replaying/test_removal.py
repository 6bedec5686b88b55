"""The labels whose loss hurts are those that were made to matter."""

import numpy as np
import pytest

from alcore.data.errors import InvalidInput
from alcore.replaying import regime_of
from alcore.replaying.removal import _first_of_each, _typicality


def test_where_each_class_is_one_tight_group_nothing_matters_more():
    rng = np.random.default_rng(0)
    y = np.repeat([0, 1], 40)
    X = rng.normal(scale=0.1, size=(80, 4)) + 5 * np.eye(2, 4)[y]
    found = regime_of(X, y)
    assert found.kind == "random" and found.costs["random"] == 0 and found.splits == 5


def test_rare_parts_of_a_class_are_missed_most():
    """A twentieth of each class lies near the other class: only these labels tell them apart."""
    rng = np.random.default_rng(1)
    y = np.repeat([0, 1], 200)
    X = rng.normal(scale=0.2, size=(400, 6)) + 4 * np.eye(2, 6)[y]
    odd = np.concatenate([np.arange(0, 10), np.arange(200, 210)])
    X[odd] = rng.normal(scale=0.8, size=(20, 6)) + 4 * np.eye(2, 6)[1 - y[odd]]
    X[odd, 4] += 6
    found = regime_of(X, y, "neighbors")
    assert found.costs["atypical"] > found.costs["typical"]
    assert found.kind == "atypical"


def test_typicality_by_hand():
    X = np.array([[0.0], [1.0], [3.0], [10.0], [11.0]])
    found = _typicality(X, np.array([0, 0, 0, 1, 1]))
    assert found == pytest.approx([1 / 2, 1 / 1.5, 1 / 2.5, 1, 1])


def test_a_twentieth_of_each_class_and_never_all():
    truth = np.array([0] * 60 + [1] * 2)
    removed = _first_of_each(np.arange(62.0), truth)
    assert np.flatnonzero(removed).tolist() == [0, 1, 2, 60]


def test_too_few_labels_are_told():
    with pytest.raises(InvalidInput, match="two classes with 4 labels or more; 1 of 2 have them"):
        regime_of(np.ones((6, 2)), np.array([0, 0, 0, 0, 1, 1]))
