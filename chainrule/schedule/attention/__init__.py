"""Attention and its gradient, whole: `lower.py` writes kernels out of tiles (`tiles.py`)."""

from chainrule.schedule.attention.lower import lower_attention

__all__ = ["lower_attention"]
