"""What a class's `call` and constructor take, looked up once."""

from __future__ import annotations

import inspect
from functools import cache
from typing import Any


class Signature:
    """What a class's `call` takes."""

    def __init__(self, call: Any) -> None:
        parameters = list(inspect.signature(call).parameters.values())[1:]
        self.names = [p.name for p in parameters if p.kind is p.POSITIONAL_OR_KEYWORD]
        every = {p.name for p in parameters}
        self.takes_training = "training" in every
        self.training_position = (
            self.names.index("training") if "training" in self.names else len(self.names) + 99
        )
        self.tensors = every - {"training", "mask"}
        self.mask_arguments = [
            f"{name}_mask"
            if f"{name}_mask" in every
            else "mask"
            if index == 0 and "mask" in every
            else None
            for index, name in enumerate(self.names)
        ]


@cache
def signature_of(call: Any) -> Signature:
    return Signature(call)


def constructor_parameters(cls: Any) -> list[inspect.Parameter]:
    return list(inspect.signature(cls.__init__).parameters.values())


def accepts(cls: type, name: str) -> bool:
    return any(p.name == name for p in constructor_parameters(cls))


def accepts_any(cls: type) -> bool:
    return any(p.kind is p.VAR_KEYWORD for p in constructor_parameters(cls))
