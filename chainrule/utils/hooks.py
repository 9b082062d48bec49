"""`torch.utils.hooks`: the handle that removes a hook."""

from __future__ import annotations

from typing import Any

from chainrule import names
from chainrule.tensor import RemovableHandle

__all__ = ["RemovableHandle", "unserializable_hook"]

__getattr__ = names.later(__name__)


def unserializable_hook(f: Any) -> Any:
    """The hook itself: hooks are never saved."""
    f.__torch_unserializable__ = True
    return f
