"""Replay: which recipe chooses best, judged on samples whose labels are known already."""

from .comparison import Comparison
from .learners import LEARNERS
from .outcomes import rarest, replay_outcomes
from .removal import Regime, regime_of
from .replay import replay
from .usual import usual_recipes

__all__ = [
    "LEARNERS",
    "Comparison",
    "Regime",
    "rarest",
    "regime_of",
    "replay",
    "replay_outcomes",
    "usual_recipes",
]
