"""The four steps of the panel, one a file: each draws its part, and handles the events of it."""
