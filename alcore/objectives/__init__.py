"""Objectives: what a further sample is worth, given those chosen and those labelled."""

from .balance import Balance
from .batch_bald import BatchBald
from .coverage import Coverage, Kernel
from .diversity import Diversity
from .objective import Block, Objective
from .score import Score

__all__ = ["Balance", "BatchBald", "Block", "Coverage", "Diversity", "Kernel", "Objective", "Score"]
