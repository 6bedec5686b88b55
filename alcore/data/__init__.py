"""The data of a selection: the pool, its columns, and their checks."""
