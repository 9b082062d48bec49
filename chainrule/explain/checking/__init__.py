"""Gradients against differences, users' rules by themselves, one backend against the other."""
