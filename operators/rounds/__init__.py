"""Rounds of active learning: a selection for labeling, and what became of it."""
