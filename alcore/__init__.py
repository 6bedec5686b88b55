"""The active learning engine: arrays in, indices out. It knows no FiftyOne."""

from . import lightly, scores
from .data.errors import InvalidInput
from .data.keeping import Keeping
from .data.objects import Objects
from .data.pixel_maps import Maps
from .data.pool import Pool
from .data.selection import Selection
from .evaluation.weak_slices import weak_slices
from .networks.dropout import dropout_masks, predict_members
from .networks.loss_prediction import LossPredictionModule, fit_loss_predictor, joint_loss, ranking_loss
from .reached import reached
from .recipe import Recipe
from .replaying import replay, replay_outcomes
from .score import score
from .select import select
from .test_sets import select_test_set, weighted_estimate

__version__ = "0.1.0"

__all__ = [
    "InvalidInput",
    "Keeping",
    "LossPredictionModule",
    "Maps",
    "Objects",
    "Pool",
    "Recipe",
    "Selection",
    "dropout_masks",
    "fit_loss_predictor",
    "joint_loss",
    "lightly",
    "predict_members",
    "ranking_loss",
    "reached",
    "replay",
    "replay_outcomes",
    "score",
    "scores",
    "select",
    "select_test_set",
    "weak_slices",
    "weighted_estimate",
]
