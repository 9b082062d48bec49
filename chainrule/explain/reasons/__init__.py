"""Why a model does not learn."""

from chainrule.explain.reasons.finding import Finding, Reasons
from chainrule.explain.reasons.search import why

__all__ = ["Finding", "Reasons", "why"]
