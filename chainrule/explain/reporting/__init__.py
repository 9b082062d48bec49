"""The report of a trained model."""

from chainrule.explain.reporting.document import Report, report

__all__ = ["Report", "report"]
