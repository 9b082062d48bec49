"""Programs that are found again, and random streams."""
