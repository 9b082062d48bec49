"""Two faces, one top level: `import chainrule as torch` and `import chainrule as tf`.

Where a call is valid in PyTorch it means what PyTorch means. TensorFlow's form of a function of
the same name (`tf.reshape(x, tf.shape(y))`, `tf.matmul(a, b, transpose_b=True)`) is an error in
PyTorch, and then a program that speaks TensorFlow gets TensorFlow's function. The few names that
are valid in both and mean different things (`CLASHING`) are decided by the caller alone. A program
speaks TensorFlow where its module calls this package `tf` or `tensorflow`, and not `torch` besides.
See docs/decisions/0020-one-top-level-two-faces.md.
"""

from __future__ import annotations

import importlib
import sys
from collections.abc import Callable
from types import FrameType
from typing import Any

#: Names whose valid calls mean different things: `split(x, 3)` gives parts of 3, or 3 parts.
CLASHING = frozenset({
    "argmax", "argmin", "equal", "fill", "meshgrid", "norm", "not_equal", "one_hot", "range",
    "repeat", "size", "sort", "split", "unique", "where",
})  # fmt: skip
_MODULE = "chainrule.tensorflow"
#: TensorFlow's names of functions that PyTorch has under several.
_NAMES = {
    "cat": "concat", "div": "divide", "ge": "greater_equal", "gt": "greater", "le": "less_equal",
    "lt": "less", "mul": "multiply", "neg": "negative", "sub": "subtract",
}  # fmt: skip


def speaks_tensorflow(depth: int = 1) -> bool:
    """Whether the caller's caller (`depth` frames above) calls this package `tf`."""
    return _speaks(sys._getframe(depth + 1).f_globals)


def _speaks(names: dict[str, Any]) -> bool:
    top = sys.modules["chainrule"]
    return (names.get("tf") is top or names.get("tensorflow") is top) and (
        names.get("torch") is not top
    )


def is_keras_program() -> bool:
    """Whether the nearest program on the stack that uses this package speaks TensorFlow or Keras,
    in which a value can always be looked at. Slow: only for what is an error otherwise.
    """
    frame: FrameType | None = sys._getframe(1)
    top = sys.modules["chainrule"]
    while frame is not None:
        names = frame.f_globals
        if not str(names.get("__name__", "")).startswith("chainrule."):
            if names.get("torch") is top:
                return False
            for name in ("keras", "tf", "tensorflow", "layers", "K"):
                found = names.get(name) or frame.f_locals.get(name)
                module = getattr(found, "__name__", "")
                if module == "chainrule" or str(module).startswith("chainrule.keras"):
                    return True
        frame = frame.f_back
    return False


def rebinds() -> bool:
    """Whether `x += y` in the caller's caller leaves the tensor as it is, and names another one x:
    so it is in programs written for TensorFlow or Keras.
    """
    names = sys._getframe(2).f_globals
    if names.get("torch") is sys.modules["chainrule"]:
        return False
    return _speaks(names) or names.get("keras", names) is sys.modules.get("chainrule.keras")


def tensorflow(name: str) -> Callable[..., Any]:
    """TensorFlow's function of this name at the top level."""
    found: Callable[..., Any] = getattr(importlib.import_module(_MODULE), name)
    return found


def instead(name: str, error: Exception, args: tuple[Any, ...], kwargs: dict[str, Any]) -> Any:
    """What a call that PyTorch does not know gives in TensorFlow; else its error.

    For the form of a function that a program calls: the program is two frames above.
    """
    frame = sys._getframe(2)
    if _speaks(frame.f_globals) or _speaks(frame.f_locals):
        function = getattr(importlib.import_module(_MODULE), _NAMES.get(name, name), None)
        if function is not None:
            return function(*args, **kwargs)
    raise error
