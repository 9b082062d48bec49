"""What a model costs, layer by layer: operations, bytes, memory, time."""

from chainrule.explain.costs.rows import Pass, Row
from chainrule.explain.costs.summary import Summary, summary

__all__ = ["Pass", "Row", "Summary", "summary"]
