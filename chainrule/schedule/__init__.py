"""Kernels → loop nests, order, memory plan."""
