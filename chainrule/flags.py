"""Switches of PyTorch's top level: threads, determinism, precision, `compile`."""

from __future__ import annotations

import importlib
from typing import Any


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
