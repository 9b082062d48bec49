"""`torch.autocast`: products and convolutions in a shorter dtype, losses in float32.

Which operation is cast, and how, stands in `chainrule.tensor.autocast`.
"""

from __future__ import annotations

import functools
import warnings
from collections.abc import Callable, Mapping
from typing import Any

from chainrule import dtypes
from chainrule.dtypes import DType
from chainrule.tensor import Tensor
from chainrule.tensor import autocast as casting

#: Device types that PyTorch knows, and whether autocast does something there in this version.
_KNOWN = {"cpu": True, "cuda": False, "mps": False, "xpu": False, "hpu": False, "mtia": False}


def is_autocast_available(device_type: str) -> bool:
    """Whether PyTorch has autocast for this device type; raises RuntimeError for an unknown one."""
    if device_type not in _KNOWN and device_type not in ("meta", "ipu", "xla", "maia"):
        raise RuntimeError(f"Expected one of cpu, cuda, … as device type, got: {device_type!r}")
    return device_type in _KNOWN


class autocast:
    """A context manager and a decorator: operations inside choose the dtype that they compute in.

    On the CPU: matrix products, convolutions, attention and recurrent layers in `dtype` (bfloat16
    or float16), losses and some reductions in float32, operations of several tensors in the widest
    of their dtypes; all others in the dtype of what they get. Without a CUDA device
    `autocast("cuda")` warns and does nothing, as in PyTorch.

    >>> import chainrule as torch
    >>> with torch.autocast("cpu", dtype=torch.bfloat16):
    ...     (torch.ones(2, 2) @ torch.ones(2, 2)).dtype
    chainrule.bfloat16
    """

    def __init__(
        self,
        device_type: str,
        dtype: DType | None = None,
        enabled: bool = True,
        cache_enabled: bool | None = None,
    ) -> None:
        if not isinstance(device_type, str):
            raise ValueError(f"Expected `device_type` of type `str`, got: `{type(device_type)}`")
        if not is_autocast_available(device_type):
            raise RuntimeError(
                f"User specified an unsupported autocast device_type '{device_type}'"
            )
        self.device = device_type
        self.fast_dtype = casting.get_dtype(device_type) if dtype is None else dtype
        self._cache_enabled = True if cache_enabled is None else cache_enabled
        if enabled and not _KNOWN[device_type]:
            warnings.warn(
                f"User provided device_type of '{device_type}', but "
                f"{device_type.upper()} is not available. Disabling",
                stacklevel=2,
            )
            enabled = False
        elif enabled and self.fast_dtype not in (dtypes.bfloat16, dtypes.float16):
            warnings.warn(
                "In CPU autocast, but the target dtype is not supported. Disabling autocast.\n"
                "CPU Autocast only supports dtype of torch.bfloat16, torch.float16 currently.",
                stacklevel=2,
            )
            enabled = False
        self._enabled = enabled
        self._before: list[DType | None] = []

    def __enter__(self) -> autocast:
        if self.device == "cpu":
            self._before.append(casting.current())
            casting.enter(self.fast_dtype if self._enabled else None)
        return self

    def __exit__(self, *_: object) -> None:
        if self.device == "cpu":
            casting.enter(self._before.pop())

    def __call__(self, func: Callable[..., Any]) -> Callable[..., Any]:
        if not callable(func):
            raise TypeError(f"autocast decorates a function, got {type(func).__name__}")

        @functools.wraps(func)
        def inside(*args: Any, **kwargs: Any) -> Any:
            with self:
                return func(*args, **kwargs)

        return inside


def _cast(value: Any, dtype: DType) -> Any:
    """Floating point tensors in nested containers, in another dtype."""
    if isinstance(value, Tensor):
        right = value.dtype.is_floating_point and value.dtype is not dtypes.float64
        return value.to(dtype) if right else value
    if isinstance(value, (str, bytes)):
        return value
    if isinstance(value, Mapping):
        return {_cast(k, dtype): _cast(v, dtype) for k, v in value.items()}
    if isinstance(value, (list, tuple)):
        return type(value)(_cast(v, dtype) for v in value)
    return value


def custom_fwd(
    fwd: Callable[..., Any] | None = None,
    *,
    device_type: str,
    cast_inputs: DType | None = None,
) -> Callable[..., Any]:
    """Decorates `forward` of an `autograd.Function`: it remembers whether autocast was on for its
    backward pass; with `cast_inputs` its inputs are cast and autocast is off inside.
    """
    if not isinstance(device_type, str):
        raise ValueError(f"Expected `device_type` of type `str`, got: `{type(device_type)}`")
    if fwd is None:
        return functools.partial(custom_fwd, device_type=device_type, cast_inputs=cast_inputs)
    call = fwd

    @functools.wraps(call)
    def forward(ctx: Any, *args: Any, **kwargs: Any) -> Any:
        on = casting.current() if device_type == "cpu" else None
        ctx._dtype, ctx._fwd_used_autocast = on, on is not None
        if cast_inputs is None or on is None:
            return call(ctx, *args, **kwargs)
        ctx._dtype, ctx._fwd_used_autocast = None, False
        with autocast("cpu", enabled=False):
            return call(ctx, *_cast(args, cast_inputs), **_cast(kwargs, cast_inputs))

    return forward


def custom_bwd(bwd: Callable[..., Any] | None = None, *, device_type: str) -> Callable[..., Any]:
    """Decorates `backward` of an `autograd.Function` whose forward is decorated by `custom_fwd`:
    it runs with the autocast state of the forward pass.
    """
    if not isinstance(device_type, str):
        raise ValueError(f"Expected `device_type` of type `str`, got: `{type(device_type)}`")
    if bwd is None:
        return functools.partial(custom_bwd, device_type=device_type)
    call = bwd

    @functools.wraps(call)
    def backward(ctx: Any, *args: Any, **kwargs: Any) -> Any:
        if device_type != "cpu":
            return call(ctx, *args, **kwargs)
        with autocast("cpu", enabled=ctx._fwd_used_autocast, dtype=ctx._dtype):
            return call(ctx, *args, **kwargs)

    return backward


# ------------------------------------------------------------------ torch.is_autocast_enabled, …


def is_autocast_enabled(device_type: str = "cuda") -> bool:
    """Whether autocast is on for this device type."""
    return device_type == "cpu" and casting.current() is not None


def is_autocast_cpu_enabled() -> bool:
    """Whether autocast is on."""
    return casting.current() is not None


def set_autocast_enabled(device_type: Any, enabled: bool | None = None) -> None:
    """Switch it, outside of a block. One argument alone means "cuda", as in PyTorch."""
    if enabled is not None and device_type == "cpu":
        casting.enter(casting.get_dtype("cpu") if enabled else None)


def set_autocast_cpu_enabled(enabled: bool) -> None:
    """Switch it, outside of a block."""
    set_autocast_enabled("cpu", enabled)


def get_autocast_dtype(device_type: str) -> DType:
    """The dtype of a block that names none, or of the block that this is."""
    inside = casting.current() if device_type == "cpu" else None
    return casting.get_dtype(device_type) if inside is None else inside


def set_autocast_dtype(device_type: str, dtype: DType) -> None:
    """Choose the dtype of blocks that name none."""
    casting.set_dtype(device_type, dtype)
    if device_type == "cpu" and casting.current() is not None:
        casting.enter(dtype)


def get_autocast_cpu_dtype() -> DType:
    """`get_autocast_dtype("cpu")`"""
    return get_autocast_dtype("cpu")


def set_autocast_cpu_dtype(dtype: DType) -> None:
    """`set_autocast_dtype("cpu", dtype)`"""
    set_autocast_dtype("cpu", dtype)


def get_autocast_gpu_dtype() -> DType:
    """`get_autocast_dtype("cuda")`"""
    return get_autocast_dtype("cuda")


def is_autocast_cache_enabled() -> bool:
    """True: equal casts of a step are one node."""
    return True


def set_autocast_cache_enabled(enabled: bool) -> None:
    """Nothing: equal casts of a step are one node in any case."""


def clear_autocast_cache() -> None:
    """Nothing is kept beyond a step."""


def autocast_increment_nesting() -> int:
    """1"""
    return 1


def autocast_decrement_nesting() -> int:
    """0"""
    return 0
