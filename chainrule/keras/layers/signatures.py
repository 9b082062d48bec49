"""What a class's `call`, `build` and constructor take, looked up once."""

from __future__ import annotations

import inspect
from functools import cache
from typing import Any


class Signature:
    """What a class's `call` takes."""

    def __init__(self, call: Any) -> None:
        self.signature = inspect.signature(call)
        parameters = list(self.signature.parameters.values())
        if parameters and parameters[0].name == "self":
            parameters = parameters[1:]
        self.bound = self.signature.replace(parameters=parameters)
        kinds = [p.kind for p in parameters]
        variadic = (inspect.Parameter.VAR_POSITIONAL, inspect.Parameter.VAR_KEYWORD)
        self.names = [
            p.name for p in parameters if p.kind in (p.POSITIONAL_OR_KEYWORD, p.POSITIONAL_ONLY)
        ]
        self.every = {p.name for p in parameters}
        self.is_plain = not any(kind in variadic for kind in kinds)
        self.defaults = {p.name: p.default for p in parameters if p.default is not p.empty}
        self.mask_arguments = [n for n in self.every if n == "mask" or n.endswith("_mask")]
        self.takes_masks = bool(self.mask_arguments)
        self.takes_training = "training" in self.every
        self.training_position = (
            self.names.index("training") if "training" in self.names else len(self.names) + 99
        )

    def arguments(self, args: tuple[Any, ...], kwargs: dict[str, Any]) -> dict[str, Any]:
        """The given arguments by name, in the order of the signature."""
        if self.is_plain and len(args) <= len(self.names):
            given = dict(zip(self.names, args, strict=False))
            if all(name in self.every and name not in given for name in kwargs):
                return given | kwargs
        return dict(self.bound.bind(*args, **kwargs).arguments)


@cache
def signature_of(call: Any) -> Signature:
    return Signature(call)


@cache
def shape_names(method: Any) -> list[str]:
    """The arguments of a `build` or `compute_output_shape`, without self and catch-alls."""
    parameters = list(inspect.signature(method).parameters.values())[1:]
    return [p.name for p in parameters if p.kind not in (p.VAR_POSITIONAL, p.VAR_KEYWORD)]


def constructor_parameters(cls: Any) -> list[inspect.Parameter]:
    return list(inspect.signature(cls.__init__).parameters.values())


def accepts(cls: type, name: str) -> bool:
    return any(p.name == name for p in constructor_parameters(cls))


def accepts_any(cls: type) -> bool:
    return any(p.kind is p.VAR_KEYWORD for p in constructor_parameters(cls))
