"""Evaluation of a dataset: when to stop labeling, business value, test sets and weak slices."""
