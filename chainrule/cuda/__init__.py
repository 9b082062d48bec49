"""`torch.cuda`, truthfully: there is no CUDA device, and everything that needs one says so.

What only asks, counts or frees answers as PyTorch does on a machine without a device. Names that a
program reads before it knows (`Tensor = torch.cuda.FloatTensor if cuda else torch.FloatTensor`)
exist; calling them is the error.
"""

from __future__ import annotations

import importlib
from contextlib import AbstractContextManager
from typing import Any, NoReturn

from chainrule import devices, names
from chainrule.cuda import amp, nvtx
from chainrule.tensor import Tensor

__getattr__ = names.later(__name__)

has_half = has_magma = False
default_generators: tuple[()] = ()


# ------------------------------------------------------------------ asking


def is_available() -> bool:
    """False: this version computes on the CPU only."""
    return False


def device_count() -> int:
    """0"""
    return 0


def is_initialized() -> bool:
    """False"""
    return False


def is_bf16_supported(including_emulation: bool = True) -> bool:
    """False: there is no device."""
    return False


def is_tf32_supported() -> bool:
    """False: there is no device."""
    return False


def is_current_stream_capturing() -> bool:
    """False"""
    return False


def get_arch_list() -> list[str]:
    """[]"""
    return []


def get_gencode_flags() -> str:
    """No flags: nothing is built for a device."""
    return ""


def init() -> None:
    """Raises: there is nothing to initialise."""
    _none()


def _none(*_: Any, **__: Any) -> NoReturn:
    devices.check("cuda")
    raise AssertionError("unreachable")


current_device = get_device_name = get_device_properties = get_device_capability = _none
can_device_access_peer = current_blas_handle = cudart = mem_get_info = utilization = _none
temperature = power_draw = clock_rate = make_graphed_callables = graph_pool_handle = _none
current_stream = default_stream = set_per_process_memory_fraction = _none


def set_device(device: Any) -> None:
    """Nothing for a negative number, as in PyTorch; else an error: there is no device."""
    if not (isinstance(device, int) and device < 0):
        _none()


# ------------------------------------------------------------------ random states


def manual_seed(seed: int) -> None:
    """Seeds nothing: there are no device streams; `torch.manual_seed` seeds those that exist."""


manual_seed_all = manual_seed


def seed() -> None:
    """Seeds nothing."""


seed_all = seed


def initial_seed() -> int:
    """Raises: no device has a seed."""
    _none()


def get_rng_state(device: Any = "cuda") -> Tensor:
    """Raises: no device has a state."""
    _none()


def set_rng_state(new_state: Tensor, device: Any = "cuda") -> None:
    """Nothing: there is no device whose state it could be."""


def get_rng_state_all() -> list[Tensor]:
    """[]: one for each device."""
    return []


def set_rng_state_all(new_states: list[Tensor]) -> None:
    """Nothing: one for each device."""


# ------------------------------------------------------------------ memory


def empty_cache() -> None:
    """Nothing is cached on a device."""


def synchronize(device: Any = None) -> None:
    """Nothing runs on a device."""


def ipc_collect() -> None:
    """Nothing is shared on a device."""


def memory_allocated(device: Any = None) -> int:
    """0 bytes"""
    return 0


max_memory_allocated = memory_reserved = max_memory_reserved = memory_allocated
memory_cached = max_memory_cached = memory_usage = device_memory_used = memory_allocated


def reset_peak_memory_stats(device: Any = None) -> None:
    """There are none."""


reset_accumulated_memory_stats = reset_max_memory_allocated = reset_peak_memory_stats
reset_max_memory_cached = reset_peak_host_memory_stats = reset_peak_memory_stats


def memory_stats(device: Any = None) -> dict[str, Any]:
    """{}"""
    return {}


memory_stats_as_nested_dict = host_memory_stats = memory_stats


def memory_snapshot(mempool_id: Any = None) -> list[Any]:
    """[]"""
    return []


def memory_summary(device: Any = None, abbreviated: bool = False) -> str:
    """One line: there is no device."""
    return "no CUDA device: 0 bytes allocated"


def list_gpu_processes(device: Any = None) -> str:
    """One line: there is no device."""
    return "no CUDA device"


def get_allocator_backend() -> str:
    """native"""
    return "native"


def get_sync_debug_mode() -> int:
    """0"""
    return 0


def set_sync_debug_mode(debug_mode: int | str) -> None:
    """Nothing runs on a device."""


# ------------------------------------------------------------------ devices, streams, events


class device:
    """`with torch.cuda.device(i):` does nothing for None and negative numbers, as in PyTorch."""

    def __init__(self, device: Any) -> None:
        self.idx = -1 if device is None else device

    def __enter__(self) -> None:
        if not (isinstance(self.idx, int) and self.idx < 0):
            _none()

    def __exit__(self, *_: object) -> None:
        return None


class device_of(device):
    """The device of a tensor: none, so the block runs as it is."""

    def __init__(self, obj: Any) -> None:
        super().__init__(-1)


class Stream:
    """Exists for type hints and guarded code; making one is an error."""

    def __init__(self, device: Any = None, priority: int = 0, **kwargs: Any) -> None:
        _none()


class ExternalStream(Stream):
    """As `Stream`."""


class Event:
    """Exists for type hints and guarded code; making one is an error."""

    def __init__(
        self, enable_timing: bool = False, blocking: bool = False, interprocess: bool = False,
        external: bool = False,
    ) -> None:  # fmt: skip
        _none()


class CUDAGraph:
    """Exists for type hints and guarded code; making one is an error."""

    def __init__(self, keep_graph: bool = False) -> None:
        _none()


class StreamContext:
    """`with torch.cuda.stream(None):` runs the block as it is."""

    def __init__(self, stream: Stream | None) -> None:
        self.stream = stream

    def __enter__(self) -> None:
        return None

    def __exit__(self, *_: object) -> None:
        return None


def stream(stream: Stream | None) -> StreamContext:
    """A context that does nothing: there are no streams."""
    return StreamContext(stream)


def set_stream(stream: Stream | None) -> None:
    """Nothing for None; a stream cannot exist."""


def graph(*args: Any, **kwargs: Any) -> AbstractContextManager[None]:
    """Raises: there is nothing to capture."""
    _none()


class CudaError(RuntimeError):
    """What PyTorch raises for errors of a device; nothing raises it here."""


class AcceleratorError(RuntimeError):
    """What PyTorch raises for errors of an accelerator; nothing raises it here."""


class OutOfMemoryError(RuntimeError):
    """What PyTorch raises when a device has no more memory; nothing raises it here."""


def get_device_module(device: Any = None) -> Any:
    """The module of a type of device: `torch.cpu`; `torch.cuda` and others say there is none."""
    kind = "cpu" if device is None else devices.device(device).type
    return importlib.import_module(f"chainrule.{kind}")


# ------------------------------------------------------------------ old names of tensors


class _Unavailable(type):
    """`isinstance` says no; calling is an error, in PyTorch's words."""

    def __call__(cls, *args: Any, **kwargs: Any) -> NoReturn:
        raise TypeError(
            f"type torch.cuda.{cls.__name__} not available. Torch not compiled with CUDA enabled."
        )

    def __instancecheck__(cls, x: object) -> bool:
        return False


class FloatTensor(metaclass=_Unavailable):
    """float32 on a CUDA device: none"""


class DoubleTensor(metaclass=_Unavailable):
    """float64 on a CUDA device: none"""


class HalfTensor(metaclass=_Unavailable):
    """float16 on a CUDA device: none"""


class BFloat16Tensor(metaclass=_Unavailable):
    """bfloat16 on a CUDA device: none"""


class LongTensor(metaclass=_Unavailable):
    """int64 on a CUDA device: none"""


class IntTensor(metaclass=_Unavailable):
    """int32 on a CUDA device: none"""


class ShortTensor(metaclass=_Unavailable):
    """int16 on a CUDA device: none"""


class CharTensor(metaclass=_Unavailable):
    """int8 on a CUDA device: none"""


class ByteTensor(metaclass=_Unavailable):
    """uint8 on a CUDA device: none"""


class BoolTensor(metaclass=_Unavailable):
    """bool on a CUDA device: none"""
