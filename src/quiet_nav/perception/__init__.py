"""Detectors for sound and image, the room's reference, calibration."""
