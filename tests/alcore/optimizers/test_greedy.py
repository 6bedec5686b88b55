"""The optimizer, on an objective whose bounds and blocks differ by more than rounding should."""

import numpy as np
import torch

from alcore.optimizers.combining import Term
from alcore.optimizers.greedy import greedy


class Block:
    def __init__(self, values):
        self.values = values

    def pick(self, position):
        pass


class Optimist:
    """Bounds of 1 everywhere; a block knows that every second row is below the minimum."""

    depends_on_picks = True
    update_cost = 1
    needs_first_pick = False
    minimum = 0.5
    rounding_error = 0.0
    fallback = None
    group_ids = None
    scale = 1.0

    def __init__(self, n):
        self.n = n

    def values(self, rows):
        return torch.ones(self.n if rows is None else len(rows), dtype=torch.float64)

    def block(self, rows, values):
        return Block(np.where(rows.numpy() % 2, 1.0, 0.4))

    def add(self, rows):
        pass

    def report(self):
        return {}


def test_rows_that_a_block_rules_out_are_never_chosen_and_end_the_run():
    picks = greedy([Term(Optimist(9), 1.0)], 9, 9)
    assert picks.rows.tolist() == [1, 3, 5, 7]
    picks = greedy([Term(Optimist(1), 1.0)], 1, 1)
    assert picks.rows.tolist() == []
