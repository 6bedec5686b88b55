"""Strategies that take a number a sample, or none: weight, random."""

import numpy as np

from .. import recipe as entries
from ..objectives import Objective
from .task import Task, score


def weight(entry: entries.Weight, task: Task) -> Objective:
    numbers = task.pool.numbers(entry.column, task.user)
    low, high = np.nanmin(numbers), np.nanmax(numbers)
    spread = high - low if high > low else 1.0
    mine = numbers[task.candidates]
    if isinstance(entry.prefer, tuple):
        outside = np.maximum(entry.prefer[0] - mine, mine - entry.prefer[1])
        scaled = np.clip(1 - outside / spread, 0, 1)
    elif high == low:
        scaled = np.ones_like(mine)
    else:
        scaled = (mine - low if entry.prefer == "high" else high - mine) / spread
    return score(scaled, task)


def random(entry: entries.Random, task: Task) -> Objective:
    # Drawn for the whole pool, so that a filter does not change what the other samples drew.
    drawn = np.random.default_rng(task.seed).random(task.pool.n)
    return score(drawn[task.candidates], task)
