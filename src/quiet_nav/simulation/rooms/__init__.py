"""Rooms: floor plans, their geometry, surfaces and tracks."""
