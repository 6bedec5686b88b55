"""The active learning engine: arrays in, indices out. It knows no FiftyOne."""

from . import scores
from .dropout import dropout_masks, predict_members
from .errors import InvalidInput
from .learning_loss import LossPredictionModule, fit_loss_predictor, joint_loss, ranking_loss
from .maps import Maps
from .objects import Objects
from .pool import Pool
from .recipe import Recipe
from .score import score
from .select import select
from .selection import Selection
from .slices import weak_slices
from .test_sets import select_test_set, weighted_estimate

__version__ = "0.1.0"

__all__ = [
    "InvalidInput",
    "LossPredictionModule",
    "Maps",
    "Objects",
    "Pool",
    "Recipe",
    "Selection",
    "dropout_masks",
    "fit_loss_predictor",
    "joint_loss",
    "predict_members",
    "ranking_loss",
    "score",
    "scores",
    "select",
    "select_test_set",
    "weak_slices",
    "weighted_estimate",
]
