"""Optimizers: they choose candidates by the values of objectives."""
