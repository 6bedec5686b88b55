"""The active learning engine: arrays in, indices out. It knows no FiftyOne."""

from . import scores
from .errors import InvalidInput
from .maps import Maps
from .objects import Objects
from .pool import Pool
from .recipe import Recipe
from .score import score
from .select import select
from .selection import Selection

__version__ = "0.1.0"

__all__ = [
    "InvalidInput",
    "Maps",
    "Objects",
    "Pool",
    "Recipe",
    "Selection",
    "score",
    "scores",
    "select",
]
