"""Objects in files: whole models, as `torch.save(model, f)` writes them.

A pickled object is a class by name, and its attributes. Reading it needs the class, so it runs code
of that class. It is done only for `load(f, weights_only=False)`, and only for chainrule's own
classes and those of modules that the program has imported itself: no name in a file can reach
`os.system`, or anything else of Python's library.
"""

from __future__ import annotations

import io
import pickle
import sys
from typing import IO, Any

from chainrule.io.machine import Named
from chainrule.io.rebuild import DTYPES, STORAGES, Rebuild

#: Names of Python's library that values are made of.
_PLAIN = {
    "builtins": {
        "set", "frozenset", "complex", "bytearray", "slice", "range", "object", "list", "dict",
        "tuple", "int", "float", "str", "bool", "bytes", "type", "print", "len", "max", "min",
        "sum", "abs",
    },
    "collections": {"OrderedDict", "Counter", "defaultdict", "deque"},
    "copyreg": {"_reconstructor"},
    "functools": {"partial"},
    "pathlib": {"Path", "PosixPath", "WindowsPath", "PurePosixPath", "PureWindowsPath"},
    "pathlib._local": {"Path", "PosixPath", "WindowsPath", "PurePosixPath", "PureWindowsPath"},
    "datetime": {"date", "datetime", "time", "timedelta", "timezone"},
    "decimal": {"Decimal"},
    "fractions": {"Fraction"},
    "uuid": {"UUID"},
    "argparse": {"Namespace"},
    "types": {"SimpleNamespace"},
    "enum": {"Enum", "IntEnum"},
    "_codecs": {"encode"},
    "math": {"sqrt", "log", "exp", "tanh", "sin", "cos"},
}  # fmt: skip
_OLD = {"__builtin__": "builtins", "copy_reg": "copyreg"}
_HOMES = {"numpy"}


class NotAllowed(pickle.UnpicklingError):
    """A name that a file may not use."""


class _Storage:
    """The class of a storage, by name."""

    def __init__(self, name: str) -> None:
        self.name = name


def unpickled(program: bytes | IO[bytes], rebuild: Rebuild) -> Any:
    """The value of a pickle with objects. Raises NotAllowed for names that it may not use."""
    file = io.BytesIO(program) if isinstance(program, bytes) else program
    return _Unpickler(file, rebuild).load()


class _Unpickler(pickle.Unpickler):
    def __init__(self, file: IO[bytes], rebuild: Rebuild) -> None:
        super().__init__(file, encoding="utf-8")
        self._rebuild = rebuild

    def persistent_load(self, identity: Any) -> Any:
        return self._rebuild.stored(identity)

    def find_class(self, module: str, name: str) -> Any:
        text = f"{module}.{name}"
        home = _OLD.get(module, module)
        if text in DTYPES:
            return DTYPES[text]
        if text in self._rebuild.allowed:
            return self._rebuild.allowed[text]
        if text == "torch._tensor._rebuild_from_type_v2":
            return lambda maker, kind, args, state: maker(*args)
        if module.partition(".")[0] == "torch":
            if name in STORAGES:
                return _Storage(name)
            if text in self._rebuild.makers:
                return self._rebuild.makers[text]
            raise NotAllowed(
                f"the file holds an object of PyTorch's class `{text}`. Its values can be read "
                "here, not the object: load it once in PyTorch and save "
                "torch.save(model.state_dict(), 'weights.pt'), then give these to "
                "model.load_state_dict()"
            )
        if name in _PLAIN.get(home, ()):
            return super().find_class(home, name)
        top = module.partition(".")[0]
        own = top == "chainrule" or top in _HOMES
        if own or (module in sys.modules and top not in sys.stdlib_module_names):
            return super().find_class(module, name)
        if module == "__main__":
            return super().find_class(module, name)
        known = "imports" if top in sys.stdlib_module_names else "has not imported"
        raise NotAllowed(
            f"the file refers to `{Named(module, name)}`, which no file may use: load makes objects"
            " of chainrule's classes and of modules that the program itself imported"
            + (f"; this one {known} {module!r}" if known != "imports" else "")
        )
