"""Rooms solved by waves: a finite-difference solver for the low band and what joins it to images."""
