"""Floor plans, room acoustics, camera, robot and trials."""
