"""Names that a room does not have: loaded when they are first named, or an error that helps.

Every module's `__getattr__` is made here, so that there is one answer to a missing name:

>>> import chainrule as torch
>>> torch.nn.Lineer
Traceback (most recent call last):
    ...
chainrule.names.MissingName: chainrule.nn has no 'Lineer'. The nearest name there is 'Linear'.
"""

from __future__ import annotations

import difflib
import importlib
import sys
from collections.abc import Callable, Iterable, Mapping
from typing import Any

from chainrule import faces

#: Names of PyTorch that do not exist here, and what does the same.
INSTEAD = {
    "chainrule.rfft": "torch.fft.rfft",
    "chainrule.irfft": "torch.fft.irfft",
    "chainrule.ifft": "torch.fft.ifft",
    "chainrule.from_file": "torch.from_numpy(numpy.memmap(…))",
    "chainrule.uint16": "torch.int32, which holds its values",
    "chainrule.uint32": "torch.int64, which holds its values",
    "chainrule.uint64": "torch.int64",
    "chainrule.nn.Dense": "Linear",
    "chainrule.nn.Conv2D": "Conv2d",
    "chainrule.nn.MaxPool2D": "MaxPool2d",
    "chainrule.nn.AvgPool2D": "AvgPool2d",
    "chainrule.nn.BatchNorm": "BatchNorm2d",
    "chainrule.nn.DistributedDataParallel": "nn.parallel.DistributedDataParallel",
    "chainrule.Tensor.values": "a dense tensor: only sparse ones have values()",
    "chainrule.Tensor.indices": "nonzero()",
    "chainrule.Tensor.resize": "reshape() or resize_()",
}


class MissingName(AttributeError):
    """A name that does not exist. What is near to it is looked up when somebody reads the text:
    `hasattr` asks often.
    """

    def __init__(self, owner: str, name: str, names: Callable[[], Iterable[str]]) -> None:
        super().__init__(name=name)
        self.owner, self.names = owner, names

    def __str__(self) -> str:
        text = f"{self.owner} has no {self.name!r}."
        instead = INSTEAD.get(f"{self.owner}.{self.name}")
        if instead is not None:
            return f"{text} Use {instead}."
        near = nearest(str(self.name), self.names())
        return f"{text} The nearest name there is {near!r}." if near else f"{text} Nothing is near."


class NotHere(ImportError, NotImplementedError):
    """A name of a whole area that does not exist here, and why: no AttributeError, so that
    `from torch.area import name` says it, too.
    """

    def __init__(self, owner: str, name: str, why: str) -> None:
        super().__init__(f"{owner}.{name} does not exist here: {why}", name=name)


def nearest(name: str, names: Iterable[str]) -> str | None:
    """The name that differs least, case apart; None where all differ by much."""
    public = [n for n in names if not n.startswith("_")]
    public.sort(key=lambda n: n[:1].isupper() == name[:1].isupper())  # the last of equals stays
    known = {n.lower(): n for n in public}
    found = difflib.get_close_matches(name.lower(), known, n=1, cutoff=0.5)
    return known[found[0]] if found else None


def later(
    module: str,
    rooms: Iterable[str] = (),
    elsewhere: Mapping[str, str] | None = None,
    missing: Mapping[str, str] | None = None,
    also: str | None = None,
) -> Callable[[str], Any]:
    """A module's `__getattr__`.

    rooms: submodules that are imported when they are named. elsewhere: names that stand in another
    module, and its name. missing: names that PyTorch has and this module has not, and why. also:
    a module of TensorFlow's names, for a room that both have, and a program that speaks it.
    """
    inside, outside, why = frozenset(rooms), dict(elsewhere or {}), dict(missing or {})

    def listed() -> set[str]:
        return {*vars(sys.modules[module]), *inside, *outside}

    def find(name: str) -> Any:
        if name in inside:
            return importlib.import_module(f"{module}.{name}")
        if name in outside:
            found = getattr(importlib.import_module(outside[name]), name)
            setattr(sys.modules[module], name, found)  # the next look finds it without coming here
            return found
        if name in why:
            raise NotHere(module, name, why[name])
        if also is not None and not name.startswith("_") and faces.speaks_tensorflow():
            found = vars(importlib.import_module(also)).get(name)
            if found is not None:
                return found
        raise MissingName(module, name, listed)

    return find


def absent(module: str, why: str) -> Callable[[str], Any]:
    """The `__getattr__` of a module of PyTorch of which nothing exists here."""

    def refuse(name: str) -> Any:
        if name.startswith("__"):
            raise AttributeError(name)
        raise NotHere(module, name, why)

    return refuse
