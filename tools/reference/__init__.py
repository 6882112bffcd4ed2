"""Writes the generated half of the docs' reference from the code that it describes."""
