"""Several modules on several inputs, each computed by all cores, one after another."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from chainrule.nn.modules.module import Module


def parallel_apply(
    modules: Sequence[Module],
    inputs: Sequence[Any],
    kwargs_tup: Sequence[dict[str, Any]] | None = None,
    devices: Sequence[Any] | None = None,
) -> list[Any]:
    """What each module gives for its inputs."""
    if len(modules) != len(inputs):
        raise AssertionError(
            f"The number of modules {len(modules)} is not equal to the number of inputs "
            f"{len(inputs)}"
        )
    named = [{} for _ in modules] if kwargs_tup is None else kwargs_tup
    given = [x if isinstance(x, (tuple, list)) else (x,) for x in inputs]
    return [m(*x, **k) for m, x, k in zip(modules, given, named, strict=True)]
