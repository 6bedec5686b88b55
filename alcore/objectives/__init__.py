"""Objectives: the value of a further sample, given the labeled and the chosen ones."""

from ..geometry.kernels import Kernel
from .accumulated import Accumulated, Distances, Shares, Sum
from .balance import Balance
from .batch_bald import BatchBald
from .class_deficit import ClassDeficit
from .coverage import Coverage
from .determinantal import Determinantal
from .diversity import Diversity
from .divisible import Divisible, Summed, Traits
from .graph_coverage import GraphCoverage
from .kept_coverage import KeptCoverage
from .objective import Block, Objective
from .part_coverage import PartCoverage
from .representative import Representative
from .score import Score

__all__ = [
    "Accumulated",
    "Balance",
    "BatchBald",
    "Block",
    "ClassDeficit",
    "Coverage",
    "Determinantal",
    "Distances",
    "Diversity",
    "Divisible",
    "GraphCoverage",
    "KeptCoverage",
    "Kernel",
    "Objective",
    "PartCoverage",
    "Representative",
    "Score",
    "Shares",
    "Sum",
    "Summed",
    "Traits",
]
