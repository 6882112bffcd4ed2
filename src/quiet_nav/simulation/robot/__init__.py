"""The simulated robot: how it drives, and its ears and camera in a floor plan."""
