"""Rooms solved by waves: a finite-difference solver for the low band, joined to image sources."""
