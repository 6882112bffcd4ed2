"""The detectors that can be trained: a folder a kind."""
