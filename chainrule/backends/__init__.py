"""Where graphs become numbers. `reference` is NumPy, op by op: the living definition."""
