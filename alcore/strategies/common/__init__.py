"""Code that several strategies share. No file here is a strategy."""
