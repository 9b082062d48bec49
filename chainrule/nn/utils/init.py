"""Layers whose first values somebody else sets."""

from __future__ import annotations

from typing import Any

from chainrule import names

__getattr__ = names.later(__name__)


def skip_init(module_cls: type, *args: Any, **kwargs: Any) -> Any:
    """The layer, with values that will be overwritten. (Drawing them costs little here: they are
    recorded, and computed when somebody looks.)
    """
    return module_cls(*args, **kwargs)
