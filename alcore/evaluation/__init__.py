"""Evaluation: weak slices, business value, and when to stop labeling."""
