"""Algorithm 1, Algorithm 2, the wall tracker, baselines, the step machine, safety limits."""
