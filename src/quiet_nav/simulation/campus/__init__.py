"""Simulated data sets: what is recorded where, room by room."""
