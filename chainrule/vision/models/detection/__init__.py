"""Models that find objects."""
