"""Signatures of optimizers: the arguments of `Optimizer` are written once."""

from __future__ import annotations

import functools
import inspect
from typing import Any, TypeVar

from chainrule.keras.optimizers.base import Optimizer
from chainrule.keras.registry import known

C = TypeVar("C", bound=type)


def complete(cls: C) -> C:
    """An optimizer class whose `__init__` has `**kwargs`, with the arguments of `Optimizer` in
    their place: after its own, and before those that are behind a `*`. It is known by its name.
    """
    original = cls.__init__  # type: ignore[misc]  # of the class that is completed
    own = [p for p in inspect.signature(original).parameters.values() if p.kind != p.VAR_KEYWORD]
    taken = {p.name for p in own} | {"kwargs"}
    common = [
        p for p in inspect.signature(Optimizer.__init__).parameters.values() if p.name not in taken
    ]
    first = [p for p in own if p.kind != p.KEYWORD_ONLY]
    last = [p.replace(kind=p.POSITIONAL_OR_KEYWORD) for p in own if p.kind == p.KEYWORD_ONLY]
    rest = inspect.Parameter("kwargs", inspect.Parameter.VAR_KEYWORD)
    signature = inspect.Signature([*first, *common, *last, rest])
    names = [p.name for p in (*first, *common, *last)][1:]

    @functools.wraps(original)
    def init(self: Any, *args: Any, **kwargs: Any) -> None:
        if len(args) > len(names):
            raise TypeError(f"{cls.__name__} takes {len(names)} arguments, got {len(args)}")
        for name, value in zip(names, args, strict=False):
            if name in kwargs:
                raise TypeError(f"{cls.__name__} got two values for {name}")
            kwargs[name] = value
        original(self, **kwargs)

    init.__signature__ = signature  # type: ignore[attr-defined]  # what inspect looks at
    cls.__init__ = init  # type: ignore[misc]  # the completed one
    return known(cls)
