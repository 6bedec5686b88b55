"""Preferred numbers: what a number inside and outside a range is worth."""

from __future__ import annotations

import numpy as np
import pytest

from alcore import Pool, score


@pytest.mark.parametrize(
    ("prefer", "worth"),
    [
        ([4, 6], [0.6, 0.8, 1.0, 1.0, 0.8, 0.6]),
        ([-2, 0], [1.0, 0.8, 0.6, 0.4, 0.2, 0.0]),
        ([30, 40], [0.0, 0.0, 0.0, 0.0, 0.0, 0.0]),
    ],
)
def test_outside_a_range_worth_falls_by_the_spread_of_the_pool_down_to_0(prefer, worth):
    pool = Pool(6, columns={"n": np.arange(0, 11, 2.0)})
    entry = {"strategy": "weight", "column": "n", "prefer": prefer}
    assert score(pool, entry) == pytest.approx(worth)
