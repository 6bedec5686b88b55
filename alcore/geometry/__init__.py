"""Distances, neighbors, clusters and projections of vectors."""
