"""Where a tensor of the functional API comes from."""

from __future__ import annotations

from typing import Any

from chainrule.training.tree import flatten


def get_source_inputs(tensor: Any) -> list[Any]:
    """The input tensors from which `tensor` (or each of several) was made, each once.

    >>> from chainrule.keras import Input
    >>> x = Input((3,))
    >>> get_source_inputs(x * 2 + 1) == [x]
    True
    """
    found: dict[int, Any] = {}
    seen: set[int] = set()
    waiting = [one for one in reversed(flatten(tensor)) if hasattr(one, "history")]
    while waiting:
        one = waiting.pop()
        if id(one) in seen:
            continue
        seen.add(id(one))
        inputs = one.history[0].inputs if one.history else []
        if inputs:
            waiting += reversed([t for t in inputs if hasattr(t, "history")])
        else:
            found[id(one)] = one
    return list(found.values())
