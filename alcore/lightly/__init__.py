"""LightlyOne: its selection configs as recipes, and its way to combine strategies."""

from .config import recipe_of

__all__ = ["recipe_of"]
