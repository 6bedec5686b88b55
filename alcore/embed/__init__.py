"""Vectors for images: from a network's layer, or trained on the images themselves."""

from .collapse import Spread, spread_of
from .crops import crop_box
from .layers import default_layer, embed_batches
from .neighbours import neighbour_accuracy
from .networks import fingerprint, headless, state_of
from .reduce import Basis, fit_pca, pool_objects

__all__ = [
    "Basis",
    "Spread",
    "crop_box",
    "default_layer",
    "embed_batches",
    "fingerprint",
    "fit_pca",
    "headless",
    "neighbour_accuracy",
    "pool_objects",
    "spread_of",
    "state_of",
]
