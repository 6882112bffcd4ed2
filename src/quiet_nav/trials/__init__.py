"""Trials of policies on tracks: the protocol, ears and eyes of a trial, tables and pictures."""
