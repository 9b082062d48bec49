"""What a model costs, layer by layer: operations, bytes, memory, time."""

from chainrule.explain.costs.summary import Row, Summary, summary

__all__ = ["Row", "Summary", "summary"]
