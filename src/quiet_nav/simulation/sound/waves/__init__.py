"""Rooms solved by waves: a finite-difference solver of the low band, what joins it to images."""
