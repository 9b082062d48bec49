"""What a model costs, layer by layer: operations, bytes, memory, time."""

from chainrule.explain.costs.result import Summary, summary
from chainrule.explain.costs.rows import Pass, Row

__all__ = ["Pass", "Row", "Summary", "summary"]
