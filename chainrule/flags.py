"""Switches of PyTorch's top level: threads, determinism, precision, `compile`."""

from __future__ import annotations

import importlib
import os
import warnings
from collections.abc import Callable
from typing import Any

from chainrule.tensor import Tensor


def compile(model: Any = None, **options: Any) -> Any:
    """The model itself: every step is recorded and run as one program without being asked to."""
    return (lambda m: m) if model is None else model


def get_num_threads() -> int:
    """How many threads compiled programs run on: as many as this process may use cores, unless
    CHAINRULE_NUM_THREADS or OMP_NUM_THREADS says otherwise.
    """
    return int(_pool().get_num_threads())


def set_num_threads(n: int) -> None:
    """Run compiled programs on n threads from the next one on. Results do not depend on it."""
    if not isinstance(n, int) or n < 1:
        raise RuntimeError(f"set_num_threads expects a positive integer, got {n!r}")
    _pool().set_num_threads(n)


def _pool() -> Any:
    """The threads of the native backend: imported when somebody asks."""
    return importlib.import_module("chainrule.backends.llvm.pool")


def use_deterministic_algorithms(mode: bool, *, warn_only: bool = False) -> None:
    """Nothing to switch: all algorithms here are deterministic."""


def are_deterministic_algorithms_enabled() -> bool:
    """True: there are no others."""
    return True


def set_float32_matmul_precision(precision: str) -> None:
    """Checked and accepted: products of float32 are computed in float32."""
    if precision not in ("highest", "high", "medium"):
        raise RuntimeError(f"precision should be 'highest', 'high' or 'medium', got {precision!r}")


def get_float32_matmul_precision() -> str:
    """highest"""
    return "highest"


def is_deterministic_algorithms_warn_only_enabled() -> bool:
    """False: there is nothing to warn of."""
    return False


def set_deterministic_debug_mode(debug_mode: int | str) -> None:
    """Nothing to switch: all algorithms here are deterministic."""


def get_deterministic_debug_mode() -> int:
    """2: an algorithm that is not deterministic would be an error; there is none."""
    return 2


def get_num_interop_threads() -> int:
    """1: steps of a program wait for those before them."""
    return 1


def set_num_interop_threads(n: int) -> None:
    """Checked and accepted: there is one."""
    if not isinstance(n, int) or n < 1:
        raise RuntimeError(f"set_num_interop_threads expects a positive integer, got {n!r}")


def set_flush_denormal(mode: bool) -> bool:
    """False: small numbers keep their values, as IEEE 754 has them."""
    return False


_warn_always = [False]


def set_warn_always(b: bool, /) -> None:
    """Repeat every warning of this library."""
    _warn_always[0] = bool(b)
    warnings.filterwarnings("always" if b else "default", module="chainrule")


def is_warn_always_enabled() -> bool:
    """What `set_warn_always` was told."""
    return _warn_always[0]


def _assert(condition: Any, message: str) -> None:
    """`assert condition, message`: of a tensor, its value."""
    assert condition, message


def _check(cond: bool, message: Callable[[], object] | None = None) -> None:
    """RuntimeError if the condition does not hold."""
    _check_with(RuntimeError, cond, message)


def _check_with(
    error_type: type[Exception], cond: bool, message: Callable[[], object] | None = None
) -> None:
    """An error of this type if the condition does not hold."""
    if not isinstance(cond, bool):
        raise TypeError(f"cond must be a bool, but got {type(cond)}")
    if not cond:
        raise error_type("Expected cond to be True" if message is None else str(message()))


def _check_index(cond: bool, message: Callable[[], object] | None = None) -> None:
    """IndexError if the condition does not hold."""
    _check_with(IndexError, cond, message)


def _check_value(cond: bool, message: Callable[[], object] | None = None) -> None:
    """ValueError if the condition does not hold."""
    _check_with(ValueError, cond, message)


def _check_type(cond: bool, message: Callable[[], object] | None = None) -> None:
    """TypeError if the condition does not hold."""
    _check_with(TypeError, cond, message)


def _check_not_implemented(cond: bool, message: Callable[[], object] | None = None) -> None:
    """NotImplementedError if the condition does not hold."""
    _check_with(NotImplementedError, cond, message)


def _is_tracing() -> bool:
    """False"""
    return False


def typename(obj: Any, /) -> str:
    """The type's full name; of tensors by their elements: "torch.FloatTensor"."""
    if isinstance(obj, Tensor):
        return str(obj.type())
    kind = obj if isinstance(obj, type) else type(obj)
    module = getattr(kind, "__module__", None)
    name = getattr(kind, "__qualname__", kind.__name__)
    return name if module in (None, "builtins") else f"{module}.{name}"


def compiled_with_cxx11_abi() -> bool:
    """False: nothing is compiled from C++."""
    return False


def get_file_path(*path_components: str) -> str:
    """A path inside this package."""
    return os.path.join(os.path.dirname(__file__), *path_components)
