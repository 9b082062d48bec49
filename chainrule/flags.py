"""Switches of PyTorch that mean nothing here: accepted, and truthful where they answer.

`torch.backends`, `torch.amp`, `torch.accelerator`, `torch.jit`, `torch.mps`, `torch.distributed`.
"""

from __future__ import annotations

import importlib
from collections.abc import Callable
from contextlib import nullcontext
from types import SimpleNamespace
from typing import Any


def _no(*_: Any) -> bool:
    return False


backends = SimpleNamespace(
    cudnn=SimpleNamespace(
        deterministic=True, benchmark=False, enabled=False, allow_tf32=False,
        is_available=_no, version=lambda: None,
    ),
    cuda=SimpleNamespace(
        matmul=SimpleNamespace(allow_tf32=False), is_built=_no,
        sdp_kernel=lambda **_: nullcontext(), enable_flash_sdp=lambda _: None,
        enable_mem_efficient_sdp=lambda _: None, enable_math_sdp=lambda _: None,
    ),
    mps=SimpleNamespace(is_available=_no, is_built=_no),
    mkldnn=SimpleNamespace(is_available=_no, enabled=False), mkl=SimpleNamespace(is_available=_no),
    openmp=SimpleNamespace(is_available=_no),
)  # fmt: skip
mps = SimpleNamespace(is_available=_no, manual_seed=lambda _: None, empty_cache=lambda: None)
xpu = SimpleNamespace(is_available=_no, device_count=lambda: 0)
accelerator = SimpleNamespace(
    is_available=_no, current_accelerator=lambda check_available=False: None, device_count=lambda: 0
)
distributed = SimpleNamespace(
    is_available=_no,
    is_initialized=_no,
    get_rank=lambda group=None: 0,
    get_world_size=lambda group=None: 1,
)


class autocast:
    """Accepted: everything is computed in the dtypes that it has, so nothing is cast.

    A context manager and a decorator, as in PyTorch.
    """

    def __init__(
        self, device_type: str = "cpu", dtype: Any = None, enabled: bool = True,
        cache_enabled: bool | None = None,
    ) -> None:  # fmt: skip
        self.device_type, self.fast_dtype, self.enabled = device_type, dtype, enabled

    def __enter__(self) -> autocast:
        return self

    def __exit__(self, *_: object) -> None:
        return None

    def __call__(self, f: Callable[..., Any]) -> Callable[..., Any]:
        return f


class GradScaler:
    """Accepted: all is computed in its own dtype, so the scale is 1 and no step is skipped."""

    def __init__(
        self, device: str = "cpu", init_scale: float = 65536.0, enabled: bool = True, **_: Any
    ) -> None:
        self._enabled = False

    def scale(self, outputs: Any) -> Any:
        return outputs

    def unscale_(self, optimizer: Any) -> None:
        return None

    def step(self, optimizer: Any, *args: Any, **kwargs: Any) -> Any:
        return optimizer.step(*args, **kwargs)

    def update(self, new_scale: Any = None) -> None:
        return None

    def get_scale(self) -> float:
        return 1.0

    def is_enabled(self) -> bool:
        return self._enabled

    def state_dict(self) -> dict[str, Any]:
        return {}

    def load_state_dict(self, state: dict[str, Any]) -> None:
        return None


amp = SimpleNamespace(autocast=autocast, GradScaler=GradScaler)


def _identity(f: Any = None, **_: Any) -> Any:
    return (lambda g: g) if f is None else f


jit = SimpleNamespace(
    is_scripting=_no, is_tracing=_no, script=_identity, trace=lambda f, *_, **__: f,
    unused=_identity, ignore=_identity, export=_identity, script_method=_identity,
    _script_if_tracing=_identity,
)  # fmt: skip


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
