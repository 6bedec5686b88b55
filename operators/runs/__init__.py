"""Selections: how they are run, named, recorded and undone."""
