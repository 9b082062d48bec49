"""Errors that Keras programs catch: a shape that does not fit is a ValueError there."""

from __future__ import annotations

from chainrule import errors


class ShapeError(errors.ShapeError, ValueError):
    """A tensor of a shape that a layer, a variable or a model cannot take."""
