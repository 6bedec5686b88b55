"""The declaration of a selection: stages, filters, costs and groups, the default."""

from .models import BATCHES, Batch, Cost, Filter, Groups, Recipe, Stage, Stop, entry_names
from .sentences import validated

__all__ = [
    "BATCHES",
    "Batch",
    "Cost",
    "Filter",
    "Groups",
    "Recipe",
    "Stage",
    "Stop",
    "entry_names",
    "validated",
]
