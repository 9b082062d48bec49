"""Graphs and models as pictures."""
