"""Annotation of what was chosen: in the App, in a tool that FiftyOne knows, or by files."""
